"""What buyers are told of money: the account, the end of their time, the refund; each once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core import drains, relay
from core.calendar import KST
from core.jobs.undo import open_undo
from core.models import Message
from orders.models import Delivery, Order, OrderEvent, SalesChannel
from orders.services import progress
from orders.states import CanceledBy, Fault
from payments.actions.payments import CancelUnpaid
from payments.models import BankAccount, Refund, VirtualAccount
from payments.services.manual import confirm_manually
from payments.services.refunds import by_hand
from payments.services.refunds.canceling import cancel_and_refund
from payments.services.reminding import remind_due
from tests.fixtures.orders import broken, reloaded
from tests.fixtures.refunds import ACCOUNT
from tests.fixtures.work import confirmed, previewed

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


def test_who_has_just_ordered_is_told_no_deadline_before_a_day_is_over(make_order):
    make_order(buyer_phone="01012345678")
    ordered = timezone.now()
    Order.objects.update(ordered_at=ordered, deposit_by=ordered + timedelta(hours=36))
    assert remind_due(at=ordered + timedelta(hours=13)) == 0, "the account was told this very day"
    assert remind_due(at=ordered + timedelta(hours=25)) == 1
    Order.objects.update(ordered_at=ordered, deposit_by=ordered + timedelta(hours=24))
    Message.objects.all().delete()
    assert remind_due(at=ordered + timedelta(hours=23)) == 0


def test_a_refund_that_is_done_is_told_once(paid_refund, staff):
    refund = paid_refund()
    Order.objects.update(buyer_phone="01012345678")
    relay.run_once(at=timezone.now())
    assert told("refund_completed") == []
    by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=timezone.now())
    for _ in range(2):
        relay.run_once(at=timezone.now() + timedelta(hours=1))
    [message] = told("refund_completed")
    assert "10,000원을 환불했습니다" in message.body


@pytest.fixture
def told_all():
    """`told_all()`: the relay has handed over everything that is due in an hour; twice, as it may."""

    def run(*, times=2):
        for _ in range(times):
            relay.run_once(at=timezone.now() + timedelta(hours=1))

    return run


def test_a_bank_transfer_is_told_the_account_of_the_shop_once(make_order, bank_account, told_all):
    order = make_order(price=39_000, at=timezone.now())
    told_all()
    [message] = told("deposit_account")
    due = reloaded(order).deposit_by.astimezone(KST)
    facts = f"국민은행 12345678901234, 예금주 가게, 39,000원. {due:%Y-%m-%d %H:%M}까지"
    assert message.to == "01012345678"
    assert f"주문 {order.number}의 입금 계좌입니다. {facts}" in message.body
    assert broken() == []


def test_nobody_is_told_an_account_who_has_paid_or_canceled_or_has_none(make_order, bank_account, staff, told_all):
    paid, gone = make_order(at=timezone.now()), make_order(at=timezone.now())
    make_order(paid=True)
    confirm_manually(order_ids=[paid.pk], actor=staff, at=timezone.now())
    progress.cancel_unpaid(order_ids=[gone.pk], actor=staff, at=timezone.now(), by=CanceledBy.STAFF)
    told_all()
    assert told("deposit_account") == []
    BankAccount.objects.update(is_active=False)
    make_order(at=timezone.now())
    told_all()
    assert told("deposit_account") == []


def test_a_revived_order_is_told_its_account_again(make_order, bank_account, staff, told_all):
    order = make_order(price=39_000, at=timezone.now() - timedelta(days=2))
    told_all()
    progress.cancel_unpaid(order_ids=[order.pk], actor=None, at=timezone.now(), by=CanceledBy.DEADLINE)
    told_all()
    Order.objects.update(deposit_by=timezone.now() - timedelta(days=1))
    progress.revive(order_ids=[order.pk], actor=staff, at=timezone.now(), reason="고객 요청")
    told_all()
    first, second = told("deposit_account")
    due = reloaded(order).deposit_by.astimezone(KST)
    assert f"{due:%Y-%m-%d %H:%M}까지" in second.body
    assert first.body != second.body
    assert len(told("order_canceled")) == 1


def test_a_revived_order_with_a_kept_virtual_account_is_told_it_again_and_a_new_one_once(pg_shop, staff, told_all):
    order = pg_shop.order(pg_shop.account("toss"), buyer_phone="01012345678")
    told_all()
    [first] = told("deposit_account")

    def end_and_revive():
        progress.cancel_unpaid(order_ids=[order.pk], actor=staff, at=timezone.now(), by=CanceledBy.STAFF)
        Order.objects.filter(pk=order.pk).update(deposit_by=timezone.now() + timedelta(days=7))

    end_and_revive()
    progress.revive(order_ids=[order.pk], actor=staff, at=timezone.now(), reason="고객 요청")
    told_all()
    assert [one.body for one in told("deposit_account")] == [first.body, first.body]
    end_and_revive()
    told_all()
    drains.run_all()
    progress.revive(order_ids=[order.pk], actor=staff, at=timezone.now(), reason="고객 요청")
    told_all()
    drains.run_all()
    told_all()
    bodies = [one.body for one in told("deposit_account")]
    assert len(bodies) == 3
    assert VirtualAccount.objects.get().number in bodies[-1]
    assert bodies[-1] != first.body


def test_an_undone_cancel_tells_no_account_again(make_order, bank_account, staff, told_all):
    order = make_order(at=timezone.now())
    told_all()
    batch = confirmed(previewed(CancelUnpaid(), list(order.lines.all()), actor=staff), actor=staff)
    confirmed(open_undo(job=batch, actor=staff, at=batch.finished_at), actor=staff)
    told_all()
    assert len(told("deposit_account")) == 1
    assert reloaded(order).stage == "AWAITING_PAYMENT"


def test_a_market_tells_its_buyers_itself(make_order, bank_account, staff, told_all, lines_of):
    market = SalesChannel.objects.create(code="market", name="마켓", notifies_buyers=False)
    unpaid, canceled, paid = (make_order(on=market, at=timezone.now()) for _ in range(3))
    confirm_manually(order_ids=[paid.pk], actor=staff, at=timezone.now())
    progress.cancel_unpaid(order_ids=[canceled.pk], actor=staff, at=timezone.now(), by=CanceledBy.STAFF)
    asked = cancel_and_refund(
        line_ids=[line.pk for line in lines_of(paid)], fault=Fault.SELLER, reason="품절", account=ACCOUNT, actor=staff,
        at=timezone.now(),
    )  # fmt: skip
    assert asked.refused == {}
    by_hand.pay_out(refund_ids=[Refund.objects.get().pk], actor=staff, at=timezone.now())
    end = timezone.now() + timedelta(hours=20)
    Order.objects.filter(pk=unpaid.pk).update(deposit_by=end, ordered_at=end - timedelta(days=7))
    assert remind_due(at=timezone.now()) == 0
    told_all()
    assert not Message.objects.exists()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"DONE"}


def test_paid_lines_that_are_canceled_are_told_and_the_last_one_ends_the_order(
    make_order, make_variant, staff, lines_of, told_all
):
    goods = [(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)]
    order = make_order(lines=goods, paid=True, at=timezone.now())
    first, second = lines_of(order)
    facts = {"fault": Fault.SELLER, "reason": "창고에서 못 찾음", "actor": staff, "at": timezone.now()}
    assert cancel_and_refund(line_ids=[first.pk], **facts).refused == {}
    told_all()
    [message] = told("lines_canceled")
    assert f"주문 {order.number}에서 취소한 상품이 있습니다. {first.product_name}, 사유: 판매자 취소" in message.body
    assert second.product_name not in message.body
    assert told("order_canceled") == []
    assert cancel_and_refund(line_ids=[second.pk], **facts).refused == {}
    told_all()
    [last] = told("order_canceled")
    assert f"주문을 취소했습니다. 주문번호 {order.number}, 사유: 판매자 취소" in last.body
    assert len(told("lines_canceled")) == 1
    assert not Message.objects.filter(body__contains="창고").exists()


@pytest.mark.parametrize(
    ("fault", "by", "words"),
    [
        (Fault.BUYER, CanceledBy.BUYER, "고객 요청"),
        (Fault.SELLER, CanceledBy.STAFF, "판매자 취소"),
        (Fault.NONE, "", "그 밖의 사정"),
    ],
)
def test_the_buyer_is_told_who_caused_the_cancel(make_order, make_variant, staff, lines_of, told_all, fault, by, words):
    goods = [(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)]
    order = make_order(lines=goods, paid=True, at=timezone.now())
    for line, template in zip(lines_of(order), ("lines_canceled", "order_canceled"), strict=True):
        facts = {"fault": fault, "reason": "전화로 부탁", "actor": staff, "at": timezone.now()}
        assert cancel_and_refund(line_ids=[line.pk], **facts).refused == {}
        told_all()
        [message] = told(template)
        assert f"사유: {words}" in message.body
        assert reloaded(line).canceled_by == by
