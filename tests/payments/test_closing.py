"""Canceled orders: the PG is asked first, the account is closed, a revived order gets another; money always wins."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from core import drains, relay
from core import processes as system
from orders.models import Order, OrderEvent, OrderLine
from orders.services import locks, progress
from orders.states import CanceledBy, LineState, LockKind
from payments.models import LedgerEntry, MoneyProblem, Payment, PgNotice, VirtualAccount
from payments.services.gateway import closing, issuing
from payments.services.notices.draining import apply_each
from payments.services.notices.fetching import fetch
from payments.states import NoticeState, PaymentState, ProblemKind, VirtualState
from payments.tasks import cancel_unpaid_overdue
from tests.fixtures.orders import reloaded

pytestmark = pytest.mark.django_db(transaction=True)
WAITING, PREPARING, CANCELED = LineState.AWAITING_PAYMENT, LineState.PREPARING, LineState.CANCELED_UNPAID
LATE = (ProblemKind.LATE_AFTER_CANCEL, ProblemKind.LATE_AFTER_EXPIRE)


def overdue(order):
    Order.objects.filter(pk=order.pk).update(deposit_by=timezone.now() - timedelta(minutes=1))


def settle():
    """Let the relay and the drains finish."""
    relay.run_once(at=timezone.now())
    drains.run_all()


def cancel(order, staff):
    progress.cancel_unpaid(
        order_ids=[order.pk], actor=staff, at=timezone.now(), by=CanceledBy.STAFF, reason="고객 요청"
    )


def revive(order, staff):
    progress.revive(order_ids=[order.pk], actor=staff, at=timezone.now(), reason="고객 요청")


def virtual(order):
    return VirtualAccount.objects.get(payment__order=order)


@pytest.mark.parametrize("pg", ["toss", "portone", "nicepay", "nicepay-form", "inicis"])
def test_an_overdue_order_is_canceled_after_its_pg_said_not_paid_and_its_account_is_closed(pg_shop, pg):
    order = pg_shop.order(pg_shop.account(pg))
    overdue(order)
    assert cancel_unpaid_overdue(at=timezone.now()) == 1
    assert reloaded(order).stage == CANCELED
    settle()
    closed = virtual(order)
    assert (closed.state, bool(closed.closed_at), closed.last_error) == (VirtualState.CLOSED, True, "")
    refusal = pg_shop.pgs.refusal("payments/deposit", pg=pg, order_ref=closed.payment.order_ref, amount=33_000)
    assert refusal
    pg_shop.heard()
    assert pg_shop.state(order) == (CANCELED, 0, PaymentState.PENDING)
    assert not MoneyProblem.objects.exists()


def test_money_that_nobody_told_us_of_saves_the_order(pg_shop):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.pgs.fault("hold", times=None)
    pg_shop.deposit(order)
    overdue(order)
    assert cancel_unpaid_overdue(at=timezone.now()) == 0
    assert pg_shop.state(order) == (PREPARING, 33_000, PaymentState.PAID)
    assert not PgNotice.objects.exists()


@pytest.mark.parametrize("kind", [LockKind.MAPPING, LockKind.HOLD])
def test_an_order_with_a_lock_of_its_goods_is_asked_about_too(pg_shop, kind):
    order = pg_shop.order(pg_shop.account("toss"))
    lines = [line.pk for line in OrderLine.objects.filter(order=order)]
    locks.place_lock(line_ids=lines, kind=kind, actor=None, at=timezone.now(), reason="품목 연결")
    pg_shop.pgs.fault("hold", times=None)
    pg_shop.deposit(order)
    overdue(order)
    assert cancel_unpaid_overdue(at=timezone.now()) == 0
    assert pg_shop.state(order) == (PREPARING, 33_000, PaymentState.PAID)


@pytest.mark.parametrize("fault", [{"kind": "status"}, {"kind": "html"}, {"kind": "drop"}, {"kind": "truncated"}])
def test_without_a_clear_answer_the_order_waits_for_the_next_run(pg_shop, fault):
    order = pg_shop.order(pg_shop.account("toss"))
    overdue(order)
    pg_shop.pgs.fault(**fault, pg="toss", method="GET", times=None)
    version = reloaded(order).version
    assert cancel_unpaid_overdue(at=timezone.now()) == 0
    assert (reloaded(order).stage, reloaded(order).version) == (WAITING, version)
    assert virtual(order).state == VirtualState.ISSUED
    pg_shop.pgs.request("DELETE", "/control/faults")
    assert cancel_unpaid_overdue(at=timezone.now()) == 1


NO_WORD = (
    "시스템 점검 중이어서 거래 조회를 할 수 없습니다.",
    "점검 중이어서 거래를 찾을 수 없습니다.",
    "현재 거래 조회를 할 수 없습니다.",
    "거래가 존재하지 않습니다.",
)
"""Of an account that Inicis has opened; the last says plainly that there is none."""


def inicis_says(pg_shop, text, **where):
    body = json.dumps({"resultCode": "99", "resultMsg": text}, ensure_ascii=False)
    return pg_shop.pgs.fault("status", pg="inicis", status=200, body=body, times=None, **where)


@pytest.mark.parametrize("text", NO_WORD)
def test_a_paid_order_is_not_canceled_because_inicis_cannot_show_its_payment(pg_shop, text):
    order = pg_shop.order(pg_shop.account("inicis"))
    pg_shop.pgs.fault("hold", times=None)
    pg_shop.deposit(order)
    overdue(order)
    fault = inicis_says(pg_shop, text, path="*inquiry*")
    version = reloaded(order).version
    assert cancel_unpaid_overdue(at=timezone.now()) == 0
    assert (reloaded(order).stage, reloaded(order).version, virtual(order).state) == (WAITING, version, "ISSUED")
    problems = list(MoneyProblem.objects.values_list("kind", flat=True))
    assert problems == ([ProblemKind.MISMATCH_WITH_PG] if text == NO_WORD[-1] else [])
    pg_shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    assert cancel_unpaid_overdue(at=timezone.now()) == 0
    assert pg_shop.state(order) == (PREPARING, 33_000, PaymentState.PAID)


def test_a_notice_waits_while_inicis_cannot_show_the_payment(pg_shop):
    order = pg_shop.order(pg_shop.account("inicis"))
    inicis_says(pg_shop, NO_WORD[0], path="*inquiry*")
    pg_shop.deposit(order)
    [notice] = pg_shop.heard()
    assert (notice.state, notice.reason) == ("RETRY", "no_answer")
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)


@pytest.mark.parametrize("text", ["입금된 거래는 취소할 수 없습니다.", "거래가 존재하지 않습니다."])
def test_an_account_that_was_paid_is_not_called_closed(pg_shop, staff, text):
    order = pg_shop.order(pg_shop.account("inicis"))
    pg_shop.pgs.fault("hold", times=None)
    inicis_says(pg_shop, text, path="*refund*")
    cancel(order, staff)
    pg_shop.deposit(order)
    settle()
    assert (virtual(order).state, virtual(order).closed_at) == (VirtualState.ISSUED, None)
    assert pg_shop.state(order) == (CANCELED, 33_000, PaymentState.PAID)
    assert MoneyProblem.objects.get().kind == ProblemKind.LATE_AFTER_CANCEL


def test_an_account_that_the_pg_does_not_know_any_more_stays_to_be_closed(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("inicis"))
    inicis_says(pg_shop, "거래가 존재하지 않습니다.")
    cancel(order, staff)
    settle()
    assert (virtual(order).state, virtual(order).attempts) == (VirtualState.CLOSING, 1)
    assert reloaded(order).stage == CANCELED


def test_a_pg_that_is_silent_is_not_asked_for_every_order(pg_shop):
    account = pg_shop.account("toss")
    orders = [pg_shop.order(account) for _ in range(18)]
    for order in orders:
        overdue(order)
    pg_shop.pgs.fault("status", pg="toss", method="GET", times=None)
    before = len(pg_shop.pgs.read("calls", pg="toss", limit=1000))
    assert cancel_unpaid_overdue(at=timezone.now()) == 0
    assert {reloaded(order).stage for order in orders} == {WAITING}
    asked = {one["path"] for one in pg_shop.pgs.read("calls", pg="toss", limit=1000)[before:]}
    assert len(asked) == 16


def test_an_account_that_the_pg_will_not_close_just_now_is_tried_again(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"))
    fault = pg_shop.pgs.fault("status", pg="toss", method="POST", times=None)
    cancel(order, staff)
    settle()
    waiting = virtual(order)
    assert (waiting.state, waiting.attempts) == (VirtualState.CLOSING, 1)
    assert waiting.next_try_at > timezone.now()
    assert waiting.last_error
    pg_shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    assert closing.close_due(at=timezone.now() + timedelta(minutes=1)) == 1
    assert virtual(order).state == VirtualState.CLOSED


def test_a_buyer_who_was_faster_than_the_closing_has_paid(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.pgs.fault("hold", times=None)
    cancel(order, staff)
    pg_shop.deposit(order)
    settle()
    assert virtual(order).state == VirtualState.ISSUED
    assert pg_shop.state(order) == (CANCELED, 33_000, PaymentState.PAID)
    assert MoneyProblem.objects.get().kind == ProblemKind.LATE_AFTER_CANCEL


def test_an_account_whose_money_came_and_went_back_is_over_and_not_open(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.pgs.fault("hold", times=None)
    pg_shop.deposit(order)
    pg_shop.act("refund", Payment.objects.get(order=order))
    cancel(order, staff)
    settle()
    assert (virtual(order).state, bool(virtual(order).closed_at)) == (VirtualState.CLOSED, True)
    assert pg_shop.state(order) == (CANCELED, 0, PaymentState.REFUNDED)
    assert sorted(LedgerEntry.objects.values_list("amount", flat=True)) == [-33_000, 33_000]
    assert not MoneyProblem.objects.filter(resolved_at=None).exists()


@pytest.mark.processes
def test_a_relay_that_dies_after_the_pg_closed_closes_again(pg_shop, staff, processes):
    order = pg_shop.order(pg_shop.account("toss"))
    cancel(order, staff)
    doomed = processes.start("relay", env={"OMS_FAILPOINTS": "virtual_closed_before_write=kill"})
    assert system.wait_until(lambda: not doomed.is_alive, timeout=60), doomed.log()
    assert virtual(order).state == VirtualState.CLOSING
    assert closing.close_due(at=timezone.now() + closing.LEASE) == 1
    assert virtual(order).state == VirtualState.CLOSED


def test_a_revived_order_gets_another_account_under_another_reference(pg_shop, staff):  # T24
    order = pg_shop.order(pg_shop.account("toss"))
    first = virtual(order).number
    cancel(order, staff)
    settle()
    revive(order, staff)
    settle()
    again = virtual(order)
    assert (again.state, again.payment.order_ref) == (VirtualState.ISSUED, f"{order.number}-2")
    assert again.number
    assert again.number != first or again.payment.payment_ref
    pg_shop.heard()
    pg_shop.deposit(order)
    pg_shop.heard()
    assert pg_shop.state(order) == (PREPARING, 33_000, PaymentState.PAID)
    told = PgNotice.objects.filter(order_ref=f"{order.number}-1")
    assert set(told.values_list("state", "reason")) <= {
        (NoticeState.IGNORED, "superseded"),
        (NoticeState.IGNORED, "no_change"),
    }
    assert not MoneyProblem.objects.exists()


def test_an_order_that_is_revived_before_the_pg_was_told_keeps_its_account(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"))
    before = virtual(order).number
    cancel(order, staff)
    closing.ask_to_close(order_id=order.pk, at=timezone.now(), hold=timedelta(minutes=5))
    assert virtual(order).state == VirtualState.CLOSING
    revive(order, staff)
    settle()
    assert (virtual(order).state, virtual(order).number) == (VirtualState.ISSUED, before)
    assert virtual(order).payment.order_ref == f"{order.number}-1"


def test_an_order_that_is_revived_without_its_account_is_not_canceled_again_because_that_is_closed(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.deposit(order)
    pg_shop.heard()
    pg_shop.act("reverse", Payment.objects.get(order=order))
    pg_shop.heard()
    cancel(order, staff)
    settle()
    revive(order, staff)
    settle()
    kept = virtual(order)
    assert (kept.state, kept.payment.order_ref) == (VirtualState.CLOSED, f"{order.number}-1"), "money has moved there"
    before = reloaded(order).version
    [answer] = fetch([kept.payment]).values()
    assert answer.snapshot.state == "CANCELED"
    assert apply_each([answer], at=timezone.now())[kept.pk].state == NoticeState.IGNORED
    assert (pg_shop.state(order), reloaded(order).version) == ((WAITING, 0, PaymentState.PENDING), before)
    assert LedgerEntry.objects.count() == 2


def test_an_order_that_is_revived_after_its_pg_ended_the_account_gets_another_at_once(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.act("expire", Payment.objects.get(order=order))
    [answer] = fetch([Payment.objects.select_related("account").get(order=order)]).values()
    apply_each([answer], at=timezone.now())
    assert (reloaded(order).stage, virtual(order).state) == (CANCELED, VirtualState.CLOSED)
    revive(order, staff)
    settle()
    again = virtual(order)
    assert (again.state, again.payment.order_ref) == (VirtualState.ISSUED, f"{order.number}-2")
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)
    assert not LedgerEntry.objects.exists()


def holds_somebody_up():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return cursor.fetchone()[0] > 0


def test_an_order_that_is_revived_in_the_moment_in_which_the_pg_is_told_gets_another_account(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"))
    cancel(order, staff)
    closing.ask_to_close(order_id=order.pk, at=timezone.now())
    revive(order, staff)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            [claimed] = closing._claim(timezone.now())
            reopening = pool.submit(reopen_in_thread, order)
            assert system.wait_until(holds_somebody_up, timeout=20)
        reopening.result()
    assert (virtual(order).state, virtual(order).attempts) == (VirtualState.CLOSING, 1)
    closing._close(claimed, at=timezone.now())
    assert pg_shop.pgs.payment("toss", f"{order.number}-1")["state"] == "CANCELED"
    settle()
    again = virtual(order)
    assert (again.state, again.payment.order_ref) == (VirtualState.ISSUED, f"{order.number}-2")
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)


def reopen_in_thread(order):
    try:
        closing.reopen(order_id=order.pk, at=timezone.now())
    finally:
        connections.close_all()


def test_an_order_that_is_canceled_while_its_account_is_being_opened_has_it_closed(pg_shop, staff, make_order):
    order = pg_shop.order(pg_shop.account("toss"))
    VirtualAccount.objects.update(state=VirtualState.PENDING, next_try_at=timezone.now())
    [claimed] = issuing._claim(timezone.now(), [])
    cancel(order, staff)
    relay.run_once(at=timezone.now())
    assert (virtual(order).state, virtual(order).next_try_at) == (VirtualState.PENDING, claimed.next_try_at)
    issuing._issue(claimed, at=timezone.now(), timeout=issuing.PATIENT)
    assert virtual(order).state == VirtualState.CLOSING
    settle()
    assert virtual(order).state == VirtualState.CLOSED


def at_once(*works):
    gate = Barrier(len(works))

    def run(work):
        try:
            gate.wait()
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@pytest.mark.parametrize("who", ["deadline", "staff"])
def test_a_deposit_against_a_cancel_is_never_lost(pg_shop, staff, who):  # A61, F47
    account = pg_shop.account("toss")
    ends = set()
    for _ in range(8):
        order = pg_shop.order(account)
        overdue(order)

        def give_up(order=order):
            if who == "staff":
                cancel(order, staff)
            else:
                cancel_unpaid_overdue(at=timezone.now())

        at_once(lambda order=order: pg_shop.act("deposit", Payment.objects.get(order=order), amount=33_000), give_up)
        pg_shop.heard()
        settle()
        pg_shop.heard()
        stage, paid, state = pg_shop.state(order)
        ends.add(stage)
        if (stage, paid) == (CANCELED, 0):
            # The account was closed before the money came: the bank took it back at once.
            assert pg_shop.pgs.payment("toss", f"{order.number}-1")["state"] != "PAID"
            continue
        assert (paid, state) == (33_000, PaymentState.PAID)
        assert LedgerEntry.objects.filter(payment__order=order).count() == 1
        problems = MoneyProblem.objects.filter(order=order, kind__in=LATE, resolved_at=None).count()
        assert (stage, problems) in {(PREPARING, 0), (CANCELED, 1)}
        assert OrderEvent.objects.filter(order=order, kind="line.paid").count() == (stage == PREPARING)
    assert ends <= {PREPARING, CANCELED}
