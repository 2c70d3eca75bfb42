"""However late, doubled, reordered or lost its notices: an order ends where it ends when all come in order.

OMS_HISTORIES tells how many histories are played; `make soak` plays 1,000.
"""

import os

import pytest
from django.utils import timezone

from core.invariants import find_violations
from core.settings_registry import set_setting
from payments.options import DIFFERENCE_FROM, SECOND_A_DAY, SECOND_FROM
from payments.states import ProblemKind
from tests.payments.histories import Teller, end_of, invent

pytestmark = pytest.mark.django_db(transaction=True)
HISTORIES = int(os.environ.get("OMS_HISTORIES", "200"))
AT_ONCE = 50
PGS = ("toss", "portone", "nicepay", "nicepay-form", "inicis")


@pytest.mark.parametrize("first", range(0, HISTORIES, AT_ONCE))
def test_histories_end_alike(pg_shop, staff, make_variant, first):
    for key in (DIFFERENCE_FROM.key, SECOND_FROM.key, SECOND_A_DAY.key):
        set_setting(key=key, value=100_000_000, actor=staff, at=timezone.now())
    histories = [invent(seed, PGS) for seed in range(first, min(first + AT_ONCE, HISTORIES))]
    teller = Teller(pg_shop, staff, make_variant(on_hand=10_000), histories)
    teller.play()
    ends = {}
    for one in histories:
        ends |= {order.pk: end_of(order) for order in (one.told, one.untold)}
        assert ends[one.untold.pk] == ends[one.told.pk], (one.seed, one.pg, one.chapters)
        assert teller.bank.stands(one.untold) == teller.bank.stands(one.told), (one.seed, one.pg, one.chapters)
    orders = [order for one in histories for order in (one.told, one.untold)]
    books = teller.books(orders)
    for order in orders:
        end, (at_pg, ours) = ends[order.pk], books[order.pk]
        kinds = {kind for kind, _ in end["problems"]}
        assert at_pg == ours or ProblemKind.MISMATCH_WITH_PG in kinds, (order.number, end)
        came = ours + end["by hand"] + end["into bank"]
        assert end["paid"] == came - end["by bank"] + end["forgiven"], (order.number, end)
        # What staff had confirmed is the same money as what the PG told of later: it never counts beside it.
        is_beside = at_pg and end["by hand"] > end["by bank"]
        assert not is_beside or ProblemKind.MISMATCH_WITH_PG in kinds, (order.number, end)
        # Nobody has more back than he paid.
        assert end["paid"] >= end["forgiven"], (order.number, end)
    assert find_violations() == []
