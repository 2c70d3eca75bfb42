"""대사 of payments that their PG does not know: one it never had is in order, one it has forgotten is a case."""

from datetime import timedelta

import pytest
from django.utils import timezone

from orders.states import LineState
from payments.models import MoneyProblem, Payment
from payments.services.ledger import problems
from payments.services.watching import reconciling
from payments.states import PaymentState, ProblemKind, Resolution
from tests.fixtures.orders import broken

pytestmark = pytest.mark.django_db(transaction=True)
FORGOTTEN = '{"code": "NOT_FOUND_PAYMENT", "message": "존재하지 않는 결제입니다."}'


def test_what_a_pg_never_knew_is_an_answer_and_holds_up_no_other_payment(pg_shop):
    account = pg_shop.account("toss")
    pg_shop.pgs.fault("hold", times=None)
    first = pg_shop.order(account)
    [payment] = Payment.objects.all()
    for n in range(reconciling.FIRST):
        facts = {"order": first, "method": payment.method, "amount": 1_000, "account": account}
        Payment.objects.create(order_ref=f"{first.number}-{n + 2}", **facts)
    pg_shop.deposit(pg_shop.order(account))
    Payment.objects.filter(pk=payment.pk).delete()
    [report] = reconciling.reconcile_week(at=timezone.now())
    assert (report.payments, report.unanswered, report.mismatches) == (reconciling.FIRST + 1, 0, 0)
    assert (report.pg_sum, report.ledger_sum) == (33_000, 33_000)
    assert not MoneyProblem.objects.exists()


def test_a_payment_that_its_pg_has_forgotten_is_a_case_until_it_remembers(pg_shop):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.deposit(order)
    pg_shop.heard()
    fault = pg_shop.pgs.fault("status", pg="toss", status=404, body=FORGOTTEN, method="GET", times=None)
    at = timezone.now()
    [report] = reconciling.reconcile_week(at=at)
    assert (report.payments, report.unanswered, report.mismatches) == (1, 0, 1)
    assert (report.pg_sum, report.ledger_sum) == (0, 33_000)
    case = MoneyProblem.objects.get()
    assert (case.kind, case.order_id, case.detail) == (ProblemKind.MISMATCH_WITH_PG, order.pk, problems.LOST)
    assert pg_shop.state(order) == (LineState.PREPARING, 33_000, PaymentState.PAID), "nobody knows better yet"
    pg_shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    [report] = reconciling.reconcile_week(at=at + timedelta(days=1))
    assert (report.mismatches, report.pg_sum, report.ledger_sum) == (0, 33_000, 33_000)
    assert MoneyProblem.objects.get().resolution == Resolution.FITS
    assert broken() == []
