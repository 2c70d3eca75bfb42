"""What buyers are told of money: the account, the end of their time, the refund; each once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core import relay
from core.models import Message
from orders.models import Order, OrderEvent
from payments.models import VirtualAccount
from payments.services import refund_by_hand
from payments.services.reminding import remind_due
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


def told(template):
    return list(Message.objects.filter(template=template).order_by("pk"))


def test_the_account_is_told_once_it_is_open(pg_shop):
    order = pg_shop.order(pg_shop.account("toss"), buyer_phone="01012345678")
    relay.run_once(at=timezone.now())
    relay.run_once(at=timezone.now())
    [message] = told("deposit_account")
    virtual = VirtualAccount.objects.get()
    assert message.to == "01012345678"
    for part in (order.number, virtual.number, virtual.holder, "33,000원", "까지 입금해 주세요"):
        assert part in message.body
    assert OrderEvent.objects.filter(order=order, kind="virtual.issued").count() == 1
    assert broken() == []


def test_whoever_has_paid_already_is_told_no_account(pg_shop):
    order = pg_shop.order(pg_shop.account("toss"), buyer_phone="01012345678")
    Message.objects.all().delete()
    pg_shop.deposit(order)
    pg_shop.heard()
    relay.run_once(at=timezone.now())
    assert told("deposit_account") == []
    assert len(told("payment_confirmed")) == 1


def test_a_day_before_the_end_the_buyer_is_told_once(make_order):
    order = make_order(buyer_phone="01012345678")
    silent = make_order(buyer_phone="", recipient_phone="", buyer_email="")
    end = timezone.now() + timedelta(days=7)
    Order.objects.update(deposit_by=end, ordered_at=end - timedelta(days=7))
    assert remind_due(at=end - timedelta(days=1, seconds=1)) == 0
    assert remind_due(at=end - timedelta(hours=23)) == 1
    assert remind_due(at=end - timedelta(hours=22)) == 0
    assert remind_due(at=end) == 0
    [message] = told("deposit_due")
    assert order.number in message.body
    assert f"{reloaded(order).open_amount:,}원" in message.body
    assert reloaded(silent).paid_amount == 0
    Order.objects.filter(pk=order.pk).update(deposit_by=end + timedelta(days=3))
    assert remind_due(at=end + timedelta(days=2, hours=1)) == 1, "a new end is new"


def test_a_refund_that_is_done_is_told_once(paid_refund, staff):
    refund = paid_refund()
    Order.objects.update(buyer_phone="01012345678")
    relay.run_once(at=timezone.now())
    assert told("refund_completed") == []
    refund_by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=timezone.now())
    for _ in range(2):
        relay.run_once(at=timezone.now() + timedelta(hours=1))
    [message] = told("refund_completed")
    assert "10,000원을 환불했습니다" in message.body
