"""판매채널 관리: create and edit channels and say which file layout is theirs by default."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction

from channels.models import OrderProfile
from core.exceptions import Conflict, NotFound
from core.locks import locked
from orders.models import SalesChannel

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


def edit_channel(*, channel_id: int, facts: ChannelFacts, profile: OrderProfile | None) -> SalesChannel:
    """판매채널 수정, with its default layout. Raises NotFound."""
    with transaction.atomic():
        channel = next(iter(locked(SalesChannel.objects.filter(pk=channel_id))), None)
        if channel is None:
            raise NotFound("판매채널을 찾을 수 없습니다.")
        assert isinstance(channel, SalesChannel)
        channel.name, channel.is_active = facts.name, facts.is_active
        channel.creates_products, channel.notifies_buyers = facts.creates_products, facts.notifies_buyers
        channel.save(update_fields=["name", "is_active", "creates_products", "notifies_buyers", "updated_at"])
        OrderProfile.objects.filter(channel=channel, is_default=True).update(is_default=False)
        if profile is not None:
            OrderProfile.objects.filter(pk=profile.pk, channel=channel).update(is_default=True)
    return channel
