"""Who may approve which refund: the matrix of reliability.md 4.1 and the rules of 4.2."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.settings_registry import set_setting
from orders.models import Order
from payments.models import Payment, Refund, RefundAccount
from payments.options import SECOND_FROM
from payments.services.deposits.deposit_returns import give_back
from payments.services.gateway import refund_sending
from payments.services.refunds import requesting, retrying, second_person
from payments.services.refunds.requesting import Ask
from payments.states import RefundState
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT

R = RefundState
OTHER = RefundAccount(bank="088", number="110123456789", holder="김다른")


@pytest.fixture
def money(db):
    """What must not change when an approval is refused."""
    return lambda: (list(Refund.objects.values_list("state", "version")), list(Payment.objects.values_list("balance")))


def asked(payment, actor, *, amount=1_000, account=ACCOUNT, at=NOW):
    ask = Ask(payment_id=payment.pk, amount=amount, account=account)
    [refund] = requesting.request(asks=[ask], reason="환불", actor=actor, at=at).refunds
    return reloaded(refund)


@pytest.mark.parametrize(
    ("role", "state", "second"),
    [(Role.OWNER, R.APPROVED, False), (Role.FINANCE, R.DRAFT, True), (Role.CS, R.DRAFT, True)],
)
def test_only_the_owner_approves_a_small_refund_of_the_own_asking(paid_payment, make_staff, money, role, state, second):
    actor = make_staff(role)
    refund = asked(paid_payment(), actor)
    assert (refund.state, refund.needs_second) == (state, second)
    if role != Role.OWNER:
        before = money()
        outcome = requesting.approve(refund_ids=[refund.pk], actor=actor, at=NOW)
        assert outcome.refused == {refund.pk: second_person.SECOND_PERSON}
        assert money() == before


@pytest.mark.parametrize("role", [Role.OWNER, Role.FINANCE])
def test_a_small_refund_of_somebody_else_needs_one_approver(paid_payment, make_staff, role):
    refund = asked(paid_payment(), make_staff(Role.CS))
    assert requesting.approve(refund_ids=[refund.pk], actor=make_staff(role), at=NOW).moved_ids == [refund.pk]


@pytest.mark.parametrize("role", [Role.OWNER, Role.FINANCE])
def test_a_large_refund_is_not_approved_by_who_asked_for_it(paid_payment, make_staff, money, role):
    actor = make_staff(role)
    refund = asked(paid_payment(price=300_000), actor, amount=300_000)
    before = money()
    assert requesting.approve(refund_ids=[refund.pk], actor=actor, at=NOW).moved == []
    assert money() == before
    assert requesting.approve(refund_ids=[refund.pk], actor=make_staff(Role.FINANCE), at=NOW).moved_ids == [refund.pk]


def test_the_sum_from_which_it_takes_two_is_the_setting(paid_payment, make_staff, staff):
    set_setting(key=SECOND_FROM.key, value=1_000, actor=staff, at=NOW)
    assert asked(paid_payment(), make_staff(Role.OWNER), amount=999).state == R.APPROVED
    assert asked(paid_payment(), make_staff(Role.OWNER), amount=1_000).state == R.DRAFT


def test_who_asked_in_another_role_does_not_approve_it_in_a_new_one(paid_payment, make_staff, money):
    actor = make_staff(Role.CS)
    refund = asked(paid_payment(), actor)
    Refund.objects.filter(pk=refund.pk).update(needs_second=False)
    actor.role = Role.FINANCE
    actor.save()
    before = money()
    assert requesting.approve(refund_ids=[refund.pk], actor=actor, at=NOW).refused
    assert money() == before


# To somebody else


@pytest.mark.parametrize(
    ("depositor", "holder", "alone"), [("", "김다른", False), ("", "박구매", True), ("이입금", "박구매", False)]
)
def test_without_a_word_of_the_pg_the_holder_must_be_the_depositor_of_the_order_or_the_buyer(
    paid_payment, staff, depositor, holder, alone
):
    payment = paid_payment()
    Order.objects.filter(pk=payment.order_id).update(depositor_name=depositor, buyer_name="박구매")
    refund = asked(payment, staff, account=RefundAccount(bank="088", number="110123456789", holder=holder))
    assert (refund.state == R.APPROVED) is alone


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pg", ["toss", "portone", "nicepay-form", "inicis"])
def test_the_holder_must_be_who_has_paid_as_the_pg_tells(pg_shop, pg_refunds, staff, pg):
    order = pg_shop.order(pg_shop.account(pg))
    Order.objects.filter(pk=order.pk).update(depositor_name="", buyer_name="홍길동")
    pg_shop.deposit(order, name="김다른")
    pg_shop.heard()
    payment = Payment.objects.get(order=order)
    assert second_person.payer_of(payment) == "김다른"
    to_buyer = asked(payment, staff, at=timezone.now())
    assert (to_buyer.state, to_buyer.needs_second) == (R.DRAFT, True)
    to_payer = asked(payment, staff, account=OTHER, at=timezone.now())
    assert to_payer.state == R.APPROVED
    refund_sending.send_due(at=timezone.now())
    assert pg_refunds.at_pg(payment) == [1_000]
    assert broken() == []


# Old requests


def test_a_request_of_more_than_72_hours_is_not_approved_and_may_be_asked_for_anew(
    paid_payment, make_staff, finance, money
):
    refund = asked(paid_payment(), make_staff(Role.CS))
    young, old = NOW + timedelta(hours=71), NOW + timedelta(hours=72)
    before = money()
    early = retrying.retry(refund_ids=[refund.pk], actor=finance, at=young)
    assert early.refused == {refund.pk: retrying.NOT_EXPIRED}
    outcome = requesting.approve(refund_ids=[refund.pk], actor=finance, at=old)
    assert outcome.refused == {refund.pk: requesting.EXPIRED}
    assert money() == before
    cs = make_staff(Role.CS)
    assert retrying.retry(refund_ids=[refund.pk], actor=cs, at=old).moved_ids == [refund.pk]
    fresh = reloaded(refund)
    assert (fresh.state, fresh.requested_by, fresh.requested_at) == (R.DRAFT, cs, old)
    assert (fresh.amount, fresh.account, fresh.key) == (refund.amount, ACCOUNT, refund.key)
    assert requesting.approve(refund_ids=[refund.pk], actor=finance, at=old).moved_ids == [refund.pk]
    assert broken() == []


def test_a_request_just_under_72_hours_old_is_approved(paid_payment, make_staff, finance):
    refund = asked(paid_payment(), make_staff(Role.CS))
    at = NOW + timedelta(hours=72) - timedelta(seconds=1)
    assert requesting.approve(refund_ids=[refund.pk], actor=finance, at=at).moved_ids == [refund.pk]


def test_an_old_return_of_a_deposit_is_asked_for_anew_too(came_in, matched, make_staff, finance):
    deposit = came_in(12_000, "모르는이")
    matched()
    account = RefundAccount(bank="088", number="110123456789", holder=deposit.depositor)
    cs = make_staff(Role.CS)
    refund = give_back(deposit_id=deposit.pk, account=account, reason="반환", actor=cs, at=NOW)
    old = NOW + timedelta(days=4)
    assert requesting.approve(refund_ids=[refund.pk], actor=finance, at=old).refused == {refund.pk: requesting.EXPIRED}
    assert retrying.retry(refund_ids=[refund.pk], actor=cs, at=old).moved_ids == [refund.pk]
    assert requesting.approve(refund_ids=[refund.pk], actor=finance, at=old).moved_ids == [refund.pk]


def test_an_old_request_that_the_money_no_longer_bears_is_not_asked_for_anew(paid_payment, make_staff, money):
    payment = paid_payment()
    refund = asked(payment, make_staff(Role.CS), amount=10_000)
    Payment.objects.filter(pk=payment.pk).update(forgiven=1)
    before = money()
    outcome = retrying.retry(refund_ids=[refund.pk], actor=make_staff(Role.CS), at=NOW + timedelta(days=4))
    assert "환불 가능 금액을 초과" in outcome.refused[refund.pk]
    assert money() == before
