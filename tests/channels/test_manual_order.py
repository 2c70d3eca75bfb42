"""주문 직접 등록: lines by search, amounts, one order per form however often the button is pressed."""

import re
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.roles import Role
from channels.models import ChannelListing, IdempotencyKey
from core.form_words import STALE
from orders.models import Order, OrderEvent, SalesChannel
from orders.states import LineState
from payments.models import Payment
from products.models import StockMovement

URL = "/orders/new/"
KEY = "0123456789abcdef0123456789abcdef"


def typed(variant: Any = None, **fields: Any) -> dict[str, Any]:
    """What the form posts for one line of 2 × 12,000 won."""
    data = {
        "key": KEY,
        "channel": SalesChannel.objects.get(code="mall").pk,
        "buyer_name": "홍길동",
        "buyer_phone": "010-1234-5678",
        "recipient_name": "김수령",
        "recipient_phone": "010-8765-4321",
        "zip_code": "06234",
        "address1": "서울 강남구 테헤란로 4321",
        "delivery_method": "PARCEL",
        "payment_method": "BANK_TRANSFER",
        "depositor_name": "홍길동",
        "discount_amount": "1,000",
        "shipping_fee_amount": "3,000",
        "line-TOTAL_FORMS": "0",
        "line-INITIAL_FORMS": "0",
        "save": "1",
    }
    if variant is not None:
        data |= {
            "line-TOTAL_FORMS": "1",
            "line-0-variant": variant.pk,
            "line-0-quantity": "2",
            "line-0-unit_price": "12,000",
        }
    return data | fields


@pytest.fixture
def client(sign_in) -> Client:
    return sign_in(Role.CS)


def test_a_typed_order_waits_for_its_deposit(client, make_variant):
    variant = make_variant(on_hand=5)
    answer = client.post(URL, typed(variant))
    order = Order.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == f"/orders/{order.number}/"
    assert (order.due_amount, order.stage, order.recipient_phone) == (26_000, LineState.AWAITING_PAYMENT, "01087654321")
    assert order.lines.get().variant_id == variant.pk
    assert Payment.objects.get().state == "PENDING"
    event = OrderEvent.objects.get(kind="order.received")
    assert (event.source, event.actor.role) == ("SCREEN", Role.CS)
    assert StockMovement.objects.get(variant=variant, kind="DEMAND").actor == event.actor
    assert not ChannelListing.objects.exists()


def test_a_card_order_is_paid_at_once(client, make_variant):
    client.post(URL, typed(make_variant(), payment_method="CARD"))
    assert Order.objects.get().stage == LineState.PREPARING
    assert Payment.objects.get().state == "PAID"


def test_pressing_twice_is_one_order_and_another_order_needs_another_form(client, make_variant):
    variant = make_variant()
    first = client.post(URL, typed(variant))
    again = client.post(URL, typed(variant))
    assert again["Location"] == first["Location"]
    other = client.post(URL, typed(variant, recipient_name="다른 사람"))
    assert other.status_code == 409
    assert "이 화면에서 이미 주문을 등록했습니다." in other.content.decode()
    assert Order.objects.count() == IdempotencyKey.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_presses_at_once_are_one_order(sign_in, make_staff, make_variant):
    person, variant = make_staff(Role.CS), make_variant()
    data = typed(variant)
    clients = [sign_in(person) for _ in range(20)]
    answers: list[int] = []

    def press(browser: Client) -> None:
        try:
            answers.append(browser.post(URL, data).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=(browser,)) for browser in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {302, 409}
    assert answers.count(302) >= 1
    assert Order.objects.count() == 1
    assert Payment.objects.count() == 1


def test_a_search_adds_and_removes_lines_and_keeps_what_was_typed(client, make_variant):
    variant = make_variant(sku="CAP-1", price=9_900)
    data = {name: value for name, value in typed().items() if name != "save"}
    found = client.post(URL, data | {"find": "1", "q": "CAP"}).content.decode()
    assert "CAP-1" in found
    assert "홍길동" in found
    added = client.post(URL, data | {"add": variant.pk})
    assert added.context["lines"].total_form_count() == 1
    assert "9900" in added.content.decode()
    assert added.context["form"].initial["key"] == KEY
    lines = {name: value for name, value in added.context["lines"].data.items() if name.startswith("line-")}
    gone = client.post(URL, data | lines | {"remove": "0"})
    assert gone.context["lines"].total_form_count() == 0
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"recipient_phone": "1"}, "전화번호는 010-1234-5678처럼 입력하세요."),
        ({"zip_code": "123"}, "우편번호는 숫자 5자리로 입력하세요."),
        ({"address1": ""}, "주소를 입력하세요."),
        ({"line-0-quantity": "0"}, "1"),
        ({"line-0-quantity": "1e5"}, "정수"),
        ({"line-0-unit_price": "-1"}, "0"),
        ({"line-0-variant": "999999999"}, "등록되지 않은 품목이 있습니다."),
        ({"line-TOTAL_FORMS": "0"}, "품목을 하나 이상 추가하세요."),
        ({"discount_amount": "99,999"}, "할인과 쿠폰, 적립금이 주문 금액보다 큽니다."),
        ({"channel": "0"}, "없는 판매채널입니다."),
        ({"payment_method": "FREE"}, "고를 수 없는 값입니다. 목록에 있는 값에서 다시 고르세요."),
        ({"key": "x"}, STALE),
        ({"delivery_note": "가" * 501}, "500"),
        ({"line-TOTAL_FORMS": "99999"}, ""),
        ({"line-TOTAL_FORMS": "x"}, STALE),
    ],
)
def test_bad_input_is_refused_with_a_sentence_and_nothing_stored(client, make_variant, fields, text):
    answer = client.post(URL, typed(make_variant()) | fields)
    assert answer.status_code in {400, 422}
    assert text in answer.content.decode()
    assert not Order.objects.exists()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("fields", [{"key": "x"}, {"line-TOTAL_FORMS": "x"}, {"key": ""}])
def test_hidden_inputs_are_spoken_of_in_korean_and_once(client, make_variant, fields):
    page = client.post(URL, typed(make_variant()) | fields).content.decode()
    text = re.sub(r"<[^>]+>", " ", page.split("<main")[1])
    assert text.count(STALE) == 1
    assert not {"Key", "TOTAL_FORMS", "ManagementForm", "hidden"} & set(re.findall(r"[A-Za-z_]+", text))
    assert not Order.objects.exists()


def test_fields_that_the_form_does_not_have_change_nothing(client, make_variant):
    """reliability.md T10."""
    client.post(URL, typed(make_variant(), paid_amount="26000", stage="CONFIRMED", number="1", due_amount="1"))
    order = Order.objects.get()
    assert (order.due_amount, order.paid_amount, order.stage) == (26_000, 0, LineState.AWAITING_PAYMENT)


@pytest.mark.parametrize("role", [Role.LOGISTICS, Role.FINANCE, Role.VIEWER, Role.AUDITOR])
def test_only_the_owner_and_cs_may_type_orders(role, sign_in, make_variant):
    client = sign_in(role)
    assert client.get(URL).status_code == 403
    assert client.post(URL, typed(make_variant())).status_code == 403
    assert not Order.objects.exists()
