"""Two riders' telephones, two clerks at the counter: one hand-over, and the other hears that it is done."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections
from django.test import Client

from orders.models import OrderEvent, OrderLine
from orders.states import DeliveredBy, DeliveryMethod, LineState
from shipping.models import Handover
from shipping.services import shipments
from shipping.services.handover import ending
from shipping.services.seals import link_token, pickup_code
from tests.fixtures.orders import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works):
    barrier = Barrier(len(works))

    def run(work):
        try:
            barrier.wait()
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def left(make_shipments, method):
    [one] = make_shipments(method=method)
    ids = shipments.lines_of([one.pk])
    assert shipments.ship(line_ids=ids, actor=None, at=NOW).refused == {}
    return one, ids


def test_a_link_in_two_browsers_hands_over_once(make_shipments):
    for _ in range(4):
        one, ids = left(make_shipments, DeliveryMethod.QUICK)
        address = f"/rider/{link_token(Handover.objects.get(shipment=one))}/"
        pages = at_once(*[lambda address=address: Client().post(address).status_code] * 3)
        assert sorted(pages) == [200, 409, 409]
        assert OrderEvent.objects.filter(kind="line.delivered", subject_id__in=ids).count() == 1


def test_wrong_codes_at_the_same_moment_are_all_counted(make_shipments):
    one, ids = left(make_shipments, DeliveryMethod.VISIT)
    row = Handover.objects.get(shipment=one)
    bad = f"{(int(pickup_code(row)) + 1) % 10**6:06d}"
    at_once(*[lambda: ending.receive(line_ids=ids, code=bad, name="", actor=None, at=NOW)] * 4)
    assert Handover.objects.get(shipment=one).tries == 4
    good = pickup_code(row)
    at_once(*[lambda: ending.receive(line_ids=ids, code=good, name="", actor=None, at=NOW)] * 2)
    line = OrderLine.objects.get(pk=ids[0])
    assert (line.state, line.delivered_by) == (LineState.DELIVERED, DeliveredBy.CODE)
    assert OrderEvent.objects.filter(kind="line.delivered").count() == 1
