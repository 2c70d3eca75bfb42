"""Messages: one per key, through the back end that the settings name, and never twice."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from core.messaging import BACK_OFF, LEASE, GatewayRefused, deliver_due, render, send
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
    assert sent == [], "the relay asks the gateway, not whoever has news"
    assert (deliver_due(at=NOW), deliver_due(at=NOW)) == (1, 0)
    assert sent == [TEXT]
    message = Message.objects.get()
    assert (message.status, message.reference, message.sent_at) == (MessageStatus.SENT, "gw-1", NOW)


@pytest.mark.django_db(transaction=True)
def test_news_that_is_rolled_back_is_no_news(own_gateway):
    with transaction.atomic():
        send(**NEWS)
        transaction.set_rollback(True)
    assert deliver_due(at=NOW) == 0
    assert sent == []


@pytest.mark.django_db
def test_a_refused_message_is_tried_again_ever_later_and_then_left(own_gateway):
    send(**NEWS)
    at = NOW
    for wait in BACK_OFF:
        answers.append(GatewayRefused("no credit"))
        assert deliver_due(at=at) == 1
        failed = Message.objects.get()
        assert (failed.status, failed.error, failed.sent_at) == (MessageStatus.FAILED, "no credit", None)
        assert deliver_due(at=at + wait - timedelta(seconds=1)) == 0
        at += wait
    assert deliver_due(at=at) == 1
    again = Message.objects.get()
    assert (again.status, again.error, again.attempts, again.reference) == (MessageStatus.SENT, "", 5, "gw-1")
    assert sent == [TEXT]


@pytest.mark.django_db
def test_a_message_that_is_always_refused_ends(own_gateway):
    send(**NEWS)
    answers.extend(GatewayRefused("no credit") for _ in range(9))
    tries = sum(deliver_due(at=NOW + timedelta(days=day)) for day in range(9))
    assert (tries, Message.objects.get().status) == (5, MessageStatus.FAILED)
    assert sent == []


@pytest.mark.django_db
def test_an_unknown_outcome_is_never_repeated(own_gateway):
    answers.append(TimeoutError())
    send(**NEWS)
    assert [deliver_due(at=NOW + timedelta(days=day)) for day in range(3)] == [1, 0, 0]
    assert sent == []
    message = Message.objects.get()
    assert (message.status, message.attempts, message.error) == (
        MessageStatus.FAILED, 1, "발송 결과를 알 수 없습니다.",
    )  # fmt: skip


@pytest.mark.django_db
def test_a_claim_left_by_a_dead_process_is_not_sent_again_and_not_forgotten(own_gateway, caplog):
    send(**NEWS)
    Message.objects.update(claimed_at=NOW)
    assert deliver_due(at=NOW + LEASE) == 0
    assert Message.objects.get().status == MessageStatus.QUEUED
    assert deliver_due(at=NOW + LEASE + timedelta(seconds=1)) == 0
    assert sent == []
    assert (Message.objects.get().status, Message.objects.get().error) == (
        MessageStatus.FAILED, "발송 결과를 알 수 없습니다.",
    )  # fmt: skip
    assert "message under shipped:1: outcome unknown" in caplog.text


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
        deliver_due(at=NOW)
        connection.close()

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sent == [TEXT]
    assert Message.objects.get().status == MessageStatus.SENT
