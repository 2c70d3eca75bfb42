"""화면에 보일 것 of 품목 연결."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q

from channels.models import ChannelListing
from channels.services.connecting import PAGE, Waiting, suggestions, waiting_groups
from products.models import Variant
from products.services.lookup import search_variants


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """연결 대기 한 줄: what waits, how much of it, and what we think it is."""

    channel: str
    product: str
    option: str
    name: str
    option_name: str
    lines: int
    query: str
    suggested_pk: int | None
    suggested: str
    channel_id: int


@dataclass(frozen=True, slots=True)
class ListingRow:
    """기억한 연결 한 줄."""

    pk: int
    channel: str
    product: str
    option: str
    name: str
    sku: str
    variant: str
    use_count: int


def shown_variant(variant: Variant) -> str:
    """품목 이름: product and options as staff read them."""
    return f"{variant.product.name} {variant.option_text}".strip()


def waiting_page(page: int) -> dict[str, Any]:
    """연결 대기 탭."""
    groups, has_more = waiting_groups(page=page)
    hints = suggestions(groups)
    return {
        "waiting": [_waiting_row(group, hints.get((group.channel_id, group.key))) for group in groups],
        "next_page": page + 1 if has_more else None,
    }


def listing_page(page: int, text: str) -> dict[str, Any]:
    """기억한 연결 탭: most used first; `text` narrows by codes and names."""
    rows = ChannelListing.objects.select_related("channel", "variant__product")
    for word in text.split():
        rows = rows.filter(
            Q(product__startswith=word) | Q(product_name__icontains=word) | Q(variant__sku__startswith=word)
        )
    start = (page - 1) * PAGE
    found = list(rows.order_by("-use_count", "pk")[start : start + PAGE + 1])
    return {
        "listings": [
            ListingRow(
                pk=row.pk,
                channel=row.channel.name,
                product=row.product,
                option=row.option_name or row.option,
                name=row.product_name,
                sku=row.variant.sku,
                variant=shown_variant(row.variant),
                use_count=row.use_count,
            )
            for row in found[:PAGE]
        ],
        "next_page": page + 1 if len(found) > PAGE else None,
        "q": text,
    }


def choice_page(text: str) -> dict[str, Any]:
    """품목 고르기: what the search box finds."""
    return {"q": text, "choices": search_variants(text) if text else []}


def _waiting_row(group: Waiting, hint: Variant | None) -> WaitingRow:
    names: Sequence[tuple[str, str]] = (
        ("channel", str(group.channel_id)),
        ("product", group.product),
        ("option", group.option),
    )
    return WaitingRow(
        channel=group.channel_name,
        product=group.product,
        option=group.option,
        name=group.product_name,
        option_name=group.option_name,
        lines=group.lines,
        query=urlencode(names),
        suggested_pk=hint.pk if hint else None,
        suggested=f"{shown_variant(hint)} ({hint.sku})" if hint else "",
        channel_id=group.channel_id,
    )
