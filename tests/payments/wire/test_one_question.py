"""One question about a payment is on its way at a time, by however many processes ask (payments.md 5.5)."""

import threading
import time
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.utils import timezone

from core import processes as system
from core.exceptions import Conflict
from orders.states import LineState
from payments.models import Payment, PgNotice, PgQuestion
from payments.services.gateway.syncing import sync_now
from payments.services.notices import draining, fetching, questions
from payments.services.notices.questions import AskedElsewhere
from payments.services.snapshots.applying import Fetched
from payments.states import NoticeState, PaymentState
from tests.payments.wire.golden_shop import effects

pytestmark = pytest.mark.django_db(transaction=True)
LATE = 0.7
PAID = (LineState.PREPARING, 33_000, PaymentState.PAID)


def gets(shop):
    return shop.pgs.read("calls", pg="toss", method="GET", limit=10_000)


@pytest.fixture
def unpaid(pg_shop):
    """An order at Toss that is asked about slowly, and its payment."""
    order = pg_shop.order(pg_shop.account("toss"))
    return order, Payment.objects.select_related("account").get(order=order)


@pytest.fixture
def asking():
    """`asking(payment)`: somebody else's thread asks; its answers when it is joined."""
    threads = []

    def begin(payment, **facts):
        found = {}

        def run():
            try:
                found.update(fetching.fetch([payment], **facts))
            finally:
                connection.close()

        one = threading.Thread(target=run)
        one.start()
        threads.append(one)
        return one, found

    yield begin
    for one in threads:
        one.join(timeout=30)


def begun():
    """Whether somebody asks."""
    return system.wait_until(PgQuestion.objects.exists, timeout=20)


def test_who_asks_second_is_told_so_and_the_row_goes_with_the_answer(pg_shop, unpaid, asking):
    order, payment = unpaid
    pg_shop.pgs.fault("delay", pg="toss", method="GET", seconds=3)
    before = len(gets(pg_shop))
    thread, found = asking(payment)
    assert begun()
    assert isinstance(fetching.fetch([payment])[payment.pk], AskedElsewhere)
    thread.join()
    assert isinstance(found[payment.pk], Fetched)
    assert len(gets(pg_shop)) - before == 1
    assert not PgQuestion.objects.exists()
    assert isinstance(fetching.fetch([payment])[payment.pk], Fetched)


def test_who_has_patience_asks_after_the_other(pg_shop, unpaid, asking):
    order, payment = unpaid
    pg_shop.pgs.fault("delay", pg="toss", method="GET", seconds=2)
    thread, found = asking(payment)
    assert begun()
    assert isinstance(fetching.fetch([payment], patience=timedelta(seconds=20))[payment.pk], Fetched)
    thread.join()
    assert isinstance(found[payment.pk], Fetched)


def test_no_transaction_and_no_lock_is_open_while_the_pg_answers(pg_shop, unpaid, asking):
    order, payment = unpaid
    pg_shop.pgs.fault("delay", pg="toss", method="GET", seconds=3)
    thread, _ = asking(payment)
    assert begun()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%%'"
        )
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT id FROM payments_payment WHERE id = %s FOR UPDATE NOWAIT", [payment.pk])
    thread.join()


def test_the_claim_of_who_died_ends_with_its_lease(pg_shop, unpaid):
    order, payment = unpaid
    questions.claim([payment.pk])
    assert isinstance(fetching.fetch([payment])[payment.pk], AskedElsewhere)
    PgQuestion.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert isinstance(fetching.fetch([payment])[payment.pk], Fetched)
    assert not PgQuestion.objects.exists()


def test_a_claim_that_ran_out_takes_nothing_from_the_next(unpaid):
    order, payment = unpaid
    first, _ = questions.claim([payment.pk])
    PgQuestion.objects.update(until=timezone.now() - timedelta(seconds=1))
    second, mine = questions.claim([payment.pk])
    assert mine == {payment.pk}
    questions.release(first, [payment.pk])
    assert PgQuestion.objects.get().holder == second


def test_a_person_is_told_that_the_payment_is_asked_about_and_nothing_changes(pg_shop, unpaid):
    order, payment = unpaid
    pg_shop.deposit(order)
    questions.claim([payment.pk])
    state = effects()
    with pytest.raises(Conflict, match="다른 곳에서 조회하고 있습니다"):
        sync_now(payment_id=payment.pk, at=timezone.now())
    assert effects() == state


def test_notices_of_a_payment_that_is_asked_about_wait_and_are_applied_once(pg_shop, unpaid):
    order, payment = unpaid
    holder, _ = questions.claim([payment.pk])
    before = len(gets(pg_shop))
    pg_shop.deposit(order)
    pg_shop.heard()
    assert set(PgNotice.objects.values_list("state", "reason", "attempts")) == {
        (NoticeState.RETRY, "waits_its_turn", 0)
    }
    assert len(gets(pg_shop)) == before
    questions.release(holder, [payment.pk])
    at = timezone.now() + timedelta(seconds=3)
    while draining.drain(at=at):
        pass
    assert pg_shop.state(order) == PAID


@pytest.mark.processes
def test_two_relays_ask_about_one_payment_one_after_the_other(pg_shop, unpaid, processes):
    """Each copy of the notice makes a relay want to ask; the sandbox tells when each question came."""
    order, payment = unpaid
    pg_shop.pgs.fault("delay", pg="toss", method="GET", seconds=LATE, times=None)
    relays = [processes.start("relay") for _ in range(2)]
    before = len(gets(pg_shop))
    pg_shop.deposit(order)
    assert system.wait_until(lambda: pg_shop.state(order) == PAID, timeout=60)
    end = time.monotonic() + 60
    while time.monotonic() < end and len(gets(pg_shop)) - before < 8:
        # As if each had just come: one that is taken from a relay too often would be held for its death.
        PgNotice.objects.update(
            state=NoticeState.RETRY, reason="replayed", due_at=timezone.now(), finished_at=None, attempts=0
        )
        time.sleep(0.1)
    assert all(one.is_alive for one in relays)
    begins = [one["at"] for one in gets(pg_shop)[before:]]
    assert len(begins) >= 8
    assert min(later - earlier for earlier, later in pairwise(begins)) >= LATE
    assert pg_shop.state(order) == PAID
