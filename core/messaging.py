"""알림: texts to buyers, each piece of news at most once.

A text is a file in templates/messages/. `send` only stores it, in the transaction of whoever has news; the relay then
hands it to the gateway, outside any transaction. The gateway is the function that settings.OMS_MESSAGE_BACKEND names;
the standard one has none: the row itself is the sent message, and a line goes to the log.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.template import Context, engines
from django.template.base import Template, VariableNode
from django.template.exceptions import TemplateDoesNotExist
from django.utils.module_loading import import_string

from core.drains import drain, notify
from core.failpoints import declare, failpoint
from core.loops import give_way
from core.masking import mask_email, mask_phone
from core.models import Message
from core.models.message import MessageStatus

logger = logging.getLogger(__name__)

# Takes the stored message, hands it to a gateway under its key, returns the gateway's own number.
Backend = Callable[[Message], str]
STANDARD_BACKEND = "core.messaging.log_backend"
CHANNEL = "oms_messages"
AT_ONCE = 20
LEASE = timedelta(minutes=2)
BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (30, 300, 1800, 7200))
UNKNOWN = "발송 결과를 알 수 없습니다."
CLAIMED = declare("message_claimed", "the claim of a message is committed; the gateway has not been asked")
HANDED_OVER = declare("message_handed_over", "the gateway has the message; nothing of it is written")


class GatewayRefused(Exception):
    """발송 거절: raised by a back end that knows that nothing went out."""


def send(*, template: str, to: str, context: Mapping[str, Any], key: str, at: datetime) -> Message:
    """알림 발송: render a text and store it once for its key; later calls with the key return the first message.

    `template` is a file name in templates/messages/ without `.txt`; `to` a phone number or e-mail address. It goes out
    when the caller's transaction has been committed. Raises LookupError for an unknown text or a context that lacks a
    value the text shows.
    """
    body, variables = _rendered(template, context)
    has_gateway = _backend_name() != STANDARD_BACKEND
    message = Message(key=key, template=template, to=to, body=body, variables=variables, next_try_at=at)
    if not has_gateway:
        # Nobody is asked, so nothing can be unknown.
        message.status, message.attempts, message.next_try_at = MessageStatus.SENT, 1, None
        message.sent_at = message.claimed_at = at
    if not _stored(message):
        return Message.objects.get(key=key)
    if has_gateway:
        notify(CHANNEL)
    else:
        log_backend(message)
    return message


def _stored(message: Message) -> bool:
    """One statement; False when its key is there already."""
    fields = [field for field in Message._meta.concrete_fields if not field.primary_key]
    names, marks = ", ".join(f'"{field.column}"' for field in fields), ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Message._meta.db_table} ({names}) VALUES ({marks})"
            " ON CONFLICT (key) DO NOTHING RETURNING id",
            [field.get_db_prep_save(field.pre_save(message, add=True), connection) for field in fields],
        )
        found = cursor.fetchone()
    message.pk = found[0] if found else None
    return found is not None


def render(template: str, context: Mapping[str, Any]) -> str:
    """알림 내용: the finished text, without HTML escapes. Raises LookupError as send() does."""
    return _rendered(template, context)[0]


def _rendered(template: str, context: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The finished text, and what it shows by name, spelled as in the text."""
    try:
        text: Template = engines["django"].get_template(f"messages/{template}.txt").template  # type: ignore[attr-defined]
    except TemplateDoesNotExist as error:
        raise LookupError(f"no message text {template!r}") from error
    nodes = [node for node in text.nodelist.get_nodes_by_type(VariableNode) if isinstance(node, VariableNode)]
    shown = {str(node.filter_expression.var): node for node in nodes}
    if missing := sorted({name.split(".")[0] for name in shown} - set(context)):
        raise LookupError(f"message {template!r} needs {', '.join(missing)}")
    given = Context(dict(context), autoescape=False)
    finished = text.render(given).strip()
    with given.bind_template(text):
        return finished, {name: str(node.render(given)) for name, node in shown.items()}


@drain(channel=CHANNEL)
def deliver_due(*, at: datetime) -> int:
    """알림 내보내기: hand waiting messages to the gateway, one after the other; how many were tried.

    A message is claimed before the gateway is asked. One whose process died in between is not sent a second time: it
    stays as failed, of unknown outcome. A refusal is tried again four times, ever later.
    """
    _give_up_lost(at)
    claimed = _claim(at)
    for message in claimed:
        failpoint(CLAIMED)
        give_way()
        _hand_over(message, at=at)
    return len(claimed)


def log_backend(message: Message) -> str:
    """기록만 하는 발송: no gateway; the row itself is the sent message."""
    logger.info("message %s to %s under %s", message.template, _masked(message.to), message.key)
    return f"log-{message.pk}"


def _backend_name() -> str:
    return str(getattr(settings, "OMS_MESSAGE_BACKEND", STANDARD_BACKEND))


def _claim(at: datetime) -> list[Message]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "WITH due AS ("
            "  SELECT id FROM core_message WHERE next_try_at <= %s AND claimed_at IS NULL"
            "  ORDER BY next_try_at, id LIMIT %s FOR UPDATE SKIP LOCKED)"
            " UPDATE core_message m SET claimed_at = %s, attempts = attempts + 1, updated_at = %s"
            " FROM due WHERE m.id = due.id RETURNING m.id",
            [at, AT_ONCE, at, at],
        )
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(Message.objects.filter(pk__in=ids).order_by("pk"))


def _give_up_lost(at: datetime) -> None:
    lost = Message.objects.filter(next_try_at__isnull=False, claimed_at__lt=at - LEASE)
    for pk, key in lost.values_list("pk", "key"):
        logger.error("message under %s: outcome unknown, its process died", key)
        lost.filter(pk=pk).update(status=MessageStatus.FAILED, next_try_at=None, error=UNKNOWN, updated_at=at)


def _hand_over(message: Message, *, at: datetime) -> None:
    backend: Backend = import_string(_backend_name())
    row = Message.objects.filter(pk=message.pk, claimed_at=message.claimed_at)
    failed = {"status": MessageStatus.FAILED, "updated_at": at}
    try:
        reference = backend(message)
        failpoint(HANDED_OVER)
    except GatewayRefused as error:
        again = at + BACK_OFF[message.attempts - 1] if message.attempts <= len(BACK_OFF) else None
        row.update(**failed, claimed_at=None, next_try_at=again, error=str(error)[:300])
        logger.warning("message %s under %s was refused: %s", message.template, message.key, error)
    except Exception:
        # It may have gone out: keeping the claim means at most once.
        logger.exception("message %s under %s: outcome unknown", message.template, message.key)
        row.update(**failed, next_try_at=None, error=UNKNOWN)
    else:
        _sent(message, reference, at=at)


def _sent(message: Message, reference: str, *, at: datetime) -> None:
    Message.objects.filter(pk=message.pk).update(
        status=MessageStatus.SENT,
        claimed_at=message.claimed_at or at,
        attempts=message.attempts or 1,
        sent_at=at,
        next_try_at=None,
        reference=reference[:120],
        error="",
        updated_at=at,
    )


def _masked(to: str) -> str:
    return mask_email(to) if "@" in to else mask_phone(to)
