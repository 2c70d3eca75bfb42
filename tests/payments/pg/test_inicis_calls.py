"""INIAPI: its published vectors, and every call against the sandbox over a socket."""

import json
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qs

import pytest

from payments.adapters.base import (
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
)
from payments.adapters.inicis import INICIS as PG
from payments.adapters.inicis_api import compact, encrypted, hashed
from tests.payments.pg.golden import AT, INICIS

ORDER = "20261121-0000125-1"
TO_BUYER = BankAccount(bank="88", number="123-456-789", holder="홍길동")
KEY, IV = "ItEQKi3rY7uvDS8l", "HYb3yQ4f65QL89=="
"""Inicis publishes them for its test shop."""


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}+09:00")


@pytest.fixture(autouse=True)
def the_day(pgs):
    pgs.control("clock", now="2026-11-21T11:00:00")


@pytest.fixture
def opened(pgs):
    """A virtual account over 33,000 won until the 24th; returns its reference."""
    payment = pgs.control(
        "payments", pg="inicis", order_ref=ORDER, amount=33000, buyer="홍길동", due_at="2026-11-24T23:59:00"
    )
    return Ref(order_ref=ORDER, payment_ref=payment["payment_ref"], at=AT)


@pytest.fixture
def paid(pgs, opened):
    """The same, paid at 11:30."""
    pgs.control("clock", now="2026-11-21T11:30:00")
    pgs.control("payments/deposit", pg="inicis", order_ref=ORDER)
    return opened


@pytest.fixture
def card(pgs):
    """A card payment over 33,000 won."""
    payment = pgs.control("payments", pg="inicis", order_ref="C-1", amount=33000, method="CARD")
    return Ref(order_ref="C-1", payment_ref=payment["payment_ref"], at=AT)


@pytest.fixture
def fetch(pgs):
    return lambda ref, account=INICIS, **options: PG.fetch(pgs.client("inicis", **options), account=account, ref=ref)


@pytest.fixture
def refund(pgs):
    def send(ref, *, account=INICIS, to=TO_BUYER, amount=33000, balance=33000, **options):
        ask = RefundAsk(key="k", ref=ref, amount=amount, balance=balance, reason='고객 "변심"', account=to, at=AT)
        return PG.refund(pgs.client("inicis", **options), account=account, ask=ask)

    return send


def refunds_that_arrived(pgs) -> list[dict]:
    return pgs.read("calls", pg="inicis", path="*efund*")


# Vectors


def test_the_published_account_number_is_encrypted_as_published():
    assert encrypted("123456789", key=KEY, iv=IV) == "qwMHVJqsmXKoR+d8wQTS4g=="


def test_the_hash_of_a_refund_is_that_of_the_vector():
    data = {
        "tid": "INIMX_VBNKINIpayTest20261121110000000125",
        "msg": "관리자 환불",
        "refundAcctNum": "qwMHVJqsmXKoR+d8wQTS4g==",
        "refundBankCode": "88",
        "refundAcctName": "홍길동",
    }
    assert hashed(KEY, "INIpayTest", "refund", "20261121120000", compact(data)) == (
        "5b5f32bef30248d01ba27e87d81681e5c831a41f532307e6bdea27c3a796f58b"
        "3fd0bbc35dff17d8a84b68282f914b7024cef227524a65622554fec4e2fa67f0"
    )


@pytest.mark.parametrize(("key", "iv"), [("short", IV), (KEY, ""), ("가" * 16, IV)])
def test_keys_of_the_wrong_length_are_denied(key, iv):
    with pytest.raises(Denied):
        encrypted("1", key=key, iv=iv)


# Inquiry


def test_an_open_account_waits_until_its_deadline(opened, fetch):
    shown = fetch(opened)
    assert (shown.state, shown.amount, shown.order_ref, shown.deposits) == (PgState.WAITING, 33000, ORDER, ())
    assert shown.due_at == moment("24T23:59:00")


def test_a_paid_one_is_shown_with_its_deposit(paid, fetch):
    shown = fetch(paid)
    assert shown.state is PgState.PAID
    assert [(move.reference, move.amount, move.at) for move in shown.deposits] == [("", 33000, moment("21T11:30:00"))]


def test_without_a_tid_it_is_found_by_order(paid, fetch):
    assert fetch(Ref(order_ref=ORDER)).payment_ref == paid.payment_ref


def test_a_deposit_that_the_bank_took_back_is_gone(pgs, paid, fetch):
    pgs.control("payments/reverse", pg="inicis", order_ref=ORDER)
    shown = fetch(paid)
    assert (shown.state, shown.deposits) == (PgState.WAITING, ())


def test_an_account_whose_time_is_over_still_looks_open_with_its_deadline_behind(pgs, opened, fetch):
    pgs.control("payments/expire", pg="inicis", order_ref=ORDER)
    assert fetch(opened).state is PgState.WAITING


# Refunds


def test_a_whole_refund_to_an_account_is_pending_and_then_completed(pgs, paid, refund, fetch):
    answer = refund(paid)
    assert answer.is_final is False
    shown = fetch(paid)
    assert (shown.state, shown.refund_state) == (PgState.CANCELED, RefundState.PENDING)
    assert [(move.reference, move.amount) for move in shown.refunds] == [(answer.reference, 33000)]
    assert [move.amount for move in shown.deposits] == [33000]
    pgs.control("payments/complete-refund", pg="inicis", order_ref=ORDER)
    assert fetch(paid).refund_state is RefundState.COMPLETED


def test_the_account_leaves_us_encrypted_and_arrives_readable(pgs, paid, refund):
    refund(paid)
    (call,) = refunds_that_arrived(pgs)
    assert call["path"] == "/v2/pg/refund/vacct"
    sent = json.loads(call["body"])
    assert sent["data"]["refundAcctNum"] == encrypted("123456789", key=INICIS.secrets[0], iv=INICIS.options["iv"])
    assert sent["data"]["msg"] == "고객 변심"
    assert sent["timestamp"] == "20261121120000"
    assert "123456789" not in call["body"]
    (movement,) = [move for move in pgs.payment("inicis", ORDER)["movements"] if move["kind"] == "REFUND"]
    assert movement["account"] == {"bank": "88", "number": "123456789", "holder": "홍길동"}


def test_parts_carry_the_balance_that_must_be_left_so_none_is_paid_twice(pgs, paid, refund, fetch):
    first = refund(paid, amount=10000)
    with pytest.raises(RefusedByPg):
        refund(paid, amount=10000)
    last = refund(paid, amount=23000, balance=23000)
    shown = fetch(paid)
    assert shown.state is PgState.CANCELED
    assert [(move.reference, move.amount) for move in shown.refunds] == [
        (first.reference, 10000),
        (last.reference, 23000),
    ]
    bodies = [json.loads(call["body"])["data"] for call in refunds_that_arrived(pgs)]
    assert [(body["price"], body["confirmPrice"]) for body in bodies] == [("10000", "23000")] * 2 + [("23000", "0")]


def test_after_a_part_the_payment_holds_the_rest(paid, refund, fetch):
    refund(paid, amount=10000)
    shown = fetch(paid)
    assert (shown.state, shown.refund_state) == (PgState.PART_REFUNDED, RefundState.NONE)
    assert [move.amount for move in shown.refunds] == [10000]


def test_a_card_is_cancelled_whole_or_in_part_and_finally(pgs, card, refund, fetch):
    assert refund(card, to=None, amount=1000).is_final is True
    assert fetch(card).state is PgState.PART_REFUNDED
    assert refund(card, to=None, amount=32000, balance=32000).is_final is True
    shown = fetch(card)
    assert (shown.state, sum(move.amount for move in shown.refunds)) == (PgState.CANCELED, 33000)


def test_a_whole_card_has_one_refund_under_the_same_reference(card, refund, fetch):
    answer = refund(card, to=None)
    assert [(move.reference, move.amount) for move in fetch(card).refunds] == [(answer.reference, 33000)]


def test_a_paid_account_needs_a_refund_account(pgs, paid, refund):
    with pytest.raises(RefusedByPg):
        refund(paid, to=None)
    with pytest.raises(RefusedByPg):
        refund(paid, to=replace(TO_BUYER, number="없음"))
    assert pgs.payment("inicis", ORDER)["refunded_amount"] == 0
    assert len(refunds_that_arrived(pgs)) == 1


def test_more_than_is_left_is_refused_and_nothing_moves(pgs, paid, refund):
    with pytest.raises(RefusedByPg):
        refund(paid, amount=40000, balance=50000)
    assert pgs.payment("inicis", ORDER)["refunded_amount"] == 0


def test_refunded_already_is_for_the_inquiry_to_judge(paid, refund):
    refund(paid)
    with pytest.raises(OutcomeUnknown) as caught:
        refund(paid)
    assert caught.value.code == "500626"


def test_done_and_then_silent_is_unknown_and_was_done_once(pgs, paid, refund, fetch):
    pgs.fault("hang", pg="inicis", path="*efund*", after_work=True, seconds=20)
    with pytest.raises(OutcomeUnknown):
        refund(paid, timeout=(5, 0.5))
    pgs.wait_for(lambda: pgs.payment("inicis", ORDER)["refunded_amount"])
    assert sum(move.amount for move in fetch(paid).refunds) == 33000
    assert len(refunds_that_arrived(pgs)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop"},
        {"kind": "html"},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 200, "body": '{"resultCode":"99","resultMsg":"은행 통신 오류입니다."}'},
        {"kind": "status", "status": 200, "body": '{"resultMsg":"?"}'},
    ],
)
def test_a_broken_or_doubtful_answer_of_a_refund_is_unknown_and_nothing_is_sent_again(pgs, paid, refund, fault):
    pgs.fault(pg="inicis", path="*efund*", **fault)
    with pytest.raises(OutcomeUnknown):
        refund(paid)
    assert len(refunds_that_arrived(pgs)) == 1


def answer_of(**changes):
    good = {
        "resultCode": "SUCCESS",
        "mid": "OMSTESTMID",
        "tid": "T",
        "oid": ORDER,
        "price": "1",
        "transactionStatus": "APPROVAL",
    }
    return {"kind": "status", "status": 200, "body": json.dumps(good | changes)}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "hang", "seconds": 0.3},
        {"kind": "status", "status": 503},
        {"kind": "html"},
        {"kind": "empty"},
        answer_of(mid="OTHERSHOP0"),
        answer_of(tid="OTHER"),
        answer_of(transactionStatus="BRAND_NEW"),
        answer_of(price="1.5"),
        answer_of(price=None),
        answer_of(transactionStatus="PART_CANCEL"),
        answer_of(partCancelTransInfo=[{"tid": "x", "requestPrice": "5"}]),
        {"kind": "status", "status": 200, "body": '{"resultCode":"01","resultMsg":"잠시 후 다시"}'},
    ],
)
def test_a_broken_answer_of_an_inquiry_is_unavailable(pgs, fetch, fault):
    pgs.fault(pg="inicis", times=2, **fault)
    with pytest.raises(Unavailable):
        fetch(Ref(order_ref=ORDER, payment_ref="T"))


@pytest.mark.parametrize(
    "account",
    [
        replace(INICIS, secrets=("WRONGWRONGWRONGW",)),
        replace(INICIS, secrets=()),
        replace(INICIS, merchant_id="NOSUCHSHOP"),
    ],
)
def test_a_wrong_key_or_shop_is_denied_and_nothing_moves(pgs, paid, fetch, refund, account):
    with pytest.raises(Denied):
        fetch(paid, account)
    with pytest.raises(Denied):
        refund(paid, account=account)
    assert pgs.payment("inicis", ORDER)["refunded_amount"] == 0


def test_a_wrong_iv_is_noticed_before_money_goes_to_a_wrong_account(pgs, paid, refund):
    with pytest.raises(RefusedByPg):
        refund(paid, account=replace(INICIS, options={"iv": "0000000000000000"}))
    assert pgs.payment("inicis", ORDER)["refunded_amount"] == 0


def test_an_unknown_payment_is_not_at_the_pg(fetch, refund):
    unknown = Ref(order_ref="x", payment_ref="StdpayVBNKOMSTESTMID20260101000000000000")
    with pytest.raises(NotAtPg):
        fetch(unknown)
    with pytest.raises(NotAtPg):
        refund(unknown)


def test_without_a_tid_nothing_is_refunded(pgs, paid, refund):
    with pytest.raises(Unavailable):
        refund(Ref(order_ref=ORDER))
    assert refunds_that_arrived(pgs) == []


# Accounts


@pytest.fixture
def ask():
    return IssueAsk(
        order_ref=ORDER, amount=33000, title="면 티셔츠 외 1건", buyer="홍길동", bank="88", due_at=moment("24T23:59:00")
    )


def test_an_account_is_issued_paid_and_seen(pgs, ask, fetch):
    issued = PG.issue(pgs.client("inicis"), account=INICIS, ask=ask)
    known = pgs.payment("inicis", ORDER)
    assert issued.account == BankAccount(bank="88", number=known["account_number"], holder="이니시스")
    assert (issued.state, issued.amount, issued.due_at) == (PgState.WAITING, 33000, moment("24T23:59:00"))
    pgs.control("payments/deposit", pg="inicis", order_ref=ORDER)
    assert fetch(Ref(order_ref=ORDER, payment_ref=issued.payment_ref)).state is PgState.PAID
    sent = parse_qs(pgs.read("calls", path="*formpay")[0]["body"])
    assert (sent["dtInput"], sent["tmInput"], sent["goodName"]) == (["20261124"], ["2359"], ["면 티셔츠 외 1건"])


def test_an_order_number_used_before_is_refused(pgs, ask):
    PG.issue(pgs.client("inicis"), account=INICIS, ask=ask)
    with pytest.raises(RefusedByPg):
        PG.issue(pgs.client("inicis"), account=INICIS, ask=ask)
    assert len(pgs.read("payments", pg="inicis")) == 1


def test_issued_and_then_silent_is_unknown_and_can_be_asked_for(pgs, ask, fetch):
    pgs.fault("drop", pg="inicis", path="*formpay", after_work=True)
    with pytest.raises(OutcomeUnknown):
        PG.issue(pgs.client("inicis"), account=INICIS, ask=ask)
    assert fetch(Ref(order_ref=ORDER)).state is PgState.WAITING


def test_an_unpaid_account_is_closed_once_and_for_all(pgs, opened, fetch):
    PG.close(pgs.client("inicis"), account=INICIS, ref=opened, reason="입금 전 취소")
    PG.close(pgs.client("inicis"), account=INICIS, ref=opened, reason="입금 전 취소")
    shown = fetch(opened)
    assert (shown.state, shown.deposits, shown.refunds) == (PgState.CANCELED, (), ())
    assert pgs.refusal("payments/deposit", pg="inicis", order_ref=ORDER) == "CLOSED"


def test_a_paid_account_is_not_closed(pgs, paid):
    with pytest.raises(RefusedByPg):
        PG.close(pgs.client("inicis"), account=INICIS, ref=paid, reason="입금 전 취소")
    assert pgs.payment("inicis", ORDER)["balance"] == 33000
