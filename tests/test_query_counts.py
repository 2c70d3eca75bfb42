"""Lists ask a fixed number of questions: the same for few rows and for many (tests/query_counts.json)."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.lists import lists
from core.lists.presenter import present
from shipping.services import shipments

COUNTS = json.loads((Path(settings.BASE_DIR) / "tests" / "query_counts.json").read_text())["lists"]
MONEY = {"deposits", "refunds", "notices", "refused-requests", "problems", "receipts", "reconciliations"}
ELSEWHERE = {"orders", "preparing", "confirmed", "awaiting-payment", "exceptions"} | MONEY
"""Counted over large tables (test_lists_at_size.py) and beside their other tests (test_awaiting_list.py, and those of
money in test_list_queries.py, and of exceptions in test_exception_page.py)."""


@pytest.fixture
def work(make_shipments: Any, make_numbered: Any, make_sent: Any) -> Callable[[int, int], None]:
    """`work(2, 0)`: so many shipments in 배송준비중, 배송대기, 배송중 and 배송완료, with numbers from the second on."""

    def make(count: int, first: int) -> None:
        at = timezone.now() - timedelta(hours=3)
        make_shipments(count, lines=2, at=at)
        make_numbered(count, first=first, at=at)
        make_sent(count, first=first + 100, at=at)
        arrived = make_sent(count, first=first + 200, at=at)
        ids = shipments.lines_of([one.pk for one in arrived])
        shipments.deliver_by_hand(line_ids=ids, actor=None, at=at, reason="수령 확인")

    return make


def asked(page: str, params: str, user: Any) -> tuple[int, list[str]]:
    """(rows shown, statements) of one opening of a list."""
    with CaptureQueriesContext(connection) as captured:
        view = present(lists.page(page).query(params, user=user, at=timezone.now()))
    return len(view.rows), [one["sql"][:160] for one in captured.captured_queries]


def test_every_list_of_the_shop_has_its_number():
    assert {page.name for page in lists.pages() if not type(page).__module__.startswith("tests.")} == COUNTS.keys()


def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(work, make_staff):
    user = make_staff()
    shown: dict[tuple[str, str], int] = {}
    for round_, count in enumerate((2, 12)):
        work(count, 1_000 * round_)
        for page in COUNTS.keys() - ELSEWHERE:
            for params, expected in COUNTS[page].items():
                rows, statements = asked(page, f"{params}&size=200" if params else "size=200", user)
                assert len(statements) == expected, (page, params, rows, statements)
                assert rows > shown.get((page, params), 0), (page, params)
                shown[page, params] = rows
