"""화면에 보일 것 of channels and their keys."""

from dataclasses import dataclass

from django.db.models import Count, Q

from channels.models import ApiKey, OrderProfile, ProfileKind
from core.cells import minute_time
from orders.models import SalesChannel


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """판매채널 한 줄."""

    pk: int
    code: str
    name: str
    status: str
    products: str
    profile: str
    keys: int


@dataclass(frozen=True, slots=True)
class KeyRow:
    """API 키 한 줄: what may be known of it."""

    pk: int
    prefix: str
    made: str
    used: str
    status: str
    is_active: bool


def channel_rows() -> list[ChannelRow]:
    """판매채널 목록; two queries."""
    profiles = dict(OrderProfile.objects.filter(is_default=True).values_list("channel_id", "name"))
    living = Count("api_keys", filter=Q(api_keys__revoked_at__isnull=True))
    return [
        ChannelRow(
            pk=channel.pk,
            code=channel.code,
            name=channel.name,
            status="사용" if channel.is_active else "사용 안 함",
            products="새로 등록" if channel.creates_products else "품목 연결에서 대기",
            profile=profiles.get(channel.pk, "없음"),
            keys=channel.living_keys,
        )
        for channel in SalesChannel.objects.annotate(living_keys=living).order_by("name", "pk")
    ]


def key_rows(channel: SalesChannel) -> list[KeyRow]:
    """API 키 목록 of a channel, newest first; one query."""
    return [
        KeyRow(
            pk=key.pk,
            prefix=f"oms_{key.prefix}_…",
            made=f"{minute_time(key.created_at)} {key.created_by.display_name if key.created_by else '시스템'}",  # type: ignore[union-attr]
            used=minute_time(key.last_used_at) or "쓴 적 없음",
            status=f"{minute_time(key.revoked_at)} 폐기" if key.revoked_at else "사용",
            is_active=key.revoked_at is None,
        )
        for key in ApiKey.objects.filter(channel=channel).select_related("created_by").order_by("-pk")
    ]


def mapped_profiles(channel: SalesChannel) -> list[tuple[int, str, str]]:
    """맞춘 양식 목록 of a channel: pk, name, when it was last changed; one query."""
    found = OrderProfile.objects.filter(channel=channel, kind=ProfileKind.CUSTOM).order_by("name", "pk")
    return [(profile.pk, profile.name, minute_time(profile.updated_at)) for profile in found]
