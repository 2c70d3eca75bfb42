"""Order lists over 100,000 orders: plans, names found by pieces, and a fixed number of queries."""

import io
import json
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.lists import lists
from core.lists.export import write_export
from core.lists.presenter import present
from orders.models import Order
from orders.search import folded
from tests.fixtures.order_rows import NOW, fill_orders
from tests.infra import database

SIZE = 100_000
LARGE = ("orders_order", "orders_orderline", "orders_ordersearch", "orders_orderevent")
QUERY_COUNTS = json.loads((Path(settings.BASE_DIR) / "tests" / "query_counts.json").read_text())
# Everything that a list offers: each tab, each filter, each sort, each kind of search term, a first and a deep page.
ASKED = {
    "orders": (
        "", "period=all", "period=today", "basis=paid&period=7d", "basis=confirmed&period=1m", "sort=ordered_at",
        "tab=preparing&period=all", "tab=exchanged&period=all", "tab=canceled", "mark=held", "mark=overdue&period=all",
        "mark=held&period=all", "mark=unmapped&period=all", "mark=claim&period=all&sort=ordered_at",
        "channel=1&payment=CARD", "stock=none&period=all", "sku=SKU-P7", "q=0045", "q=길동", "q=해운대구", "q=20251101",
        "q=0045 길동", "q=01056780045", "size=200", "lines_min=3&amount_min=50000",
    ),
    "preparing": (
        "", "period=all", "tab=unacknowledged", "tab=held&period=all", "tab=claim&period=all", "sort=-next_due_at",
        "sort=-due_amount&period=all", "q=0045", "q=길동", "mark=due-today", "basis=ordered&period=3d",
    ),
    "confirmed": ("", "period=all", "sort=confirmed_at&period=all", "basis=paid&period=7d", "q=길동", "mark=memo"),
}  # fmt: skip


@pytest.fixture(scope="module")
def many_orders(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database of its own with 100,000 orders, written once for this file."""
    name = f"{database.MINE}_large"
    with django_db_blocker.unblock():
        database._copy(database.TEMPLATE, name)
        database._use(name)
        fill_orders(SIZE)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    yield
    with django_db_blocker.unblock():
        database._use(database.MINE)
        database._drop(name)


@pytest.fixture
def large(many_orders: None, db: None) -> None:
    """A test that looks at the many orders."""


def deep(page: str, params: str) -> str:
    """The address of a page in the middle of a list."""
    rows = list(lists.page(page).query(params, user=None, at=NOW).queryset().values_list("pk", flat=True)[:1])
    asked = lists.page(page).query(params, user=None, at=NOW)
    for _ in range(3 if rows else 0):
        after = asked.keyset().after
        if not after:
            break
        asked = lists.page(page).query(f"{params}&after={after}", user=None, at=NOW)
    return f"{params}&after={asked.params['after']}" if asked.params.get("after") else params


def plans(page: str, params: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with CaptureQueriesContext(connection) as captured:
        present(lists.page(page).query(params, user=None, at=NOW))
    for one in captured.captured_queries:
        if one["sql"].startswith(("SELECT", "(SELECT")):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {one['sql']}")
                yield one["sql"], cursor.fetchone()[0][0]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("page", list(ASKED))
def test_no_question_of_a_list_reads_a_large_table_from_end_to_end(large, page):
    for params in ASKED[page]:
        for asked in {params, deep(page, params)}:
            for sql, explained in plans(page, asked):
                for node in nodes(explained["Plan"]):
                    is_large = node.get("Relation Name") in LARGE
                    assert not (is_large and node["Node Type"] == "Seq Scan"), (page, asked, sql[:300])
                touched = explained["Plan"]["Shared Hit Blocks"] + explained["Plan"]["Shared Read Blocks"]
                assert touched < 60_000, (page, asked, touched, sql[:300])


@pytest.mark.parametrize("page", list(ASKED))
def test_a_deep_page_reads_no_more_than_the_first(large, page):
    first, later = (
        sum(found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"] for _, found in plans(page, asked))
        for asked in ("period=all", deep(page, "period=all"))
    )
    assert later <= first * 1.2 + 50


def test_pieces_of_names_find_what_a_search_through_everything_finds(large):
    dice = random.Random(11)
    everybody = dict(Order.objects.values_list("pk", "buyer_name"))
    both = {
        pk: (folded(buyer), folded(recipient))
        for pk, buyer, recipient in Order.objects.values_list("pk", "buyer_name", "recipient_name")
    }
    arm = next(arm for arm in lists.page("orders").all_arms if arm.kind == "name")
    for _ in range(60):
        name = everybody[dice.choice(list(everybody))]
        start = dice.randint(0, 1)
        needle = folded(name)[start : start + dice.randint(2, 3)]
        found = {row[0] for row in arm.ids([needle])}
        assert found == {pk for pk, names in both.items() if any(needle in one for one in names)}, needle


def test_pieces_of_addresses_find_what_a_search_through_everything_finds(large):
    dice = random.Random(12)
    streets = {pk: folded(a + b) for pk, a, b in Order.objects.values_list("pk", "address1", "address2")}
    arm = next(arm for arm in lists.page("orders").all_arms if arm.kind == "address")
    for _ in range(20):
        street = dice.choice(list(streets.values()))
        start = dice.randrange(len(street) - 4)
        needle = street[start : start + dice.randint(2, 8)]
        found = {row[0] for row in arm.ids([needle])}
        assert found == {pk for pk, text in streets.items() if needle in text}, needle


def test_a_frequent_word_is_looked_for_in_the_usual_period_and_says_so(large):
    view = present(lists.page("orders").query("q=강남구", user=None, at=NOW))
    assert view.notices == ["검색 결과가 많아 7일 안에서만 찾았습니다. 더 찾으려면 기간을 고르세요."]
    assert 0 < view.total.count == len(lists.page("orders").selection("q=강남구", NOW, None))
    everything = present(lists.page("orders").query("q=강남구&period=all", user=None, at=NOW))
    assert everything.notices == []
    assert everything.total.capped
    assert len(everything.rows) == 50
    exact = lists.page("orders").query("q=강남구&period=all&exact=1", user=None, at=NOW).count().total
    assert not exact.capped
    assert exact.number == Order.objects.filter(address1__contains="강남구").count()


def test_a_long_list_is_counted_to_its_cap_and_exactly_when_asked(large):
    view = present(lists.page("orders").query("period=all", user=None, at=NOW))
    assert view.total.text == "주문 10,000건 이상"
    assert view.total.capped
    exact = present(lists.page("orders").query(view.total.exact_url.partition("?")[2], user=None, at=NOW))
    assert exact.total.text.startswith(f"주문 {SIZE:,}건 · 품목 ")
    assert not exact.total.capped
    assert [tab.count_text for tab in view.tabs][1:7] == [tab.count_text for tab in exact.tabs][1:7]


def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(large, make_staff):
    user = make_staff()
    for page, expected in QUERY_COUNTS["lists"].items():
        if page not in ASKED:
            continue
        for size in (20, 200):
            for params, number in expected.items():
                asked = f"{params}&size={size}" if params else f"size={size}"
                with CaptureQueriesContext(connection) as captured:
                    view = present(lists.page(page).query(asked, user=user, at=NOW))
                assert len(view.rows) == size or "q=" in params, (page, asked)
                assert len(captured) == number, (page, asked, [one["sql"][:120] for one in captured.captured_queries])


def test_menu_counts_are_one_query_for_each_app_and_one_for_the_ended_orders(large):
    with CaptureQueriesContext(connection) as captured:
        lists.menu_counts()
    assert len(captured) == QUERY_COUNTS["menu"]


def test_memory_stays_flat_while_a_file_is_written(large):
    def peak(params: str) -> int:
        tracemalloc.start()
        written = write_export(lists.page("orders").query(params, user=None, at=NOW), io.BytesIO())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert written > 0
        return peak

    small, large_file = peak("period=7d"), peak("period=3m")
    assert large_file < small + 12 * 2**20
