"""Virtual accounts that the PG opened without anybody hearing of it.

Replaced where the PG keeps the number to itself, found where it tells it, closed where the order has moved on.
"""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from channels.api.drafts import account_out
from core import drains, relay
from orders.models import OrderEvent
from orders.services import progress
from orders.states import CanceledBy, LineState, PaymentMethod
from payments.adapters.base import KnownAtPg
from payments.events import VIRTUAL_ISSUED
from payments.models import LedgerEntry, MoneyProblem, PgAccount, VirtualAccount
from payments.services.gateway import closing, issuing, reissuing
from payments.services.manual import confirm_manually
from payments.states import PaymentState, ProblemKind, VirtualState
from tests.fixtures.orders import broken, reloaded
from tests.fixtures.pg_shop import BANKS, PRICE

pytestmark = pytest.mark.django_db(transaction=True)
WAITING, PREPARING, CANCELED = LineState.AWAITING_PAYMENT, LineState.PREPARING, LineState.CANCELED_UNPAID
OPENING = {"toss": "*virtual-accounts*", "portone": "*/instant", "inicis": "*/formpay"}
LOST = {"kind": "drop", "after_work": True}
LATE = (
    {"kind": "delay", "seconds": 3.5},
    {"kind": "hang", "seconds": 3.5, "after_work": True},
    {"kind": "drop", "after_work": True},
)


def virtual(order):
    return VirtualAccount.objects.select_related("payment").get(payment__order=order)


def opened(pg_shop, pg="inicis"):
    """(order reference, state) of every account at the PG."""
    return sorted((one["order_ref"], one["state"]) for one in pg_shop.pgs.read("payments", pg=pg))


def lifted(pg_shop):
    pg_shop.pgs.request("DELETE", "/control/faults")


def settle(*, after=timedelta()):
    relay.run_once(at=timezone.now())
    drains.run_all(at=timezone.now() + after)


def cancel(order, staff):
    at = timezone.now()
    progress.cancel_unpaid(order_ids=[order.pk], actor=staff, at=at, by=CanceledBy.STAFF, reason="고객 요청")


@pytest.fixture
def lost(pg_shop):
    """`lost("inicis")`: an order whose account the PG has opened; the answer never came."""

    def make(pg="inicis", **fault):
        account = pg_shop.account(pg)
        pg_shop.pgs.fault(**(LOST | fault), pg=pg, path=OPENING[pg])
        order = pg_shop.opened(account)
        assert (virtual(order).state, virtual(order).number) == (VirtualState.PENDING, "")
        return order

    return make


@pytest.mark.parametrize("fault", LATE, ids=lambda one: one["kind"])
def test_an_account_of_inicis_whose_answer_is_late_is_replaced_and_the_order_is_paid(pg_shop, fault):
    account = pg_shop.account("inicis")
    pg_shop.pgs.fault(**fault, pg="inicis", path=OPENING["inicis"])
    order = pg_shop.opened(account)
    assert account_out(order) == {"account": None, "account_state": "pending", "pg_state": None}
    assert opened(pg_shop) == [(f"{order.number}-1", "WAITING")]
    settle(after=issuing.BACK_OFF[0])
    found = virtual(order)
    assert (found.state, found.payment.order_ref) == (VirtualState.ISSUED, f"{order.number}-2")
    assert opened(pg_shop) == [(f"{order.number}-1", "CANCELED"), (f"{order.number}-2", "WAITING")]
    said = account_out(order)
    assert (said["account_state"], said["account"].number) == ("issued", found.number)
    assert OrderEvent.objects.filter(order=order, kind=VIRTUAL_ISSUED).count() == 1
    pg_shop.deposit(order)
    pg_shop.heard()
    assert pg_shop.state(order) == (PREPARING, PRICE, PaymentState.PAID)
    assert not MoneyProblem.objects.exists()
    assert broken() == []


@pytest.mark.parametrize("fault", [LATE[0], LATE[2]], ids=lambda one: one["kind"])
@pytest.mark.parametrize("pg", ["toss", "portone"])
def test_a_pg_that_tells_the_number_later_opens_no_other_account(pg_shop, pg, fault):
    account = pg_shop.account(pg)
    pg_shop.pgs.fault(**fault, pg=pg, path=OPENING[pg])
    order = pg_shop.opened(account)
    assert virtual(order).state == VirtualState.PENDING
    settle(after=issuing.BACK_OFF[0])
    assert virtual(order).state == VirtualState.ISSUED
    assert opened(pg_shop, pg) == [(f"{order.number}-1", "WAITING")]
    pg_shop.deposit(order)
    pg_shop.heard()
    assert pg_shop.state(order) == (PREPARING, PRICE, PaymentState.PAID)


def test_after_three_accounts_whose_number_nobody_heard_staff_decide(pg_shop, lost, sign_in, staff):
    order = lost(times=None)
    for hours in range(1, 5):
        settle(after=timedelta(hours=hours))
    found = virtual(order)
    assert (found.state, found.last_error, found.payment.order_ref) == (
        VirtualState.FAILED, issuing.UNHEARD, f"{order.number}-3",
    )  # fmt: skip
    assert dict(opened(pg_shop)) == {
        f"{order.number}-1": "CANCELED", f"{order.number}-2": "CANCELED", f"{order.number}-3": "WAITING",
    }  # fmt: skip
    assert issuing.UNHEARD in sign_in(Role.CS).get(f"/orders/{order.number}/").content.decode()
    assert account_out(order)["account_state"] == "failed"
    settle(after=timedelta(days=1))
    assert len(opened(pg_shop)) == 3
    lifted(pg_shop)
    assert reissuing.reissue(order_ids=[order.pk], actor=staff, at=timezone.now()).refused == {}
    settle()
    assert (virtual(order).state, virtual(order).payment.order_ref) == (VirtualState.ISSUED, f"{order.number}-4")
    assert broken() == []


def test_a_used_order_number_is_replaced_though_the_pg_shows_nothing_under_it(pg_shop, lost):
    order = lost()
    body = json.dumps({"resultCode": "500604", "resultMsg": "거래가 존재하지 않습니다."}, ensure_ascii=False)
    pg_shop.pgs.fault("status", pg="inicis", path="*inquiry*", status=200, body=body, times=2)
    settle(after=issuing.BACK_OFF[0])
    found = virtual(order)
    assert (found.state, found.payment.order_ref) == (VirtualState.ISSUED, f"{order.number}-2")
    pg_shop.deposit(order)
    pg_shop.heard()
    assert pg_shop.state(order) == (PREPARING, PRICE, PaymentState.PAID)


@pytest.mark.parametrize("pg", ["toss", "portone", "inicis"])
def test_an_order_number_that_somebody_else_has_used_is_a_refusal(pg_shop, pg):
    account, at = pg_shop.account(pg), timezone.now()
    PgAccount.objects.update(issues_accounts=True, bank=BANKS[pg])
    order = pg_shop.make_order(price=PRICE, payment_method=PaymentMethod.VIRTUAL_ACCOUNT, at=at)
    issuing.ask_for_accounts(orders=[order], at=at - issuing.HEAD_START)
    pg_shop.open_window(account, f"{order.number}-1", 1_000)
    [claimed] = issuing._claim(at, [])
    with pytest.raises(KnownAtPg) as refusal:
        issuing._ask(claimed, at=at, timeout=issuing.PATIENT)
    issuing._issue(claimed, at=at, timeout=issuing.PATIENT)
    assert (virtual(order).state, virtual(order).last_error) == (VirtualState.FAILED, refusal.value.message)
    assert opened(pg_shop, pg) == [(f"{order.number}-1", "WAITING")]


def test_money_under_a_reference_that_was_given_up_is_shown_to_a_person(pg_shop, lost):
    order = lost()
    pg_shop.pgs.fault("status", pg="inicis", path="*/api/v1/refund", times=None)
    settle(after=issuing.BACK_OFF[0])
    assert opened(pg_shop) == [(f"{order.number}-1", "WAITING"), (f"{order.number}-2", "WAITING")]
    pg_shop.pgs.control("payments/deposit", pg="inicis", order_ref=f"{order.number}-1", amount=PRICE)
    pg_shop.heard()
    for hours in range(1, 7):
        drains.run_all(at=timezone.now() + timedelta(hours=hours))
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount) == (ProblemKind.UNKNOWN_ORDER, PRICE)
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)
    assert broken() == []


def test_money_that_came_into_an_account_of_hidden_number_is_the_orders(pg_shop, lost):
    order = lost()
    pg_shop.pgs.fault("hold", times=None)
    pg_shop.deposit(order)
    settle(after=issuing.BACK_OFF[0])
    assert pg_shop.state(order) == (PREPARING, PRICE, PaymentState.PAID)
    assert opened(pg_shop) == [(f"{order.number}-1", "PAID")]
    settle(after=timedelta(hours=7))
    assert opened(pg_shop) == [(f"{order.number}-1", "PAID")]
    assert LedgerEntry.objects.count() == 1
    assert broken() == []


@pytest.mark.parametrize("opener", ["is first", "is last"])
def test_one_who_heard_the_number_after_all_meets_one_who_did_not(pg_shop, opener):
    pg_shop.account("inicis")
    PgAccount.objects.update(issues_accounts=True, bank=BANKS["inicis"])
    at = timezone.now()
    order = pg_shop.make_order(price=PRICE, payment_method=PaymentMethod.VIRTUAL_ACCOUNT, at=at)
    issuing.ask_for_accounts(orders=[order], at=at - issuing.HEAD_START)
    [first] = issuing._claim(at, [])
    snapshot = issuing._ask(first, at=at, timeout=issuing.PATIENT)
    [second] = issuing._claim(at + issuing.LEASE, [])
    with pytest.raises(issuing.Unheard) as hidden:
        issuing._ask(second, at=at, timeout=issuing.PATIENT)
    acts = [
        lambda: issuing._keep(first, snapshot, at=timezone.now()),
        lambda: issuing._replace(second, hidden.value.found, at=timezone.now()),
    ]
    for act in acts if opener == "is first" else acts[::-1]:
        act()
    settle()
    found = virtual(order)
    assert found.state == VirtualState.ISSUED
    if opener == "is first":
        assert (found.number, opened(pg_shop)) == (snapshot.account.number, [(f"{order.number}-1", "WAITING")])
    else:
        assert found.number != snapshot.account.number
        assert opened(pg_shop) == [(f"{order.number}-1", "CANCELED"), (f"{order.number}-2", "WAITING")]
    pg_shop.deposit(order)
    pg_shop.heard()
    assert pg_shop.state(order) == (PREPARING, PRICE, PaymentState.PAID)


# Of an order that has moved on


@pytest.mark.parametrize("pg", ["toss", "portone", "inicis"])
def test_what_was_opened_unheard_for_an_order_that_is_canceled_is_closed(pg_shop, lost, staff, sign_in, pg):
    order = lost(pg)
    cancel(order, staff)
    relay.run_once(at=timezone.now())
    assert virtual(order).state == VirtualState.PENDING
    assert closing.PERHAPS_OPENED in sign_in(Role.CS).get(f"/orders/{order.number}/").content.decode()
    drains.run_all()
    assert opened(pg_shop, pg) == [(f"{order.number}-1", "CANCELED")]
    assert virtual(order).state == (VirtualState.FAILED if pg == "inicis" else VirtualState.CLOSED)
    progress.revive(order_ids=[order.pk], actor=staff, at=timezone.now(), reason="고객 요청")
    settle()
    assert (virtual(order).state, virtual(order).payment.order_ref) == (VirtualState.ISSUED, f"{order.number}-2")
    assert broken() == []


def test_a_pg_that_has_opened_none_is_asked_once_after_the_cancel(pg_shop, lost, staff):
    order = lost("toss", after_work=False)
    cancel(order, staff)
    before = len(pg_shop.pgs.read("calls", pg="toss", limit=1000))
    settle()
    found = virtual(order)
    assert (found.state, found.last_error, found.next_try_at) == (VirtualState.FAILED, issuing.MOVED_ON, None)
    assert [one["method"] for one in pg_shop.pgs.read("calls", pg="toss", limit=1000)[before:]] == ["GET"]
    assert opened(pg_shop, "toss") == []


def test_a_pg_that_is_silent_after_the_cancel_is_asked_again(pg_shop, lost, staff):
    order = lost("toss")
    cancel(order, staff)
    pg_shop.pgs.fault("status", pg="toss", method="GET", times=None)
    settle()
    assert virtual(order).state == VirtualState.PENDING
    lifted(pg_shop)
    settle(after=issuing.SLOW)
    assert virtual(order).state == VirtualState.CLOSED
    assert opened(pg_shop, "toss") == [(f"{order.number}-1", "CANCELED")]


def test_an_order_that_is_revived_before_anybody_looked_keeps_what_was_opened(pg_shop, lost, staff):
    order = lost("toss")
    cancel(order, staff)
    closing.ask_to_close(order_id=order.pk, at=timezone.now(), hold=timedelta(minutes=5))
    assert issuing.issue_due(at=timezone.now() + issuing.BACK_OFF[0]) == 0
    progress.revive(order_ids=[order.pk], actor=staff, at=timezone.now(), reason="고객 요청")
    closing.reopen(order_id=order.pk, at=timezone.now())
    drains.run_all()
    assert virtual(order).state == VirtualState.ISSUED
    assert opened(pg_shop, "toss") == [(f"{order.number}-1", "WAITING")]


def test_what_was_opened_unheard_for_an_order_that_was_paid_otherwise_is_closed(pg_shop, lost, staff):
    order = lost("toss")
    assert confirm_manually(order_ids=[order.pk], actor=staff, at=timezone.now()).refused == {}
    before = pg_shop.state(order)
    settle(after=issuing.BACK_OFF[0])
    assert virtual(order).state == VirtualState.CLOSED
    assert opened(pg_shop, "toss") == [(f"{order.number}-1", "CANCELED")]
    assert (pg_shop.state(order), reloaded(order).stage) == (before, PREPARING)
    assert broken() == []
