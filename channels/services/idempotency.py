"""중복 방지: a request with a key is done once; its repetition within 72 hours gets the stored answer."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from channels.models import IdempotencyKey
from core.exceptions import Conflict, DomainError
from core.failpoints import declare, failpoint
from core.locks import locking, queueing
from orders.models import SalesChannel

KEPT_FOR = timedelta(hours=72)
IN_PROGRESS = "같은 요청을 처리하고 있습니다. 잠시 뒤 다시 보내세요."
BEFORE_COMMIT = declare("idempotent_before_commit", "the work and its answer are stored; nothing is committed")

# A row that is older than 72 hours counts as none: the same statement takes it over.
_CLAIM = """
    INSERT INTO channels_idempotencykey AS k (channel_id, actor_id, key, request_hash, status, body, created_at)
    VALUES (%s, %s, %s, %s, 0, '{{}}', %s)
    ON CONFLICT ({owner}, key) WHERE {owner} IS NOT NULL
    DO UPDATE SET request_hash = EXCLUDED.request_hash, status = 0, body = '{{}}', created_at = EXCLUDED.created_at
     WHERE k.created_at < %s
    RETURNING k.id
"""


class KeyReused(DomainError):
    """같은 키, 다른 요청: the key was used for something else before."""

    code = "idempotency_key_reused"
    status = 422


@dataclass(frozen=True, slots=True)
class Answer:
    """응답: HTTP status and JSON body; `is_replay` when it was given before."""

    status: int
    body: dict[str, Any]
    is_replay: bool = False


def request_hash(*parts: Any) -> str:
    """요청 해시: equal for requests that ask for the same thing."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()


def once(
    *,
    key: str,
    asked: str,
    at: datetime,
    work: Callable[[], Answer],
    channel: SalesChannel | None = None,
    actor: Any = None,
) -> Answer:
    """한 번만: run `work` in one transaction with the row that remembers its answer.

    The owner is the channel or, without one, the member of staff. A second caller with the key waits for the first.
    What `work` refuses is not remembered. Raises KeyReused, LockTimeout, and whatever `work` raises.
    """
    owner = "channel_id" if channel is not None else "actor_id"
    mine = {"channel": channel} if channel is not None else {"actor": actor}
    with locking(actor=actor):
        with queueing(IN_PROGRESS), connection.cursor() as cursor:
            cursor.execute(
                _CLAIM.format(owner=owner),
                [
                    channel.pk if channel is not None else None,
                    None if channel is not None else actor.pk,
                    key,
                    asked,
                    at,
                    at - KEPT_FOR,
                ],
            )
            claimed = cursor.fetchone()
        if claimed is None:
            stored = IdempotencyKey.objects.get(key=key, **mine)
            if stored.request_hash != asked:
                raise KeyReused("같은 키로 다른 내용을 보냈습니다. 새 요청에는 새 키를 쓰세요.")
            if not stored.status:
                raise Conflict(IN_PROGRESS, code="in_progress")
            return Answer(stored.status, stored.body, is_replay=True)
        answer = work()
        IdempotencyKey.objects.filter(pk=claimed[0]).update(status=answer.status, body=answer.body)
        failpoint(BEFORE_COMMIT)
    return answer


def forget_old_keys(*, at: datetime) -> int:
    """지난 키 지우기: rows older than 72 hours; returns how many."""
    gone, _ = IdempotencyKey.objects.filter(created_at__lt=at - KEPT_FOR).delete()
    return gone
