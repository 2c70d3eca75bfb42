"""API 키: made once and shown once, kept as a hash, revoked for good."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from channels.events import API_KEY_MADE, API_KEY_REVOKED
from channels.models import ApiKey
from core.events import record
from core.exceptions import Conflict, NotFound
from core.locks import locked
from core.state import Change, Outcome
from orders.models import SalesChannel

MARK = "oms"
LONGEST = 100
SEEN_EVERY = timedelta(hours=1)
ACTIVE, REVOKED = "ACTIVE", "REVOKED"
CHANNEL_OFF = "사용하지 않는 판매채널이라 API 키를 발급하지 않았습니다. '사용'으로 바꿔 저장한 뒤 다시 발급하세요."


def make_key(*, channel: SalesChannel, actor: Any, at: datetime) -> tuple[ApiKey, str]:
    """API 키 발급: the row and the whole key; the key itself is never seen again.

    Raises Conflict for a channel that is switched off: its keys open nothing.
    """
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    with transaction.atomic():
        if not SalesChannel.objects.filter(pk=channel.pk, is_active=True).exists():
            raise Conflict(CHANNEL_OFF, code="channel_off")
        key = ApiKey.objects.create(
            channel=channel, prefix=prefix, digest=_digest(secret), created_at=at, created_by=actor
        )
        record(Outcome(changes=[Change(key, "", ACTIVE, 1)]), API_KEY_MADE, at=at, actor=actor)
    return key, f"{MARK}_{prefix}_{secret}"


def revoke_key(*, key_id: int, actor: Any, at: datetime) -> ApiKey:
    """API 키 폐기: from the next request on it opens nothing; twice changes nothing. Raises NotFound."""
    with transaction.atomic():
        key = next(iter(locked(ApiKey.objects.filter(pk=key_id))), None)
        if key is None:
            raise NotFound("API 키를 찾을 수 없습니다.")
        if key.revoked_at is None:
            key.revoked_at, key.revoked_by = at, actor
            key.save(update_fields=["revoked_at", "revoked_by"])
            record(Outcome(changes=[Change(key, ACTIVE, REVOKED, 2)]), API_KEY_REVOKED, at=at, actor=actor)
    assert isinstance(key, ApiKey)
    return key


def find_key(token: str, *, at: datetime) -> ApiKey | None:
    """API 키 확인: the living key behind a token, None for anything else.

    Whether the key's channel is switched on is for the caller to judge, who can say so to the holder of the key.
    """
    mark, _, rest = token.partition("_")
    prefix, _, secret = rest.partition("_")
    if mark != MARK or not secret or len(token) > LONGEST or not token.isascii():
        return None
    key = ApiKey.objects.select_related("channel").filter(prefix=prefix, revoked_at__isnull=True).first()
    if key is None or not hmac.compare_digest(key.digest, _digest(secret)):
        return None
    if key.last_used_at is None or at - key.last_used_at > SEEN_EVERY:
        unseen = Q(last_used_at__isnull=True) | Q(last_used_at__lt=at)
        ApiKey.objects.filter(unseen, pk=key.pk).update(last_used_at=at)
    return key


def _digest(secret: str) -> str:
    # 256 random bits need no slow hash: nobody can guess them.
    return hashlib.sha256(secret.encode()).hexdigest()
