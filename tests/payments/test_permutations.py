"""However late, doubled, reordered or lost its notices: an order ends where it ends when all come in order.

OMS_HISTORIES tells how many histories are played; `make soak` plays 1,000.
"""

import os

import pytest

from core.invariants import find_violations
from tests.payments.histories import Teller, end_of, invent

pytestmark = pytest.mark.django_db(transaction=True)
HISTORIES = int(os.environ.get("OMS_HISTORIES", "200"))
AT_ONCE = 50
PGS = ("toss", "portone", "nicepay", "nicepay-form", "inicis")


@pytest.mark.parametrize("first", range(0, HISTORIES, AT_ONCE))
def test_histories_end_alike(pg_shop, staff, first):
    histories = [invent(seed, PGS) for seed in range(first, min(first + AT_ONCE, HISTORIES))]
    teller = Teller(pg_shop, staff, histories)
    teller.play()
    for one in histories:
        assert end_of(one.untold) == end_of(one.told), (one.seed, one.pg, one.chapters)
    orders = [order for one in histories for order in (one.told, one.untold)]
    books = teller.books(orders)
    assert {pk: at_pg for pk, (at_pg, _) in books.items()} == {pk: ours for pk, (_, ours) in books.items()}
    for order in orders:
        end, (at_pg, ours) = end_of(order), books[order.pk]
        # What staff had confirmed is the same money as what the PG told of later: it never counts beside it.
        assert end["paid"] == ours + end["by hand"], (order.number, end)
        assert not (at_pg and end["by hand"]), (order.number, end)
    assert find_violations() == []
