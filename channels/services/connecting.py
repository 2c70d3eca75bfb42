"""품목 연결: staff say once which variant a channel means; every waiting and every later line follows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min

from channels.events import LISTING_CHANGED, LISTING_MADE, LISTING_REMOVED
from channels.models import ChannelListing
from channels.services.placing import lock_channel
from channels.services.telling import Key, listings_of
from core.events import record
from core.exceptions import Conflict, DomainError, NotFound
from core.locks import locked, locking, queueing
from core.state import Change, Outcome
from orders.models import OrderLine, SalesChannel
from orders.services.mapping import map_lines
from orders.states import LOCK_BIT, OPEN, LockKind
from products.models import Variant
from products.services.lookup import variants_by_sku

CHUNK = 1000
PAGE = 50
CONNECTED, REMOVED = "CONNECTED", "REMOVED"
NO_VARIANT = "고른 품목을 찾을 수 없습니다. 다시 검색해 고르세요."
NO_LISTING = "품목 연결을 찾을 수 없습니다. 목록을 새로 고치세요."
NOTHING_WAITS = "연결을 기다리는 품목이 없습니다. 다른 직원이 먼저 연결했을 수 있습니다."


class ListingChanged(Conflict):
    """먼저 바꾼 연결: somebody else was first since the page was opened."""

    code = "stale"


@dataclass(frozen=True, slots=True)
class Waiting:
    """연결 대기: lines of one (channel, product, option) that nobody has connected."""

    channel_id: int
    channel_name: str
    product: str
    option: str
    product_name: str
    option_name: str
    lines: int

    @property
    def key(self) -> Key:
        """What the channel calls it."""
        return self.product, self.option


@dataclass(slots=True)
class Connected:
    """연결 결과: the remembered listing, how many waiting lines followed, and why some did not."""

    listing: ChannelListing
    lines: int
    refused: dict[int, str]


def waiting_groups(*, page: int = 1) -> tuple[list[Waiting], bool]:
    """연결 대기 목록: one page of groups, most lines first, and whether there are more. One query."""
    rows = (
        _waiting_lines()
        .values("order__channel_id", "order__channel__name", "channel_product", "channel_option")
        .annotate(lines=Count("pk"), product_name=Max("product_name"), option_name=Max("option_name"), first=Min("pk"))
        .order_by("-lines", "first")
    )
    start = (page - 1) * PAGE
    found = [_group(row) for row in rows[start : start + PAGE + 1]]
    return found[:PAGE], len(found) > PAGE


def waiting_group(*, channel_id: int, key: Key) -> Waiting:
    """연결 대기 한 묶음. Raises NotFound when nothing of it waits (any more)."""
    rows = (
        _waiting_lines()
        .filter(order__channel_id=channel_id, channel_product=key[0], channel_option=key[1])
        .values("order__channel_id", "order__channel__name", "channel_product", "channel_option")
        .annotate(lines=Count("pk"), product_name=Max("product_name"), option_name=Max("option_name"))
        .order_by("order__channel_id")
    )
    row = rows.first()
    if row is None:
        raise NotFound(NOTHING_WAITS)
    return _group(row)


def suggestions(groups: Sequence[Waiting]) -> dict[tuple[int, Key], Variant]:
    """연결 제안: by what was connected before, by our own codes, then by equal names; at most one, and only a hint."""
    found: dict[tuple[int, Key], int] = {}
    for channel_id in {group.channel_id for group in groups}:
        keys = [group.key for group in groups if group.channel_id == channel_id]
        listings = listings_of(SalesChannel(pk=channel_id), keys)
        found |= {(channel_id, key): row.variant_id for key, row in listings.items()}
    codes = variants_by_sku({code for group in groups for code in group.key if code})
    named = _by_name({group.product_name for group in groups})
    for group in groups:
        at = (group.channel_id, group.key)
        variant = codes.get(group.option) or codes.get(group.product) or named.get(_spelling(group))
        if at not in found and variant:
            found[at] = variant
    variants = Variant.objects.select_related("product").in_bulk(set(found.values()))
    return {at: variants[pk] for at, pk in found.items() if pk in variants}


def connect(*, channel_id: int, key: Key, variant_id: int, actor: Any, at: datetime) -> Connected:
    """품목 연결: remember the variant and map all waiting lines, a thousand in a transaction.

    Raises NotFound, LockTimeout; what was mapped before a LockTimeout stays, the rest is still on the list.
    """
    waiting = waiting_group(channel_id=channel_id, key=key)
    done = 0
    refused: dict[int, str] = {}
    while True:
        with locking(actor=actor):
            channel = SalesChannel(pk=channel_id)
            with queueing():
                lock_channel(channel)
            listing = _remember(channel, waiting, _variant(variant_id), actor=actor, at=at)
            lines = _lines(channel_id, key, but=refused)
            outcome = map_lines(variants=dict.fromkeys(lines, listing.variant_id), actor=actor, at=at)
            ChannelListing.objects.filter(pk=listing.pk).update(use_count=listing.use_count + len(outcome.moved))
        done += len(outcome.moved)
        refused |= outcome.refused
        if len(lines) < CHUNK:
            return Connected(listing, done, refused)


def change_listing(*, listing_id: int, seen: int, variant_id: int, actor: Any, at: datetime) -> ChannelListing:
    """연결 변경: later orders mean another variant; lines that were connected stay as they are.

    Raises NotFound, ListingChanged when somebody changed it since version `seen`.
    """
    with locking(actor=actor):
        listing = _locked_listing(listing_id, seen)
        variant = _variant(variant_id)
        if listing.variant_id == variant.pk:
            return listing
        old = Variant.objects.get(pk=listing.variant_id).sku
        listing.variant, listing.version = variant, listing.version + 1
        listing.save(update_fields=["variant", "version", "updated_at"])
        _record(listing, LISTING_CHANGED, CONNECTED, {"품목": [old, variant.sku]}, actor=actor, at=at)
    return listing


def remove_listing(*, listing_id: int, seen: int, actor: Any, at: datetime) -> None:
    """연결 삭제: the next order with this product waits and asks again. Raises NotFound, ListingChanged."""
    with locking(actor=actor):
        listing = _locked_listing(listing_id, seen)
        listing.version += 1
        sku = Variant.objects.get(pk=listing.variant_id).sku
        _record(listing, LISTING_REMOVED, REMOVED, {"품목": [sku, ""]}, actor=actor, at=at)
        listing.delete()


def _waiting_lines() -> Any:
    return OrderLine.objects.filter(open_locks__bit=LOCK_BIT[LockKind.MAPPING], state__in=OPEN)


def _group(row: Mapping[str, Any]) -> Waiting:
    return Waiting(
        channel_id=row["order__channel_id"],
        channel_name=row["order__channel__name"],
        product=row["channel_product"],
        option=row["channel_option"],
        product_name=row["product_name"],
        option_name=row["option_name"],
        lines=row["lines"],
    )


def _lines(channel_id: int, key: Key, *, but: Collection[int]) -> list[int]:
    rows = _waiting_lines().filter(order__channel_id=channel_id, channel_product=key[0], channel_option=key[1])
    return list(rows.exclude(pk__in=but).order_by("order_id", "pk").values_list("pk", flat=True)[:CHUNK])


def _by_name(names: Collection[str]) -> dict[tuple[str, str], int]:
    """Variants by (product name, options) spelled alike, where exactly one variant is called so."""
    rows = Variant.objects.filter(product__name__in=names, is_active=True).select_related("product").order_by("pk")
    found: dict[tuple[str, str], list[int]] = {}
    for variant in rows:
        spelled = (variant.product.name, _folded(variant.option_text))
        found.setdefault(spelled, []).append(variant.pk)
    return {spelled: pks[0] for spelled, pks in found.items() if len(pks) == 1}


def _spelling(group: Waiting) -> tuple[str, str]:
    """`색상: 화이트 / 사이즈: M` and `색상=화이트` name their options; ours are values only."""
    parts = group.option_name.replace("=", ":").replace(",", "/").split("/")
    return group.product_name, _folded(" / ".join(part.rpartition(":")[2] for part in parts))


def _folded(text: str) -> str:
    return "".join(text.split()).casefold()


def _variant(variant_id: int) -> Variant:
    variant = Variant.objects.filter(pk=variant_id).first()
    if variant is None:
        raise NotFound(NO_VARIANT)
    if not variant.is_active:
        raise DomainError(f"사용하지 않는 품목입니다: {variant.sku}. 다른 품목을 고르세요.", code="inactive_variant")
    return variant


def _remember(channel: SalesChannel, waiting: Waiting, variant: Variant, *, actor: Any, at: datetime) -> ChannelListing:
    """The caller holds the channel's lock. A listing that says something else is changed by this answer."""
    stored = ChannelListing.objects.filter(channel=channel, product=waiting.product, option=waiting.option).first()
    if stored is None:
        listing = ChannelListing.objects.create(
            channel=channel,
            product=waiting.product,
            option=waiting.option,
            product_name=waiting.product_name,
            option_name=waiting.option_name,
            variant=variant,
            version=1,
        )
        _record(listing, LISTING_MADE, CONNECTED, {"품목": ["", variant.sku]}, actor=actor, at=at)
        return listing
    if stored.variant_id == variant.pk:
        return stored
    return change_listing(listing_id=stored.pk, seen=stored.version, variant_id=variant.pk, actor=actor, at=at)


def _locked_listing(listing_id: int, seen: int) -> ChannelListing:
    listing = next(iter(locked(ChannelListing.objects.filter(pk=listing_id))), None)
    if listing is None:
        raise NotFound(NO_LISTING)
    assert isinstance(listing, ChannelListing)
    if listing.version != seen:
        raise ListingChanged("다른 직원이 먼저 바꾼 연결입니다. 화면을 새로 고친 뒤 다시 고르세요.")
    return listing


def _record(listing: ChannelListing, kind: Any, state: str, facts: Any, *, actor: Any, at: datetime) -> None:
    data = {listing.pk: {"채널 상품": str(listing), **facts}}
    change = Change(listing, CONNECTED if listing.version > 1 else "", state, listing.version)
    record(Outcome(changes=[change]), kind, at=at, actor=actor, data=data)
