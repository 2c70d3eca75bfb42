"""An opening of a virtual account that meets a cancel, another relay or a payment: no account stays open for nobody."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from core import drains, relay
from core import processes as system
from orders.models import OrderEvent
from orders.services import progress
from orders.states import CanceledBy, LineState, PaymentMethod
from payments.adapters.base import RefusedByPg
from payments.events import VIRTUAL_ISSUED
from payments.models import LedgerEntry, MoneyProblem, PgAccount, VirtualAccount
from payments.services.gateway import closing, issuing
from payments.services.manual import confirm_manually
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


def refused():
    raise RefusedByPg("the order id is used")


def test_a_relay_whose_claim_ran_out_has_no_say_against_the_one_that_took_over(pg_shop, asked):
    order, at = asked(), timezone.now()
    [first] = issuing._claim(at, [])
    [second] = issuing._claim(at + issuing.LEASE, [])
    issuing._take(first, refused, at=at)
    issuing._later(first, "too late", at=at)
    row = virtual(order)
    assert (row.state, row.next_try_at, row.last_error) == (V.PENDING, second.next_try_at, "")
    issuing._issue(second, at=timezone.now(), timeout=issuing.PATIENT)
    assert (virtual(order).state, virtual(order).attempts) == (V.ISSUED, 2)
    assert pg_shop.pgs.payment("toss", f"{order.number}-1")["state"] == "WAITING"
    assert OrderEvent.objects.filter(kind=VIRTUAL_ISSUED).count() == 1
    assert broken() == []


def test_what_one_relay_was_given_stands_though_another_was_refused_meanwhile(pg_shop, asked):
    order, at = asked(), timezone.now()
    [first] = issuing._claim(at, [])
    snapshot = issuing._ask(first, at=at, timeout=issuing.PATIENT)
    [second] = issuing._claim(at + issuing.LEASE, [])
    issuing._take(second, refused, at=at)
    assert virtual(order).state == V.FAILED
    issuing._take(first, lambda: snapshot, at=timezone.now())
    row = virtual(order)
    assert (row.state, row.number, row.last_error) == (V.ISSUED, snapshot.account.number, "")
    settle()
    assert virtual(order).state == V.ISSUED
    assert pg_shop.pgs.payment("toss", f"{order.number}-1")["state"] == "WAITING"
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)


def test_a_relay_claims_one_account_at_a_time_and_windows_by_themselves(pg_shop, asked):
    orders, at = [asked() for _ in range(3)], timezone.now()
    VirtualAccount.objects.filter(payment__order=orders[2]).update(is_from_window=True)
    assert [len(issuing._claim(at, [], is_from_window=window, most=1)) for window in (False, False, False)] == [1, 1, 0]
    assert virtual(orders[2]).attempts == 0
    assert [one.payment.order_id for one in issuing._claim(at, [], is_from_window=True)] == [orders[2].pk]
    VirtualAccount.objects.update(next_try_at=at, is_from_window=False)
    before = len(pg_shop.pgs.read("payments", pg="toss"))
    assert issuing.issue_due(at=timezone.now()) == 1
    assert len(pg_shop.pgs.read("payments", pg="toss")) == before + 1


def test_an_order_that_was_paid_otherwise_is_given_no_account(pg_shop, asked, staff):
    order = asked()
    assert confirm_manually(order_ids=[order.pk], actor=staff, at=timezone.now()).refused == {}
    before = pg_shop.state(order)
    assert before[:2] == (LineState.PREPARING, PRICE)
    assert issuing.issue_due(at=timezone.now()) == 1
    row = virtual(order)
    assert (row.state, row.number, row.next_try_at, row.last_error) == (V.FAILED, "", None, issuing.MOVED_ON)
    assert issuing.issue_due(at=timezone.now() + timedelta(days=1)) == 0
    assert pg_shop.pgs.read("payments", pg="toss") == []
    assert pg_shop.state(order) == before
    assert not MoneyProblem.objects.exists()


def test_a_year_of_attempts_stops_no_relay(pg_shop, asked):
    pg_shop.account("toss")
    pg_shop.pgs.fault("status", pg="toss", times=None)
    orders = [asked(), asked()]
    VirtualAccount.objects.filter(payment__order=orders[0]).update(attempts=32_767)
    for _ in orders:
        assert issuing.issue_due(at=timezone.now()) == 1
    assert [virtual(one).attempts for one in orders] == [issuing.MOST_ATTEMPTS, 1]
    assert {virtual(one).state for one in orders} == {V.PENDING}
    VirtualAccount.objects.update(state=V.CLOSING, number="1", attempts=32_767, next_try_at=timezone.now())
    assert len(closing._claim(timezone.now())) == 2
    assert {virtual(one).attempts for one in orders} == {issuing.MOST_ATTEMPTS}


def test_an_account_that_no_pg_opens_is_asked_for_until_a_week_after_its_deadline(pg_shop, asked):
    pg_shop.account("toss")
    pg_shop.pgs.fault("status", pg="toss", times=None)
    order = asked()
    last = max(virtual(order).due_at, order.deposit_by) + issuing.LAST
    for at, state in ((last, V.PENDING), (last + timedelta(minutes=1), V.FAILED)):
        VirtualAccount.objects.update(next_try_at=at)
        assert issuing.issue_due(at=at) == 1
        assert virtual(order).state == state
    assert virtual(order).next_try_at is None
    assert virtual(order).last_error
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)
