"""NICEPAY's REST calls against the sandbox over a socket: what each answer and each failure becomes."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import date, datetime

import pytest

from payments.adapters.base import (
    Account,
    BankAccount,
    Denied,
    IssueAsk,
    NotAtPg,
    OutcomeUnknown,
    PgState,
    Ref,
    RefundAsk,
    RefundState,
    RefusedByPg,
    Unavailable,
    Unsupported,
)
from payments.adapters.nicepay import NICEPAY
from payments.adapters.nicepay_form import NICEPAY_FORM
from tests.payments.pg.golden import AT, NICE

ORDER = "20261121-0000122-1"
TO_BUYER = BankAccount(bank="004", number="123-456-789012", holder="홍길동입니다만")
FORM_ACCOUNT = Account(
    merchant_id="OMSTEST01m",
    secrets=(),
    charset="cp949",
    options={"client_key": "S2_omsfixtureclient02", "rest_secret": "omsfixturenicesecret000000000002"},
)


@pytest.fixture(autouse=True)
def the_day(pgs):
    pgs.control("clock", now="2026-11-21T11:00:00")


@pytest.fixture
def opened(pgs):
    """A virtual account over 33,000 won; returns its reference."""
    payment = pgs.control("payments", pg="nicepay", order_ref=ORDER, amount=33000, buyer="홍길동", title="면 티셔츠")
    return Ref(order_ref=ORDER, payment_ref=payment["payment_ref"], at=AT)


@pytest.fixture
def paid(pgs, opened):
    """The same, paid at 11:30."""
    pgs.control("clock", now="2026-11-21T11:30:00")
    pgs.control("payments/deposit", pg="nicepay", order_ref=ORDER)
    return opened


@pytest.fixture
def fetch(pgs):
    return lambda ref, account=NICE, **options: NICEPAY.fetch(
        pgs.client("nicepay", **options), account=account, ref=ref
    )


@pytest.fixture
def refund(pgs):
    def send(ref, *, account=NICE, to=TO_BUYER, amount=33000, balance=33000, key="5d1c", **options):
        ask = RefundAsk(key=key, ref=ref, amount=amount, balance=balance, reason="고객 변심", account=to, at=AT)
        return NICEPAY.refund(pgs.client("nicepay", **options), account=account, ask=ask)

    return send


def cancels(pgs) -> list[dict]:
    """The calls that reached the cancel path."""
    return pgs.read("calls", pg="nicepay", method="POST")


def test_an_open_account_is_shown_with_bank_number_holder_and_deadline(pgs, opened, fetch):
    shown, known = fetch(opened), pgs.payment("nicepay", ORDER)
    assert (shown.state, shown.amount, shown.order_ref) == (PgState.WAITING, 33000, ORDER)
    assert shown.account == BankAccount(bank="004", number=known["account_number"], holder="나이스")
    assert shown.due_at is not None
    assert shown.due_at.timestamp() == pytest.approx(known["due_at"], abs=0.01)
    assert (shown.deposits, shown.refunds) == ((), ())
    sent = pgs.read("calls", pg="nicepay")[-1]
    basic = base64.b64encode(b"S2_omsfixtureclient01:omsfixturenicesecret000000000001").decode()
    assert sent["headers"]["authorization"] == f"Basic {basic}"


def test_a_paid_one_is_shown_with_its_deposit(paid, fetch):
    shown = fetch(paid)
    assert shown.state is PgState.PAID
    (deposit,) = shown.deposits
    assert (deposit.reference, deposit.amount) == (paid.payment_ref, 33000)
    assert deposit.at == datetime.fromisoformat("2026-11-21T11:30:00+09:00")


def test_without_a_tid_it_is_found_by_order_and_day(paid, fetch):
    assert fetch(Ref(order_ref=ORDER, at=AT)).payment_ref == paid.payment_ref
    assert fetch(Ref(order_ref=ORDER)).payment_ref == paid.payment_ref
    with pytest.raises(NotAtPg):
        fetch(Ref(order_ref=ORDER, at=datetime.fromisoformat("2026-11-20T12:00:00+09:00")))
    with pytest.raises(Unavailable):
        fetch(Ref(order_ref="no-day-in-it"))


def test_each_day_on_which_it_may_have_been_made_is_asked_for_and_no_other(pgs, paid, fetch):
    days = tuple(date(2026, 11, day) for day in (23, 21, 20))
    assert fetch(Ref(order_ref=ORDER, days=days)).payment_ref == paid.payment_ref
    assert len(pgs.read("calls", pg="nicepay", method="GET")) == 2, "the likeliest first, and none after it is found"
    with pytest.raises(NotAtPg):
        fetch(Ref(order_ref=ORDER, at=AT, days=(date(2026, 11, 22),)))


def test_a_tid_that_it_does_not_know_gives_way_to_one_that_was_told_and_to_the_order(pgs, paid, fetch):
    wrong, day = "OMSTEST00m0301261121115957ZZZZ", date(2026, 11, 21)
    assert fetch(Ref(order_ref=ORDER, payment_ref=wrong, told=paid.payment_ref)).payment_ref == paid.payment_ref
    assert fetch(Ref(order_ref=ORDER, payment_ref=wrong, days=(day,))).payment_ref == paid.payment_ref
    other = pgs.control("payments", pg="nicepay", order_ref="mall-2", amount=33000)["payment_ref"]
    assert fetch(Ref(order_ref=ORDER, told=other, days=(day,))).payment_ref == paid.payment_ref
    for ref in (Ref(order_ref=ORDER, payment_ref=wrong, at=AT), Ref(order_ref="mall-3", told=other, at=AT)):
        with pytest.raises(NotAtPg):
            fetch(ref)


def test_an_expired_one_is_expired(pgs, opened, fetch):
    pgs.control("payments/expire", pg="nicepay", order_ref=ORDER)
    assert fetch(opened).state is PgState.EXPIRED


def test_a_cash_receipt_that_the_pg_issued_is_told(pgs, fetch):
    receipt = {"type": "소득공제", "registrationNumber": "01000000000"}
    payment = pgs.control("payments", pg="nicepay", order_ref="R-1", amount=5000, options={"cash_receipt": receipt})
    pgs.control("payments/deposit", pg="nicepay", order_ref="R-1")
    (told,) = fetch(Ref(order_ref="R-1", payment_ref=payment["payment_ref"])).receipts
    assert (told.purpose, told.amount, told.number) == ("income", 5000, "123456789")


def test_a_whole_refund_goes_to_the_account_once(pgs, paid, refund, fetch):
    answer = refund(paid)
    assert answer.is_final is False
    shown = fetch(paid)
    assert (shown.state, shown.refund_state) == (PgState.CANCELED, RefundState.NONE)
    assert [(move.reference, move.amount) for move in shown.refunds] == [(answer.reference, 33000)]
    assert sum(move.amount for move in shown.deposits) == 33000
    (movement,) = [move for move in pgs.payment("nicepay", ORDER)["movements"] if move["kind"] == "REFUND"]
    assert movement["account"] == {"bank": "004", "number": "123456789012", "holder": "홍길동입니"}


def test_the_cancel_is_signed_and_carries_the_key(pgs, paid, refund):
    refund(paid, key="0f8fad5b-d9cb-469f-a165-70867728950e", amount=10000)
    body = json.loads(cancels(pgs)[-1]["body"])
    assert body["orderId"] == "R0f8fad5bd9cb469fa16570867728950e"
    assert (body["cancelAmt"], body["refundAccount"], body["refundBankCode"]) == (10000, "123456789012", "004")
    assert body["ediDate"] == "2026-11-21T12:00:00.000+0900"
    text = f"{paid.payment_ref}{body['ediDate']}{NICE.secrets[0]}"
    assert body["signData"] == hashlib.sha256(text.encode()).hexdigest()


def test_parts_add_up_and_a_key_is_never_paid_twice(pgs, paid, refund, fetch):
    first = refund(paid, key="a", amount=10000)
    with pytest.raises(OutcomeUnknown) as caught:
        refund(paid, key="a", amount=10000, balance=23000)
    assert caught.value.code == "U112"
    second = refund(paid, key="b", amount=3000, balance=23000)
    shown = fetch(paid)
    assert shown.state is PgState.PART_REFUNDED
    assert [(move.reference, move.amount) for move in shown.refunds] == [
        (first.reference, 10000),
        (second.reference, 3000),
    ]


def test_a_card_is_cancelled_without_an_account_and_finally(pgs, refund, fetch):
    payment = pgs.control("payments", pg="nicepay", order_ref="C-1", amount=33000, method="CARD")
    ref = Ref(order_ref="C-1", payment_ref=payment["payment_ref"])
    assert refund(ref, to=None, amount=1000).is_final is True
    assert [move.amount for move in fetch(ref).refunds] == [1000]


@pytest.mark.parametrize(("amount", "code"), [(33001, "2026"), (90000, "2026")])
def test_more_than_was_paid_is_refused_and_nothing_moves(pgs, paid, refund, amount, code):
    with pytest.raises(RefusedByPg) as caught:
        refund(paid, amount=amount)
    assert (caught.value.code, caught.value.message) == (code, "입금액보다 취소금액이 큽니다.")
    assert pgs.payment("nicepay", ORDER)["refunded_amount"] == 0


def test_more_than_is_left_is_refused(pgs, paid, refund):
    refund(paid, key="a", amount=30000)
    with pytest.raises(RefusedByPg) as caught:
        refund(paid, key="b", amount=5000, balance=5000)
    assert caught.value.code == "2032"
    assert pgs.payment("nicepay", ORDER)["refunded_amount"] == 30000


def test_a_paid_account_needs_a_refund_account_and_an_odd_one_never_leaves_us(pgs, paid, refund):
    with pytest.raises(RefusedByPg):
        refund(paid, to=None)
    calls = len(cancels(pgs))
    with pytest.raises(RefusedByPg):
        refund(paid, to=replace(TO_BUYER, number="1" * 17))
    assert len(cancels(pgs)) == calls
    assert pgs.payment("nicepay", ORDER)["refunded_amount"] == 0


def test_refunded_already_is_for_the_re_query_to_judge(paid, refund):
    refund(paid, key="a")
    with pytest.raises(OutcomeUnknown) as caught:
        refund(paid, key="b")
    assert caught.value.code == "2013"


def test_done_and_then_silent_is_unknown_and_was_done_once(pgs, paid, refund, fetch):
    pgs.fault("hang", pg="nicepay", method="POST", after_work=True, seconds=20)
    with pytest.raises(OutcomeUnknown):
        refund(paid, timeout=(5, 0.5))
    pgs.wait_for(lambda: pgs.payment("nicepay", ORDER)["refunded_amount"])
    assert sum(move.amount for move in fetch(paid).refunds) == 33000
    assert len(cancels(pgs)) == 1


@pytest.mark.parametrize(
    "fault", [{"kind": "drop"}, {"kind": "status", "status": 502}, {"kind": "html"}, {"kind": "truncated"}]
)
def test_a_broken_answer_of_a_refund_is_unknown_and_nothing_is_sent_again(pgs, paid, refund, fault):
    pgs.fault(pg="nicepay", method="POST", **fault)
    with pytest.raises(OutcomeUnknown):
        refund(paid)
    assert len(cancels(pgs)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "hang", "seconds": 0.3},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503, "body": "<html>", "content_type": "text/html"},
        {"kind": "status", "status": 429},
        {"kind": "html"},
        {"kind": "empty"},
        {"kind": "truncated"},
        {"kind": "status", "status": 200, "body": "{}"},
        {"kind": "status", "status": 200, "body": '{"resultCode":"0000","status":"paid"}'},
        {
            "kind": "status",
            "status": 200,
            "body": '{"resultCode":"0000","status":"paid","tid":"X","orderId":"Y","amount":1}',
        },
        {"kind": "status", "status": 200, "body": '{"resultCode":"A246","resultMsg":"비정상 과다접속"}'},
        {"kind": "status", "status": 302, "body": ""},
    ],
)
def test_a_broken_answer_of_an_inquiry_is_unavailable(pgs, paid, fetch, fault):
    pgs.fault(pg="nicepay", times=2, **fault)
    with pytest.raises(Unavailable):
        fetch(paid)


def test_no_connection_is_unavailable_even_for_a_refund(pgs, paid):
    gone = pgs.client("nicepay")
    closed = type(gone)("http://127.0.0.1:9/nicepay", allow_loopback=True, timeout=(1, 1))
    ask = RefundAsk(key="a", ref=paid, amount=1, balance=33000, reason="x", account=TO_BUYER, at=AT)
    with pytest.raises(Unavailable):
        NICEPAY.refund(closed, account=NICE, ask=ask)


@pytest.mark.parametrize(
    "account", [replace(NICE, secrets=("wrong",)), replace(NICE, secrets=()), replace(NICE, options={})]
)
def test_a_wrong_or_missing_key_is_denied_and_nothing_moves(pgs, paid, fetch, refund, account):
    with pytest.raises(Denied):
        fetch(paid, account)
    with pytest.raises(Denied):
        refund(paid, account=account)
    assert pgs.payment("nicepay", ORDER)["refunded_amount"] == 0


def test_an_unknown_payment_is_not_at_the_pg(fetch, refund):
    unknown = Ref(order_ref="x", payment_ref="OMSTEST00m0301261121115957ZZZZ")
    with pytest.raises(NotAtPg):
        fetch(unknown)
    with pytest.raises(NotAtPg):
        refund(unknown)


def test_an_unpaid_account_is_closed_once_and_for_all(pgs, opened, fetch):
    client = pgs.client("nicepay")
    NICEPAY.close(client, account=NICE, ref=opened, reason="입금 전 취소")
    NICEPAY.close(client, account=NICE, ref=opened, reason="입금 전 취소")
    shown = fetch(opened)
    assert (shown.state, shown.deposits, shown.refunds) == (PgState.CANCELED, (), ())
    assert pgs.refusal("payments/deposit", pg="nicepay", order_ref=ORDER) == "CLOSED"


def test_a_paid_account_is_not_closed(pgs, paid):
    with pytest.raises(RefusedByPg):
        NICEPAY.close(pgs.client("nicepay"), account=NICE, ref=paid, reason="입금 전 취소")
    assert pgs.payment("nicepay", ORDER)["balance"] == 33000


def test_without_a_tid_nothing_is_cancelled(pgs, paid, refund):
    with pytest.raises(Unavailable):
        refund(Ref(order_ref=ORDER))
    assert cancels(pgs) == []


@pytest.mark.parametrize("adapter", [NICEPAY, NICEPAY_FORM])
def test_accounts_cannot_be_issued(pgs, adapter):
    ask = IssueAsk(order_ref=ORDER, amount=1000, title="x", buyer="y", bank="004", due_at=AT)
    with pytest.raises(Unsupported):
        adapter.issue(pgs.client("nicepay"), account=NICE, ask=ask)
    assert pgs.read("calls") == []


# The older form: the REST calls of the same shop, or none


def test_the_older_form_asks_over_the_rest_interface_of_its_shop(pgs):
    payment = pgs.control("payments", pg="nicepay-form", order_ref=ORDER, amount=33000)
    pgs.control("payments/deposit", pg="nicepay-form", order_ref=ORDER)
    client, ref = pgs.client("nicepay-form"), Ref(order_ref=ORDER, payment_ref=payment["payment_ref"])
    assert NICEPAY_FORM.fetch(client, account=FORM_ACCOUNT, ref=ref).state is PgState.PAID
    ask = RefundAsk(key="a", ref=ref, amount=33000, balance=33000, reason="x", account=TO_BUYER, at=AT)
    assert NICEPAY_FORM.refund(client, account=FORM_ACCOUNT, ask=ask).is_final is False
    assert pgs.payment("nicepay-form", ORDER)["refunded_amount"] == 33000


@pytest.mark.parametrize("missing", ["client_key", "rest_secret"])
def test_without_keys_of_the_rest_interface_nothing_is_called(pgs, missing):
    options = {name: value for name, value in FORM_ACCOUNT.options.items() if name != missing}
    account, client, ref = (
        replace(FORM_ACCOUNT, options=options),
        pgs.client("nicepay-form"),
        Ref(order_ref="x", payment_ref="y"),
    )
    ask = RefundAsk(key="a", ref=ref, amount=1, balance=1, reason="x", account=TO_BUYER, at=AT)
    with pytest.raises(Unsupported):
        NICEPAY_FORM.fetch(client, account=account, ref=ref)
    with pytest.raises(Unsupported):
        NICEPAY_FORM.close(client, account=account, ref=ref, reason="x")
    with pytest.raises(Unsupported):
        NICEPAY_FORM.refund(client, account=account, ask=ask)
    assert pgs.read("calls") == []
