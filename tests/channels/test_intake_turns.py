"""Intake waits its turn behind the intake of others, longer than for a colleague, and says what it waited for."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from channels.services.connecting import connect
from core import locks
from core.locks import QUEUE_BUSY, LockTimeout, QueueTimeout, queueing
from core.models import DailyCounter, Source
from orders.models import Order, OrderEvent, SalesChannel
from orders.services.intake import LineDraft, create_orders
from tests.channels.conftest import order_body
from tests.fixtures.orders import NOW, draft

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(locks, "QUEUE_WAIT", timedelta(milliseconds=200))


class Holder(threading.Thread):
    """Another session that holds the rows of a query until it is told to let go."""

    def __init__(self, rows):
        super().__init__(daemon=True)
        self.rows, self.has_them, self.may_go = rows, threading.Event(), threading.Event()

    def run(self):
        try:
            with transaction.atomic():
                assert list(self.rows.select_for_update())
                self.has_them.set()
                self.may_go.wait(60)
        finally:
            connection.close()

    def __enter__(self):
        self.start()
        assert self.has_them.wait(60)
        return self

    def __exit__(self, *problem):
        self.may_go.set()
        self.join(60)


def wait_now():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        return cursor.fetchone()[0]


def taken_in(channel, number="T-1"):
    drafts = [draft(LineDraft("상품", 1, 1000, channel_product="P-7"), channel_number=number)]
    return create_orders(channel=channel, drafts=drafts, actor=None, at=NOW, source=Source.API)


def test_the_longer_wait_holds_for_the_queue_alone(channel):
    with transaction.atomic():
        with queueing():
            assert wait_now() == "10s"
        assert wait_now() == "3s"
        with pytest.raises(ZeroDivisionError), queueing():
            raise ZeroDivisionError
        assert wait_now() == "3s"
    assert wait_now() == "3s"
    with transaction.atomic():
        taken_in(channel)
        assert wait_now() == "3s"


@pytest.mark.parametrize("rows", ["channel", "counter"])
def test_an_intake_that_waited_in_vain_says_so_and_stores_nothing(channel, impatient, rows):
    taken_in(channel, "T-0")
    events = OrderEvent.objects.count()
    held = {"channel": SalesChannel.objects.filter(pk=channel.pk), "counter": DailyCounter.objects.all()}[rows]
    with Holder(held), pytest.raises(QueueTimeout) as refused:
        taken_in(channel)
    assert (refused.value.message, refused.value.status) == (QUEUE_BUSY, 409)
    assert isinstance(refused.value, LockTimeout)
    assert (Order.objects.count(), OrderEvent.objects.count()) == (1, events)
    assert len(taken_in(channel).created) == 1


def test_the_storefront_is_asked_to_come_again(api, channel, impatient):
    with Holder(SalesChannel.objects.filter(pk=channel.pk)):
        answer = api.post("/orders", order_body(), key="K-1")
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer.json() == {"code": "busy", "message": QUEUE_BUSY}
        assert not Order.objects.exists()
    assert api.post("/orders", order_body(), key="K-1").status_code == 201


def test_connecting_a_product_waits_its_turn_too(channel, impatient, staff, make_variant):
    order = taken_in(channel).created["T-1"]
    line = order.lines.get()
    key = (line.channel_product, line.channel_option)
    with Holder(SalesChannel.objects.filter(pk=channel.pk)), pytest.raises(QueueTimeout, match="차례를 기다리다"):
        connect(channel_id=channel.pk, key=key, variant_id=make_variant().pk, actor=staff, at=NOW)
    line.refresh_from_db()
    assert (line.variant_id, line.version) == (None, 0)
