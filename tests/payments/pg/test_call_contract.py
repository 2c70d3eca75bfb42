"""Every adapter against its twin over a real socket: what each call does, and what each way to fail means."""

import contextlib
import socket
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from core.http import Client
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
from tests.payments.pg.cases import AT, KST
from tests.payments.pg.every import DEALS

ORDER = "20261121-0000001-1"
QUICK = (5, 0.4)
"""Times of a client that meets an answer which comes too late."""
TOO_LATE = frozenset({"delay", "drip"})

every_deal = pytest.mark.parametrize("deal", DEALS, ids=lambda deal: deal.pg.name)


class Counter:
    """One merchant's desk: the adapter with its client and account, and the bank behind the PG."""

    def __init__(self, pgs, deal):
        self.pgs, self.deal, self.pg, self.account = pgs, deal, deal.pg, deal.account
        self.client = pgs.client(deal.prefix)
        self.ref = Ref(order_ref=ORDER, at=AT)

    def fault(self, kind, **values):
        """What happens to the next calls; where the answer comes too late, our client does not wait for it."""
        self.pgs.fault(kind, pg=self.deal.prefix, **values)
        if kind in TOO_LATE:
            self.client = self.pgs.client(self.deal.prefix, timeout=QUICK)

    def calm(self):
        """Patient again."""
        self.client = self.pgs.client(self.deal.prefix)

    def opened(self, **values):
        given = {"amount": 33_000, "buyer": "홍길동", "title": "면 티셔츠 외 1건", "bank": self.deal.bank, **values}
        payment = self.pgs.control("payments", pg=self.deal.prefix, order_ref=ORDER, **given)
        self.ref = replace(
            self.ref, payment_ref=payment["payment_ref"], at=datetime.fromtimestamp(payment["created_at"], KST)
        )
        return payment

    def paid(self, **values):
        self.opened(**values)
        return self.pgs.control("payments/deposit", pg=self.deal.prefix, order_ref=ORDER)

    def fetch(self):
        return self.pg.fetch(self.client, account=self.account, ref=self.ref)

    def ask(self, amount=10_000, *, key="refund-1", balance=33_000):
        account = BankAccount(bank=self.deal.refund_bank or self.deal.bank, number="110-123-456789", holder="홍길동")
        return RefundAsk(
            key=key,
            ref=self.ref,
            amount=amount,
            balance=balance,
            reason="고객 변심",
            account=account,
            phone="010-1234-5678",
            at=AT,
        )

    def refund(self, ask):
        return self.pg.refund(self.client, account=self.account, ask=ask)

    def close(self):
        return self.pg.close(self.client, account=self.account, ref=self.ref, reason="주문 취소")

    def at_bank(self):
        return self.pgs.payment(self.deal.prefix, ORDER)

    def refund_calls(self):
        calls = self.pgs.read("calls", pg=self.deal.prefix, method=self.deal.refund_method)
        return [call for call in calls if self.deal.is_refund(call["path"])]


@pytest.fixture
def desk(pgs, deal):
    desk = Counter(pgs, deal)
    yield desk
    desk.client.close()


# What is asked


@every_deal
def test_an_open_account_is_seen_as_the_bank_has_it(desk):
    opened = desk.opened()
    found = desk.fetch()
    assert (found.order_ref, found.payment_ref) == (ORDER, opened["payment_ref"])
    assert (found.state, found.amount, found.currency) == (PgState.WAITING, 33_000, "KRW")
    assert (found.deposits, found.refunds, found.refund_state) == ((), (), RefundState.NONE)


@every_deal
def test_an_account_is_found_by_its_order_alone(desk):
    opened = desk.opened()
    desk.ref = replace(desk.ref, payment_ref="")
    assert desk.fetch().payment_ref == opened["payment_ref"]


@every_deal
def test_a_deposit_is_seen_with_its_time_and_depositor(desk):
    movement = desk.paid()["movements"][0]
    found = desk.fetch()
    assert found.state is PgState.PAID
    assert [deposit.amount for deposit in found.deposits] == [33_000]
    assert abs(found.deposits[0].at.timestamp() - movement["at"]) < 2
    assert found.depositor == desk.deal.depositor


@every_deal
def test_a_deposit_keeps_its_reference(desk):
    desk.paid()
    first = desk.fetch().deposits[0].reference
    assert bool(first) is desk.deal.names_deposits
    assert desk.fetch().deposits[0].reference == first


@every_deal
def test_a_deposit_that_the_bank_took_back_stands_no_more_and_may_come_again(desk):
    desk.paid()
    desk.pgs.control("payments/reverse", pg=desk.deal.prefix, order_ref=ORDER)
    gone = desk.fetch()
    assert (gone.state, gone.deposits, gone.refunds) == (PgState.WAITING, (), ())
    desk.pgs.control("payments/deposit", pg=desk.deal.prefix, order_ref=ORDER)
    assert [deposit.amount for deposit in desk.fetch().deposits] == [33_000]


# What is opened and closed


@every_deal
def test_an_account_is_opened_or_the_pg_cannot(desk):
    ask = IssueAsk(
        order_ref=ORDER,
        amount=33_000,
        title="면 티셔츠\x00\n외 1건 \ud800",
        buyer="홍길동",
        bank=desk.deal.bank,
        due_at=desk.deal.due_at(),
        buyer_phone="010-1234-5678",
        buyer_email="hong@example.com",
    )
    if not desk.pg.capabilities.can_issue:
        with pytest.raises(desk.deal.cannot_issue):
            desk.pg.issue(desk.client, account=desk.account, ask=ask)
        assert desk.at_bank() is None
        return
    found = desk.pg.issue(desk.client, account=desk.account, ask=ask)
    at_bank = desk.at_bank()
    assert (found.state, found.amount) == (PgState.WAITING, 33_000)
    assert found.account.number == at_bank["account_number"]
    assert found.account.bank == desk.deal.bank
    assert abs(found.due_at - ask.due_at) < timedelta(minutes=1)
    assert at_bank["title"] == "면 티셔츠 외 1건"
    assert at_bank["buyer"] == "홍길동"


@every_deal
def test_an_unpaid_account_is_closed_and_takes_no_money_afterwards(desk):
    if not desk.pg.capabilities.can_close:
        return
    desk.opened()
    desk.close()
    assert desk.fetch().state is PgState.CANCELED
    assert desk.pgs.refusal("payments/deposit", pg=desk.deal.prefix, order_ref=ORDER) == "CLOSED"
    assert (desk.fetch().deposits, desk.fetch().refunds) == ((), ())


@every_deal
def test_a_paid_account_is_not_closed(desk):
    if not desk.pg.capabilities.can_close:
        return
    desk.paid()
    with pytest.raises(RefusedByPg):
        desk.close()
    assert desk.at_bank()["balance"] == 33_000
    assert desk.fetch().state is PgState.PAID


# What is refunded


@every_deal
def test_a_part_and_then_the_rest_are_refunded(desk):
    desk.paid()
    part = desk.refund(desk.ask(10_000))
    assert part.reference
    found = desk.fetch()
    assert (found.state, [item.amount for item in found.refunds]) == (PgState.PART_REFUNDED, [10_000])
    assert [item.amount for item in found.deposits] == [33_000]
    rest = desk.refund(desk.ask(23_000, key="refund-2", balance=23_000))
    assert rest.reference != part.reference
    found = desk.fetch()
    assert (found.state, sum(item.amount for item in found.refunds)) == (PgState.CANCELED, 33_000)
    assert [item.amount for item in found.deposits] == [33_000]
    assert {item.reference for item in found.refunds} == {part.reference, rest.reference}


@every_deal
def test_a_refund_goes_to_the_account_that_was_named(desk):
    desk.paid()
    desk.refund(desk.ask())
    account = desk.at_bank()["movements"][-1]["account"]
    assert (account["number"], account["holder"]) == ("110123456789", "홍길동")


@every_deal
def test_more_than_the_balance_is_refused_and_nothing_moves(desk):
    desk.paid()
    with pytest.raises(RefusedByPg) as refusal:
        desk.refund(desk.ask(33_001))
    assert refusal.value.code
    assert refusal.value.message
    assert desk.at_bank()["balance"] == 33_000


@every_deal
def test_a_refund_of_an_unpaid_account_is_refused_or_closes_nothing(desk):
    desk.opened()
    with contextlib.suppress(RefusedByPg, OutcomeUnknown):
        desk.refund(desk.ask())
    assert desk.at_bank()["refunded_amount"] == 0


@every_deal
def test_a_failed_transfer_shows(desk):
    desk.paid()
    desk.refund(desk.ask())
    desk.pgs.control("payments/fail-refund", pg=desk.deal.prefix, order_ref=ORDER)
    found = desk.fetch()
    assert found.refund_state in desk.deal.failed_states
    assert [item.amount for item in found.refunds] == [10_000]


# Who is asked


@every_deal
def test_an_unknown_payment_is_not_at_the_pg(desk):
    desk.ref = Ref(order_ref="20261121-9999999-1", payment_ref=desk.deal.unknown_ref, at=AT)
    with pytest.raises(NotAtPg):
        desk.fetch()
    with pytest.raises(NotAtPg):
        desk.refund(desk.ask())


@every_deal
def test_a_wrong_key_is_denied_everywhere_and_nothing_moves(desk):
    desk.paid()
    desk.account = desk.deal.wrong_key
    for act in (desk.fetch, lambda: desk.refund(desk.ask()), desk.close):
        with pytest.raises(Denied):
            act()
    assert desk.at_bank()["balance"] == 33_000


# How it fails

FAULTS = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "body": "<html>", "content_type": "text/html"},
    {"kind": "status", "status": 302, "body": ""},
    {"kind": "html"},
    {"kind": "empty"},
    {"kind": "truncated"},
    {"kind": "hang", "seconds": 0.1},
    {"kind": "drop"},
    {"kind": "drip", "seconds": 0.1},
    {"kind": "delay", "seconds": 20.0},
    {"kind": "status", "status": 200, "body": "[]"},
    {"kind": "status", "status": 200, "body": "{}"},
    {"kind": "status", "status": 200, "body": '{"status":"DONE","status":"DONE"}'},
    {"kind": "status", "status": 200, "body": "[" * 200_000},
    {"kind": "status", "status": 400, "body": "<html>Bad Request</html>", "content_type": "text/html"},
    {"kind": "status", "status": 404, "body": "<html>Not Found</html>", "content_type": "text/html"},
]
every_fault = pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}{fault.get('body', '')[:12]}"
)


@every_deal
@every_fault
def test_a_question_that_fails_is_only_unavailable(desk, fault):
    desk.paid()
    desk.fault(**fault, times=None)
    with pytest.raises(Unavailable):
        desk.fetch()


@every_deal
@every_fault
@pytest.mark.parametrize("after_work", [True, False], ids=["done", "not done"])
def test_a_refund_that_fails_midway_is_of_unknown_outcome(desk, fault, after_work):
    desk.paid()
    desk.fault(**{**fault, "after_work": after_work}, path=desk.deal.refund_path)
    with pytest.raises(OutcomeUnknown):
        desk.refund(desk.ask())
    desk.calm()
    always_works = fault["kind"] in {"truncated", *TOO_LATE}
    refunded = 10_000 if after_work or always_works else 0
    desk.pgs.wait_for(lambda: desk.refund_calls() and desk.at_bank()["refunded_amount"] == refunded)
    assert len(desk.refund_calls()) == 1
    assert sum(item.amount for item in desk.fetch().refunds) == refunded


@every_deal
def test_what_a_pg_says_of_its_own_failure_is_kept(desk):
    desk.paid()
    told = '{"code":"PROVIDER_DOWN","message":"점검 중입니다."}'
    desk.fault("status", status=500, body=told, path=desk.deal.refund_path)
    with pytest.raises(OutcomeUnknown) as caught:
        desk.refund(desk.ask())
    assert (caught.value.code, caught.value.message) == ("PROVIDER_DOWN", "점검 중입니다.")
    assert desk.at_bank()["balance"] == 33_000


@every_deal
def test_too_many_calls_and_no_connection_did_surely_nothing(desk):
    desk.paid()
    desk.fault("status", status=429, path=desk.deal.refund_path)
    with pytest.raises(Unavailable):
        desk.refund(desk.ask())
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    desk.client = Client(f"http://127.0.0.1:{port}", allow_loopback=True, timeout=(5, 5))
    with pytest.raises(Unavailable):
        desk.refund(desk.ask())
    with pytest.raises(Unavailable):
        desk.fetch()
    assert desk.at_bank()["balance"] == 33_000


@every_deal
def test_a_refund_sent_again_after_an_unknown_outcome_never_pays_twice(desk):
    """Toss answers the same key alike; the others refuse, or say that the key was used, and nothing moves again."""
    desk.paid()
    desk.fault("hang", seconds=0.2, after_work=True, path=desk.deal.refund_path)
    with pytest.raises(OutcomeUnknown):
        desk.refund(desk.ask())
    if desk.pg.capabilities.repeats_refund_key:
        again = desk.refund(desk.ask())
        assert again.reference == desk.fetch().refunds[0].reference
    else:
        with pytest.raises((RefusedByPg, OutcomeUnknown)):
            desk.refund(desk.ask())
    assert desk.at_bank()["refunded_amount"] == 10_000
    assert len(desk.refund_calls()) == 2
    assert [item.amount for item in desk.fetch().refunds] == [10_000]
