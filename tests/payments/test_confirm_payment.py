"""입금확인 of a whole list, through the screen (domain.md A02)."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from core import relay
from core.lists import lists
from core.models import Message
from core.models.events import DeliveryState
from orders.models import Delivery, Order, OrderEvent, OrderLine
from orders.services import progress
from orders.states import CanceledBy, LineState
from payments.models import LedgerEntry, Payment
from payments.states import PaymentState
from tests.fixtures.answers import text_of
from tests.fixtures.orders import broken, reloaded

S = LineState
URL = "/orders/awaiting-payment/"
HX = {"HX-Request": "true"}


@pytest.fixture
def thirty(make_order, make_variant):
    variant = make_variant(on_hand=100)
    at = timezone.now()
    return [make_order(lines=[(variant, 1)], at=at - timedelta(minutes=n)) for n in range(30)]


@pytest.fixture
def client(sign_in, staff):
    return sign_in(staff, headers=HX)


def rows_on_screen(client):
    """What the page checkbox selects: the ids and versions of the rows that are shown."""
    page = client.get(URL, headers={"HX-Target": "list"}).content.decode()
    return re.findall(r'<tbody id="row-\d+"[^>]* data-id="(\d+)" data-version="(\d+)"', page)


def press(client, name, rows, **fields):
    values = {"page": "awaiting-payment", "mode": "ids", "rows": ",".join(f"{pk}:{v}" for pk, v in rows)}
    return client.post(f"/acts/{name}/", values | fields)


def apply(client, answer, **fields):
    job = re.search(r"/acts/([0-9a-f-]{36})/apply/", answer.content.decode()).group(1)
    return client.post(f"/acts/{job}/apply/", fields)


def state_of(order):
    return OrderLine.objects.get(order=order).state


def test_thirty_selected_27_confirmed_3_refused_with_their_reasons(thirty, client, staff, deposit):
    short = [deposit(thirty[0], 4_000), deposit(thirty[1], 9_999)]
    rows = rows_on_screen(client)
    assert len(rows) == 30
    gone = thirty[2]
    progress.cancel_unpaid(order_ids=[gone.pk], actor=None, at=timezone.now(), by=CanceledBy.BUYER, source="API")
    before = {one.pk: (reloaded(one).version, reloaded(one).paid_amount) for one in (*short, gone)}
    booked = LedgerEntry.objects.count()

    preview = press(client, "confirm-payment", rows)
    said = text_of(preview)
    assert "27건을 상품준비중으로 바꿉니다" in said
    assert "30건 중 27건을 처리합니다. 3건은 제외합니다." in said
    assert "입금액이 주문 금액과 6,000원 다릅니다. 1건" in said
    assert "입금액이 주문 금액과 1원 다릅니다. 1건" in said
    assert "화면을 연 뒤" in said
    assert "입금전취소" in said
    assert "고객에게 알림 27건을 보냅니다." in said
    assert OrderLine.objects.filter(state=S.PREPARING).count() == 0
    assert LedgerEntry.objects.count() == booked

    result = apply(client, preview)
    assert "30건 중 27건을 상품준비중으로 바꿨습니다." in text_of(result)
    assert OrderLine.objects.filter(state=S.PREPARING).count() == 27
    confirmed = Order.objects.exclude(pk__in=before)
    assert set(confirmed.values_list("paid_amount", flat=True)) == {10_000}
    assert LedgerEntry.objects.filter(kind="MANUAL").count() == 27
    for order in (*short, gone):
        assert (reloaded(order).version, reloaded(order).paid_amount) == before[order.pk]
    assert [state_of(one) for one in (*short, gone)] == [S.AWAITING_PAYMENT, S.AWAITING_PAYMENT, S.CANCELED_UNPAID]

    notices = Delivery.objects.filter(subscriber="orders.handlers.tell_payment_confirmed", state=DeliveryState.PENDING)
    assert notices.count() == 27
    relay.run_once(at=timezone.now())
    assert not Message.objects.filter(template="payment_confirmed").exists()
    relay.run_once(at=timezone.now() + timedelta(minutes=6))
    assert Message.objects.filter(template="payment_confirmed").count() == 27
    assert broken() == []


def test_the_whole_result_is_confirmed_without_orders_that_came_later(thirty, client, staff, make_order, make_variant):
    at = timezone.now()
    later = make_order(lines=[(make_variant(on_hand=5), 1)], at=at)
    Order.objects.filter(pk=later.pk).update(created_at=at + timedelta(seconds=5))
    answer = press(client, "confirm-payment", [], mode="filter", query="", as_of=at.isoformat(), expected="30")
    assert "30건을 상품준비중으로 바꿉니다" in text_of(answer)
    apply(client, answer)
    assert OrderLine.objects.filter(state=S.PREPARING).count() == 30
    assert state_of(later) == S.AWAITING_PAYMENT


def test_undo_takes_money_and_lines_back_and_no_notice_leaves(thirty, client):
    rows = rows_on_screen(client)[:3]
    result = apply(client, press(client, "confirm-payment", rows))
    uuid = re.search(r'data-result="([0-9a-f-]{36})"', result.content.decode()).group(1)
    assert "data-undo" in result.content.decode()
    undone = client.post(f"/jobs/{uuid}/undo/")
    assert "3건을 되돌립니다" in text_of(undone)
    client.post(f"/jobs/{uuid}/undo/apply/")
    assert OrderLine.objects.filter(state=S.AWAITING_PAYMENT).count() == 30
    assert set(Order.objects.values_list("paid_amount", flat=True)) == {0}
    assert set(Payment.objects.values_list("state", flat=True)) == {PaymentState.PENDING}
    relay.run_once(at=timezone.now() + timedelta(hours=1))
    assert not Message.objects.exists()
    assert broken() == []


def test_cancel_asks_for_a_reason_and_keeps_orders_with_money(thirty, client, deposit):
    held = deposit(thirty[0], 5_000)
    rows = rows_on_screen(client)
    preview = press(client, "cancel-unpaid", rows)
    assert "29건을 입금전취소로 바꿉니다" in text_of(preview)
    refused = apply(client, preview)
    assert refused.status_code == 422
    assert "사유를 입력하세요." in text_of(refused)
    assert not OrderLine.objects.filter(state=S.CANCELED_UNPAID).exists()
    apply(client, preview, reason="재고 없음")
    assert OrderLine.objects.filter(state=S.CANCELED_UNPAID).count() == 29
    assert state_of(held) == S.AWAITING_PAYMENT
    assert set(OrderEvent.objects.filter(kind="line.canceled_unpaid").values_list("reason", flat=True)) == {"재고 없음"}


def test_confirmed_orders_leave_the_list_and_its_count(thirty, client):
    assert lists.menu_counts()["awaiting-payment"] == 30
    apply(client, press(client, "confirm-payment", rows_on_screen(client)))
    assert lists.menu_counts()["awaiting-payment"] == 0
    assert rows_on_screen(client) == []
