"""Texts of order files and of the order form are cleaned alike."""

from orders.models import Order
from tests.channels.files import smartstore, smartstore_row


def test_an_order_file_keeps_what_people_can_see(load):
    load(
        smartstore(
            [smartstore_row(1, 수취인명="이\u200b영\u202e희", 배송메세지="문 앞\n경비실", 상품명="티\u2066셔츠")]
        )
    )
    order = Order.objects.get()
    assert (order.recipient_name, order.delivery_note) == ("이영희", "문 앞 경비실")
    assert order.lines.get().product_name == "티셔츠"
