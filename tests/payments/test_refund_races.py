"""Two clicks, two relays, a dying process: a refund reaches the PG once and the ledger once."""

import multiprocessing
import os
import signal
import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from core.failpoints import declared
from orders.models import OrderEvent
from payments.models import MoneyProblem, Refund
from payments.services.gateway import refund_checking, refund_sending
from payments.services.refunds import by_hand, requesting
from payments.services.refunds.requesting import Ask
from payments.states import EntryKind, ProblemKind, RefundState
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT
from tests.infra.races import forget_inherited, race

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]
R = RefundState
DEPOSIT, REFUND = (EntryKind.DEPOSIT, 33_000), (EntryKind.REFUND, -33_000)
RACERS = 8


def run_until_quiet(*, minutes=120):
    """What relays do as time goes by: send, check, send again."""
    at = timezone.now()
    for step in range(0, minutes, 4):
        moment = at + timedelta(minutes=step)
        refund_sending.send_due(at=moment)
        refund_checking.check_due(at=moment)


def dies_at(place, work):
    """Run some work in a process that is killed at a failpoint."""
    connections.close_all()

    def child():
        forget_inherited()
        os.environ["OMS_FAILPOINTS"] = f"{place}=kill"
        work()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_a72_two_people_who_refund_the_whole_sum_make_one_refund(paid_payment, staff, finance):
    payments = [paid_payment(price=33_000) for _ in range(4)]

    def ask(pk, person):
        asked = requesting.request(
            asks=[Ask(payment_id=pk, amount=33_000, account=ACCOUNT)], reason="환불", actor=person, at=NOW
        )
        return asked.refused.get(0, "")

    jobs = [lambda pk=payment.pk, who=who: ask(pk, who) for payment in payments for who in (staff, finance)]
    answers = race(jobs)
    for n, _ in enumerate(payments):
        told = sorted(answers[2 * n : 2 * n + 2])
        assert told == ["", "환불 가능 금액을 초과했습니다. 지금 환불할 수 있는 금액은 0원입니다."]
    assert Refund.objects.count() == len(payments)
    assert broken() == []


def test_parts_from_many_processes_never_promise_more_than_there_is(paid_payment, staff):
    payment = paid_payment(price=33_000)

    def ask():
        asks = [Ask(payment_id=payment.pk, amount=5_000, account=ACCOUNT)]
        return len(requesting.request(asks=asks, reason="환불", actor=staff, at=NOW).refunds)

    assert sum(race([ask] * RACERS)) == 6
    assert broken() == []


def test_two_people_who_press_transferred_book_it_once(paid_refund, staff, finance):
    refund = paid_refund(amount=10_000)

    def press(person):
        return len(by_hand.pay_out(refund_ids=[refund.pk], actor=person, at=NOW).moved)

    assert sum(race([lambda who=who: press(who) for who in (staff, finance)] * 3)) == 1
    assert reloaded(refund.payment).balance == 0
    assert broken() == []


def test_many_relays_send_a_refund_once(pg_refunds):
    payment = pg_refunds.paid("portone")
    refund = pg_refunds.ask(payment)
    race([lambda: refund_sending.send_due(at=timezone.now())] * RACERS)
    assert reloaded(refund).state == R.ACCEPTED
    assert len(pg_refunds.calls(payment)) == 1
    assert pg_refunds.at_pg(payment) == [33_000]
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert broken() == []


@pytest.mark.parametrize("pg", ["toss", "portone", "nicepay", "inicis"])
@pytest.mark.parametrize("place", ["refund_before_call", "refund_after_call", "refund_after_write"])
def test_a_sender_that_is_killed_neither_loses_nor_doubles_a_refund(pg_refunds, pg, place):
    payment = pg_refunds.paid(pg)
    refund = pg_refunds.ask(payment)
    dies_at(place, lambda: refund_sending.send_due(at=timezone.now() - timedelta(minutes=20)))
    was_done = place != "refund_before_call"
    assert pg_refunds.at_pg(payment) == ([33_000] if was_done else [])
    assert reloaded(refund).state == (R.ACCEPTED if place == "refund_after_write" else R.SENDING)
    run_until_quiet()
    pg_refunds.shop.heard()
    assert reloaded(refund).state == R.ACCEPTED, reloaded(refund).last_error
    assert pg_refunds.at_pg(payment) == [33_000]
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert not MoneyProblem.objects.exists()
    assert broken() == []


@pytest.mark.parametrize("was_done", [True, False])
def test_a_checker_that_is_killed_leaves_the_refund_to_the_next_one(pg_refunds, was_done):
    payment = pg_refunds.paid("portone")
    refund = pg_refunds.ask(payment)
    pg_refunds.fault(payment, "drop", after_work=was_done)
    refund_sending.send_due(at=timezone.now() - timedelta(minutes=20))
    dies_at("refund_after_fetch", lambda: refund_checking.check_due(at=timezone.now() - timedelta(minutes=10)))
    assert reloaded(refund).state == R.UNKNOWN
    run_until_quiet()
    assert reloaded(refund).state == R.ACCEPTED
    assert pg_refunds.at_pg(payment) == [33_000]
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert broken() == []


def test_every_failpoint_of_refunds_is_among_those_that_are_killed_at():
    mine = {name for name in declared() if name.startswith("refund_")}
    assert mine == {"refund_before_call", "refund_after_call", "refund_after_write", "refund_after_fetch"}


@pytest.mark.parametrize("pg", ["toss", "portone", "nicepay", "nicepay-form", "inicis"])
def test_a_notice_that_is_applied_between_the_call_and_its_booking_books_it_once(pg_refunds, pg, monkeypatch):
    payment = pg_refunds.paid(pg)
    refund = pg_refunds.ask(payment)
    monkeypatch.setenv("OMS_FAILPOINTS", "refund_after_call=sleep:2500")

    def send():
        refund_sending.send_due(at=timezone.now())
        connection.close()

    sender = threading.Thread(target=send)
    sender.start()
    pg_refunds.shop.pgs.wait_for(lambda: pg_refunds.at_pg(payment) == [33_000])
    [answer] = refund_sending.fetch([payment]).values()
    refund_sending.apply([answer], at=timezone.now())
    assert reloaded(refund).state == R.ACCEPTED
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    sender.join(30)
    pg_refunds.shop.heard()
    assert reloaded(refund).state == R.ACCEPTED
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert not MoneyProblem.objects.exists()
    kinds = OrderEvent.objects.filter(subject="refund", subject_id=refund.pk).order_by("version")
    told = list(kinds.values_list("kind", flat=True))
    assert told == ["refund.requested", "refund.approved", "refund.sent", "refund.accepted"]
    assert broken() == []


def test_a_console_refund_of_the_same_sum_in_the_same_moment_is_booked_beside_ours(pg_refunds):
    payment = pg_refunds.paid("toss")
    refund = pg_refunds.ask(payment, 10_000)
    calls, _ = refund_sending._begin(timezone.now())
    pg_refunds.shop.act("refund", payment, amount=10_000)
    # Read while ours is under way: taken for ours, because it looks the same.
    refund_sending.apply(list(refund_sending.fetch([payment]).values()), at=timezone.now())
    assert reloaded(refund).state == R.ACCEPTED
    with refund_sending._OnTheirWay() as sent:
        sent.start(calls)
        while not (answered := sent.collect()):
            pass
    [(_, answer)] = answered
    refund_sending._finish(calls[0], answer, at=timezone.now())
    assert pg_refunds.ledger(payment) == [DEPOSIT, (EntryKind.REFUND, -10_000)]
    refund_checking.check_due(at=timezone.now())
    assert pg_refunds.at_pg(payment) == [10_000, 10_000]
    assert pg_refunds.ledger(payment) == [DEPOSIT, (EntryKind.REFUND, -10_000), (EntryKind.REFUND, -10_000)]
    assert MoneyProblem.objects.get().kind == ProblemKind.REFUNDED_OUTSIDE
    assert broken() == []
