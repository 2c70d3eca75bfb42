"""입금자 of a virtual account: masked at the age of the notices, not a day earlier, and never told anew."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from orders.models import Order
from payments.models import LedgerEntry, Payment, PgAccount, PgNotice, RefundAccount, VirtualAccount
from payments.services.notices import draining, retaining
from payments.services.refunds import requesting
from payments.services.refunds.requesting import Ask
from payments.services.refunds.second_person import SECOND_PERSON, Watch, payer_of
from payments.services.snapshots import learning
from payments.states import EntryKind, RefundState, VirtualState
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
    learning.learn({one.pk: _answer(one.payment.order_ref, told)}, at=timezone.now())
    assert row(one)["depositor"] == kept


def test_who_paid_another_order_is_not_kept_with_this_one(paid):
    one = paid(1)
    told = draining.Fetched(one.pk, _answer("another-1", "박다른"), timezone.now())
    assert draining.apply_each([told], at=timezone.now())[one.pk].reason == "mismatch_with_pg"
    assert row(one)["depositor"] == "김입금"


def _answer(order_ref, depositor):
    return draining.Snapshot(
        order_ref=order_ref or "", payment_ref="y", state="PAID", amount=33_000, depositor=depositor
    )  # fmt: skip


@pytest.mark.parametrize("holder", ["홍길동", "김다금", "김입금", "김*금"])
def test_a_masked_name_shows_nobody_to_be_the_payer_so_that_one_person_does_not_send_his_money(
    paid, make_staff, holder
):
    payment = Payment.objects.get(virtual=paid(91, came=91))
    Payment.objects.filter(pk=payment.pk).update(balance=33_000)
    order = payment.order
    Order.objects.filter(pk=order.pk).update(buyer_name="홍길동", depositor_name="", paid_amount=33_000)
    account = RefundAccount(bank="088", number="110123456789", holder=holder)
    owner, at = make_staff(Role.OWNER), timezone.now()

    def is_two_peoples():
        return Watch(owner, at).needs_second(reloaded(payment), 1_000, account)

    assert payer_of(payment) == "김입금"
    assert is_two_peoples() is (holder != "김입금")
    retain_requests(at=at)
    assert payer_of(payment) == "김*금", "the order's own name does not take its place"
    assert is_two_peoples() is True
    ask = Ask(payment_id=payment.pk, amount=1_000, account=account)
    [refund] = requesting.request(asks=[ask], reason="환불", actor=owner, at=at).refunds
    assert (refund.needs_second, reloaded(refund).state) == (True, RefundState.DRAFT)
    before = (LedgerEntry.objects.count(), reloaded(payment).version, reloaded(refund).version)
    outcome = requesting.approve(refund_ids=[refund.pk], actor=owner, at=at)
    assert outcome.refused == {refund.pk: SECOND_PERSON}
    assert (LedgerEntry.objects.count(), reloaded(payment).version, reloaded(refund).version) == before
    assert requesting.approve(refund_ids=[refund.pk], actor=make_staff(Role.FINANCE), at=at).moved_ids == [refund.pk]


def test_a_whole_name_of_a_young_notice_is_known_beside_a_masked_one(paid, account):
    payment = Payment.objects.get(virtual=paid(91, came=91))
    retain_requests(at=timezone.now())
    assert payer_of(payment) == "김*금"
    for number, name in enumerate(["박다른", ""]):
        PgNotice.objects.create(
            account=account, event_key=f"e{number}", kind="DEPOSITED", order_ref=payment.order_ref,
            is_proven=True, body_hash=b"x", due_at=timezone.now(), received_at=timezone.now(), depositor=name,
        )  # fmt: skip
    assert payer_of(payment) == "박다른"
    PgNotice.objects.update(is_proven=False)
    assert payer_of(payment) == "김*금"


def test_no_portion_reads_again_what_the_one_before_has_masked(paid, monkeypatch):
    rows = [paid(91, came=91) for _ in range(5)]
    kept = paid(89, came=89)
    before = row(kept)
    monkeypatch.setattr(retaining, "AT_ONCE", 2)
    with CaptureQueriesContext(connection) as asked:
        assert retaining.mask_depositors(before=timezone.now() - 90 * DAY) == 5
    reads = [one["sql"] for one in asked if " FOR NO KEY UPDATE " in one["sql"]]
    starts = [int(re.search(r'"payment_id" > (\d+)', sql)[1]) for sql in reads]
    assert starts == [0, rows[1].pk, rows[3].pk, rows[4].pk]
    assert row(kept) == before
