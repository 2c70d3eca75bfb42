"""주문 접수: orders of any origin become rows with their products, payments and locks, set-wise, in one transaction."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from channels.models import ChannelListing
from core.locks import locking
from core.models import Job
from orders.models import Order, SalesChannel
from orders.services.intake import Intake, LineDraft, OrderDraft, create_orders
from payments.services.openings import open_payments
from products.services.drafts import clean_code
from products.services.lookup import variants_by_sku
from products.services.unknown import WantedVariant, get_or_create_variants

BATCH = 500
"""Orders of one round of statements."""
Key = tuple[str, str]

_COUNT_USES = """
    UPDATE channels_channellisting l SET use_count = l.use_count + v.times
      FROM unnest(%s::bigint[], %s::int[]) AS v(id, times) WHERE l.id = v.id
"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """들어온 주문: a draft and, per line, the code of ours that the channel carries ("" when it carries none)."""

    draft: OrderDraft
    skus: Sequence[str] = ()

    def sku(self, at: int) -> str:
        """Our code of a line, by its place in the draft."""
        return self.skus[at] if at < len(self.skus) else ""


@dataclass(slots=True)
class Placed:
    """접수 결과: stored orders by channel number, new ones and those that were known already."""

    created: dict[str, Order] = field(default_factory=dict)
    known: dict[str, Order] = field(default_factory=dict)


def place_orders(
    *,
    channel: SalesChannel,
    incoming: Sequence[Incoming],
    actor: Any,
    at: datetime,
    source: str,
    creates_products: bool,
    batch: Job | None = None,
) -> Placed:
    """주문 접수: store the orders that are not known yet, find or create their products and open their payments.

    Lines whose product nobody has connected wait under a MAPPING lock, unless `creates_products`. A fixed number of
    statements per 500 orders. Runs in the caller's transaction or its own. Raises LockTimeout.
    """
    placed = Placed()
    with locking(actor=actor):
        lock_channel(channel)
        for start in range(0, len(incoming), BATCH):
            part = incoming[start : start + BATCH]
            made = _place(channel, part, actor=actor, at=at, source=source, creates=creates_products, batch=batch)
            placed.created |= made.created
            placed.known |= made.known
    return placed


def lock_channel(channel: SalesChannel) -> None:
    """채널 잠금: intake and mapping of one channel run one after the other, in the caller's transaction."""
    SalesChannel.objects.select_for_update(no_key=True).get(pk=channel.pk)


def known_orders(channel: SalesChannel, numbers: Sequence[str]) -> dict[str, Order]:
    """이미 접수한 주문 of a channel by its numbers; split children are not asked for."""
    stored = Order.objects.filter(channel=channel, channel_number__in=list(numbers), parent__isnull=True)
    return {order.channel_number: order for order in stored}


def listings_of(channel: SalesChannel, keys: Sequence[Key]) -> dict[Key, ChannelListing]:
    """기억한 연결: what a channel means by these (product, option) pairs; one query."""
    rows = ChannelListing.objects.filter(channel=channel, product__in={product for product, _ in keys})
    wanted = set(keys)
    return {(row.product, row.option): row for row in rows if (row.product, row.option) in wanted}


def _place(
    channel: SalesChannel,
    part: Sequence[Incoming],
    *,
    actor: Any,
    at: datetime,
    source: str,
    creates: bool,
    batch: Job | None,
) -> Intake:
    known = known_orders(channel, [one.draft.channel_number for one in part])
    fresh = [one for one in part if one.draft.channel_number not in known]
    variants = _variants(channel, fresh, actor=actor, at=at, creates=creates)
    drafts = [replace(one.draft, lines=tuple(_connected(line, variants) for line in one.draft.lines)) for one in fresh]
    with transaction.atomic():
        intake = create_orders(channel=channel, drafts=drafts, actor=actor, at=at, source=source, batch=batch)
        open_payments(orders=list(intake.created.values()), at=at, actor=actor)
    intake.known |= known
    return intake


def _connected(line: LineDraft, variants: Mapping[Key, int]) -> LineDraft:
    found = variants.get((line.channel_product, line.channel_option))
    return line if line.variant_id or found is None else replace(line, variant_id=found)


def _variants(
    channel: SalesChannel, incoming: Sequence[Incoming], *, actor: Any, at: datetime, creates: bool
) -> dict[Key, int]:
    """Variants by listing key: what staff have decided wins, then our own codes, then new products."""
    asked: dict[Key, tuple[LineDraft, str]] = {}
    uses: Counter[Key] = Counter()
    for one in incoming:
        for at_line, line in enumerate(one.draft.lines):
            if line.variant_id is None and line.channel_product:
                key = line.channel_product, line.channel_option
                uses[key] += 1
                if key not in asked or not asked[key][1]:
                    asked[key] = line, one.sku(at_line)
    if not asked:
        return {}
    listings = listings_of(channel, list(asked))
    found = {key: listing.variant_id for key, listing in listings.items()}
    found |= _by_code({key: sku for key, (_, sku) in asked.items() if sku and key not in found})
    if creates:
        missing = {key: _wanted(channel, line, sku) for key, (line, sku) in asked.items() if key not in found}
        made = get_or_create_variants(wanted=set(missing.values()), at=at, actor=actor)
        found |= {key: made[one] for key, one in missing.items()}
    new = {key: found[key] for key in found if key not in listings}
    _remember(channel, {key: (asked[key][0], variant) for key, variant in new.items()})
    _count_uses(channel, {key: times for key, times in uses.items() if key in found})
    return found


def _by_code(skus: Mapping[Key, str]) -> dict[Key, int]:
    known = variants_by_sku(set(skus.values())) if skus else {}
    return {key: known[sku] for key, sku in skus.items() if sku in known}


def _wanted(channel: SalesChannel, line: LineDraft, sku: str) -> WantedVariant:
    options = (line.option_name,) if line.option_name.strip() else ()
    return WantedVariant(
        product_code=_product_code(channel, line.channel_product),
        product_name=line.product_name,
        option_values=options,
        sku=sku,
        price=line.unit_price,
    )


def _product_code(channel: SalesChannel, product: str) -> str:
    """A code of ours for a channel's product; what had to be changed or cut is told apart by a hash."""
    raw = f"{channel.code}-{product}"
    plain = clean_code(raw)
    return plain if plain == raw else f"{plain[:31]}-{hashlib.sha256(raw.encode()).hexdigest()[:8]}"


def _remember(channel: SalesChannel, new: Mapping[Key, tuple[LineDraft, int]]) -> None:
    ChannelListing.objects.bulk_create(
        (
            ChannelListing(
                channel=channel,
                product=product,
                option=option,
                product_name=line.product_name[:200],
                option_name=line.option_name[:200],
                variant_id=variant,
            )
            for (product, option), (line, variant) in new.items()
        ),
        batch_size=1000,
    )


def _count_uses(channel: SalesChannel, uses: Mapping[Key, int]) -> None:
    """The caller holds the channel's lock."""
    listings = sorted(listings_of(channel, list(uses)).items(), key=lambda item: item[1].pk)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_USES, [[row.pk for _, row in listings], [uses[key] for key, _ in listings]])
