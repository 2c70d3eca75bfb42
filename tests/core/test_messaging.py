"""Messages: one per key, through the back end that the settings name, and never twice."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection

from core.messaging import GatewayRefused, MessageNotSent, render, send
from core.models import Message
from core.models.message import MessageStatus

NOW = datetime(2026, 11, 21, 5, 20, tzinfo=UTC)
NEWS = {
    "template": "order_shipped",
    "to": "01012345678",
    "context": {
        "shop_name": "A & B",
        "order_number": "20261121-0000001",
        "courier_name": "CJ대한통운",
        "waybill": "680000000011",
    },
    "key": "shipped:1",
    "at": NOW,
}
TEXT = "[A & B] 주문 20261121-0000001의 상품을 보냈습니다. CJ대한통운 송장번호 680000000011"
sent: list[str] = []
answers: list[Exception] = []


def gateway(message: Message) -> str:
    """A gateway that keeps what it was given and fails as it is told."""
    if answers:
        raise answers.pop(0)
    sent.append(message.body)
    return f"gw-{len(sent)}"


@pytest.fixture
def own_gateway(settings):
    settings.OMS_MESSAGE_BACKEND = f"{__name__}.gateway"
    sent.clear()
    answers.clear()


@pytest.mark.django_db
def test_the_standard_back_end_keeps_the_text_and_logs_no_number(caplog):
    with caplog.at_level("INFO", logger="core.messaging"):
        message = send(**NEWS)
    assert (message.status, message.body, message.sent_at, message.attempts) == (MessageStatus.SENT, TEXT, NOW, 1)
    assert "010-1234-****" in caplog.text
    assert "5678" not in caplog.text


@pytest.mark.django_db
def test_the_same_key_sends_once_whatever_the_text(own_gateway):
    first = send(**NEWS)
    second = send(**NEWS | {"to": "01099999999"})
    assert (second.pk, second.to) == (first.pk, "01012345678")
    assert sent == [TEXT]
    assert Message.objects.count() == 1


@pytest.mark.django_db
def test_a_refused_message_can_be_sent_again(own_gateway):
    answers.append(GatewayRefused("no credit"))
    with pytest.raises(MessageNotSent):
        send(**NEWS)
    failed = Message.objects.get()
    assert (failed.status, failed.error, failed.sent_at) == (MessageStatus.FAILED, "no credit", None)
    again = send(**NEWS)
    assert (again.status, again.error, again.attempts, again.reference) == (MessageStatus.SENT, "", 2, "gw-1")
    assert sent == [TEXT]


@pytest.mark.django_db
def test_an_unknown_outcome_is_never_repeated(own_gateway):
    answers.append(TimeoutError())
    assert send(**NEWS).status == MessageStatus.FAILED
    assert send(**NEWS).status == MessageStatus.FAILED
    assert sent == []
    assert Message.objects.get().attempts == 1


@pytest.mark.django_db
def test_a_claim_left_by_a_dead_process_is_not_sent_again(own_gateway):
    Message.objects.create(key="shipped:1", template="order_shipped", to="01012345678", body=TEXT, claimed_at=NOW)
    assert send(**NEWS).status == MessageStatus.QUEUED
    assert sent == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["payment_confirmed", "order_canceled", "order_shipped", "order_delivered"])
def test_every_text_renders_and_begins_with_the_shop(name):
    context = NEWS["context"] | {"reason": "입금기한 지남"}
    text = render(name, context)
    assert text.startswith("[A & B] 주문")
    assert "20261121-0000001" in text


@pytest.mark.django_db
def test_an_unknown_text_or_a_missing_value_sends_nothing(own_gateway):
    with pytest.raises(LookupError, match="no message text"):
        send(**NEWS | {"template": "nothing"})
    with pytest.raises(LookupError, match="courier_name, waybill"):
        send(**NEWS | {"context": {"shop_name": "A", "order_number": "1"}})
    assert sent == []
    assert not Message.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_eight_threads_with_one_key_send_once(own_gateway):
    start = threading.Barrier(8)

    def race() -> None:
        start.wait()
        send(**NEWS)
        connection.close()

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sent == [TEXT]
    assert Message.objects.get().status == MessageStatus.SENT
