"""Lost notices are made good by asking; every night a report compares the PG, the ledger and the orders."""

from dataclasses import replace
from datetime import timedelta

import pgtrigger
import pytest
from django.utils import timezone

from core.calendar import kst_date
from core.slots import run_slot
from orders.models import Order
from orders.states import BIT, LineState
from payments.adapters.base import CashReceiptFacts, PgState, Snapshot
from payments.models import (
    CashReceipt,
    LedgerEntry,
    MoneyProblem,
    Payment,
    PgNotice,
    PgReconciliation,
    VirtualAccount,
)
from payments.services.ledger.receipts import keep_receipts
from payments.services.refunds import requesting
from payments.services.watching import reconciling
from payments.states import EntryKind, PaymentState, ProblemKind, ReceiptState
from tests.fixtures.refunds import ACCOUNT

pytestmark = pytest.mark.django_db(transaction=True)
WAITING, PREPARING = LineState.AWAITING_PAYMENT, LineState.PREPARING


@pytest.fixture
def unheard(pg_shop):
    """`unheard()`: an order that was paid and whose notice was lost."""
    account = pg_shop.account("toss")
    pg_shop.pgs.fault("hold", times=None)

    def make(*, due_in=timedelta(hours=1), is_paid=True):
        order = pg_shop.order(account)
        VirtualAccount.objects.filter(payment__order=order).update(due_at=timezone.now() + due_in)
        if is_paid:
            pg_shop.deposit(order)
        return order

    return make


def test_a_lost_notice_is_found_before_the_account_ends(pg_shop, unheard):  # F24
    soon, later = unheard(), unheard(due_in=timedelta(hours=3))
    found = reconciling.reconcile_soon(at=timezone.now())
    assert (found.payments, found.changed, found.unanswered) == (1, 1, 0)
    assert pg_shop.state(soon) == (PREPARING, 33_000, PaymentState.PAID)
    assert LedgerEntry.objects.get().reason == "대사로 확인"
    assert pg_shop.state(later) == (WAITING, 0, PaymentState.PENDING)
    assert not PgNotice.objects.exists()
    assert reconciling.reconcile_soon(at=timezone.now()).payments == 0


def test_the_night_compares_three_sums_and_does_so_once(pg_shop, unheard):
    paid, unpaid = unheard(), unheard(is_paid=False)
    at = timezone.now()
    assert run_slot(job="reconcile-week", at=at)
    assert pg_shop.state(paid) == (PREPARING, 33_000, PaymentState.PAID)
    assert pg_shop.state(unpaid) == (WAITING, 0, PaymentState.PENDING)
    report = PgReconciliation.objects.get()
    assert (report.ran_on, report.day) == (kst_date(at), kst_date(paid.created_at))
    assert (report.payments, report.changed, report.unanswered, report.mismatches) == (2, 1, 0, 0)
    assert (report.pg_sum, report.ledger_sum, report.order_sum) == (33_000, 33_000, 33_000)
    assert reconciling.reconcile_week(at=at) == []
    assert reconciling.reconcile_week(at=at + timedelta(days=1))[0].changed == 0
    assert PgReconciliation.objects.count() == 2


def test_a_payment_of_another_amount_is_a_problem_for_a_person(pg_shop, unheard, caplog):  # A67
    order = unheard()
    Payment.objects.filter(order=order).update(amount=3_300)
    [report] = reconciling.reconcile_week(at=timezone.now())
    assert (report.mismatches, report.pg_sum, report.ledger_sum) == (1, 33_000, 0)
    assert "the PG says 33000 won, the ledger 0" in caplog.text
    assert MoneyProblem.objects.get().kind == ProblemKind.MISMATCH_WITH_PG
    assert Order.objects.get(pk=order.pk).paid_amount == 0


def test_a_pg_that_is_away_is_not_asked_for_every_payment(pg_shop, unheard):
    for _ in range(12):
        unheard(is_paid=False)
    pg_shop.pgs.fault("status", pg="toss", method="GET", times=None)
    before = len(pg_shop.pgs.read("calls", pg="toss", limit=1000))
    found = reconciling.reconcile_soon(at=timezone.now())
    assert (found.payments, found.unanswered) == (12, 12)
    asked = {one["path"] for one in pg_shop.pgs.read("calls", pg="toss", limit=1000)[before:]}
    assert len(asked) == reconciling.FIRST


def test_a_cash_receipt_is_kept_once_masked_and_follows_the_pg(make_order):
    payment = Payment.objects.get(order=make_order())
    facts = CashReceiptFacts(
        reference="R1", purpose="income", amount=33_000, number="01012345678", url="https://pg.example/r1"
    )
    shown = Snapshot(order_ref="x", payment_ref="y", state=PgState.PAID, amount=33_000, receipts=(facts,))
    for _ in range(2):
        keep_receipts([(payment, shown)], at=timezone.now())
    kept = CashReceipt.objects.get()
    assert (kept.purpose, kept.masked_number, kept.amount, kept.state) == ("INCOME", "*******5678", 33_000, "ISSUED")
    keep_receipts([(payment, replace(shown, receipts=(replace(facts, amount=23_000),)))], at=timezone.now())
    assert CashReceipt.objects.get().amount == 23_000
    keep_receipts([(payment, replace(shown, receipts=()))], at=timezone.now())
    assert CashReceipt.objects.get().state == ReceiptState.CANCELED


CAME, BACK = (EntryKind.DEPOSIT, 33_000), (EntryKind.REFUND, -33_000)


@pytest.fixture
def old(pg_shop, unheard):
    """`old()`: the payment of an order that was paid forty days ago; whatever the PG tells from now on gets lost."""

    def make(*, is_open=True, days=40):
        order = unheard()
        reconciling.reconcile_soon(at=timezone.now())
        assert pg_shop.state(order) == (PREPARING, 33_000, PaymentState.PAID)
        then = timezone.now() - timedelta(days=days)
        with pgtrigger.ignore("payments.LedgerEntry:append_only"):
            LedgerEntry.objects.filter(payment__order=order).update(at=then)
        Payment.objects.filter(order=order).update(created_at=then, paid_at=then, synced_at=then)
        if not is_open:
            Order.objects.filter(pk=order.pk).update(steps=BIT[LineState.CONFIRMED])
        return Payment.objects.select_related("account", "order").get(order=order)

    return make


def booked(payment):
    return list(LedgerEntry.objects.filter(payment=payment).order_by("pk").values_list("kind", "amount"))


def refund_in_the_console(pg_shop, payment):
    pg_shop.act("refund", payment, account={"bank": "20", "number": "110123456789", "holder": "홍길동"})


def test_a_lost_refund_of_an_old_payment_is_found_while_its_order_is_open(pg_shop, old):
    payment, same = old(), old()
    refund_in_the_console(pg_shop, payment)
    at = timezone.now()
    [report] = reconciling.reconcile_week(at=at)
    assert booked(payment) == [CAME, BACK]
    assert booked(same) == [CAME]
    assert report.day == kst_date(payment.created_at)
    assert (report.payments, report.changed, report.unanswered, report.mismatches) == (2, 1, 0, 0)
    assert report.pg_sum == report.ledger_sum == 33_000
    assert reconciling.reconcile_week(at=at) == []


def test_an_old_payment_that_was_told_about_is_compared_though_its_order_has_ended(pg_shop, old):
    payment, silent = old(is_open=False), old(is_open=False, days=200)
    PgNotice.objects.create(
        account=payment.account, event_key="x", kind="OTHER", order_ref=payment.order_ref, body_hash=b"x",
        received_at=timezone.now(), due_at=timezone.now(), state="IGNORED", finished_at=timezone.now(), is_proven=True,
    )  # fmt: skip
    refund_in_the_console(pg_shop, payment)
    [report] = reconciling.reconcile_week(at=timezone.now())
    assert (report.payments, report.changed, report.day) == (1, 1, kst_date(payment.created_at))
    assert booked(payment) == [CAME, BACK]
    assert booked(silent) == [CAME]


@pytest.mark.parametrize("trace", ["paid_at", "ledger", "refund"])
def test_an_old_payment_whose_money_moved_this_week_is_compared(pg_shop, old, staff, trace):
    payment = old(is_open=False)
    if trace == "paid_at":
        Payment.objects.filter(pk=payment.pk).update(paid_at=timezone.now())
    elif trace == "ledger":
        with pgtrigger.ignore("payments.LedgerEntry:append_only"):
            LedgerEntry.objects.filter(payment=payment).update(at=timezone.now())
    else:
        ask = requesting.Ask(payment_id=payment.pk, amount=1_000, account=ACCOUNT)
        requesting.request(asks=[ask], reason="고객 요청", actor=staff, at=timezone.now())
    [report] = reconciling.reconcile_week(at=timezone.now())
    assert (report.payments, report.unanswered) == (1, 0)
    assert booked(payment) == [CAME]


def test_what_is_left_of_the_budget_goes_to_those_asked_about_longest_ago(pg_shop, old, monkeypatch, caplog):
    first, second, third = (old(is_open=False, days=days) for days in (60, 50, 40))
    monkeypatch.setattr(reconciling, "MOST", 2)
    for payment in (first, third):
        refund_in_the_console(pg_shop, payment)
    assert reconciling.reconcile_week(at=timezone.now()) == []
    assert [booked(one) for one in (first, second, third)] == [[CAME, BACK], [CAME], [CAME]]
    assert "quiet payments: 1 changed" in caplog.text
    assert reconciling.reconcile_week(at=timezone.now() + timedelta(days=1)) != []
    assert booked(third) == [CAME, BACK]


def test_open_orders_take_their_turn_when_they_are_more_than_the_budget(pg_shop, old, monkeypatch):
    first, second = old(days=50), old(days=40)
    monkeypatch.setattr(reconciling, "MOST", 1)
    at = timezone.now()
    for night, payment in enumerate((first, second)):
        [report] = reconciling.reconcile_week(at=at + timedelta(days=night))
        assert (report.payments, report.day) == (1, kst_date(payment.created_at))
