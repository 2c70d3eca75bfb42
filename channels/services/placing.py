"""주문 접수: orders of any origin become rows with their products, payments and locks, set-wise, in one transaction."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from channels.models import ChannelListing
from channels.services.telling import Asked, Key, Known, asked_of, is_decided, listings_of, tell
from core.locks import locking, queueing
from core.models import Job
from orders.models import Order, SalesChannel
from orders.services.intake import Intake, LineDraft, OrderDraft, create_orders
from payments.services.ledger.openings import open_payments
from products.services.drafts import clean_code
from products.services.unknown import WantedVariant, get_or_create_variants

BATCH = 500
"""Orders of one round of statements."""

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
    statements per 500 orders. Runs in the caller's transaction or its own. Raises QueueTimeout.
    """
    placed = Placed()
    with locking(actor=actor), queueing():
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
    drafts = [_connected(one, variants) for one in fresh]
    with transaction.atomic():
        intake = create_orders(channel=channel, drafts=drafts, actor=actor, at=at, source=source, batch=batch)
        open_payments(orders=list(intake.created.values()), at=at, actor=actor)
    intake.known |= known
    return intake


def _asked(one: Incoming) -> list[tuple[LineDraft, Asked]]:
    return [(line, asked_of(line, one.sku(place))) for place, line in enumerate(one.draft.lines)]


def _connected(one: Incoming, variants: Mapping[Asked, int]) -> OrderDraft:
    lines = (
        line if line.variant_id or asked not in variants else replace(line, variant_id=variants[asked])
        for line, asked in _asked(one)
    )
    return replace(one.draft, lines=tuple(lines))


def _variants(
    channel: SalesChannel, incoming: Sequence[Incoming], *, actor: Any, at: datetime, creates: bool
) -> dict[Asked, int]:
    """Variants of the lines that name none themselves; new products where nothing is known and `creates`."""
    uses: Counter[Asked] = Counter()
    lines: dict[Asked, LineDraft] = {}
    for one in incoming:
        for line, asked in _asked(one):
            if line.variant_id is None and (asked.product or asked.sku):
                uses[asked] += 1
                lines.setdefault(asked, line)
    if not lines:
        return {}
    known = tell(channel, lines)
    told = {asked: known.variant(asked, creates=creates) for asked in lines}
    found = {asked: variant for asked, variant in told.items() if variant is not None}
    if creates:
        missing = {one: _wanted(channel, lines[one], one.sku) for one in lines if one not in found and one.product}
        made = get_or_create_variants(wanted=set(missing.values()), at=at, actor=actor)
        found |= {asked: made[wanted] for asked, wanted in missing.items()}
    _remember(channel, known, {asked: (lines[asked], variant) for asked, variant in found.items()})
    _count_uses(channel, found, uses)
    return found


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


def _remember(channel: SalesChannel, known: Known, found: Mapping[Asked, tuple[LineDraft, int]]) -> None:
    """Keep what each key means where all of its lines mean the same; forget what was learned and has proved wrong."""
    meant: dict[Key, set[int]] = {}
    for asked, (_, variant) in found.items():
        meant.setdefault(asked.key, set()).add(variant)
    wrong = [
        row.pk
        for key, row in known.listings.items()
        if not is_decided(row) and (key in known.unclear or meant.get(key, set()) - {row.variant_id})
    ]
    if wrong:
        ChannelListing.objects.filter(pk__in=wrong).delete()
    clear = {key for key, variants in meant.items() if key[0] and len(variants) == 1}
    new = {asked.key: one for asked, one in found.items() if asked.key in clear - known.unclear - set(known.listings)}
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


def _count_uses(channel: SalesChannel, found: Mapping[Asked, int], uses: Mapping[Asked, int]) -> None:
    """Lines that came in as their listing says. The caller holds the channel's lock."""
    listings = listings_of(channel, [asked.key for asked in found])
    times: Counter[int] = Counter()
    for asked, variant in found.items():
        listing = listings.get(asked.key)
        if listing is not None and listing.variant_id == variant:
            times[listing.pk] += uses[asked]
    ids = sorted(times)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_USES, [ids, [times[pk] for pk in ids]])
