"""Toss Payments' calls in detail: headers, codes, what counts as paid (payments.md 2.1, A71)."""

import json
from dataclasses import replace

import pytest

from payments.adapters.base import (
    BankAccount,
    Denied,
    NotAtPg,
    OutcomeUnknown,
    PgState,
    Ref,
    RefundAsk,
    RefundState,
    RefusedByPg,
    Unavailable,
)
from payments.adapters.toss import TOSS
from tests.payments.pg.cases import AT
from tests.payments.pg.toss_case import DEAL

ORDER = "20261121-0000123-1"
ACCOUNT = BankAccount(bank="20", number="110-123-456789", holder="홍길동")


@pytest.fixture
def client(pgs):
    client = pgs.client("toss")
    yield client
    client.close()


@pytest.fixture
def paid(pgs):
    pgs.control("payments", pg="toss", order_ref=ORDER, amount=33_000, buyer="홍길동", title="면")
    return pgs.control("payments/deposit", pg="toss", order_ref=ORDER)


def ref(payment):
    return Ref(order_ref=payment["order_ref"], payment_ref=payment["payment_ref"])


def fetch(client, payment):
    return TOSS.fetch(client, account=DEAL.account, ref=ref(payment))


def ask(payment, amount=10_000, *, key="refund-1", account=ACCOUNT):
    values = {"reason": "고객 변심", "account": account, "at": AT, "balance": 33_000}
    return RefundAsk(key=key, ref=ref(payment), amount=amount, **values)


def refund(client, payment, **options):
    return TOSS.refund(client, account=DEAL.account, ask=ask(payment, **options))


def test_the_key_goes_as_user_with_an_empty_password(pgs, client, paid):
    fetch(client, paid)
    call = pgs.read("calls", pg="toss")[-1]
    assert call["headers"]["authorization"] == "Basic dGVzdF9za19PTVNGSVhUVVJFMDAwMDAwMDAwMDAwMDE6"
    assert call["path"] == f"/v1/payments/{paid['payment_ref']}"


def test_a_refund_carries_its_key_amount_and_account(pgs, client, paid):
    refund(client, paid)
    call = pgs.read("calls", pg="toss")[-1]
    assert call["headers"]["idempotency-key"] == "refund-1"
    assert json.loads(call["body"]) == {
        "cancelReason": "고객 변심",
        "cancelAmount": 10_000,
        "refundReceiveAccount": {"bank": "20", "accountNumber": "110123456789", "holderName": "홍길동"},
    }


def test_one_key_on_two_payments_makes_two_refunds(pgs, client, paid):
    other = {"pg": "toss", "order_ref": "20261121-0000124-1"}
    pgs.control("payments", **other, amount=33_000, buyer="김", title="면")
    second = pgs.control("payments/deposit", **other)
    assert refund(client, paid).reference != refund(client, second).reference
    assert [pgs.payment("toss", one["order_ref"])["refunded_amount"] for one in (paid, second)] == [10_000, 10_000]


def test_a_key_is_forgotten_after_15_days(pgs, client, paid):
    first = refund(client, paid)
    pgs.control("clock", advance=15 * 86_400 - 60)
    assert refund(client, paid) == replace(first, is_final=refund(client, paid).is_final)
    pgs.control("clock", advance=120)
    assert refund(client, paid).reference != first.reference
    assert pgs.payment("toss", ORDER)["refunded_amount"] == 20_000


def test_two_refunds_of_one_sum_have_their_own_references(client, paid):
    first, second = refund(client, paid), refund(client, paid, key="refund-2")
    assert [item.reference for item in fetch(client, paid).refunds] == [first.reference, second.reference]


def test_a_transfer_is_final_when_the_bank_says_so(pgs, client, paid):
    assert not refund(client, paid).is_final
    assert fetch(client, paid).refund_state is RefundState.PENDING
    pgs.control("payments/complete-refund", pg="toss", order_ref=ORDER)
    assert fetch(client, paid).refund_state is RefundState.COMPLETED


def test_a_card_is_refunded_without_an_account_and_at_once(pgs, client):
    payment = pgs.control(
        "payments", pg="toss", order_ref=ORDER, amount=33_000, buyer="홍길동", title="면", method="CARD"
    )
    assert fetch(client, payment).account is None
    assert refund(client, payment, account=None).is_final
    assert fetch(client, payment).refund_state is RefundState.NONE
    with pytest.raises(RefusedByPg):
        TOSS.close(client, account=DEAL.account, ref=ref(payment), reason="취소")
    assert pgs.payment("toss", ORDER)["refunded_amount"] == 10_000


def test_a_paid_account_is_never_sent_a_cancel_by_closing(pgs, client, paid):
    with pytest.raises(RefusedByPg):
        TOSS.close(client, account=DEAL.account, ref=ref(paid), reason="취소")
    assert pgs.read("calls", pg="toss", path="*cancel") == []


def test_closing_twice_and_closing_an_expired_account_are_nothing(pgs, client):
    given = {"amount": 33_000, "buyer": "홍길동", "title": "면"}
    payment = pgs.control("payments", pg="toss", order_ref=ORDER, **given)
    for _ in range(2):
        TOSS.close(client, account=DEAL.account, ref=Ref(order_ref=ORDER), reason="취소")
    assert len(pgs.read("calls", pg="toss", path="*cancel")) == 1
    found = fetch(client, payment)
    assert (found.state, found.deposits, found.refunds) == (PgState.CANCELED, (), ())
    late = pgs.control("payments", pg="toss", order_ref="20261121-0000125-1", **given)
    pgs.control("payments/expire", pg="toss", order_ref="20261121-0000125-1")
    TOSS.close(client, account=DEAL.account, ref=ref(late), reason="취소")
    assert fetch(client, late).state is PgState.EXPIRED


@pytest.mark.parametrize(
    ("status", "code", "of_refund", "of_question"),
    [
        (400, "INVALID_REQUEST", RefusedByPg, Unavailable),
        (400, "ALREADY_CANCELED_PAYMENT", RefusedByPg, Unavailable),
        (400, "INVALID_API_KEY", Denied, Denied),
        (401, "UNAUTHORIZED_KEY", Denied, Denied),
        (403, "FORBIDDEN_REQUEST", Denied, Denied),
        (403, "NOT_CANCELABLE_AMOUNT", RefusedByPg, Unavailable),
        (404, "NOT_FOUND_PAYMENT", NotAtPg, NotAtPg),
        (404, "SOMETHING_ELSE", OutcomeUnknown, Unavailable),
        (409, "IDEMPOTENT_REQUEST_PROCESSING", OutcomeUnknown, Unavailable),
        (429, "TOO_MANY_REQUESTS", Unavailable, Unavailable),
        (500, "FAILED_REFUND_PROCESS", OutcomeUnknown, Unavailable),
    ],
)
def test_every_code_has_its_meaning(pgs, client, paid, status, code, of_refund, of_question):
    body = json.dumps({"code": code, "message": "토스의 말"}, ensure_ascii=False)
    pgs.fault("status", status=status, body=body, pg="toss", times=2)
    with pytest.raises(of_refund) as problem:
        refund(client, paid)
    assert problem.value.code in {code, "429"}
    assert "토스의 말" not in str(problem.value)
    assert problem.value.message == ("" if status == 429 else "토스의 말")
    with pytest.raises(of_question):
        fetch(client, paid)
    assert pgs.payment("toss", ORDER)["balance"] == 33_000


def spoiled(pgs, client, payment, **changes):
    """The snapshot of an answer with other values in it."""
    _, body = pgs.request("GET", f"/toss/v1/payments/{payment['payment_ref']}", headers=_KEY)
    document = {**json.loads(body), **changes}
    pgs.fault("status", status=200, body=json.dumps(document), pg="toss")
    return fetch(client, payment)


_KEY = {"Authorization": "Basic dGVzdF9za19PTVNGSVhUVVJFMDAwMDAwMDAwMDAwMDE6"}


@pytest.mark.parametrize(
    "changes",
    [
        {"orderId": "20261121-9999999-1", "paymentKey": "somebody-elses"},
        {"orderId": None},
        {"orderId": ""},
        {"status": "SOMETHING_NEW"},
        {"status": None},
        {"totalAmount": 33_000.5},
        {"totalAmount": -1},
        {"totalAmount": True},
        {"totalAmount": None},
        {"balanceAmount": 32_999},
        {"cancels": [{"cancelAmount": 1, "transactionKey": "x"}]},
    ],
)
def test_an_answer_that_does_not_add_up_is_not_believed(pgs, client, paid, changes):
    with pytest.raises(Unavailable):
        spoiled(pgs, client, paid, **changes)


def test_a_key_of_another_orders_payment_tells_whose_it_is_and_closes_nothing(pgs, client):
    given = {"amount": 33_000, "buyer": "김다른", "title": "면"}
    other = pgs.control("payments", pg="toss", order_ref="20261121-0000999-1", **given)
    mixed = Ref(order_ref=ORDER, payment_ref=other["payment_ref"])
    found = TOSS.fetch(client, account=DEAL.account, ref=mixed)
    assert (found.order_ref, found.payment_ref) == ("20261121-0000999-1", other["payment_ref"])
    with pytest.raises(RefusedByPg):
        TOSS.close(client, account=DEAL.account, ref=mixed, reason="취소")
    assert pgs.read("calls", pg="toss", path="*cancel") == []
    assert pgs.payment("toss", "20261121-0000999-1")["state"] == other["state"]


def test_an_answer_about_another_order_than_the_one_we_asked_by_is_not_believed(pgs, client, paid):
    _, body = pgs.request("GET", f"/toss/v1/payments/{paid['payment_ref']}", headers=_KEY)
    pgs.fault("status", status=200, body=json.dumps({**json.loads(body), "orderId": "20261121-9999999-1"}), pg="toss")
    with pytest.raises(Unavailable):
        TOSS.fetch(client, account=DEAL.account, ref=Ref(order_ref=ORDER))


def test_whole_decimals_unapproved_payments_and_unfinished_cancels(pgs, client, paid):
    assert spoiled(pgs, client, paid, totalAmount=33_000.0, balanceAmount=33_000.0).amount == 33_000
    assert spoiled(pgs, client, paid, approvedAt=None).deposits == ()
    running = [{"cancelAmount": 1, "transactionKey": "x", "cancelStatus": "IN_PROGRESS"}]
    assert spoiled(pgs, client, paid, cancels=running).refunds == ()


def test_cash_receipts_are_read_once_each(pgs, client, paid):
    one = {"type": "소득공제", "receiptKey": "k1", "issueNumber": "010****5678", "amount": 33_000, "receiptUrl": "u"}
    two = {**one, "type": "지출증빙", "receiptKey": "k2", "transactionType": "CONFIRM"}
    single = spoiled(pgs, client, paid, cashReceipt=one).receipts
    assert [(item.reference, item.purpose, item.amount, item.number) for item in single] == [
        ("k1", "income", 33_000, "010****5678")
    ]
    gone = {**two, "receiptKey": "k3", "transactionType": "CANCEL"}
    assert [
        item.reference for item in spoiled(pgs, client, paid, cashReceipt=one, cashReceipts=[two, gone]).receipts
    ] == ["k2"]
