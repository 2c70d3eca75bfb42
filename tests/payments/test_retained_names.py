"""입금자 of a virtual account: masked at the age of the notices, not a day earlier, and never told anew."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.models import LedgerEntry, Payment, PgAccount, VirtualAccount
from payments.services.notices import draining, retaining
from payments.services.refunds.second_person import payer_of
from payments.states import EntryKind, VirtualState
from payments.tasks import retain_requests
from tests.fixtures.orders import reloaded

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def account(db):
    facts = {"code": "toss", "name": "토스", "provider": "toss", "merchant_id": "m"}
    return PgAccount.objects.create(base_url="https://pg.example", **facts)


@pytest.fixture
def paid(account, make_order):
    """`paid(91, came=91)`: an account that was opened so many days ago, and into which somebody paid so long ago."""

    def make(days, *, came=None, depositor="김입금"):
        order = make_order(payment_method="VIRTUAL_ACCOUNT")
        payment = Payment.objects.get(order=order)
        Payment.objects.filter(pk=payment.pk).update(account=account, order_ref=f"{order.number}-1")
        at = timezone.now() - days * DAY
        one = VirtualAccount.objects.create(
            payment=payment, bank="20", number="1002", holder="홍길동", depositor=depositor, due_at=at + 7 * DAY,
            issued_at=at, state=VirtualState.ISSUED,
        )  # fmt: skip
        VirtualAccount.objects.filter(pk=one.pk).update(created_at=at)
        if came is not None:
            moment = timezone.now() - came * DAY
            LedgerEntry.objects.create(
                payment=payment, kind=EntryKind.DEPOSIT, reference=f"t{one.pk}", amount=33_000, at=moment
            )
        return one

    return make


def row(one):
    fresh = reloaded(one)
    return {field.attname: getattr(fresh, field.attname) for field in fresh._meta.concrete_fields}


def test_a_name_of_ninety_one_days_is_masked_and_nothing_else_of_the_account(paid):
    old, young = paid(91, came=91), paid(89, came=89)
    before, kept = row(old), row(young)
    retain_requests(at=timezone.now())
    assert row(old) == before | {"depositor": "김*금"}
    assert row(young) == kept
    retain_requests(at=timezone.now())
    assert row(old)["depositor"] == "김*금"


def test_money_that_came_later_into_an_old_account_keeps_its_name(paid):
    late = paid(120, came=89)
    before = row(late)
    retain_requests(at=timezone.now())
    assert row(late) == before
    retain_requests(at=timezone.now() + 2 * DAY)
    assert row(late)["depositor"] == "김*금"


def test_one_into_which_nothing_came_and_one_without_a_name(paid):
    unpaid, nameless = paid(91), paid(91, depositor="")
    retain_requests(at=timezone.now())
    assert (row(unpaid)["depositor"], row(nameless)["depositor"]) == ("김*금", "")


def test_more_than_one_portion_is_masked_in_one_run(paid, monkeypatch):
    rows = [paid(91, came=91) for _ in range(5)]
    monkeypatch.setattr(retaining, "AT_ONCE", 2)
    assert retaining.mask_depositors(before=timezone.now() - 90 * DAY) == 5
    assert {row(one)["depositor"] for one in rows} == {"김*금"}


@pytest.mark.parametrize(("told", "kept"), [("김입금", "김*금"), ("박다른", "박다른")])
def test_an_answer_of_the_pg_tells_a_masked_name_not_anew_but_another_one(paid, told, kept):
    one = paid(91, came=91)
    retain_requests(at=timezone.now())
    draining._keep_depositors([_answer(one, told)])
    assert row(one)["depositor"] == kept


def _answer(one, depositor):
    snapshot = draining.Snapshot(
        order_ref="x", payment_ref="y", state="PAID", amount=33_000, depositor=depositor
    )  # fmt: skip
    return draining.Fetched(one.pk, snapshot, timezone.now())


def test_a_masked_name_says_nothing_of_who_paid(paid):
    payment = Payment.objects.get(virtual=paid(91, came=91))
    assert payer_of(payment) == "김입금"
    retain_requests(at=timezone.now())
    assert payer_of(payment) == (payment.order.depositor_name.strip() or payment.order.buyer_name)
