"""Lost notices are made good by asking; every night a report compares the PG, the ledger and the orders."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from core.calendar import kst_date
from core.slots import run_slot
from orders.models import Order
from orders.states import LineState
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
from payments.services import reconciling
from payments.services.receipts import keep_receipts
from payments.states import PaymentState, ProblemKind, ReceiptState

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
