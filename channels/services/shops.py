"""판매채널 관리: create and edit channels and say which file layout is theirs by default."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from channels.models import OrderProfile
from core.exceptions import Conflict, NotFound
from core.locks import locked
from core.settings_registry import changed_meanwhile, note_change, overwritten, words
from orders.models import SalesChannel

LABELS = {
    "name": "이름",
    "is_active": "사용",
    "creates_products": "모르는 상품을 새로 등록",
    "notifies_buyers": "구매자에게 알림",
    "profile": "기본 양식",
}
TAKEN = "이미 있는 코드입니다. 다른 코드를 입력하세요."


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """판매채널 내용: what staff may change."""

    name: str
    is_active: bool
    creates_products: bool
    notifies_buyers: bool = True


def create_channel(*, code: str, facts: ChannelFacts) -> SalesChannel:
    """판매채널 등록. Raises Conflict when the code is taken."""
    try:
        with transaction.atomic():
            return SalesChannel.objects.create(
                code=code,
                name=facts.name,
                is_active=facts.is_active,
                creates_products=facts.creates_products,
                notifies_buyers=facts.notifies_buyers,
            )
    except IntegrityError:
        raise Conflict(TAKEN, code="code_taken") from None


def shown_of(channel: SalesChannel) -> dict[str, Any]:
    """판매채널의 지금 값: what the form shows, as plain JSON; the default layout by its id."""
    default = OrderProfile.objects.filter(channel=channel, is_default=True).first()
    return {
        "name": channel.name,
        "is_active": channel.is_active,
        "creates_products": channel.creates_products,
        "notifies_buyers": channel.notifies_buyers,
        "profile": default.pk if default else None,
    }


def edit_channel(
    *, channel_id: int, changes: Mapping[str, Any], shown: Mapping[str, Any], actor: Any, at: datetime
) -> SalesChannel:
    """판매채널 수정, with its default layout: the values that a person changed, all of them or none.

    `shown` are the values that the screen showed. Raises NotFound, and Conflict with who and when for a value that
    somebody else has changed since.
    """
    with transaction.atomic():
        channel = next(iter(locked(SalesChannel.objects.filter(pk=channel_id))), None)
        if channel is None:
            raise NotFound("판매채널을 찾을 수 없습니다.")
        now = shown_of(channel)
        for name in changed_meanwhile(changes, shown=shown, now=now):
            raise overwritten(LABELS[name], _words(name, now[name]), key=_key(channel_id, name), value=now[name])
        fields = {name: value for name, value in changes.items() if name != "profile"}
        SalesChannel.objects.filter(pk=channel_id).update(**fields, updated_at=at)
        if "profile" in changes:
            mine = OrderProfile.objects.filter(channel=channel)
            mine.filter(is_default=True).update(is_default=False)
            mine.filter(pk=changes["profile"]).update(is_default=True)
        for name, value in changes.items():
            note_change(key=_key(channel_id, name), old=now[name], new=value, actor=actor, at=at)
        channel.refresh_from_db()
    return channel


def _key(channel_id: int, name: str) -> str:
    return f"channel.{channel_id}.{name}"


def _words(name: str, value: Any) -> str:
    if name == "profile" and value is not None:
        return OrderProfile.objects.get(pk=value).name
    return words(value)
