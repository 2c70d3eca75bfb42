"""Cases of payments.md 6 about money that does not fit: over a real socket, each with the state it must end in."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core import drains, relay
from core.invariants import find_violations
from orders.models import Order, OrderEvent
from orders.services import progress
from orders.states import CanceledBy, LineState
from payments.models import LedgerEntry, MoneyProblem, Payment, PgNotice, PgRequest, VirtualAccount
from payments.services import manual
from payments.services.notices import replaying
from payments.states import EntryKind, NoticeState, PaymentState, ProblemKind
from payments.tasks import cancel_unpaid_overdue
from tests.fixtures.orders import reloaded
from tests.fixtures.posts import all_at_once
from tests.payments.pg import portone_case
from tests.payments.pg.golden import NOTICE_KEY
from tests.payments.test_closing import at_once
from tests.payments.wire.golden_shop import effects, golden_shop, raw

pytestmark = pytest.mark.django_db(transaction=True)
WAITING, PREPARING, CANCELED = LineState.AWAITING_PAYMENT, LineState.PREPARING, LineState.CANCELED_UNPAID
UNTOUCHED = (WAITING, 0, PaymentState.PENDING)
PAID = (PREPARING, 33_000, PaymentState.PAID)
any_sum = pytest.mark.parametrize("pg", ["nicepay", "nicepay-form", "inicis", "inicis mobile"])
"""PGs that do not promise an exact sum (Capabilities.is_exact_amount); KCP will be another. Mobile notices of Inicis
bring back a proof of the sum asked for.
"""


def ledger(order):
    return list(LedgerEntry.objects.filter(payment__order=order).order_by("pk").values_list("kind", "amount"))


def problems(order):
    rows = MoneyProblem.objects.filter(order=order).order_by("pk")
    return [(one.kind, one.amount, one.resolution) for one in rows]


def cancel(order, staff):
    progress.cancel_unpaid(
        order_ids=[order.pk], actor=staff, at=timezone.now(), by=CanceledBy.STAFF, reason="고객 요청"
    )


@pytest.fixture
def fixed(pg_shop):
    """`fixed(pg)`: an order whose account takes any sum, and a function that pays and waits until we have heard."""

    def make(name):
        pg, _, channel = name.partition(" ")
        proof = {"channel": channel, "notice_key": NOTICE_KEY} if channel else {}
        account = pg_shop.account(pg)
        account.set_secrets(*account.secrets(), options=account.options() | proof)
        account.save()
        shop = pg_shop.pgs.read("shops", pg=pg)[0]
        pg_shop.pgs.shop(pg, options={**shop["options"], "is_exact_amount": False, **proof})
        order = pg_shop.order(account)

        def pay(amount):
            # The older form of NICEPAY tells two deposits of one second apart by nothing.
            pg_shop.pgs.control("clock", advance=1)
            pg_shop.deposit(order, amount)
            pg_shop.heard()
            return pg_shop.state(order)

        return order, pay

    return make


@any_sum
def test_a43_a44_too_little_waits_and_the_rest_confirms(pg_shop, fixed, pg):
    order, pay = fixed(pg)
    assert pay(32_999) == (WAITING, 32_999, PaymentState.PARTIAL)
    assert problems(order) == [(ProblemKind.UNDERPAID, 1, "")]
    assert pay(1) == PAID
    assert problems(order) == [(ProblemKind.UNDERPAID, 1, "FITS")]
    assert ledger(order) == [(EntryKind.DEPOSIT, 32_999), (EntryKind.DEPOSIT, 1)]
    assert OrderEvent.objects.filter(order=order, kind="line.paid").count() == 1
    assert find_violations() == []


@any_sum
def test_a45_too_much_confirms_and_the_difference_waits_for_a_person(pg_shop, fixed, pg):
    order, pay = fixed(pg)
    assert pay(34_000) == (PREPARING, 34_000, PaymentState.OVERPAID)
    assert problems(order) == [(ProblemKind.OVERPAID, 1_000, "")]
    assert ledger(order) == [(EntryKind.DEPOSIT, 34_000)]
    assert find_violations() == []


@any_sum
def test_a51_a_second_deposit_into_a_paid_account_is_booked_and_waits_for_a_person(pg_shop, fixed, pg):
    order, pay = fixed(pg)
    assert pay(33_000) == PAID
    assert pay(33_000) == (PREPARING, 66_000, PaymentState.OVERPAID)
    for notice in pg_shop.pgs.notices():
        pg_shop.pgs.control("notices/resend", id=notice["id"])
    pg_shop.heard()
    assert problems(order) == [(ProblemKind.DUPLICATE_DEPOSIT, 33_000, "")]
    assert ledger(order) == [(EntryKind.DEPOSIT, 33_000)] * 2
    assert OrderEvent.objects.filter(order=order, kind="line.paid").count() == 1
    assert find_violations() == []


def test_a50_money_after_the_deadline_is_kept_for_a_person(pg_shop):
    order = pg_shop.order(pg_shop.account("nicepay"))
    Order.objects.filter(pk=order.pk).update(deposit_by=timezone.now() - timedelta(minutes=1))
    assert cancel_unpaid_overdue(at=timezone.now()) == 1
    relay.run_once(at=timezone.now())
    pg_shop.heard()
    # The PG tells of the account that we have closed just now.
    pg_shop.heard()
    pg_shop.deposit(order, force=True)
    pg_shop.heard()
    assert pg_shop.state(order) == (CANCELED, 33_000, PaymentState.PAID)
    assert problems(order) == [(ProblemKind.LATE_AFTER_EXPIRE, 33_000, "")]
    assert ledger(order) == [(EntryKind.DEPOSIT, 33_000)]
    assert PgNotice.objects.filter(kind="DEPOSITED", state=NoticeState.PROCESSED).count() == 1
    assert find_violations() == []


def test_a52_an_account_number_that_was_used_before_pays_only_the_order_of_the_notice(pg_shop, staff):
    account = pg_shop.account("toss")
    old = pg_shop.order(account)
    cancel(old, staff)
    relay.run_once(at=timezone.now())
    pg_shop.heard()
    new = pg_shop.order(account)
    number = VirtualAccount.objects.get(payment__order=old).number
    VirtualAccount.objects.filter(payment__order=new).update(number=number)
    pg_shop.deposit(new)
    pg_shop.heard()
    assert pg_shop.state(new) == PAID
    assert pg_shop.state(old) == (CANCELED, 0, PaymentState.PENDING)
    assert (ledger(old), problems(old), problems(new)) == ([], [], [])


def test_a53_a_total_that_fell_after_the_account_was_opened_leaves_too_much(pg_shop):
    order = pg_shop.order(pg_shop.account("toss"))
    Order.objects.filter(pk=order.pk).update(goods_amount=30_000, due_amount=30_000)
    pg_shop.deposit(order)
    pg_shop.heard()
    assert pg_shop.state(order) == PAID
    assert problems(order) == [(ProblemKind.OVERPAID, 3_000, "")]


def test_a56_news_of_the_account_after_its_deposit_changes_nothing(pg_shop):
    shop = golden_shop(pg_shop, portone_case.CASE)
    shop.pay()
    assert shop.send(portone_case.F2) == shop.case.ack
    shop.settle()
    paid = effects()
    issued = portone_case.BODY.replace(b"Transaction.Paid", b"Transaction.VirtualAccountIssued")
    assert shop.send(portone_case.sent(issued, event="wh_2")) == shop.case.ack
    shop.settle()
    assert pg_shop.state(shop.order) == PAID
    notice = PgNotice.objects.get(event_key="wh_2")
    assert (notice.state, notice.reason) == (NoticeState.IGNORED, "no_change")
    assert effects() == paid


def test_a57_a_refund_that_is_heard_before_its_deposit_books_both_once(pg_shop):
    shop = golden_shop(pg_shop, portone_case.CASE)
    shop.pay()
    shop.act("refund")
    canceled = portone_case.BODY.replace(b"Transaction.Paid", b"Transaction.Cancelled")
    assert shop.send(portone_case.sent(canceled, event="wh_2")) == shop.case.ack
    shop.settle()
    ended = effects()
    assert shop.send(portone_case.F2) == shop.case.ack
    shop.settle()
    assert PgNotice.objects.get(event_key="wh_oms_0001").reason == "no_change"
    assert effects() == ended
    assert ledger(shop.order) == [(EntryKind.DEPOSIT, 33_000), (EntryKind.REFUND, -33_000)]
    assert pg_shop.state(shop.order) == (LineState.CANCELED, 0, PaymentState.REFUNDED)
    assert [kind for kind, *_ in problems(shop.order)] == [ProblemKind.REFUNDED_OUTSIDE]


@pytest.mark.parametrize("first", ["staff", "pg"])
def test_a60_a_confirmation_by_hand_and_the_notice_count_once(pg_shop, staff, first):
    order = pg_shop.order(pg_shop.account("toss"))
    if first == "staff":
        manual.confirm_manually(order_ids=[order.pk], actor=staff, at=timezone.now())
        assert pg_shop.state(order) == PAID
    pg_shop.deposit(order)
    pg_shop.heard()
    if first == "pg":
        manual.confirm_manually(order_ids=[order.pk], actor=staff, at=timezone.now())
    assert pg_shop.state(order) == PAID
    by_hand = [(EntryKind.MANUAL, 33_000), (EntryKind.DEPOSIT, 33_000), (EntryKind.MANUAL_REVERSAL, -33_000)]
    assert ledger(order) == (by_hand if first == "staff" else [(EntryKind.DEPOSIT, 33_000)])
    assert OrderEvent.objects.filter(order=order, kind="line.paid").count() == 1
    assert problems(order) == []
    assert find_violations() == []


def test_a60_by_hand_and_by_notice_in_the_same_moment(pg_shop, caught, staff):
    account = pg_shop.account("toss")
    for _ in range(5):
        order = pg_shop.order(account)
        posts = caught(order)
        pg_shop.pgs.request("DELETE", "/control/faults")

        def told(posts=posts):
            assert set(all_at_once(posts, pg_shop.url)) == {200}
            drains.run_all()

        def confirmed(order=order):
            manual.confirm_manually(order_ids=[order.pk], actor=staff, at=timezone.now())

        at_once(told, confirmed)
        PgNotice.objects.filter(state=NoticeState.RETRY).update(due_at=timezone.now())
        drains.run_all()
        assert pg_shop.state(order) == PAID
        assert sum(won for _, won in ledger(order)) == 33_000
        assert ledger(order).count((EntryKind.DEPOSIT, 33_000)) == 1
        assert OrderEvent.objects.filter(order=order, kind="line.paid").count() == 1
    assert find_violations() == []


def test_a67_a_payment_of_another_amount_at_the_pg_is_parked(pg_shop):
    shop = golden_shop(pg_shop, portone_case.CASE)
    Payment.objects.filter(order=shop.order).update(amount=330_000)
    shop.pay()
    before = effects()
    assert shop.send(portone_case.F2) == shop.case.ack
    shop.settle()
    notice = PgNotice.objects.get()
    assert (notice.state, notice.reason) == (NoticeState.PARKED, "mismatch_with_pg")
    assert [kind for kind, *_ in problems(shop.order)] == [ProblemKind.MISMATCH_WITH_PG]
    assert effects() | {"problems": []} == before


def test_a48_an_order_that_appears_within_half_an_hour_is_paid(pg_shop):
    account = pg_shop.account("inicis")
    order = pg_shop.order(account)
    payment = Payment.objects.get(order=order)
    ref = payment.order_ref
    Payment.objects.filter(pk=payment.pk).update(order_ref="20261121-0000000-9")
    pg_shop.pgs.control("payments/deposit", pg="inicis", order_ref=ref, amount=33_000)
    pg_shop.heard()
    assert set(PgNotice.objects.values_list("state", "reason")) == {(NoticeState.RETRY, "unknown_order")}
    assert pg_shop.state(order) == UNTOUCHED
    Payment.objects.filter(pk=payment.pk).update(order_ref=ref)
    drains.run_all(at=timezone.now() + timedelta(minutes=1))
    assert pg_shop.state(order) == PAID
    assert problems(order) == []


def test_a69_replaying_what_is_done_changes_nothing(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"))
    pg_shop.deposit(order)
    notices = pg_shop.heard()
    done = effects()
    ids = [one.pk for one in notices]
    at = timezone.now()
    forecasts = replaying.forecast(replaying.ask(ids), at=at)
    assert [(one.amount, one.is_change) for one in forecasts.values()] == [(0, False)]
    asked = replaying.replay(notice_ids=ids, actor=staff, at=at, forecasts=forecasts)
    assert set(asked.refused.values()) == {replaying.NO_CHANGE}
    assert effects() == done
    # Even when it is done against that advice.
    replaying.replay(notice_ids=ids, actor=staff, at=at)
    drains.run_all()
    assert set(PgNotice.objects.values_list("state", flat=True)) == {NoticeState.IGNORED}
    assert effects() | {"events": []} == done | {"events": []}


def test_every_stored_request_of_a_day_sent_again_changes_nothing(pg_shop, staff):
    """payments.md 5.12 (7): also after a reversal, a refund and a canceled order."""
    account = pg_shop.account("toss")
    orders = [pg_shop.order(account) for _ in range(3)]
    pg_shop.deposit(orders[0])
    pg_shop.deposit(orders[1])
    pg_shop.heard()
    pg_shop.act("reverse", Payment.objects.select_related("account").get(order=orders[0]))
    cancel(orders[2], staff)
    relay.run_once(at=timezone.now())
    pg_shop.heard()
    pg_shop.heard()
    done, count = effects(), PgNotice.objects.count()
    for one in list(PgRequest.objects.order_by("-pk")):
        headers = {"Content-Type": one.content_type} | one.headers
        assert raw(pg_shop.url, f"/payments/webhooks/{account.endpoint_token}/", bytes(one.body), headers)[0] == 200
    PgNotice.objects.update(state=NoticeState.RETRY, due_at=timezone.now(), finished_at=None)
    drains.run_all()
    assert PgNotice.objects.count() == count
    assert effects() | {"events": []} == done | {"events": []}
    assert reloaded(orders[0]).stage == WAITING
