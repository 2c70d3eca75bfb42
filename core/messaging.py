"""알림: texts to buyers, each piece of news at most once.

A text is a file in templates/messages/. The gateway is the function that settings.OMS_MESSAGE_BACKEND names; the
standard one keeps the text in the table and writes a line to the log.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import F
from django.template import Context, engines
from django.template.base import Template, VariableNode
from django.template.exceptions import TemplateDoesNotExist
from django.utils.module_loading import import_string

from core.exceptions import DomainError
from core.masking import mask_email, mask_phone
from core.models import Message
from core.models.message import MessageStatus

logger = logging.getLogger(__name__)

# Takes the stored message, hands it to a gateway under its key, returns the gateway's own number.
Backend = Callable[[Message], str]
STANDARD_BACKEND = "core.messaging.log_backend"


class GatewayRefused(Exception):
    """발송 거절: raised by a back end that knows that nothing went out."""


class MessageNotSent(DomainError):
    """발송 실패: the gateway refused; sending again under the same key is safe."""

    code = "message_not_sent"
    status = 502


def send(*, template: str, to: str, context: Mapping[str, Any], key: str, at: datetime) -> Message:
    """알림 발송: render a text and send it once for its key; later calls with the key return the first message.

    `template` is a file name in templates/messages/ without `.txt`; `to` a phone number or e-mail address.
    With a real gateway call it outside a transaction, so that the claim is stored before the gateway is asked.
    When the outcome is unknown (a timeout), the message stays FAILED and is not sent again by itself.
    Raises MessageNotSent when the gateway refuses (a repeat tries again), LookupError for an unknown text or a
    context that lacks a value the text shows.
    """
    body = render(template, context)
    message, _ = Message.objects.get_or_create(key=key, defaults={"template": template, "to": to, "body": body})
    unclaimed = Message.objects.filter(pk=message.pk, claimed_at=None).exclude(status=MessageStatus.SENT)
    if unclaimed.update(claimed_at=at, attempts=F("attempts") + 1, updated_at=at):
        message.refresh_from_db()
        _hand_over(message, at=at)
    message.refresh_from_db()
    return message


def render(template: str, context: Mapping[str, Any]) -> str:
    """알림 내용: the finished text, without HTML escapes. Raises LookupError as send() does."""
    try:
        text: Template = engines["django"].get_template(f"messages/{template}.txt").template  # type: ignore[attr-defined]
    except TemplateDoesNotExist as error:
        raise LookupError(f"no message text {template!r}") from error
    nodes = text.nodelist.get_nodes_by_type(VariableNode)
    shown = {str(node.filter_expression.var).split(".")[0] for node in nodes if isinstance(node, VariableNode)}
    if missing := sorted(shown - set(context)):
        raise LookupError(f"message {template!r} needs {', '.join(missing)}")
    return text.render(Context(dict(context), autoescape=False)).strip()


def log_backend(message: Message) -> str:
    """기록만 하는 발송: no gateway; the row itself is the sent message."""
    logger.info("message %s to %s under %s", message.template, _masked(message.to), message.key)
    return f"log-{message.pk}"


def _hand_over(message: Message, *, at: datetime) -> None:
    backend: Backend = import_string(getattr(settings, "OMS_MESSAGE_BACKEND", STANDARD_BACKEND))
    row = Message.objects.filter(pk=message.pk)
    try:
        reference = backend(message)
    except GatewayRefused as error:
        row.update(status=MessageStatus.FAILED, claimed_at=None, error=str(error)[:300], updated_at=at)
        raise MessageNotSent("발송사가 알림을 받지 않았습니다. 잠시 뒤 자동으로 다시 보냅니다.") from error
    except Exception:
        # It may have gone out: keeping the claim means at most once.
        logger.exception("message %s under %s: outcome unknown", message.template, message.key)
        row.update(status=MessageStatus.FAILED, error="발송 결과를 알 수 없습니다.", updated_at=at)
        return
    row.update(status=MessageStatus.SENT, sent_at=at, reference=reference[:120], error="", updated_at=at)


def _masked(to: str) -> str:
    return mask_email(to) if "@" in to else mask_phone(to)
