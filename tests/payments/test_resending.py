"""입금 안내 재발송: who may send it, to whom, how often, and what the buyer reads."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core import relay
from core.models import Message
from orders.models import Order, OrderEvent, OrderLine, SalesChannel
from orders.services import progress
from orders.states import CanceledBy
from payments.models import AccountNotice, VirtualAccount
from payments.services import telling
from payments.services.manual import confirm_manually
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


def texts():
    return list(Message.objects.filter(template="deposit_account").order_by("pk").values_list("body", flat=True))


def resend(*orders, staff, at=None):
    ids = [one.pk for one in orders]
    return telling.resend_account(order_ids=ids, actor=staff, at=at or timezone.now())


def reasons(outcome):
    return set(outcome.refused.values())


def nothing_was_told():
    relay.run_once(at=timezone.now() + HOUR)
    found = AccountNotice.objects.exists() or OrderEvent.objects.filter(kind="payment.account_resent").exists()
    return not found


@pytest.fixture
def waiting(make_order, bank_account):
    """An unpaid 무통장입금 order whose buyer has read the account once."""
    order = make_order(price=39_000, at=timezone.now())
    relay.run_once(at=timezone.now() + HOUR)
    assert len(texts()) == 1
    return order


def test_the_buyer_reads_the_account_once_more(waiting, staff):
    outcome = resend(waiting, staff=staff)
    assert (len(outcome.moved), outcome.refused) == (1, {})
    for _ in range(2):
        relay.run_once(at=timezone.now() + HOUR)
    assert len(texts()) == 2
    assert texts()[0] == texts()[1]
    assert "국민은행 12345678901234, 예금주 가게, 39,000원" in texts()[1]
    event = OrderEvent.objects.get(kind="payment.account_resent")
    assert (event.order, event.actor) == (waiting, staff)
    assert reloaded(waiting).version == waiting.version
    assert broken() == []


def test_a_virtual_account_is_told_once_more(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"), buyer_phone="01012345678")
    relay.run_once(at=timezone.now() + HOUR)
    assert resend(order, staff=staff).refused == {}
    relay.run_once(at=timezone.now() + HOUR)
    assert len(texts()) == 2
    assert all(VirtualAccount.objects.get().number in text for text in texts())


def test_a_second_time_is_refused_for_an_hour_and_a_fourth_for_the_day(waiting, staff):
    noon = timezone.now().replace(hour=0, minute=30)
    Order.objects.update(deposit_by=noon + timedelta(days=5))
    assert resend(waiting, staff=staff, at=noon).refused == {}
    [text] = reasons(resend(waiting, staff=staff, at=noon + timedelta(minutes=59)))
    assert "에 이미 안내한 주문입니다." in text
    assert AccountNotice.objects.count() == 1
    for hours in (1, 2):
        assert resend(waiting, staff=staff, at=noon + hours * HOUR).refused == {}
    assert reasons(resend(waiting, staff=staff, at=noon + 3 * HOUR)) == {telling.TOO_OFTEN.format(most=3)}
    assert AccountNotice.objects.count() == OrderEvent.objects.filter(kind="payment.account_resent").count() == 3
    assert resend(waiting, staff=staff, at=noon + 24 * HOUR).refused == {}


def test_who_has_paid_is_told_nothing(waiting, staff):
    confirm_manually(order_ids=[waiting.pk], actor=staff, at=timezone.now())
    assert reasons(resend(waiting, staff=staff)) == {telling.NOT_WAITING}
    assert nothing_was_told()


def test_who_pays_before_the_text_goes_out_is_told_nothing(waiting, staff):
    resend(waiting, staff=staff)
    confirm_manually(order_ids=[waiting.pk], actor=staff, at=timezone.now())
    relay.run_once(at=timezone.now() + HOUR)
    assert len(texts()) == 1


@pytest.mark.parametrize("case", ["canceled", "overdue", "market", "nobody", "no account"])
def test_refused_with_the_reason_and_nothing_is_told(waiting, bank_account, staff, case):
    now = timezone.now()
    match case:
        case "canceled":
            progress.cancel_unpaid(order_ids=[waiting.pk], actor=staff, at=now, by=CanceledBy.STAFF)
            wanted = telling.NOT_WAITING
        case "overdue":
            Order.objects.update(deposit_by=now - timedelta(seconds=1))
            wanted = telling.OVER
        case "market":
            SalesChannel.objects.update(notifies_buyers=False)
            wanted = telling.BY_MARKET
        case "nobody":
            Order.objects.update(buyer_phone="", recipient_phone="", buyer_email="")
            wanted = telling.NOBODY
        case _:
            type(bank_account).objects.update(is_active=False)
            wanted = telling.NO_BANK
    assert reasons(resend(waiting, staff=staff, at=now)) == {wanted}
    assert nothing_was_told()
    assert len(texts()) == 1


def test_an_account_that_is_not_open_yet_is_told_by_nobody(pg_shop, staff):
    order = pg_shop.order(pg_shop.account("toss"), buyer_phone="01012345678")
    VirtualAccount.objects.update(state="PENDING")
    assert reasons(resend(order, staff=staff)) == {telling.NOT_OPEN}
    assert nothing_was_told()


def test_the_act_stands_in_the_list_and_in_the_box_and_counts_its_messages(waiting, sign_in, press):
    client = sign_in(Role.CS)
    assert 'data-action="resend-account"' in client.get("/orders/awaiting-payment/").content.decode()
    box = client.get(f"/orders/{waiting.number}/").content.decode().split("data-resend")[1]
    assert 'data-action="resend-account"' in box[:300]
    rows = [(waiting.pk, reloaded(waiting).version)]
    preview, answer = press(client, "resend-account", "awaiting-payment", rows)
    assert "입금 안내를 다시 보냅니다" in preview.content.decode()
    assert (answer.status_code, AccountNotice.objects.count()) == (200, 1)
    assert "입금 안내를 다시 보냈습니다" in answer.content.decode()
    again, none = press(client, "resend-account", "awaiting-payment", rows)
    assert "에 이미 안내한 주문입니다." in again.content.decode()
    assert none is None or none.status_code == 409
    assert AccountNotice.objects.count() == 1


@pytest.mark.parametrize("role", [Role.LOGISTICS, Role.VIEWER, Role.AUDITOR])
def test_who_may_not_send_it_sees_no_button(waiting, sign_in, press, role):
    client = sign_in(role)
    assert 'data-action="resend-account"' not in client.get(f"/orders/{waiting.number}/").content.decode()
    preview, _ = press(client, "resend-account", "awaiting-payment", [(waiting.pk, waiting.version)])
    assert preview.status_code == 403
    assert not AccountNotice.objects.exists()


def test_two_lines_of_one_order_are_one_message(make_order, bank_account, make_variant, staff):
    order = make_order(lines=[(make_variant(), 1), (make_variant(), 2)], at=timezone.now())
    outcome = resend(order, staff=staff)
    assert len(outcome.moved) == OrderLine.objects.filter(order=order).count() == 2
    assert AccountNotice.objects.count() == 1
