"""자동취소: hour-exact, every overdue order of a run, and money that waits protects its order (domain.md A05)."""

from datetime import datetime, timedelta

import pytest

from core import relay
from core.calendar import KST
from core.models import Message
from core.slots import run_slot
from orders.models import BenefitEntry, OrderEvent, OrderLine
from orders.services import locks
from orders.states import CANCELED_CODE, BenefitAct, LineState, LockKind
from payments.services.watching.overdue import overdue_orders
from payments.tasks import cancel_unpaid_overdue
from products.models import StockLevel
from tests.fixtures.orders import broken, reloaded

ORDERED = datetime(2026, 9, 1, 10, 0, tzinfo=KST)
RUN = datetime(2026, 9, 8, 10, 5, tzinfo=KST)
WAITS = "확인을 기다리는 입금이 있습니다. 입금 내역을 먼저 확인하세요."


@pytest.fixture
def two(make_order, make_variant, staff):
    """An unpaid order, and one whose deposit waits to be matched by hand; both of 2026-09-01 10:00."""
    variants = [make_variant(on_hand=3), make_variant(on_hand=3)]
    amounts = {"coupon_amount": 1_000, "points_amount": 500}
    first, second = (make_order(lines=[(variant, 2)], at=ORDERED, **amounts) for variant in variants)
    line = OrderLine.objects.get(order=second)
    locks.place_lock(
        line_ids=[line.pk], kind=LockKind.DEPOSIT_PENDING, actor=None, at=ORDERED, reason="수동매칭을 기다립니다"
    )
    return first, reloaded(second)


SPENT = [("COUPON", "USED", 1, 1_000), ("POINTS", "USED", 1, 500)]


def ledger(order):
    """Rows of the coupon and points ledger of an order, in the order they were written."""
    rows = BenefitEntry.objects.filter(order=order).order_by("pk")
    return sorted(rows.values_list("kind", "act", "seq", "amount"), key=lambda row: (row[2], row[1] != "USED", row[0]))


def line_of(order):
    return OrderLine.objects.get(order=order)


def test_the_job_cancels_the_first_and_skips_the_second_with_a_reason(two, caplog):
    caplog.set_level("INFO", logger="payments.tasks")
    first, second = two
    version = second.version
    assert StockLevel.objects.get(variant=line_of(first).variant).demand == 2
    assert ledger(first) == ledger(second) == SPENT

    assert cancel_unpaid_overdue(at=RUN) == 1

    line = line_of(first)
    assert (line.state, CANCELED_CODE[line.canceled_by]) == (LineState.CANCELED_UNPAID, "C48")
    assert StockLevel.objects.get(variant=line.variant).demand == 0
    event = OrderEvent.objects.get(kind="line.canceled_unpaid")
    assert (event.at, event.actor, event.reason) == (RUN, None, "입금기한이 지났습니다.")
    assert event.data == {"benefits": {"act": "RESTORED", "coupon": 1_000, "points": 500}}
    assert ledger(first) == [*SPENT, ("COUPON", "RESTORED", 1, 1_000), ("POINTS", "RESTORED", 1, 500)]
    given = BenefitEntry.objects.filter(act=BenefitAct.RESTORED)
    assert {(one.at, one.actor, one.reason) for one in given} == {(RUN, None, "입금기한이 지났습니다.")}
    kept = line_of(second)
    assert (kept.state, reloaded(second).version) == (LineState.AWAITING_PAYMENT, version)
    assert StockLevel.objects.get(variant=kept.variant).demand == 2
    assert ledger(second) == SPENT
    assert f"line {kept.pk} is not canceled: {WAITS}" in caplog.text
    assert broken() == []


def test_a_second_before_the_hour_nothing_happens_and_the_hour_itself_counts(two):
    first, _ = two
    assert cancel_unpaid_overdue(at=ORDERED + timedelta(days=7) - timedelta(seconds=1)) == 0
    assert line_of(first).state == LineState.AWAITING_PAYMENT
    assert cancel_unpaid_overdue(at=ORDERED + timedelta(days=7)) == 1


def test_running_again_changes_nothing_and_the_buyer_is_told_once(two):
    cancel_unpaid_overdue(at=RUN)
    assert cancel_unpaid_overdue(at=RUN + timedelta(minutes=1)) == 0
    relay.run_once(at=RUN + timedelta(minutes=10))
    assert len(ledger(two[0])) == 4
    assert Message.objects.filter(template="order_canceled").count() == 1
    assert "입금기한이 지났습니다" in Message.objects.get(template="order_canceled").body


def test_part_of_the_money_protects_an_order(two, deposit):
    first, _ = two
    deposit(first, 2_000, at=ORDERED)
    assert cancel_unpaid_overdue(at=RUN) == 0
    assert line_of(first).state == LineState.AWAITING_PAYMENT


def test_orders_are_read_in_pages_and_none_is_left_out(make_order, make_variant):
    variant = make_variant(on_hand=10)
    orders = [make_order(lines=[(variant, 1)], at=ORDERED) for _ in range(5)]
    pages, after = [], 0
    while ids := overdue_orders(at=RUN, after=after, limit=2):
        pages.append(ids)
        after = ids[-1]
    assert pages == [[one.pk for one in orders[n : n + 2]] for n in (0, 2, 4)]
    assert cancel_unpaid_overdue(at=RUN) == 5
    assert StockLevel.objects.get(variant=variant).demand == 0


def test_the_minute_table_runs_it(two):
    assert run_slot(job="cancel-unpaid", at=RUN)
    assert line_of(two[0]).state == LineState.CANCELED_UNPAID
