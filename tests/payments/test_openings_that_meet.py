"""An opening of a virtual account that meets a cancel, another relay or a payment: no account stays open for nobody."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from core import drains, relay
from core import processes as system
from orders.models import OrderEvent
from orders.services import progress
from orders.states import CanceledBy, LineState, PaymentMethod
from payments.events import VIRTUAL_ISSUED
from payments.models import LedgerEntry, MoneyProblem, PgAccount, VirtualAccount
from payments.services.gateway import closing, issuing
from payments.states import PaymentState, VirtualState
from tests.fixtures.orders import broken
from tests.fixtures.pg_shop import BANKS, PRICE

pytestmark = pytest.mark.django_db(transaction=True)
WAITING, CANCELED = LineState.AWAITING_PAYMENT, LineState.CANCELED_UNPAID
V = VirtualState


@pytest.fixture
def asked(pg_shop):
    """`asked()`: an order whose virtual account nobody has asked the PG for yet."""

    def make(pg="toss"):
        account = PgAccount.objects.filter(code=pg).first() or pg_shop.account(pg)
        PgAccount.objects.filter(pk=account.pk).update(issues_accounts=True, bank=BANKS[pg])
        at = timezone.now()
        order = pg_shop.make_order(price=PRICE, payment_method=PaymentMethod.VIRTUAL_ACCOUNT, at=at)
        issuing.ask_for_accounts(orders=[order], at=at - issuing.HEAD_START)
        return order

    return make


def virtual(order):
    return VirtualAccount.objects.get(payment__order=order)


def cancel(order, staff):
    at = timezone.now()
    progress.cancel_unpaid(order_ids=[order.pk], actor=staff, at=at, by=CanceledBy.STAFF, reason="고객 요청")


def settle():
    relay.run_once(at=timezone.now())
    drains.run_all()


def somebody_waits():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return cursor.fetchone()[0] > 0


def in_thread(order):
    try:
        closing.ask_to_close(order_id=order.pk, at=timezone.now())
    finally:
        connections.close_all()


def test_a_cancel_that_meets_the_writing_of_a_new_account_has_it_closed(pg_shop, staff, asked):
    order = asked()
    [claimed] = issuing._claim(timezone.now(), [])
    snapshot = issuing._ask(claimed, at=timezone.now(), timeout=issuing.PATIENT)
    cancel(order, staff)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            issuing._keep(claimed, snapshot, at=timezone.now())
            asking = pool.submit(in_thread, order)
            assert system.wait_until(somebody_waits, timeout=20)
        asking.result()
    assert (virtual(order).state, virtual(order).number) == (V.CLOSING, snapshot.account.number)
    settle()
    assert virtual(order).state == V.CLOSED
    assert pg_shop.pgs.payment("toss", f"{order.number}-1")["state"] == "CANCELED"
    assert pg_shop.state(order) == (CANCELED, 0, PaymentState.PENDING)
    assert not MoneyProblem.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert broken() == []
