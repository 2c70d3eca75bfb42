"""The storefront API: orders that name the payment at a PG of ours which is to confirm their money."""

import pytest

from channels.models import IdempotencyKey
from orders.models import Order
from payments.models import CardCheck, LedgerEntry, Payment, PgAccount
from tests.channels.conftest import order_body

PG = {"account": "toss", "order_ref": "mall-20260921-1", "payment_key": "tviva20260921100101AbCdE"}


@pytest.fixture
def account(db):
    one = PgAccount(code="toss", name="토스", provider="toss", merchant_id="m", base_url="https://pg.example")
    one.set_secrets("test_sk_1234567890")
    one.save()
    return one


def body(number="M-1", *, method="CARD", pg=PG, **facts):
    return order_body(number, payment={"method": method, "pg": pg}, **facts)


def refused(api, sent, status, code, words):
    before = Order.objects.count(), Payment.objects.count(), CardCheck.objects.count()
    answer = api.post("/orders", sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.json()
    assert words in answer.json()["message"]
    assert (Order.objects.count(), Payment.objects.count(), CardCheck.objects.count()) == before


@pytest.mark.parametrize("method", ["CARD", "EASY_PAY"])
def test_an_order_with_a_pg_payment_waits_for_the_pg(api, account, method):
    answer = api.post("/orders", body(method=method))
    assert answer.status_code == 201, answer.json()
    said, payment = answer.json(), Payment.objects.get()
    assert (said["state"], said["paid_at"], said["amounts"]["paid"], said["pg_state"]) == ("N00", None, 0, "pending")
    assert (said["account"], said["account_state"]) == (None, None)
    assert (payment.account, payment.order_ref, payment.payment_ref) == (account, PG["order_ref"], PG["payment_key"])
    assert (payment.state, payment.balance) == ("PENDING", 0)
    assert CardCheck.objects.get().payment == payment
    assert not LedgerEntry.objects.exists()
    assert api.get(f"/orders/{said['number']}").json() == said


def test_the_time_of_payment_that_the_storefront_tells_counts_for_nothing(api, account):
    sent = body()
    sent["payment"]["paid_at"] = "2026-09-21T10:01:00+09:00"
    assert api.post("/orders", sent).json()["paid_at"] is None
    assert Payment.objects.get().paid_at is None


def test_the_same_order_again_is_the_stored_one_and_asks_no_second_time(api, account):
    first = api.post("/orders", body())
    again = api.post("/orders", body())
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert CardCheck.objects.count() == Payment.objects.count() == 1


@pytest.mark.parametrize("pg", [None, PG | {"order_ref": "mall-20260921-2"}, PG | {"account": "other"}])
def test_the_same_number_with_another_pg_payment_is_a_conflict(api, account, pg):
    PgAccount.objects.create(
        code="other", name="다른 토스", provider="toss", merchant_id="m2", base_url="https://o.example"
    )
    api.post("/orders", body())
    refused(api, body(pg=pg), 409, "order_differs", "이미 있습니다")
    assert Payment.objects.get().order_ref == PG["order_ref"]


def test_an_order_that_the_channel_had_collected_is_not_turned_into_one_of_a_pg(api, account):
    api.post("/orders", order_body(payment={"method": "CARD"}))
    refused(api, body(), 409, "order_differs", "이미 있습니다")
    assert (Payment.objects.get().account, LedgerEntry.objects.get().kind) == (None, "PREPAID")


def test_a_reference_pays_one_order_only(api, account):
    api.post("/orders", body())
    refused(api, body("M-2"), 409, "pg_reference_used", "다른 주문의 결제입니다")
    assert IdempotencyKey.objects.count() == 1


def test_what_no_pg_of_ours_can_confirm_is_refused(api, account):
    PgAccount.objects.create(
        code="feed", name="페이액션", provider="payaction", merchant_id="f", base_url="https://f.example"
    )
    refused(api, body(pg=PG | {"account": "nobody"}), 422, "order_refused", "payment.pg.account")
    refused(api, body(pg=PG | {"account": "feed"}), 422, "order_refused", "payment.pg.account")
    for method in ("MARKET", "BANK_TRANSFER", "VIRTUAL_ACCOUNT"):
        refused(api, body(method=method), 422, "order_refused", "CARD나 EASY_PAY")
    refused(api, body(amounts={"points": 31_000}), 422, "order_refused", "결제할 금액이 없는")
    PgAccount.objects.update(is_active=False)
    refused(api, body(), 422, "order_refused", "사용 중인 PG 계정")


@pytest.mark.parametrize(
    "wrong",
    [{"order_ref": ""}, {"order_ref": "한글"}, {"order_ref": "x" * 65}, {"account": ""}, {"payment_key": "a b"}],
)
def test_references_that_no_pg_has_are_refused(api, account, wrong):
    answer = api.post("/orders", body(pg=PG | wrong))
    assert answer.status_code == 422, answer.json()
    assert "payment.pg." in answer.json()["message"]
    assert not Order.objects.exists()


def test_the_contract_names_them(api):
    schemas = api.client.get("/api/v1/openapi.json").json()["components"]["schemas"]
    assert set(schemas["PgIn"]["required"]) == {"account", "order_ref"}
    assert "pg" in schemas["PaymentIn"]["properties"]
    assert "pg_state" in schemas["OrderOut"]["properties"]
