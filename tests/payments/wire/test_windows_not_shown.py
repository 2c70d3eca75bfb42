"""Accounts from the PG's window that we had not been shown when their order ended, or when its deadline came: no buyer
pays into nothing, no order ends beside an account that still takes money."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from core import drains, relay
from core.models import Message
from orders.models import Order, OrderEvent
from orders.services import progress
from orders.states import CanceledBy, LineState
from payments.events import VIRTUAL_ISSUED
from payments.models import LedgerEntry, MoneyProblem, Payment, PgNotice, VirtualAccount
from payments.services.gateway import issuing
from payments.services.ledger import problems
from payments.services.watching.reconciling import reconcile_week
from payments.states import NoticeState, ProblemKind, VirtualState
from payments.tasks import cancel_unpaid_overdue
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)
S, V = LineState, VirtualState
NOBODY = '{"resultCode": "U111", "resultMsg": "unknown"}'


def virtual(said):
    return VirtualAccount.objects.select_related("payment__account", "payment__order").get(
        payment__order__number=said["number"]
    )


def settle():
    for _ in range(3):
        relay.run_once(at=timezone.now())
        drains.run_all()


def cancel(one, staff):
    at = timezone.now()
    progress.cancel_unpaid(order_ids=[one.payment.order_id], actor=staff, at=at, by=CanceledBy.STAFF, reason="오류")
    settle()


@pytest.fixture
def silent(cards):
    """`silent()` makes NICEPAY answer nothing; what it returns lets it speak again."""

    def make(**facts):
        values = {"pg": "nicepay", "method": "GET", "status": 500, "times": None} | facts
        fault = cards.shop.pgs.fault("status", **values)
        return lambda: cards.shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")

    return make


@pytest.fixture
def unnamed(cards):
    """`unnamed("mall-1")`: an order whose buyer has not opened the account yet, so that no number is named."""

    def make(order_ref, **facts):
        account = cards.account("nicepay")
        named = {"account": account.code, "order_ref": order_ref}
        payment = {"method": "VIRTUAL_ACCOUNT", "pg": named} | facts
        return cards.post(f"W-{order_ref}", pg=None, payment=payment).json()

    return make


def nothing_came(one):
    assert not LedgerEntry.objects.exists()
    assert not MoneyProblem.objects.exists()
    assert reloaded(one.payment.order).paid_amount == 0
    assert broken() == []


def test_one_that_the_pg_shows_after_the_cancel_is_closed_there(cards, order, silent, staff):
    cards.account("nicepay")
    speaks = silent()
    said, shown = order("nicepay")
    cancel(virtual(said), staff)
    one = virtual(said)
    assert (one.state, one.number, one.payment.order.stage) == (V.PENDING, "", S.CANCELED_UNPAID)
    assert one.next_try_at <= timezone.now() + issuing.SLOW
    speaks()
    VirtualAccount.objects.update(next_try_at=timezone.now())
    assert issuing.look_due(at=timezone.now()) == 1
    assert (virtual(said).state, virtual(said).number) == (V.CLOSING, shown["account_number"])
    settle()
    assert virtual(said).state == V.CLOSED
    assert cards.shop.pgs.payment("nicepay", shown["order_ref"])["state"] == "CANCELED"
    assert reloaded(one.payment.order).stage == S.CANCELED_UNPAID
    assert not OrderEvent.objects.filter(kind=VIRTUAL_ISSUED).exists()
    assert not Message.objects.filter(template="deposit_account").exists()
    nothing_came(one)


def test_one_that_was_paid_before_the_pg_shows_it_is_late_money_and_not_closed(cards, order, silent, staff):
    cards.account("nicepay")
    speaks = silent()
    said, shown = order("nicepay")
    cancel(virtual(said), staff)
    one = virtual(said)
    cards.shop.act("deposit", one.payment, amount=33_000, name="홍길동")
    speaks()
    VirtualAccount.objects.update(next_try_at=timezone.now())
    assert issuing.look_due(at=timezone.now()) == 1
    settle()
    assert (virtual(said).state, virtual(said).number) == (V.ISSUED, shown["account_number"])
    assert cards.shop.state(one.payment.order) == (S.CANCELED_UNPAID, 33_000, "PAID")
    assert [case.kind for case in MoneyProblem.objects.all()] == [ProblemKind.LATE_AFTER_CANCEL]
    assert not [call for call in cards.shop.pgs.read("calls", pg="nicepay", limit=1000) if "/cancel" in call["path"]]
    assert not OrderEvent.objects.filter(kind=VIRTUAL_ISSUED).exists()
    assert broken() == []


def test_one_that_the_buyer_opens_after_the_cancel_is_closed_by_the_notice_of_it(cards, window, unnamed, staff):
    said = unnamed("mall-late")
    cancel(virtual(said), staff)
    assert virtual(said).next_try_at > timezone.now() + timedelta(hours=1), "asked about ever more slowly"
    window("nicepay", order_ref="mall-late")
    cards.shop.heard()
    settle()
    one = virtual(said)
    assert (one.state, one.payment.order.stage) == (V.CLOSED, S.CANCELED_UNPAID)
    assert cards.shop.pgs.payment("nicepay", "mall-late")["state"] == "CANCELED"
    assert not OrderEvent.objects.filter(kind=VIRTUAL_ISSUED).exists()
    nothing_came(one)


def test_one_that_never_comes_is_asked_about_until_a_week_after_its_deadline(unnamed, staff):
    said = unnamed("mall-never")
    cancel(virtual(said), staff)
    one = virtual(said)
    VirtualAccount.objects.update(next_try_at=one.due_at + issuing.LAST)
    assert issuing.look_due(at=one.due_at + issuing.LAST) == 1
    assert virtual(said).state == V.PENDING
    assert issuing.look_due(at=one.due_at + issuing.LAST + issuing.SLOW) == 1
    assert (virtual(said).state, virtual(said).next_try_at) == (V.FAILED, None)
    nothing_came(one)


def test_a_notice_of_its_opening_shows_the_account_at_once(cards, window, unnamed):
    said = unnamed("mall-told")
    assert virtual(said).attempts == 1
    VirtualAccount.objects.update(next_try_at=timezone.now() + timedelta(minutes=15))
    _, shown = window("nicepay", order_ref="mall-told")
    cards.shop.heard()
    found = cards.read(said["number"])
    assert (found["account_state"], found["account"]["number"]) == ("issued", shown["account_number"])
    assert found["deposit_by"] == found["account"]["due_at"]
    assert (virtual(said).attempts, virtual(said).next_try_at) == (1, None)
    assert OrderEvent.objects.filter(kind=VIRTUAL_ISSUED).count() == 1
    nothing_came(virtual(said))


def test_the_deadline_of_the_pg_counts_though_we_learn_it_only_when_ours_is_over(cards, window, unnamed):
    early = timezone.now() + timedelta(hours=3)
    said = unnamed("mall-due", deposit_by=early.isoformat())
    cards.shop.pgs.shop("nicepay", notice_url="")
    due = (timezone.now() + timedelta(days=5)).replace(microsecond=0)
    _, shown = window("nicepay", order_ref="mall-due", due_at=due)
    cards.shop.pgs.shop("nicepay", notice_url="")
    assert cancel_unpaid_overdue(at=early + timedelta(minutes=1)) == 0
    found = cards.read(said["number"])
    assert (found["state"], found["account"]["number"]) == ("N00", shown["account_number"])
    assert datetime.fromisoformat(found["deposit_by"]) == due
    nothing_came(virtual(said))
    assert cancel_unpaid_overdue(at=due - timedelta(minutes=1)) == 0
    assert cancel_unpaid_overdue(at=due) == 1


def test_one_that_is_over_when_we_hear_of_it_is_not_shown_and_ends_its_order(cards, order, silent):
    cards.account("nicepay")
    speaks = silent()
    said, _ = order("nicepay")
    one = virtual(said)
    cards.shop.act("expire", one.payment)
    speaks()
    assert issuing.look_due(at=timezone.now() + timedelta(minutes=1)) == 1
    assert (virtual(said).state, reloaded(one.payment.order).stage) == (V.CLOSED, S.CANCELED_UNPAID)
    assert not OrderEvent.objects.filter(kind=VIRTUAL_ISSUED).exists()
    nothing_came(one)


def test_an_order_that_lives_again_is_not_ended_by_an_account_that_ended_before(cards, order, silent, staff):
    cards.account("nicepay")
    speaks = silent()
    said, _ = order("nicepay")
    one = virtual(said)
    cancel(one, staff)
    cards.shop.act("expire", one.payment)
    progress.revive(order_ids=[one.payment.order_id], actor=staff, at=timezone.now(), reason="고객 요청")
    settle()
    speaks()
    assert issuing.look_due(at=timezone.now() + timedelta(minutes=1)) == 1
    settle()
    reconcile_week(at=timezone.now())
    after = virtual(said)
    assert (after.payment.order.stage, after.state, after.next_try_at) == (S.AWAITING_PAYMENT, V.CLOSED, None)
    assert not OrderEvent.objects.filter(kind=VIRTUAL_ISSUED).exists()
    assert OrderEvent.objects.filter(kind="line.canceled_unpaid").count() == 1
    nothing_came(one)


@pytest.mark.parametrize("is_proven", [True, False])
def test_an_account_that_only_a_signed_notice_has_shown_keeps_its_order(unnamed, silent, is_proven):
    said = unnamed("mall-signed")
    silent(status=200, body=NOBODY)
    one, at = virtual(said), timezone.now()
    PgNotice.objects.create(
        account=one.payment.account,
        event_key="k1",
        kind="DEPOSITED",
        order_ref="mall-signed",
        is_proven=is_proven,
        body_hash=b"",
        state=NoticeState.REJECTED,
        received_at=at,
        due_at=at,
        finished_at=at,
    )
    over = one.payment.order.deposit_by + timedelta(minutes=1)
    assert cancel_unpaid_overdue(at=over) == (0 if is_proven else 1)
    assert reloaded(one.payment.order).stage == (S.AWAITING_PAYMENT if is_proven else S.CANCELED_UNPAID)
    cases = list(MoneyProblem.objects.values_list("kind", "detail"))
    assert cases == ([(ProblemKind.MISMATCH_WITH_PG, problems.LOST)] if is_proven else [])
    assert not LedgerEntry.objects.exists()


def test_a_window_of_an_order_that_is_paid_otherwise_is_asked_about_slowly(cards, order, silent, staff):
    cards.account("nicepay")
    silent()
    said, _ = order("nicepay")
    Order.objects.filter(number=said["number"]).update(paid_amount=33_000)
    VirtualAccount.objects.update(next_try_at=timezone.now(), attempts=32_767)
    at = timezone.now()
    assert issuing.look_due(at=at) == 1
    one = virtual(said)
    assert (one.state, one.next_try_at, one.attempts) == (V.PENDING, at + issuing.SLOW, issuing.MOST_ATTEMPTS)
    Order.objects.filter(number=said["number"]).update(paid_amount=0)
    nothing_came(one)
    assert Payment.objects.get().synced_at is None
