"""The storefront API: orders in once, read back, confirmed by the buyer; keys, idempotency, errors."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from channels.models import ApiKey, ChannelListing, IdempotencyKey
from channels.services.idempotency import forget_old_keys
from channels.services.keys import make_key, revoke_key
from orders.models import Order, OrderEvent, OrderLine, SalesChannel
from orders.services import locks, progress
from orders.services.changes import Recipient, change_recipient
from orders.states import CanceledBy, DeliveredBy, LineState, LockKind
from payments.models import Payment
from payments.services.manual import confirm_manually
from tests.channels.conftest import Api, order_body
from tests.fixtures.orders import NOW


def error(answer) -> tuple[int, str]:
    """Status and code of an error, which is always JSON with a Korean sentence."""
    body = answer.json()
    assert set(body) >= {"code", "message"}
    assert any("가" <= letter <= "힣" for letter in body["message"])
    return answer.status_code, body["code"]


def test_a_posted_order_is_stored_and_answered(api, make_variant):
    variant = make_variant(sku="SOCK-1")
    body = order_body()
    body["lines"][1]["sku"] = "SOCK-1"
    answer = api.post("/orders", body)
    assert answer.status_code == 201
    said, order = answer.json(), Order.objects.get()
    assert (said["number"], said["channel_number"], said["state"]) == (order.number, "M-1", "N10")
    assert said["amounts"] == {
        "goods": 31_000, "discount": 1_000, "coupon": 0, "points": 0, "shipping_fee": 3_000, "due": 33_000,
        "paid": 33_000,
    }  # fmt: skip
    assert [(line["number"], line["sku"], line["state"]) for line in said["lines"]] == [
        (f"{order.number}-01", None, "N10"),
        (f"{order.number}-02", "SOCK-1", "N10"),
    ]
    assert sum(line["amount"] for line in said["lines"]) == 30_000
    assert (order.buyer_phone, order.recipient_phone) == ("01012345678", "01087654321")
    assert order.lines.get(seq=1).locks.get().kind == "MAPPING"
    assert order.lines.get(seq=2).variant_id == variant.pk
    assert OrderEvent.objects.get(kind="order.received").source == "API"
    assert ChannelListing.objects.get().variant_id == variant.pk
    assert api.get(f"/orders/{order.number}").json() == said


def test_an_unpaid_order_waits_for_its_deposit(api):
    body = order_body(payment={"method": "BANK_TRANSFER", "depositor_name": "홍길동"})
    said = api.post("/orders", body).json()
    assert said["state"] == "N00"
    assert said["amounts"]["paid"] == 0
    assert said["deposit_by"] == "2026-09-28T10:00:00+09:00"
    assert Payment.objects.get().state == "PENDING"


def test_a_channel_that_creates_products_leaves_nothing_to_map(api, channel):
    SalesChannel.objects.filter(pk=channel.pk).update(creates_products=True)
    api.post("/orders", order_body())
    assert not OrderLine.objects.filter(variant__isnull=True).exists()
    assert ChannelListing.objects.count() == 2
    api.post("/orders", order_body("M-2"))
    assert ChannelListing.objects.count() == 2
    assert set(ChannelListing.objects.values_list("use_count", flat=True)) == {2}


def test_the_same_key_gives_the_same_answer_and_one_order(api):
    first = api.post("/orders", order_body(), key="k")
    again = api.post("/orders", order_body(), key="k")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert Order.objects.count() == 1
    assert error(api.post("/orders", order_body("M-2"), key="k")) == (422, "idempotency_key_reused")
    assert Order.objects.count() == 1


def test_the_same_key_tells_the_order_as_it_is_by_now_and_does_nothing_again(api, staff):
    body = order_body(payment={"method": "BANK_TRANSFER", "depositor_name": "홍길동"})
    first = api.post("/orders", body, key="k")
    assert (first.status_code, first.json()["state"], first.json()["amounts"]["paid"]) == (201, "N00", 0)
    order = Order.objects.get()
    assert confirm_manually(order_ids=[order.pk], actor=staff, at=NOW).refused == {}
    before = (Order.objects.values().get(), list(OrderLine.objects.values()), list(Payment.objects.values()))
    again = api.post("/orders", body, key="k")
    assert (again.status_code, again.json()["state"]) == (201, "N10")
    assert again.json() == api.get(f"/orders/{order.number}").json(), "all of one moment"
    assert (Order.objects.values().get(), list(OrderLine.objects.values()), list(Payment.objects.values())) == before
    assert IdempotencyKey.objects.get().body == {"number": order.number}


def test_the_same_order_under_another_key_is_the_stored_one(api):
    first = api.post("/orders", order_body())
    again = api.post("/orders", order_body())
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    other = order_body()
    other["lines"][0]["quantity"] = 3
    assert error(api.post("/orders", other)) == (409, "order_differs")
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"recipient": order_body()["recipient"] | {"address1": "부산 해운대구 센텀중앙로 79"}},
        {"payment": {"method": "EASY_PAY", "paid_at": "2026-09-21T10:01:00+09:00"}},
        {"delivery_note": "경비실"},
        {"buyer": order_body()["buyer"] | {"name": "임꺽정"}},
    ],
)
def test_the_same_number_with_other_facts_is_a_conflict(other, api):
    number = api.post("/orders", order_body()).json()["number"]
    before = Order.objects.values().get()
    answer = api.post("/orders", order_body(**other))
    assert error(answer) == (409, "order_differs")
    assert number in answer.json()["message"]
    assert Order.objects.values().get() == before


def test_an_order_whose_address_staff_have_changed_is_still_the_same(api, staff):
    number = api.post("/orders", order_body()).json()["number"]
    order = Order.objects.get()
    now = {name: getattr(order, name) for name in Recipient.__slots__} | {"address1": "서울 중구 세종대로 110"}
    change_recipient(order_id=order.pk, recipient=Recipient(**now), expected_version=order.version, actor=staff, at=NOW)
    again = api.post("/orders", order_body())
    assert (again.status_code, again.json()["number"]) == (200, number)
    assert error(api.post("/orders", order_body(delivery_note="경비실"))) == (409, "order_differs")
    assert Order.objects.get().address1 == "서울 중구 세종대로 110"


def test_what_is_no_json_is_told_what_to_send(api):
    answer = api.client.post(
        "/api/v1/orders", "{", content_type="application/json", headers=api.headers | {"Idempotency-Key": "k"}
    )
    assert error(answer) == (400, "bad_json")
    assert "UTF-8 JSON 객체로 고쳐 같은 키로 다시 보내세요." in answer.json()["message"]


def test_a_refused_order_leaves_its_key_free(api):
    bad = order_body(amounts={"discount": 50_000})
    assert error(api.post("/orders", bad, key="k")) == (422, "order_refused")
    assert not IdempotencyKey.objects.exists()
    assert not Order.objects.exists()
    assert api.post("/orders", order_body(), key="k").status_code == 201


def test_keys_are_forgotten_after_72_hours(api):
    api.post("/orders", order_body(), key="k")
    assert forget_old_keys(at=timezone.now() + timedelta(hours=71)) == 0
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=73))
    assert api.post("/orders", order_body("M-2"), key="k").status_code == 201
    assert IdempotencyKey.objects.count() == 1
    assert forget_old_keys(at=timezone.now() + timedelta(hours=73)) == 1


def test_posts_need_an_idempotency_key(api):
    headers = api.headers
    body = json.dumps(order_body())
    answer = api.client.post("/api/v1/orders", body, content_type="application/json", headers=headers)
    assert error(answer) == (400, "idempotency_key_required")
    for key in ("", "a b", "키", "x" * 201):
        answer = api.client.post(
            "/api/v1/orders", body, content_type="application/json", headers=headers | {"Idempotency-Key": key}
        )
        assert error(answer) == (400, "idempotency_key_required")
    assert not Order.objects.exists()


def test_a_key_opens_its_own_channel_only(api, staff, db):
    other = SalesChannel.objects.create(code="other", name="다른 몰")
    number = api.post("/orders", order_body()).json()["number"]
    stranger = Api(make_key(channel=other, actor=staff, at=NOW)[1])
    assert error(stranger.get(f"/orders/{number}")) == (404, "not_found")
    assert error(stranger.post(f"/orders/{number}/confirm-purchase", {})) == (404, "not_found")
    assert stranger.get("/orders").json()["items"] == []
    assert error(stranger.get("/orders", channel=Order.objects.get().channel_id)) == (400, "bad_parameter")
    assert stranger.get("/events").json()["events"] == []


def test_the_list_is_the_staffs_list_masked(api):
    api.post("/orders", order_body())
    api.post("/orders", order_body("M-2", payment={"method": "BANK_TRANSFER"}))
    page = api.get("/orders", tab="awaiting").json()
    assert [item["state"] for item in page["items"]] == ["N00"]
    assert [line["state"] for line in page["items"][0]["lines"]] == ["N00", "N00"]
    assert page["items"][0]["people"] != "김수령"
    assert "01087654321" not in json.dumps(page)
    assert len(api.get("/orders").json()["items"]) == 2
    assert error(api.get("/orders", 없는="1"))[0] == 400
    assert error(api.get("/orders", after="x"))[0] == 400


def test_the_list_and_the_single_order_name_the_same_states(api, shipped, staff):
    """Public codes everywhere, the finer ones included: N22 배송보류, C47 to C49 입금전취소."""
    unpaid = api.post("/orders", order_body("M-2", payment={"method": "BANK_TRANSFER"})).json()["number"]
    held = api.post("/orders", order_body("M-3")).json()["number"]
    canceled = Order.objects.get(number=unpaid).pk
    progress.cancel_unpaid(order_ids=[canceled], by=CanceledBy.STAFF, actor=staff, at=NOW, reason="품절")
    locks.hold(line_ids=line_ids(held), reason="고객 부재", actor=staff, at=NOW)
    listed = {item["number"]: item for item in api.get("/orders").json()["items"]}
    assert {number: item["state"] for number, item in listed.items()} == {shipped: "N30", unpaid: "C49", held: "N22"}
    for number, item in listed.items():
        single = api.get(f"/orders/{number}").json()
        assert (item["state"], [line["state"] for line in item["lines"]]) == (
            single["state"],
            [line["state"] for line in single["lines"]],
        )


def line_ids(number):
    return list(OrderLine.objects.filter(order__number=number).values_list("pk", flat=True))


@pytest.fixture
def shipped(api, make_variant, staff):
    """An order of two lines, both on their way."""
    body = order_body(payment={"method": "CARD"}, delivery_method="DIRECT")
    for at, line in enumerate(body["lines"]):
        line["sku"] = make_variant(on_hand=9, sku=f"S{at}").sku
    number = api.post("/orders", body).json()["number"]
    ids = list(OrderLine.objects.values_list("pk", flat=True))
    progress.make_ready(line_ids=ids, actor=staff, at=NOW)
    progress.ship(line_ids=ids, actor=staff, at=NOW)
    return number


def test_the_buyer_confirms_one_line_then_the_rest(api, shipped):
    said = api.post(f"/orders/{shipped}/confirm-purchase", {"lines": [f"{shipped}-01"]}).json()
    assert [line["state"] for line in said["lines"]] == ["N50", "N30"]
    said = api.post(f"/orders/{shipped}/confirm-purchase", {}).json()
    assert [line["state"] for line in said["lines"]] == ["N50", "N50"]
    assert said["state"] == "N50"
    assert set(OrderLine.objects.values_list("confirmed_by", flat=True)) == {"BUYER"}
    assert set(OrderEvent.objects.filter(kind="line.confirmed").values_list("source", flat=True)) == {"BUYER"}


def test_confirming_what_may_not_be_changes_nothing(api, shipped, staff):
    first, second = OrderLine.objects.order_by("seq")
    progress.deliver(delivered_at={first.pk: NOW}, by=DeliveredBy.STAFF, actor=staff, at=NOW)
    locks.place_lock(line_ids=[second.pk], kind=LockKind.CLAIM, actor=staff, at=NOW, reason="반품 신청")
    answer = api.post(f"/orders/{shipped}/confirm-purchase", {}, key="c")
    assert error(answer) == (409, "purchase_refused")
    assert answer.json()["message"].startswith(f"{shipped}-02: ")
    assert set(OrderLine.objects.values_list("state", flat=True)) == {LineState.DELIVERED, LineState.SHIPPING}
    assert error(api.post(f"/orders/{shipped}/confirm-purchase", {"lines": ["x"]})) == (404, "not_found")
    assert not OrderEvent.objects.filter(kind="line.confirmed").exists()


def test_bad_revoked_and_missing_keys_are_told_apart_from_nothing(api, staff):
    assert error(api.client.get("/api/v1/orders")) == (401, "unauthorized")
    for token in ("x", "oms_1_2", "oms_" + "가" * 5, "oms_" + "a" * 500):
        answer = api.client.get(
            "/api/v1/orders", headers={"Authorization": f"Bearer {token}".encode().decode("latin-1")}
        )
        assert error(answer) == (401, "bad_key")
    revoke_key(key_id=ApiKey.objects.get().pk, actor=staff, at=NOW)
    assert error(api.get("/orders")) == (401, "bad_key")
    assert set(OrderEvent.objects.values_list("kind", flat=True)) == {"api_key.made", "api_key.revoked"}


def test_the_key_itself_is_stored_nowhere(api):
    token = api.headers["Authorization"].removeprefix("Bearer ")
    secret = token.split("_", 2)[2]
    row = ApiKey.objects.values().get()
    assert secret not in str(row)
    assert len(row["digest"]) == 64


def test_a_key_of_a_channel_that_is_switched_off_hears_the_reason_and_opens_nothing(api, channel):
    SalesChannel.objects.filter(pk=channel.pk).update(is_active=False)
    for answer in (api.get("/orders"), api.post("/orders", order_body())):
        assert error(answer) == (403, "channel_off")
        assert "사용하지 않는 판매채널의 API 키입니다." in answer.json()["message"]
    assert not Order.objects.exists()
    wrong = {"Authorization": api.headers["Authorization"] + "x"}
    assert error(api.client.get("/api/v1/orders", headers=wrong)) == (401, "bad_key")


def test_guessing_keys_is_slowed_down(api):
    for _ in range(20):
        assert error(api.client.get("/api/v1/orders", headers={"Authorization": "Bearer oms_x_y"}))[0] == 401
    answer = api.client.get("/api/v1/orders", headers={"Authorization": "Bearer oms_x_y"})
    assert error(answer) == (429, "too_many_bad_keys")
    assert answer["Retry-After"] == "60"


def test_a_good_key_is_never_shut_out_by_bad_keys_of_its_address(api):
    for _ in range(25):
        api.client.get("/api/v1/orders", headers={"Authorization": "Bearer oms_x_y"})
    assert api.get("/orders").status_code == 200
    assert error(api.client.get("/api/v1/orders", headers={"Authorization": "Bearer oms_x_y"}))[0] == 429


def test_a_request_asks_a_fixed_number_of_questions(api, django_assert_max_num_queries):
    body = order_body()
    body["lines"] = [body["lines"][0] | {"product_code": f"P{n}"} for n in range(100)]
    api.post("/orders", order_body("M-0"))
    with django_assert_max_num_queries(60):
        api.post("/orders", body)
    with django_assert_max_num_queries(5):
        api.get(f"/orders/{Order.objects.latest('pk').number}")


def test_openapi_is_public_and_speaks_korean(client):
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    schema = answer.json()
    assert set(schema["paths"]) == {
        "/api/v1/orders", "/api/v1/orders/{number}", "/api/v1/orders/{number}/confirm-purchase", "/api/v1/events",
    }  # fmt: skip
    post = schema["paths"]["/api/v1/orders"]["post"]
    assert "접수" in post["description"]
    assert any(one["name"] == "Idempotency-Key" and one["required"] for one in post["parameters"])
    assert schema["components"]["schemas"]["OrderIn"]["additionalProperties"] is False


def test_an_order_worth_more_than_any_shop_sells_is_refused(api):
    line = {"product_code": "P1", "product_name": "티셔츠", "quantity": 99_999, "unit_price": 999_999_999}
    answer = api.post("/orders", order_body(lines=[line] * 200))
    assert error(answer) == (422, "order_refused")
    assert "한 주문의 상품 금액은 999,999,999,999원까지 접수합니다." in answer.json()["message"]
    assert not Order.objects.exists()
    most = line | {"quantity": 1_000, "unit_price": 999_999_999}
    said = api.post("/orders", order_body(lines=[most], amounts={})).json()
    assert said["amounts"]["due"] == 999_999_999_000


@pytest.mark.parametrize("asked", ["2", "x", ""])
def test_the_list_of_the_api_is_of_its_own_channel_only(api, channel, asked):
    assert error(api.get("/orders", channel=asked)) == (400, "bad_parameter")
    assert api.get("/orders", channel=channel.pk).status_code == 200
