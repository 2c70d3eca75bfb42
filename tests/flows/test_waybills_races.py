"""Two people, two processes: one wins, the other hears why, and nothing happens half."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from django.conf import settings
from django.db import connections

from core.exceptions import Conflict
from core.invariants import find_violations
from core.locks import LockTimeout
from orders.models import OrderEvent, OrderLine
from orders.services import locks
from orders.states import LineState
from shipping.models import Parcel
from shipping.services import shipments
from shipping.services.merges import merging
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.states import DeliveryMethod
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again, waybill_number
from tests.infra.processes import worker_database_url
from tests.infra.queues import behind

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works):
    """Run works in threads with connections of their own, all at the same moment; errors are answers."""
    barrier = Barrier(len(works))

    def run(work):
        try:
            barrier.wait()
            return work()
        except (LockTimeout, Conflict) as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@pytest.mark.parametrize("moves", [0, 1], ids=["filled", "emptied"])
def test_a_shipment_that_is_merged_while_it_waits_to_leave_stays_whole(make_shipments, staff, moves):
    first, second = both = make_shipments(2, method=DeliveryMethod.QUICK)
    lines = shipments.lines_of([both[moves].pk])
    # The merge comes first to the order that a colleague holds, and takes both; who sends one of them waits behind it.
    merged, sent = behind(
        both[moves].order_id,
        partial(merging.merge_shipments, shipment_ids=[first.pk, second.pk], actor=staff, at=NOW),
        partial(shipments.ship, line_ids=lines, actor=staff, at=NOW),
    )
    assert merged.refused == {}
    assert (sent.moved, "합포장한" in sent.refused[lines[0]]) == ([], True)
    assert set(OrderLine.objects.values_list("state", flat=True)) == {LineState.READY}
    assert shipments.ship(line_ids=lines, actor=staff, at=NOW).refused == {}
    assert set(OrderLine.objects.values_list("state", flat=True)) == {LineState.SHIPPING}


def test_nor_does_it_get_a_number_for_a_part_of_it(make_shipments, staff):
    first, second = make_shipments(2)
    entries = {first.pk: WaybillEntry("CJGLS", waybill_number(0))}
    merged, done = behind(
        first.order_id,
        partial(merging.merge_shipments, shipment_ids=[first.pk, second.pk], actor=staff, at=NOW),
        partial(waybills.register_waybills, entries=entries, actor=staff, at=NOW),
    )
    assert (merged.refused, "합포장한" in done.refused[first.pk]) == ({}, True)
    assert not Parcel.objects.exists()


def test_shipping_against_holding(make_numbered, staff):
    for round_ in range(5):
        [shipment] = make_numbered(1, first=round_)
        ids = shipments.lines_of([shipment.pk])
        at_once(
            lambda ids=ids: shipments.ship(line_ids=ids, actor=staff, at=NOW),
            lambda ids=ids: locks.hold(line_ids=ids, actor=staff, at=NOW, reason="고객 부재"),
        )
        line = OrderLine.objects.get(pk=ids[0])
        parcel = Parcel.objects.get(shipment=shipment)
        left = line.state == LineState.SHIPPING
        assert left == (parcel.state == "HANDED_OVER")
        assert left != bool(line.hold_reason)
    assert find_violations("INV-01", "INV-02", "INV-08", "INV-09") == []


def test_registering_against_going_back_to_preparing(make_shipments, staff):
    for round_ in range(5):
        [shipment] = make_shipments(1)
        ids = shipments.lines_of([shipment.pk])
        entries = {shipment.pk: WaybillEntry("CJGLS", waybill_number(round_))}
        at_once(
            lambda entries=entries: waybills.register_waybills(entries=entries, actor=staff, at=NOW),
            lambda ids=ids: shipments.return_to_preparing(line_ids=ids, actor=staff, at=NOW),
        )
        line = OrderLine.objects.get(pk=ids[0])
        has_number = Parcel.objects.filter(shipment=shipment, state="NUMBERED").exists()
        assert (line.state == LineState.READY) == has_number == (line.standby_at is not None)
    assert find_violations("INV-01", "INV-08", "INV-09") == []


def test_one_number_typed_on_two_shipments(make_shipments, staff):
    for round_ in range(5):
        made = make_shipments(2)
        entry = WaybillEntry("CJGLS", waybill_number(round_))
        both = [partial(waybills.register_waybills, entries={one.pk: entry}, actor=staff, at=NOW) for one in made]
        first, second = at_once(*both)
        assert sorted([len(first.possible), len(second.possible)]) == [0, 1]
        winner = next(one for one in again(made) if one.waybill)
        refused = first.refused | second.refused
        assert list(refused.values()) == [f"다른 주문 {winner.order.number}에서 쓰고 있는 송장번호입니다."]
    assert Parcel.objects.count() == 5


def test_two_batches_with_crossing_numbers_do_not_die(make_shipments, staff):
    made = make_shipments(40)
    first = {one.pk: WaybillEntry("CJGLS", waybill_number(i)) for i, one in enumerate(made[:20])}
    second = {one.pk: WaybillEntry("CJGLS", waybill_number(19 - i)) for i, one in enumerate(made[20:])}
    results = at_once(
        lambda: waybills.register_waybills(entries=first, actor=staff, at=NOW),
        lambda: waybills.register_waybills(entries=second, actor=staff, at=NOW),
    )
    assert sorted(len(one.possible) for one in results) == [0, 20]
    assert Parcel.objects.count() == 20


KILLED = """
import django
django.setup()
from core.calendar import KST
from datetime import datetime
from shipping.services.numbers.waybills import WaybillEntry, register_and_ship
register_and_ship(
    entries={%d: WaybillEntry("CJGLS", "%s")}, actor=None, at=datetime(2026, 9, 21, 11, 0, tzinfo=KST)
)
"""


def test_a_process_killed_between_number_and_shipping_leaves_neither(make_shipments):
    [shipment] = make_shipments(1)
    events = OrderEvent.objects.count()
    env = os.environ | {
        "DATABASE_URL": worker_database_url(),
        "DJANGO_SETTINGS_MODULE": "oms.settings",
        "OMS_ENV": "test",
        "OMS_FAILPOINTS": "waybill_registered_before_ship=kill",
    }
    code = KILLED % (shipment.pk, waybill_number(0))
    command = [sys.executable, "-c", code]
    died = subprocess.run(command, env=env, cwd=settings.BASE_DIR, capture_output=True, timeout=240, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert not Parcel.objects.exists()
    assert OrderEvent.objects.count() == events
    assert again([shipment])[0].step == "READY"
    env["OMS_FAILPOINTS"] = ""
    done = subprocess.run(command, env=env, cwd=settings.BASE_DIR, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert (again([shipment])[0].step, Parcel.objects.get().state) == ("SHIPPING", "HANDED_OVER")
