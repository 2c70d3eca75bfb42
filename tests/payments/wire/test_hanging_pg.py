"""A PG that hangs holds up its own money and nobody else's; afterwards nothing is missing."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core import drains
from core import processes as system
from orders.states import LineState
from payments.models import Payment, PgNotice, PgQuestion
from payments.services.gateway import refund_checking, refund_sending
from payments.services.notices import draining, fetching, questions
from payments.states import NoticeState, PaymentState, RefundState
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)
UNPAID = (LineState.AWAITING_PAYMENT, 0, PaymentState.PENDING)
PAID = (LineState.PREPARING, 33_000, PaymentState.PAID)


@pytest.fixture
def hang(pg_shop):
    """`hang("toss", seconds)`: every question to this PG hangs so long and then gets no answer, until `lift()`."""

    def begin(pg, seconds):
        fault = pg_shop.pgs.fault("hang", pg=pg, method="GET", times=None, seconds=seconds)
        return lambda: pg_shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")

    return begin


@pytest.fixture
def draining_thread():
    """`draining_thread()`: the drain in a thread of its own; how many notices it took, when it is joined."""
    threads = []

    def begin():
        taken = []

        def run():
            try:
                taken.append(draining.drain(at=timezone.now()))
            finally:
                connection.close()

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return threads[-1], taken

    yield begin
    for one in threads:
        one.join(timeout=60)


def orders_at(shop, account, number):
    return [shop.order(account) for _ in range(number)]


def told(shop, orders):
    """The buyers pay, and all of it is in the inbox; nothing is applied."""
    for order in orders:
        shop.deposit(order)
    shop.pgs.wait_for(lambda: not any(one["state"] in {"DUE", "SENDING"} for one in shop.pgs.notices()))


def asked(shop, pg):
    return len(shop.pgs.read("calls", pg=pg, method="GET", limit=10_000))


def states(shop, orders):
    return {shop.state(order) for order in orders}


@pytest.mark.processes
def test_deposits_of_another_pg_come_in_while_one_hangs(pg_shop, hang, processes):
    slow = orders_at(pg_shop, pg_shop.account("toss"), 3)
    fine = orders_at(pg_shop, pg_shop.account("nicepay"), 3)
    lift = hang("toss", 15)
    told(pg_shop, slow)
    relay = processes.start("relay")
    payments = Payment.objects.filter(order__in=slow)
    assert system.wait_until(lambda: PgQuestion.objects.filter(payment__in=payments).count() == 3, timeout=60)
    for order in fine:
        pg_shop.deposit(order)
        assert system.wait_until(lambda order=order: pg_shop.state(order) == PAID, timeout=60), relay.log()
    assert PgQuestion.objects.filter(payment__in=payments).count() == 3, "toss still hangs"
    assert states(pg_shop, slow) == {UNPAID}
    lift()
    assert system.wait_until(lambda: not PgQuestion.objects.exists(), timeout=60), relay.log()
    assert system.wait_until(lambda: states(pg_shop, slow) == {PAID}, timeout=60), relay.log()
    assert relay.is_alive
    assert system.wait_until(lambda: not PgNotice.objects.filter(finished_at=None).exists(), timeout=60)
    assert broken() == []


def test_what_hung_is_tried_again_like_after_any_failure(pg_shop, hang):
    [order] = orders_at(pg_shop, pg_shop.account("toss"), 1)
    lift = hang("toss", 0.5)
    told(pg_shop, [order])
    drains.run_all()
    assert set(PgNotice.objects.values_list("state", "reason")) == {(NoticeState.RETRY, "no_answer")}
    assert not PgQuestion.objects.exists()
    lift()
    drains.run_all(at=timezone.now() + draining.BACK_OFF[0])
    assert states(pg_shop, [order]) == {PAID}


def test_an_account_that_hangs_gets_no_more_questions_than_its_share(pg_shop, hang, monkeypatch):
    """More of its notices wait than may be asked about: they stay in the inbox, and others pass them."""
    monkeypatch.setattr(fetching, "MOST_ON_THEIR_WAY", 2)
    monkeypatch.setattr(fetching, "CONNECTIONS", 1)
    monkeypatch.setattr(draining, "AT_ONCE", 2)
    slow = orders_at(pg_shop, pg_shop.account("toss"), 3)
    [fine] = orders_at(pg_shop, pg_shop.account("nicepay"), 1)
    hang("toss", 4)
    told(pg_shop, [*slow, fine])
    before, applied = asked(pg_shop, "toss"), []
    finish = draining._finish

    def finished(notices, verdicts, *, at):
        finish(notices, verdicts, at=at)
        if not applied and pg_shop.state(fine) == PAID:
            applied.append(asked(pg_shop, "toss") - before)

    monkeypatch.setattr(draining, "_finish", finished)
    draining.drain(at=timezone.now())
    assert applied[0] <= 1, "the money of the other PG came in while the first question hung"
    assert states(pg_shop, slow) == {UNPAID}
    assert not PgQuestion.objects.exists()


def test_news_of_a_payment_that_is_asked_about_waits_for_the_answer(pg_shop, hang, draining_thread):
    """It takes no second question, and counts as no failure of its own."""
    [order] = orders_at(pg_shop, pg_shop.account("toss"), 1)
    hang("toss", 3)
    told(pg_shop, [order])
    before = asked(pg_shop, "toss")
    thread, taken = draining_thread()
    assert system.wait_until(PgQuestion.objects.exists, timeout=20)
    late = PgNotice.objects.order_by("pk").first()
    late.pk, late.event_key, late.state, late.claim = None, "another", NoticeState.RECEIVED, 0
    late.attempts, late.due_at = 0, timezone.now()
    late.save(force_insert=True)
    assert system.wait_until(lambda: PgNotice.objects.get(pk=late.pk).reason == "waits_its_turn", timeout=20)
    assert PgNotice.objects.get(pk=late.pk).attempts == 0
    assert asked(pg_shop, "toss") - before == 1
    thread.join()
    assert taken[0] > 2


def test_a_drain_ends_although_an_account_hangs_again_and_again(pg_shop, hang, monkeypatch):
    """Its loop hears only between two drains that the process is to stop."""
    monkeypatch.setattr(draining, "LONGEST", 0.2)
    monkeypatch.setattr(fetching, "SLOW", 0.2)
    monkeypatch.setattr(fetching, "CONNECTIONS", 1)
    # However fast the rounds before its end are, no more than these are on their way by then.
    monkeypatch.setattr(fetching, "MOST_ON_THEIR_WAY", 2)
    monkeypatch.setattr(draining, "AT_ONCE", 1)
    orders = orders_at(pg_shop, pg_shop.account("toss"), 8)
    hang("toss", 1)
    told(pg_shop, orders)
    before, waiting = asked(pg_shop, "toss"), PgNotice.objects.filter(attempts=0)
    assert waiting.count() >= 8
    draining.drain(at=timezone.now())
    assert asked(pg_shop, "toss") - before < 8
    assert waiting.exists(), "what was not taken waits for the next drain"


def test_a_refund_is_done_while_one_of_another_pg_hangs(pg_refunds, monkeypatch):
    slow, fine = pg_refunds.paid("portone"), pg_refunds.paid("toss")
    doubtful, good = pg_refunds.ask(slow), pg_refunds.ask(fine)
    pg_refunds.fault(slow, "hang", after_work=True, seconds=3)
    write, seen = refund_sending._finish, []

    def finish(call, answer, *, at):
        write(call, answer, at=at)
        seen.append((reloaded(doubtful).state, reloaded(good).state))

    monkeypatch.setattr(refund_sending, "_finish", finish)
    assert refund_sending.send_due(at=timezone.now()) == 2
    assert seen == [(RefundState.SENDING, RefundState.ACCEPTED), (RefundState.UNKNOWN, RefundState.ACCEPTED)]
    refund_checking.check_due(at=timezone.now() + timedelta(hours=1))
    assert len(pg_refunds.calls(slow)) == 1
    assert broken() == []


def test_a_notice_is_ours_for_as_long_as_its_question_may_last():
    assert draining.LEASE > questions.LEASE
