"""NICEPAY's older interface without keys to ask with, over real sockets: payments.md 5.1, rule 2b."""

import pytest
from django.utils import timezone

from accounts.roles import Role
from orders.states import LineState
from payments.models import LedgerEntry, MoneyProblem, Payment, PgAccount, PgNotice, VirtualAccount
from payments.services.notices import replaying
from payments.states import NoticeState, PaymentState, ProblemKind, VirtualState
from tests.fixtures.orders import broken, reloaded
from tests.fixtures.pg_shop import PRICE

pytestmark = pytest.mark.django_db(transaction=True)
PAID = (LineState.PREPARING, PRICE, PaymentState.PAID)
WAITING = (LineState.AWAITING_PAYMENT, 0, PaymentState.PENDING)


@pytest.fixture
def order(pg_shop):
    """Waits for its money; account and TID are known from the buyer's window, and there is no key to ask with."""
    account = pg_shop.account("nicepay-form")
    found = pg_shop.order(account)
    account = PgAccount.objects.get(pk=account.pk)
    account.set_secrets(*account.secrets(), options={})
    account.asks_back = False
    account.save()
    payment = Payment.objects.get(order=found)
    shown = pg_shop.pgs.payment("nicepay-form", payment.order_ref)
    Payment.objects.filter(pk=payment.pk).update(payment_ref=shown["payment_ref"], synced_at=None)
    VirtualAccount.objects.filter(pk=payment.pk).update(state=VirtualState.ISSUED, number=shown["account_number"])
    return found


def told(pg_shop, order, **facts):
    pg_shop.deposit(order, **facts)
    [notice] = pg_shop.heard()
    return notice


def assert_for_a_person(pg_shop, order, notice):
    assert (notice.state, notice.reason) == (NoticeState.PARKED, "not_comparable")
    assert pg_shop.state(order) == WAITING
    assert not LedgerEntry.objects.exists()
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.order_id, problem.resolved_at) == (ProblemKind.MISMATCH_WITH_PG, order.pk, None)
    assert broken() == []


def test_a_deposit_of_which_all_is_ours_is_booked_once_without_a_question(pg_shop, order, staff):
    notice = told(pg_shop, order)
    assert notice.state == NoticeState.PROCESSED
    assert pg_shop.state(order) == PAID
    replaying.replay(notice_ids=[notice.pk], actor=staff, at=timezone.now())
    pg_shop.heard()
    assert pg_shop.state(order) == PAID
    assert LedgerEntry.objects.count() == 1
    assert broken() == []


@pytest.mark.parametrize("name", ["payment_ref", "number", "amount"])
def test_anything_else_waits_for_a_person(pg_shop, order, name):
    payment = Payment.objects.get(order=order)
    if name == "number":
        VirtualAccount.objects.filter(pk=payment.pk).update(number="11111111111111")
    elif name == "payment_ref":
        Payment.objects.filter(pk=payment.pk).update(payment_ref="")
    facts = {"amount": PRICE - 1, "force": True} if name == "amount" else {}
    assert_for_a_person(pg_shop, order, told(pg_shop, order, **facts))


def test_a_notice_that_does_not_prove_its_sender_waits_for_a_person(pg_shop, order):
    pg_shop.deposit(order)
    pg_shop.pgs.wait_for(PgNotice.objects.exists)
    PgNotice.objects.update(is_proven=False)
    [notice] = pg_shop.heard()
    assert_for_a_person(pg_shop, order, notice)


def test_a_second_deposit_is_not_swallowed(pg_shop, order):
    told(pg_shop, order)
    pg_shop.pgs.control("clock", advance=5)
    pg_shop.deposit(order, force=True)
    first, second = pg_shop.heard()
    assert (first.state, second.state, second.reason) == (NoticeState.PROCESSED, NoticeState.PARKED, "not_comparable")
    assert pg_shop.state(order) == PAID
    assert LedgerEntry.objects.count() == 1
    assert MoneyProblem.objects.get().kind == ProblemKind.MISMATCH_WITH_PG
    assert broken() == []


def test_with_asking_on_and_no_keys_a_person_sees_it_at_once(pg_shop, order):
    PgAccount.objects.update(asks_back=True)
    assert_for_a_person(pg_shop, order, told(pg_shop, order))


def test_the_same_deposit_of_an_account_that_asks_is_confirmed_by_a_question(pg_shop):
    order = pg_shop.order(pg_shop.account("nicepay-form"))
    before = len(pg_shop.pgs.read("calls", pg="nicepay-form", method="GET"))
    assert told(pg_shop, order).state == NoticeState.PROCESSED
    assert len(pg_shop.pgs.read("calls", pg="nicepay-form", method="GET")) == before + 1


def test_staff_switch_it_off_for_the_older_interface_only(pg_shop, order, sign_in):
    account, client = PgAccount.objects.get(), sign_in(Role.OWNER)
    page = client.get(f"/settings/pg/{account.pk}/").content.decode()
    assert "PG에 조회해 확인" in page
    given = {
        "name": "새 이름", "merchant_id": account.merchant_id, "base_url": account.base_url, "is_sandbox": "on",
        "charset": account.charset, "is_active": "on", "asks_back": "on", "seen": account.updated_at.isoformat(),
    }  # fmt: skip
    client.post(f"/settings/pg/{account.pk}/", given)
    assert (reloaded(account).name, reloaded(account).asks_back) == ("새 이름", True)
    toss = pg_shop.account("toss")
    assert "PG에 조회해 확인" not in client.get(f"/settings/pg/{toss.pk}/").content.decode()
    assert not PgNotice.objects.exists()
