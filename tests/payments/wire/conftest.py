"""Orders whose buyer opens a virtual account in the PG's own window."""

from datetime import timedelta
from itertools import count

import pytest
from django.utils import timezone

from tests.fixtures.pg_shop import BANKS

NUMBERS = count(1)


@pytest.fixture
def window(cards):
    """`window("nicepay")`: the buyer opens an account of 33,000 won at the PG; how the storefront names it, and it."""

    def make(pg, *, amount=33_000, due_at=None, order_ref=None):
        account = cards.account(pg)
        ref = order_ref or f"mall-{next(NUMBERS)}"
        facts = {"method": "VIRTUAL_ACCOUNT", "buyer": "홍길동", "title": "티셔츠", "bank": BANKS[pg]}
        due = due_at or timezone.now() + timedelta(days=2)
        given = facts | {"due_at": due.isoformat(timespec="seconds")}
        shown = cards.shop.pgs.control("payments", pg=pg, order_ref=ref, amount=amount, **given)
        return {"account": account.code, "order_ref": ref, "payment_key": shown["payment_ref"]}, shown

    return make


@pytest.fixture
def order(cards, window):
    """`order("nicepay")`: the storefront's order for such an account; the API's answer."""

    def make(pg, *, lies=None, **facts):
        named, shown = window(pg, **facts)
        answer = cards.post(f"W-{next(NUMBERS)}", pg=named | (lies or {}), method="VIRTUAL_ACCOUNT")
        assert answer.status_code == 201, answer.content.decode()
        return answer.json(), shown

    return make
