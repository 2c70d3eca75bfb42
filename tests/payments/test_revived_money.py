"""되살리기 (T24) of an order for which money has come while it was canceled: it takes the money, by itself."""

import pytest
from django.utils import timezone

from core import drains, relay
from core.invariants import find_violations
from orders.services import progress
from orders.states import CanceledBy, LineState
from payments.models import MoneyProblem, Refund
from payments.services.refunds import reviving
from payments.states import LATE_MONEY, ProblemKind

pytestmark = pytest.mark.django_db(transaction=True)
WAITING, PREPARING = LineState.AWAITING_PAYMENT, LineState.PREPARING


@pytest.mark.parametrize(
    ("won", "end", "cases"),
    [
        (33_000, PREPARING, []),
        (40_000, PREPARING, [(ProblemKind.OVERPAID, 7_000)]),
        (20_000, WAITING, [(ProblemKind.UNDERPAID, 13_000)]),
    ],
)
def test_a_revived_order_takes_the_money_that_came_while_it_was_canceled(pg_shop, staff, won, end, cases):
    order = pg_shop.order(pg_shop.account("inicis"))
    progress.cancel_unpaid(
        order_ids=[order.pk], actor=staff, at=timezone.now(), by=CanceledBy.STAFF, reason="고객 요청"
    )
    pg_shop.deposit(order, won, force=True)
    pg_shop.heard()
    late = MoneyProblem.objects.get(resolved_at=None)
    assert (late.kind in LATE_MONEY, late.amount) == (True, won)
    outcome = reviving.revive(order_ids=[order.pk], actor=staff, at=timezone.now(), reason="고객 요청")
    assert [line.state for line in outcome.moved] == [WAITING]
    for _ in range(2):
        relay.run_once(at=timezone.now())
        drains.run_all()
        assert pg_shop.state(order)[:2] == (end, won)
        found = MoneyProblem.objects.filter(resolved_at=None).values_list("kind", "amount")
        assert list(found) == cases
    assert set(Refund.objects.values_list("state", flat=True)) <= {"WITHDRAWN"}
    assert find_violations() == []
