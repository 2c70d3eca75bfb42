"""Search text of orders: two-character pieces of names and addresses, because staff type two syllables of a name.

A needle is cut into the same pieces, `names @> pieces` finds candidates by the GIN index, and the caller compares the
full text afterwards. Trigrams cannot find two syllables (performance.md 3.1).
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from core.phones import tail4
from orders.models.search import OrderSearch

_NOISE = re.compile(r"[\s()\[\]·.,'\"-]+")


def folded(text: str) -> str:
    """One spelling for comparing: NFC, lower case, without spaces and punctuation."""
    return _NOISE.sub("", unicodedata.normalize("NFC", text)).casefold()


def bigrams(*texts: str) -> list[str]:
    """Distinct two-character pieces of the texts, sorted; a text of one character is a piece of its own."""
    pieces: set[str] = set()
    for text in texts:
        plain = folded(text)
        pieces.update(plain[i : i + 2] for i in range(len(plain) - 1))
        if len(plain) == 1:
            pieces.add(plain)
    return sorted(pieces)


def search_row(order: Any) -> OrderSearch:
    """검색 글자 of one order, not stored yet."""
    return OrderSearch(
        order_id=order.pk,
        names=bigrams(order.buyer_name, order.recipient_name, order.depositor_name),
        address=bigrams(f"{order.address1} {order.address2}"),
        buyer_tail=tail4(order.buyer_phone),
        recipient_tail=tail4(order.recipient_phone),
    )


def store_search(orders: Sequence[Any]) -> None:
    """Write the search rows of new or changed orders."""
    OrderSearch.objects.bulk_create(
        [search_row(order) for order in orders],
        update_conflicts=True,
        unique_fields=["order"],
        update_fields=["names", "address", "buyer_tail", "recipient_tail"],
        batch_size=1000,
    )
