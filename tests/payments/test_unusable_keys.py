"""Accounts whose keys a PG refuses or nobody can open: they harm themselves alone; what waits is done later."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core import drains
from orders.models import Order
from orders.states import LineState
from payments.models import MoneyProblem, Payment, PgAccount, PgNotice, Refund
from payments.services.gateway import pg_settings, refund_checking, refund_sending
from payments.services.pg_accounts import KEY_REFUSED, KEYS_LOST
from payments.services.watching import reconciling
from payments.states import NoticeState, PaymentState, RefundState, VirtualState
from payments.tasks import cancel_unpaid_overdue
from tests.fixtures.orders import broken, reloaded
from tests.payments.test_refunds_at_pg import DEPOSIT, PGS, REFUND, ago

pytestmark = pytest.mark.django_db(transaction=True)
R = RefundState
GARBLED = "s1:gone:AAAA"
WRONG = {
    "toss": "test_sk_wrong",
    "portone": "x" * 32,
    "nicepay": "y" * 32,
    "nicepay-form": "z" * 10,
    "inicis": "K" * 16,
}


def garble(account):
    """As after the loss of the key that seals."""
    PgAccount.objects.filter(pk=account.pk).update(sealed_secrets=GARBLED, sealed_options={"api_secret": GARBLED})


def mend(account, *, key="", options=None, staff):
    found = PgAccount.objects.get(pk=account.pk)
    facts = {"given": pg_settings.facts(found), "seen_at": found.updated_at, "actor": staff, "at": timezone.now()}
    return pg_settings.edit_account(account_id=found.pk, key=key, options=options or {}, **facts)


@pytest.fixture
def ill(pg_refunds):
    """An order paid at PortOne, and one that waits for its money there; the keys of the account cannot be opened."""
    paid = pg_refunds.paid("portone")
    waiting = pg_refunds.shop.order(paid.account)
    garble(paid.account)
    return paid, Payment.objects.select_related("account").get(order=waiting)


def test_refunds_of_the_other_accounts_go_out_and_the_ill_one_waits(pg_refunds, ill, staff):
    well = pg_refunds.paid("toss")
    refunds = [pg_refunds.ask(ill[0], 10_000), pg_refunds.ask(well, 10_000)]
    refund_sending.send_due(at=timezone.now())
    assert [reloaded(one).state for one in refunds] == [R.APPROVED, R.ACCEPTED]
    assert reloaded(refunds[0]).last_error == f"{KEY_REFUSED} {KEYS_LOST}"
    assert pg_refunds.calls(ill[0]) == []
    shop = pg_refunds.shop.pgs.read("shops", pg="portone")[0]
    mend(
        ill[0].account,
        key=shop["options"]["webhook_secrets"][0],
        options={"api_secret": shop["secrets"][0]},
        staff=staff,
    )
    drains.run_all()
    assert reloaded(refunds[0]).state == R.ACCEPTED
    assert pg_refunds.at_pg(ill[0]) == [10_000]
    assert broken() == []


def test_checks_of_refunds_ask_the_other_accounts(pg_refunds, ill):
    payments = [pg_refunds.paid("toss"), pg_refunds.paid("inicis")]
    refunds = [pg_refunds.ask(one) for one in payments]
    for _ in refunds:
        refund_sending.send_due(at=timezone.now())
    for one in payments:
        pg_refunds.shop.act("complete-refund", one)
    garble(payments[1].account)
    refund_checking.check_due(at=timezone.now() + timedelta(hours=2))
    assert [reloaded(one).state for one in refunds] == [R.COMPLETED, R.ACCEPTED]
    assert "열 수 없습니다" in reloaded(refunds[1]).last_error


def test_a_deposit_at_another_pg_is_booked_and_no_notice_dies(pg_refunds, ill):
    shop = pg_refunds.shop
    order = shop.order(shop.account("inicis"))
    late = PgNotice.objects.create(
        account=ill[1].account, event_key="e", kind="DEPOSITED", order_ref=ill[1].order_ref, is_proven=True,
        received_at=ago(1), due_at=ago(1), body_hash=b"x" * 32,
    )  # fmt: skip
    shop.deposit(order)
    shop.heard()
    assert shop.state(order) == (LineState.PREPARING, 33_000, PaymentState.PAID)
    assert (reloaded(late).state, reloaded(late).reason) == (NoticeState.RETRY, "denied")
    assert reloaded(ill[1]).balance == 0


def test_a_notice_to_the_ill_account_is_to_be_told_again(pg_refunds, ill):
    shop = pg_refunds.shop
    shop.act("deposit", ill[1])

    def told():
        notices = shop.pgs.notices(order_ref=ill[1].order_ref)
        return [answer["status"] for one in notices if one["kind"].endswith("Paid") for answer in one["attempts"]]

    shop.pgs.wait_for(told)
    assert told()[0] == 503
    assert not PgNotice.objects.filter(order_ref=ill[1].order_ref).exists()
    assert reloaded(ill[1]).balance == 0


def test_overdue_orders_of_the_others_are_canceled_and_those_of_the_ill_one_kept(pg_refunds, ill):
    well = pg_refunds.shop.order(pg_refunds.shop.account("toss"))
    Order.objects.filter(pk__in=[well.pk, ill[1].order_id]).update(deposit_by=ago(1))
    assert cancel_unpaid_overdue(at=timezone.now()) == 1
    assert reloaded(well).stage == LineState.CANCELED_UNPAID
    assert reloaded(ill[1].order).stage == LineState.AWAITING_PAYMENT


def test_the_reconciliation_compares_the_others(pg_refunds, ill):
    well = pg_refunds.paid("toss")
    reports = {one.account_id: one for one in reconciling.reconcile_week(at=timezone.now())}
    assert (reports[well.account_id].unanswered, reports[well.account_id].pg_sum) == (0, 33_000)
    assert reports[ill[0].account_id].unanswered == 2
    assert not MoneyProblem.objects.exists()


def test_new_orders_of_the_ill_account_wait_for_their_virtual_account(pg_refunds, ill):
    order = pg_refunds.shop.opened(ill[0].account)
    virtual = Payment.objects.get(order=order).virtual
    assert (virtual.state, virtual.last_error) == (VirtualState.PENDING, f"{KEY_REFUSED} {KEYS_LOST}")


def test_staff_see_that_the_keys_are_lost_and_can_enter_others(ill, sign_in):
    client, account = sign_in(Role.OWNER), ill[0].account
    page = client.get(f"/settings/pg/{account.pk}/")
    assert page.status_code == 200
    assert KEYS_LOST in page.content.decode()


@pytest.mark.parametrize("pg", PGS)
def test_a_refund_with_a_wrong_key_waits_and_goes_out_once_when_the_key_is_mended(pg_refunds, pg, staff):
    payment = pg_refunds.paid(pg)
    account = PgAccount.objects.get(code=pg)
    keys, options = account.secrets(), account.options()
    name = {"portone": "api_secret", "nicepay-form": "rest_secret"}.get(pg)
    wrong = options | {name: WRONG[pg]} if name else options
    account.set_secrets(keys[0] if name else WRONG[pg], options=wrong)
    account.save()
    refund = pg_refunds.ask(payment)
    refund_sending.send_due(at=timezone.now())
    refund = reloaded(refund)
    assert (refund.state, refund.last_error.startswith(KEY_REFUSED)) == (R.APPROVED, True), refund.last_error
    assert reloaded(account).last_error.startswith(KEY_REFUSED)
    assert pg_refunds.ledger(payment) == [DEPOSIT]
    assert not MoneyProblem.objects.exists()
    assert refund_sending.send_due(at=timezone.now()) == 0
    mend(account, key="" if name else keys[0], options={name: options[name]} if name else {}, staff=staff)
    drains.run_all()
    refund = reloaded(refund)
    assert (refund.state, refund.last_error) == (R.ACCEPTED, "")
    assert pg_refunds.at_pg(payment) == [33_000]
    assert pg_refunds.ledger(payment) == [DEPOSIT, REFUND]
    assert broken() == []


def test_however_often_the_key_is_refused_the_refund_waits(pg_refunds):
    payment = pg_refunds.paid("toss")
    PgAccount.objects.get(code="toss").set_secrets("test_sk_wrong")
    account = PgAccount.objects.get(code="toss")
    account.set_secrets("test_sk_wrong")
    account.save()
    refund = pg_refunds.ask(payment)
    for n in range(refund_sending.MOST_TRIES + 2):
        refund_sending.send_due(at=timezone.now() + timedelta(hours=2 * n))
    assert reloaded(refund).state == R.APPROVED
    assert pg_refunds.at_pg(payment) == []


def test_under_a_new_key_a_refund_of_unknown_outcome_is_asked_about_before_anything_is_sent(pg_refunds, staff):
    payment = pg_refunds.paid("toss")
    refund = pg_refunds.ask(payment, 10_000)
    pg_refunds.fault(payment, "hang", after_work=True, seconds=1)
    refund_sending.send_due(at=ago(20))
    assert reloaded(refund).state == R.UNKNOWN
    pg_refunds.shop.pgs.shop("toss", secrets=["test_sk_OMSFIXTURE00000000000002"])
    mend(payment.account, key="test_sk_OMSFIXTURE00000000000002", staff=staff)
    Refund.objects.filter(pk=refund.pk).update(due_at=ago(1))
    assert refund_sending.send_due(at=timezone.now()) == 0
    refund_checking.check_due(at=timezone.now())
    assert reloaded(refund).state == R.ACCEPTED
    assert pg_refunds.at_pg(payment) == [10_000]
    assert len(pg_refunds.calls(payment)) == 1
    assert broken() == []
