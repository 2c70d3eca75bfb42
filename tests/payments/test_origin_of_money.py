"""Money by hand beside a PG: who may confirm it, what the dialog says, and the way in which it goes back."""

from datetime import timedelta
from html import escape

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.settings_registry import set_setting
from orders.models import OrderEvent
from orders.services.locking import locked_orders
from orders.states import LineState
from payments.models import LedgerEntry, Payment, Refund
from payments.options import SECOND_FROM
from payments.services import manual
from payments.services.gateway import refund_checking, refund_sending
from payments.services.ledger.booking import book, payments_of
from payments.services.refunds import by_hand, requesting, retrying
from payments.states import EntryKind, RefundState, RefundWay
from tests.fixtures.orders import broken, reloaded
from tests.fixtures.refunds import ACCOUNT

pytestmark = pytest.mark.django_db(transaction=True)
WARNING = "주의: 주문 1건은 지금 PG에 물어보니 입금이 없습니다."


@pytest.fixture
def waiting(pg_shop):
    """An unpaid order with a virtual account at the sandbox's Toss."""
    return pg_shop.order(pg_shop.account("toss"))


@pytest.fixture
def mixed(pg_refunds):
    """33,000 won by the PG and 5,000 won by hand."""
    payment = pg_refunds.paid("toss")
    with locked_orders([payment.order_id], actor=pg_refunds.staff) as (orders, _):
        [locked] = payments_of(orders).values()
        book([(locked, EntryKind.MANUAL, "by hand", 5_000)], at=timezone.now(), actor=pg_refunds.staff)
    return Payment.objects.select_related("account", "order").get(pk=payment.pk)


def rows_of(order):
    return [(order.pk, reloaded(order).version)]


def nothing_moved(order):
    is_waiting = reloaded(order).stage == LineState.AWAITING_PAYMENT
    return is_waiting and not LedgerEntry.objects.exists() and not OrderEvent.objects.filter(kind="line.paid").exists()


def asked(payment, staff, won, **facts):
    ask = requesting.Ask(payment_id=payment.pk, amount=won, **{"account": ACCOUNT, **facts})
    return requesting.request(asks=[ask], reason="고객 요청", actor=staff, at=timezone.now())


def ways(requested):
    return [(one.way, one.amount) for one in requested.refunds]


def test_cs_may_not_confirm_what_a_pg_tells_of(waiting, make_staff, sign_in, press):
    preview, answer = press(sign_in(Role.CS), "confirm-payment", "awaiting-payment", rows_of(waiting))
    assert escape(manual.TOLD_BY_PG) in preview.content.decode()
    assert answer is None
    cs = make_staff(Role.CS)
    outcome = manual.confirm_manually(order_ids=[waiting.pk], actor=cs, at=timezone.now())
    assert set(outcome.refused.values()) == {manual.TOLD_BY_PG}
    assert nothing_moved(waiting)


def test_finance_is_warned_that_the_pg_shows_nothing_and_the_page_tells_the_two_apart(waiting, sign_in, press):
    client = sign_in(Role.FINANCE)
    preview, answer = press(client, "confirm-payment", "awaiting-payment", rows_of(waiting))
    assert WARNING in preview.content.decode()
    assert answer.status_code == 200
    assert reloaded(waiting).stage == LineState.PREPARING
    page = client.get(f"/orders/{waiting.number}/").content.decode()
    assert "직접 입금확인 33,000원" in page.split("data-our-state")[1][:120]
    assert "입금 없음" in page.split("data-pg-state")[1][:60]
    assert "직접 입금확인한 33,000원은 PG에 없는 돈입니다." in page


def test_what_the_pg_has_is_not_booked_by_hand(waiting, pg_shop, sign_in, press):
    pg_shop.pgs.fault("hold", times=None)
    pg_shop.deposit(waiting)
    preview, answer = press(sign_in(Role.FINANCE), "confirm-payment", "awaiting-payment", rows_of(waiting))
    assert escape(manual.PAID_AT_PG) in preview.content.decode()
    assert answer is None
    assert nothing_moved(waiting)


def test_a_pg_that_is_silent_is_said_to_be_silent(waiting, pg_shop, sign_in, press):
    pg_shop.pgs.fault("status", pg="toss", method="GET", times=None)
    preview, _ = press(sign_in(Role.FINANCE), "confirm-payment", "awaiting-payment", rows_of(waiting))
    text = preview.content.decode()
    assert "주의: 주문 1건은 PG에 입금이 있는지 확인하지 못했습니다." in text
    assert WARNING not in text


def test_an_order_without_a_pg_is_confirmed_as_ever(make_order, sign_in, press):
    order = make_order(price=10_000, at=timezone.now())
    preview, answer = press(sign_in(Role.CS), "confirm-payment", "awaiting-payment", rows_of(order))
    assert "주의" not in preview.content.decode()
    assert answer.status_code == 200
    assert reloaded(order).stage == LineState.PREPARING


def test_money_by_hand_goes_back_by_transfer_and_the_pg_is_never_asked(waiting, pg_refunds):
    staff = pg_refunds.staff
    manual.confirm_manually(order_ids=[waiting.pk], actor=staff, at=timezone.now())
    payment = Payment.objects.select_related("account", "order").get(order=waiting)
    assert (requesting.way_of(payment), requesting.needs_account(payment)) == (RefundWay.BANK, True)
    assert asked(payment, staff, 33_000, account=None).refused == {0: requesting.NO_ACCOUNT}
    assert not Refund.objects.exists()
    [refund] = asked(payment, staff, 33_000).refunds
    assert (refund.way, refund.account, reloaded(refund).state) == (RefundWay.BANK, ACCOUNT, RefundState.APPROVED)
    assert refund_sending.send_due(at=timezone.now()) == 0
    by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=timezone.now())
    assert pg_refunds.ledger(payment) == [(EntryKind.MANUAL, 33_000), (EntryKind.PAID_OUT, -33_000)]
    assert pg_refunds.calls(payment) == []
    assert broken() == []


def test_mixed_money_goes_back_in_two_ways(mixed, pg_refunds):
    assert requesting.way_of(mixed) == RefundWay.BANK
    requested = asked(mixed, pg_refunds.staff, 38_000)
    assert ways(requested) == [(RefundWay.PG, 33_000), (RefundWay.BANK, 5_000)]
    assert refund_sending.send_due(at=timezone.now()) == 1
    through_pg, by_bank = requested.refunds
    assert reloaded(through_pg).state == RefundState.ACCEPTED
    by_hand.pay_out(refund_ids=[by_bank.pk], actor=pg_refunds.staff, at=timezone.now())
    assert reloaded(by_bank).state == RefundState.COMPLETED
    assert pg_refunds.at_pg(mixed) == [33_000]
    assert reloaded(mixed).balance == 0
    assert broken() == []


def test_what_is_promised_through_the_pg_is_not_promised_twice(mixed, pg_refunds):
    first, second = asked(mixed, pg_refunds.staff, 30_000), asked(mixed, pg_refunds.staff, 5_000)
    assert ways(first) == [(RefundWay.PG, 30_000)]
    assert ways(second) == [(RefundWay.PG, 3_000), (RefundWay.BANK, 2_000)]
    third = asked(mixed, pg_refunds.staff, 3_001)
    assert "환불 가능 금액을 초과" in third.refused[0]
    assert sum(one.amount for one in Refund.objects.all()) == 35_000


def test_parts_do_not_slip_below_the_sum_that_takes_two_people(mixed, pg_refunds):
    set_setting(key=SECOND_FROM.key, value=35_000, actor=pg_refunds.staff, at=timezone.now())
    requested = asked(mixed, pg_refunds.staff, 38_000)
    assert [one.needs_second for one in requested.refunds] == [True, True]
    assert {reloaded(one).state for one in requested.refunds} == {RefundState.DRAFT}


def test_a_refund_that_bounced_is_not_sent_through_the_pg_again(pg_refunds):
    payment = pg_refunds.paid("toss")
    refund = pg_refunds.ask(payment)
    refund_sending.send_due(at=timezone.now())
    pg_refunds.shop.act("fail-refund", payment)
    refund_checking.check_due(at=timezone.now() + timedelta(hours=2))
    facts = {"refund_ids": [refund.pk], "actor": pg_refunds.staff, "at": timezone.now()}
    outcome = retrying.retry(**facts, way=RefundWay.PG)
    assert outcome.refused == {refund.pk: requesting.OVER_AT_PG.format(rest=0)}
    assert reloaded(refund).state == RefundState.FAILED
    # Left to itself it goes by bank transfer: the PG has nothing of it any more.
    assert retrying.retry(**facts).moved_ids == [refund.pk]
    assert reloaded(refund).way == RefundWay.BANK
    assert ways(asked(payment, pg_refunds.staff, 1)) == []
    requesting.withdraw(**facts, reason="다시 신청")
    assert ways(asked(payment, pg_refunds.staff, 33_000)) == [(RefundWay.BANK, 33_000)]
    assert broken() == []
