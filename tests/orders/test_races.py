"""Two people, two clicks, many processes: one wins, the other is told, nothing twice (reliability.md F07, F40)."""

import random
from datetime import timedelta

import pytest
from django.db import connection, transaction

from core import locks as core_locks
from core.locks import LockTimeout, holder_name
from core.models import Source
from orders.models import Order, OrderEvent, OrderLine
from orders.services import locks, progress
from orders.services.intake import LineDraft, create_orders
from orders.states import CanceledBy, LineState
from payments.services.manual import confirm_manually
from payments.services.watching.overdue import cancel_overdue
from shipping.couriers import COURIERS
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.waybills import with_check_digit
from tests.fixtures.orders import NOW, broken, draft, reloaded
from tests.infra.races import PATIENCE, race

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]
RACERS = 16
S = LineState


def number(n: int) -> str:
    """A CJ waybill with a right check digit."""
    return with_check_digit(COURIERS["CJGLS"], f"68{n:09d}")


@pytest.fixture
def standby(make_order, lines_of, staff):
    """`standby(n)`: n orders whose waybills are registered, as their line ids."""

    def make(count: int) -> list[int]:
        ids = [lines_of(make_order(paid=True))[0].pk for _ in range(count)]
        shipments.make_ready(line_ids=ids, actor=staff, at=NOW)
        found = dict(OrderLine.objects.filter(pk__in=ids).values_list("pk", "shipment_items__shipment"))
        entries = {shipment: WaybillEntry("CJGLS", number(n)) for n, shipment in enumerate(found.values(), 1)}
        done = waybills.register_waybills(entries=entries, actor=staff, at=NOW)
        assert done.refused == {}
        return ids

    return make


@pytest.fixture
def patient(monkeypatch):
    """Racers that wait for their turn however slow the machine is."""
    monkeypatch.setattr(core_locks, "QUEUE_WAIT", timedelta(seconds=PATIENCE))


def test_sixteen_intakes_at_once_never_give_a_number_twice(channel, make_variant, patient):
    variant = make_variant(on_hand=1000)

    def intake(n):
        drafts = [
            draft(LineDraft("상품", 1, 1000, variant_id=variant.pk), channel_number=f"R{n}-{i}") for i in range(5)
        ]
        made = create_orders(channel=channel, drafts=drafts, actor=None, at=NOW, source=Source.API)
        return [order.number for order in made.created.values()]

    numbers = sum(race([lambda n=n: intake(n) for n in range(RACERS)]), [])
    assert len(numbers) == len(set(numbers)) == RACERS * 5
    assert Order.objects.count() == RACERS * 5
    assert broken() == []


def test_the_same_drafts_from_sixteen_processes_make_each_order_once(channel, make_variant, patient):
    variant = make_variant(on_hand=1000)
    drafts = [draft(LineDraft("상품", 1, 1000, variant_id=variant.pk)) for _ in range(5)]

    def intake():
        made = create_orders(channel=channel, drafts=drafts, actor=None, at=NOW, source=Source.UPLOAD)
        return len(made.created), len(made.known)

    answers = race([intake] * RACERS)
    assert sum(created for created, _ in answers) == 5
    assert sum(known for _, known in answers) == 5 * (RACERS - 1)
    assert Order.objects.count() == 5
    assert broken() == []


def test_shipping_against_holding_has_one_winner_per_line(standby, staff):
    ids = standby(8)

    def ship(pk):
        return bool(shipments.ship(line_ids=[pk], actor=staff, at=NOW).moved)

    def hold(pk):
        return bool(locks.hold(line_ids=[pk], actor=staff, at=NOW, reason="고객 부재").moved)

    answers = race([job for pk in ids for job in (lambda pk=pk: ship(pk), lambda pk=pk: hold(pk))])
    for n, pk in enumerate(ids):
        shipped, held = answers[2 * n], answers[2 * n + 1]
        line = OrderLine.objects.get(pk=pk)
        assert shipped != held
        assert (line.state == S.SHIPPING) == shipped
        assert bool(line.hold_reason) == held
    assert broken() == []


def test_shipping_against_going_back_has_one_winner_and_stock_agrees(make_order, lines_of, staff):
    ids = [lines_of(make_order(paid=True, method="DIRECT"))[0].pk for _ in range(8)]
    shipments.make_ready(line_ids=ids, actor=staff, at=NOW)

    def ship(pk):
        return bool(shipments.ship(line_ids=[pk], actor=staff, at=NOW).moved)

    def back(pk):
        return bool(shipments.return_to_preparing(line_ids=[pk], actor=staff, at=NOW).moved)

    answers = race([job for pk in ids for job in (lambda pk=pk: ship(pk), lambda pk=pk: back(pk))])
    for n, pk in enumerate(ids):
        shipped, returned = answers[2 * n], answers[2 * n + 1]
        assert shipped != returned
        assert OrderLine.objects.get(pk=pk).state == (S.SHIPPING if shipped else S.PREPARING)
    assert broken() == []


def test_confirming_against_canceling_moves_each_order_once(make_order, staff):
    orders = [make_order() for _ in range(8)]

    def confirm(pk):
        return bool(confirm_manually(order_ids=[pk], actor=staff, at=NOW).moved)

    def cancel(pk):
        outcome = progress.cancel_unpaid(order_ids=[pk], actor=staff, at=NOW, by=CanceledBy.STAFF)
        return bool(outcome.moved)

    answers = race([job for o in orders for job in (lambda pk=o.pk: confirm(pk), lambda pk=o.pk: cancel(pk))])
    for n, order in enumerate(orders):
        confirmed, canceled = answers[2 * n], answers[2 * n + 1]
        order = reloaded(order)
        assert confirmed != canceled
        assert order.stage == (S.PREPARING if confirmed else S.CANCELED_UNPAID)
        assert order.paid_amount == (order.due_amount if confirmed else 0)
    assert broken() == []


def test_the_deadline_job_from_many_workers_cancels_each_order_once(make_order):
    orders = [make_order() for _ in range(10)]
    at = max(order.deposit_by for order in orders)
    ids = [order.pk for order in orders]
    answers = race([lambda: len(cancel_overdue(order_ids=ids, at=at).moved)] * RACERS)
    assert sum(answers) == len(orders)
    assert OrderEvent.objects.filter(kind="line.canceled_unpaid").count() == len(orders)
    assert broken() == []


def test_bulk_acts_in_any_order_of_ids_do_not_deadlock(make_order, lines_of, staff):
    ids = [lines_of(make_order(paid=True))[0].pk for _ in range(12)]

    def toggle(seed):
        rng, done = random.Random(seed), 0
        for _ in range(6):
            mine = rng.sample(ids, 8)
            act = rng.choice([hold, release, prepare, back])
            done += len(act(mine).moved)
        return done

    def hold(mine):
        return locks.hold(line_ids=mine, actor=staff, at=NOW, reason="시험")

    def release(mine):
        return locks.release_hold(line_ids=mine, actor=staff, at=NOW)

    def prepare(mine):
        return shipments.make_ready(line_ids=mine, actor=staff, at=NOW)

    def back(mine):
        return shipments.return_to_preparing(line_ids=mine, actor=staff, at=NOW)

    assert sum(race([lambda seed=seed: toggle(seed) for seed in range(RACERS)])) > 0
    assert broken() == []


def test_a_locked_order_is_refused_after_three_seconds_with_the_holders_name(make_order, lines_of, staff):
    [line] = lines_of(make_order(paid=True))
    name = holder_name(staff)

    def keep():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('application_name', %s, true)", [name])
            Order.objects.select_for_update().get(pk=line.order_id)
            cursor.execute("SELECT pg_sleep(5)")
        return ""

    def act():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.5)")
        try:
            locks.hold(line_ids=[line.pk], actor=staff, at=NOW, reason="시험")
        except LockTimeout as problem:
            return problem.message
        return ""

    assert race([keep, act])[1] == "김하은 님이 같은 주문을 처리하고 있습니다. 잠시 뒤 다시 시도하세요."
    assert reloaded(line).version == line.version
