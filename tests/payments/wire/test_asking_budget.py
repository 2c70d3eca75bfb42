"""A flood of notices that nothing proves does not become a flood of questions to the PG (payments.md 5.5)."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from orders.states import LineState
from payments.models import Payment, PgBudget, PgNotice
from payments.services.notices import asking, draining, replaying
from payments.states import NoticeState, PaymentState
from tests.fixtures.orders import reloaded
from tests.payments.wire.golden_shop import effects, raw

pytestmark = pytest.mark.django_db(transaction=True)
PAID = (LineState.PREPARING, 33_000, PaymentState.PAID)
T0 = datetime.fromisoformat("2026-11-21T12:00:00+09:00")


@pytest.fixture
def shop(pg_shop):
    """The shop with an account at Toss, and `shop.forge(order, n)`: unproven notices of a deposit, by socket."""
    pg_shop.toss = pg_shop.account("toss")

    def forge(order, number, *, ref=None):
        payment = Payment.objects.filter(order=order).first()
        told = {
            "eventType": "PAYMENT_STATUS_CHANGED",
            "createdAt": f"2026-11-21T11:59:57.{number:06}",
            "data": {"paymentKey": ref or payment.order_ref, "orderId": ref or payment.order_ref, "status": "DONE"},
        }
        path = f"/payments/webhooks/{pg_shop.toss.endpoint_token}/"
        said = raw(pg_shop.url, path, json.dumps(told).encode(), {"Content-Type": "application/json"})
        assert said[0] == 200

    pg_shop.forge = forge
    return pg_shop


def questions(shop):
    return len(shop.pgs.read("calls", pg="toss", method="GET", limit=10_000))


def drained(at):
    while draining.drain(at=at):
        pass


def test_forged_notices_of_many_payments_cost_five_questions_a_second_and_end_unconfirmed(shop):
    orders = [shop.order(shop.toss) for _ in range(12)]
    for order in orders:
        for number in range(3):
            shop.forge(order, number)
    # The news of the twelve accounts was asked about too, within the budget of its own moment.
    before, state, at = questions(shop), effects(), timezone.now() + timedelta(minutes=1)
    drained(at)
    assert questions(shop) - before == 5
    drained(at + timedelta(seconds=0.4))
    assert questions(shop) - before == 5, "what waits for its turn is not looked at again at once"
    drained(at + timedelta(seconds=0.6))
    assert questions(shop) - before == 8, "three fifths of a second are three questions"
    drained(at + timedelta(seconds=1.2))
    assert questions(shop) - before == 11
    drained(at + timedelta(seconds=2))
    assert questions(shop) - before == 12
    assert set(PgNotice.objects.values_list("state", "reason", "attempts")) == {
        (NoticeState.IGNORED, "not_confirmed", 1)
    }
    assert effects() == state


def test_a_flood_about_one_payment_is_one_question(shop):
    order = shop.order(shop.toss)
    for number in range(draining.AT_ONCE * 3):
        shop.forge(order, number)
    before = questions(shop)
    drained(timezone.now())
    assert questions(shop) - before == 1
    assert PgNotice.objects.filter(state=NoticeState.IGNORED).count() == draining.AT_ONCE * 3


def test_orders_that_we_do_not_know_are_never_asked_about(shop):
    for number in range(20):
        shop.forge(None, number, ref=f"20261121-{number:07}-1")
    before = questions(shop)
    drained(timezone.now())
    assert questions(shop) == before
    assert set(PgNotice.objects.values_list("reason", flat=True)) == {"unknown_order"}


def test_money_that_the_pg_proves_does_not_wait_behind_a_flood(shop):
    orders = [shop.order(shop.toss) for _ in range(8)]
    for order in orders:
        shop.forge(order, 1)
    drained(timezone.now())
    paid = orders[-1]
    shop.deposit(paid)
    shop.heard()
    assert shop.state(paid) == PAID


def test_true_news_without_proof_comes_in_after_its_turn(shop):
    """The budget delays, it never loses: all of eight refunds at the console are booked."""
    orders = [shop.order(shop.toss) for _ in range(8)]
    for order in orders:
        shop.deposit(order)
    shop.heard()
    for order in orders:
        shop.act("refund", Payment.objects.select_related("account").get(order=order))
    shop.heard()
    at = timezone.now()
    for seconds in range(0, 8, 2):
        drained(at + timedelta(seconds=seconds))
    assert {reloaded(order).paid_amount for order in orders} == {0}
    assert not PgNotice.objects.filter(state=NoticeState.RETRY).exists()


def test_what_staff_replay_is_asked_about_again(shop, staff):
    order = shop.order(shop.toss)
    shop.forge(order, 1)
    drained(timezone.now())
    shop.pgs.fault("hold", times=None)
    shop.deposit(order)
    notice = PgNotice.objects.get()
    assert notice.reason == "not_confirmed"
    replaying.replay(notice_ids=[notice.pk], actor=staff, at=timezone.now())
    drained(timezone.now())
    assert shop.state(order) == PAID


def test_questions_are_counted_by_the_moment_and_survive_a_clock_set_back(shop):
    def take(wanted, at):
        return asking._take(shop.toss.pk, wanted=wanted, at=at)

    assert [take(3, T0), take(3, T0), take(3, T0)] == [3, 2, 0]
    assert take(9, T0 + timedelta(seconds=0.4)) == 2
    assert take(9, T0 + timedelta(seconds=60)) == 5
    assert take(1, T0) == 1
    assert PgBudget.objects.get(pk=shop.toss.pk).until == T0 + timedelta(seconds=0.2)


def test_a_question_neither_changes_the_account_nor_waits_for_who_holds_it(shop):
    mark = "SELECT xmin::text || ctid::text FROM payments_pgaccount WHERE id = %s"

    def marked():
        with connection.cursor() as cursor:
            cursor.execute(mark, [shop.toss.pk])
            return cursor.fetchone()[0]

    before = marked()
    with transaction.atomic(), ThreadPoolExecutor(1) as other:
        # As every receipt does by its foreign key.
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM payments_pgaccount WHERE id = %s FOR KEY SHARE", [shop.toss.pk])
        assert other.submit(_taken, shop.toss.pk).result(timeout=5) == 3
    assert marked() == before


def _taken(account_id):
    try:
        return asking._take(account_id, wanted=3, at=T0)
    finally:
        connection.close()
