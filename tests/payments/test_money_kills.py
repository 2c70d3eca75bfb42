"""Killed at the remaining points of money: nothing is lost, nothing is done twice."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core import drains, relay
from core import processes as system
from orders.services import progress
from orders.states import CanceledBy, LineState, PaymentMethod
from payments.models import CardCheck, LedgerEntry, PgAccount, VirtualAccount
from payments.services.gateway import issuing
from payments.services.watching import card_checks
from payments.states import DepositState, EntryKind, VirtualState
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.pg_shop import BANKS, PRICE

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def killed(processes):
    """`killed("point")`: a relay works until it comes to this point, and dies there."""

    def run(point):
        doomed = processes.start("relay", env={"OMS_FAILPOINTS": f"{point}=kill"})
        assert system.wait_until(lambda: not doomed.is_alive, timeout=60), doomed.log()

    return run


@pytest.mark.parametrize("pg", ["toss", "portone"])
def test_an_account_that_was_opened_before_the_relay_died_is_found_and_not_opened_again(pg_shop, killed, pg):
    account = pg_shop.account(pg)
    PgAccount.objects.update(issues_accounts=True, bank=BANKS[pg])
    at = timezone.now()
    order = pg_shop.make_order(price=PRICE, payment_method=PaymentMethod.VIRTUAL_ACCOUNT, at=at)
    issuing.ask_for_accounts(orders=[order], at=at - issuing.HEAD_START)
    killed("virtual_issued_before_write")
    [opened] = pg_shop.pgs.read("payments", pg=pg)
    virtual = VirtualAccount.objects.get()
    assert (virtual.state, virtual.number, virtual.attempts) == (VirtualState.PENDING, "", 1)
    assert issuing.issue_due(at=timezone.now()) == 0, "the lease of the dead one still runs"
    assert issuing.issue_due(at=timezone.now() + issuing.LEASE) == 1
    virtual = reloaded(virtual)
    assert (virtual.state, virtual.number) == (VirtualState.ISSUED, opened["account_number"])
    assert [one["id"] for one in pg_shop.pgs.read("payments", pg=pg)] == [opened["id"]]
    pg_shop.heard()
    pg_shop.deposit(order)
    pg_shop.heard()
    assert pg_shop.state(order) == (LineState.PREPARING, PRICE, "PAID")
    assert account.pk == virtual.payment.account_id
    assert broken() == []


@pytest.mark.parametrize("pg", ["toss", "inicis"])
def test_an_account_that_was_opened_before_the_relay_died_is_closed_if_its_order_is_canceled(
    pg_shop, killed, staff, pg
):
    pg_shop.account(pg)
    PgAccount.objects.update(issues_accounts=True, bank=BANKS[pg])
    at = timezone.now()
    order = pg_shop.make_order(price=PRICE, payment_method=PaymentMethod.VIRTUAL_ACCOUNT, at=at)
    issuing.ask_for_accounts(orders=[order], at=at - issuing.HEAD_START)
    killed("virtual_issued_before_write")
    progress.cancel_unpaid(
        order_ids=[order.pk], actor=staff, at=timezone.now(), by=CanceledBy.STAFF, reason="고객 요청"
    )
    relay.run_once(at=timezone.now())
    virtual = VirtualAccount.objects.get()
    assert (virtual.state, virtual.number, virtual.attempts) == (VirtualState.PENDING, "", 1)
    drains.run_all(at=timezone.now() + issuing.LEASE)
    assert reloaded(virtual).state == (VirtualState.CLOSED if pg == "toss" else VirtualState.FAILED)
    [opened] = pg_shop.pgs.read("payments", pg=pg)
    assert opened["state"] == "CANCELED"
    assert pg_shop.state(order) == (LineState.CANCELED_UNPAID, 0, "PENDING")
    assert broken() == []


def test_deposits_that_were_booked_and_not_committed_are_matched_by_the_next_once(make_order, came_in, killed):
    orders = [make_order(price=10_000 + n, buyer_name=f"구매자{n}", depositor_name=f"구매자{n}") for n in range(3)]
    rows = [came_in(10_000 + n, f"구매자{n}") for n in range(3)]
    killed("deposit_booked")
    assert {reloaded(one).state for one in rows} == {DepositState.NEW}
    assert not LedgerEntry.objects.exists()
    assert {reloaded(one).stage for one in orders} == {LineState.AWAITING_PAYMENT}
    drains.run_all(at=NOW + timedelta(days=1))
    assert {reloaded(one).state for one in rows} == {DepositState.MATCHED}
    assert sorted(LedgerEntry.objects.values_list("kind", "amount")) == [
        (EntryKind.DEPOSIT, 10_000 + n) for n in range(3)
    ]
    assert {reloaded(one).stage for one in orders} == {LineState.PREPARING}
    drains.run_all(at=NOW + timedelta(days=2))
    assert LedgerEntry.objects.count() == 3
    assert broken() == []


def test_a_card_payment_that_was_asked_about_before_the_relay_died_is_asked_about_again(cards, killed):
    cards.account("toss")
    cards.shop.pgs.shop("toss", notice_url="")
    payment = cards.order("toss")
    killed("card_check_after_fetch")
    assert not LedgerEntry.objects.exists()
    assert CardCheck.objects.get().attempts == 1
    assert card_checks.check_due(at=timezone.now()) == 0, "the lease of the dead one still runs"
    assert card_checks.check_due(at=timezone.now() + card_checks.LEASE) == 1
    assert cards.shop.state(payment.order) == (LineState.PREPARING, PRICE, "PAID")
    assert LedgerEntry.objects.get().amount == PRICE
    assert CardCheck.objects.get().next_try_at is None
    assert broken() == []
