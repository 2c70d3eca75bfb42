"""품목 알아보기: which variant of ours each line of a channel means; preview and intake ask the same question.

A known code of ours that stands in the line itself wins over everything: it is the most specific statement there is.
Then comes what staff have decided for the channel's product and option, then what codes have taught before. A key
whose lines carry several codes teaches nothing (domain.md 5 row 25: a wrong connection sends the wrong goods).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from channels.models import ChannelListing
from orders.models import SalesChannel
from orders.services.intake import LineDraft
from products.services.drafts import clean_text
from products.services.lookup import variants_by_sku

Key = tuple[str, str]
LONGEST_CODE = 60


class Asked(NamedTuple):
    """물어볼 품목: what the channel calls it, and our code when the line carries one."""

    product: str
    option: str
    sku: str = ""

    @property
    def key(self) -> Key:
        """What is remembered: the channel's product and option."""
        return self.product, self.option


@dataclass(slots=True)
class Known:
    """아는 품목: variants by code and by key, and the keys that mean several things."""

    by_code: Mapping[str, int] = field(default_factory=dict)
    listings: Mapping[Key, ChannelListing] = field(default_factory=dict)
    taught: dict[Key, int] = field(default_factory=dict)
    """Variants by key, learned from the only code that these lines carry for it."""
    unclear: set[Key] = field(default_factory=set)

    def variant(self, asked: Asked, *, creates: bool) -> int | None:
        """The variant that a line means, None when nobody knows.

        With `creates` an unknown code is a product of its own unless staff have said what its key means.
        """
        if asked.sku in self.by_code:
            return self.by_code[asked.sku]
        listing = self.listings.get(asked.key)
        if listing is not None and is_decided(listing):
            return int(listing.variant_id)
        if asked.key in self.unclear or (creates and asked.sku):
            return None
        return int(listing.variant_id) if listing is not None else self.taught.get(asked.key)


def asked_of(line: LineDraft, sku: str) -> Asked:
    """물어볼 품목 of a draft's line."""
    return Asked(line.channel_product, line.channel_option, clean_text(sku, LONGEST_CODE))


def tell(channel: SalesChannel, asked: Iterable[Asked]) -> Known:
    """품목 알아보기: what is known of these lines together; two queries."""
    wanted = set(asked)
    codes: dict[Key, set[str]] = {one.key: set() for one in wanted}
    for one in wanted:
        codes[one.key] |= {one.sku} if one.sku else set()
    by_code = variants_by_sku({one.sku for one in wanted if one.sku})
    listings = listings_of(channel, [key for key in codes if key[0]])
    known = Known(by_code, listings)
    for key, said in codes.items():
        meant = {by_code[sku] for sku in said if sku in by_code}
        listing = listings.get(key)
        learned = {listing.variant_id} if listing is not None and not is_decided(listing) else set()
        if len(said) > 1 or (learned and not meant <= learned):
            known.unclear.add(key)
        elif meant:
            known.taught[key] = meant.pop()
    return known


def is_decided(listing: ChannelListing) -> bool:
    """사람이 정한 연결: staff have said it; the others were learned from codes or made with a new product."""
    return listing.version > 0


def listings_of(channel: SalesChannel, keys: Sequence[Key]) -> dict[Key, ChannelListing]:
    """기억한 연결: what a channel means by these (product, option) pairs; one query."""
    rows = ChannelListing.objects.filter(channel=channel, product__in={product for product, _ in keys})
    wanted = set(keys)
    return {(row.product, row.option): row for row in rows if (row.product, row.option) in wanted}
