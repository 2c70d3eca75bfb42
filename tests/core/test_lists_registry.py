"""What an upper app adds to a list of a lower app: columns, tabs, filters and search arms."""

import io
from collections.abc import Callable, Iterator

import django_filters
import pytest
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from core import cells
from core.lists import NUMBER, ListColumn, ListTab, SearchArm, lists
from core.lists.declare import placed
from core.lists.export import write_export
from core.lists.presenter import present
from orders.models import Order, OrderLine, StaffMemo
from tests.fixtures.order_rows import NOW

asked_for: list[list[int]] = []


def memo_texts(ids: list[int]) -> dict[int, str]:
    asked_for.append(list(ids))
    return dict(StaffMemo.objects.filter(order_id__in=ids).values_list("order_id", "text"))


MEMO = ListColumn(
    "memo", "메모",
    lambda group, line: cells.text(group.fetched.get("memo")),
    lambda group, line: group.fetched.get("memo", ""),
    after="people", fetch=memo_texts,
)  # fmt: skip
NOTED = ListTab("noted", "메모 남김", Q(Exists(StaffMemo.objects.filter(order=OuterRef("pk")))), after="all")
BY_MEMO = SearchArm(
    "memo", "메모", r"#.+", lambda given: StaffMemo.objects.filter(text__in=given).values_list("order_id"), group=NUMBER
)


@pytest.fixture
def extended() -> Iterator[None]:
    lists.extend(
        "orders", "preparing", columns=(MEMO,), tabs=(NOTED,), arms=(BY_MEMO,),
        filters={"line": django_filters.CharFilter(label="품목번호", field_name="lines__number", max_length=20)},
    )  # fmt: skip
    asked_for.clear()
    yield
    for name in ("orders", "preparing"):
        lists._extensions[name].pop()
        lists.page(name).forget()


@pytest.fixture
def noted(some_orders: None, staff, extended: None) -> list[Order]:
    orders = list(Order.objects.order_by("-ordered_at")[:3])
    for order in orders:
        StaffMemo.objects.create(order=order, author=staff, text=f"#<b>{order.pk}</b>")
    return orders


def test_a_contributed_column_is_shown_escaped_filed_and_asked_for_once(noted, staff):
    with CaptureQueriesContext(connection) as captured:
        view = present(lists.page("orders").query("period=all&size=200", user=staff, at=NOW))
    assert [head.key for head in view.heads][1:3] == ["people", "memo"]
    assert sum("orders_staffmemo" in one["sql"] and "order_id" in one["sql"] for one in captured.captured_queries) == 2
    assert [len(ids) for ids in asked_for] == [200]
    assert f"#&lt;b&gt;{noted[0].pk}&lt;/b&gt;" in "".join(row.html for row in view.rows)
    target = io.BytesIO()
    write_export(lists.page("orders").query("tab=noted&period=all", user=staff, at=NOW), target)
    rows = list(load_workbook(target).active.iter_rows(values_only=True))
    assert {row[rows[0].index("메모")] for row in rows[1:]} == {f"#<b>{order.pk}</b>" for order in noted}


def test_a_hidden_contributed_column_costs_nothing(noted, staff):
    page = lists.page("orders")
    columns = page.visible_columns(staff, chosen=["number", "tags"])
    page.load([noted[0].pk], columns=columns, at=NOW)
    assert asked_for == []


def test_a_contributed_tab_counts_and_narrows(noted, staff):
    asked = lists.page("orders").query("tab=noted&period=all", user=staff, at=NOW)
    assert asked.count().tabs["noted"] == asked.count().total
    assert sorted(asked.keyset().ids) == sorted(order.pk for order in noted)
    assert [tab.key for tab in present(asked).tabs][:2] == ["all", "noted"]


def test_a_contributed_filter_and_search_arm_find_rows(noted, staff):
    line = OrderLine.objects.filter(order=noted[1]).first()
    page = lists.page("orders")
    assert page.query(f"line={line.number}&period=all", user=staff, at=NOW).keyset().ids == [noted[1].pk]
    found = page.query("q=" + f"#<b>{noted[2].pk}</b>".replace("#", "%23"), user=staff, at=NOW)
    assert found.keyset().ids == [noted[2].pk]
    assert ("memo", "메모") in present(found).search.kinds


def test_names_are_given_once(extended):
    def twice(act: Callable[[], object]) -> None:
        with pytest.raises(ValueError, match="twice"):
            act()

    twice(lambda: lists.register(type(lists.page("orders"))))
    lists.extend("orders", columns=(MEMO,))
    twice(lambda: lists.page("orders").all_columns)
    lists._extensions["orders"].pop()
    lists.page("orders").forget()
    with pytest.raises(LookupError):
        lists.page("nosuch")


def test_no_list_has_a_column_or_tab_twice():
    for page in lists.pages():
        assert page.all_columns
        assert len({one.key for one in page.all_tabs}) == len(page.all_tabs)


def test_a_list_that_declares_a_column_twice_does_not_start():
    with pytest.raises(ValueError, match="memo is declared twice"):
        placed((MEMO, MEMO), ())
