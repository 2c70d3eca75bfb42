"""A PG that keeps us waiting holds up its own refunds only, those included that are approved meanwhile."""

import threading
import time

import pytest
from django.db import connection
from django.utils import timezone

from payments.services.gateway import refund_sending
from payments.states import RefundState
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)
R = RefundState
HANGS = 6


def test_what_is_approved_while_another_pg_hangs_is_sent_at_once(pg_refunds):
    stuck, payment = pg_refunds.paid("toss"), pg_refunds.paid("portone")
    first = pg_refunds.ask(stuck)
    pg_refunds.fault(stuck, "hang", seconds=HANGS)

    def send():
        refund_sending.send_due(at=timezone.now())
        connection.close()

    sender = threading.Thread(target=send)
    began = time.monotonic()
    sender.start()
    pg_refunds.shop.pgs.wait_for(lambda: reloaded(first).state == R.SENDING)
    second = pg_refunds.ask(payment)
    pg_refunds.shop.pgs.wait_for(lambda: reloaded(second).state == R.ACCEPTED, seconds=HANGS)
    assert reloaded(first).state == R.SENDING, "still waited for"
    sender.join(30)
    assert time.monotonic() - began >= HANGS
    assert reloaded(first).state == R.UNKNOWN
    assert pg_refunds.at_pg(payment) == [33_000]
    assert len(pg_refunds.calls(payment)) == len(pg_refunds.calls(stuck)) == 1
    assert broken() == []


def test_of_the_hanging_pg_nothing_more_is_sent_meanwhile(pg_refunds):
    payments = [pg_refunds.paid("toss") for _ in range(2)]
    first = pg_refunds.ask(payments[0])
    pg_refunds.fault(payments[0], "hang", seconds=2)

    def send():
        refund_sending.send_due(at=timezone.now())
        connection.close()

    sender = threading.Thread(target=send)
    sender.start()
    pg_refunds.shop.pgs.wait_for(lambda: reloaded(first).state == R.SENDING)
    second = pg_refunds.ask(payments[1])
    sender.join(30)
    assert (reloaded(first).state, reloaded(second).state) == (R.UNKNOWN, R.APPROVED)
    assert refund_sending.send_due(at=timezone.now()) == 1
    assert reloaded(second).state == R.ACCEPTED
    assert broken() == []
