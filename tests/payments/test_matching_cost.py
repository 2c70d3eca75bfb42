"""What it costs to confirm deposits: the same number of statements for few and for many, each row written once."""

import re

from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import OrderLine
from orders.states import LineState

FAMILIES = ("김하나", "이두리", "박세찬", "최네온", "정다선", "강여섯")


def statements(make_order, came_in, matched, names):
    orders = [make_order(price=30_000, depositor_name=name, buyer_name=name) for name in names]
    for place, name in enumerate(names, start=1):
        came_in(30_000, name, balance=place * 30_000)
    with CaptureQueriesContext(connection) as captured:
        matched()
    lines = OrderLine.objects.filter(order__in=orders)
    assert set(lines.values_list("state", flat=True)) == {LineState.PREPARING}
    assert "" not in set(lines.values_list("stock_verdict", flat=True))
    return [one["sql"] for one in captured.captured_queries]


def count(sqls, pattern):
    return sum(bool(re.search(pattern, sql, re.DOTALL)) for sql in sqls)


def test_six_deposits_cost_as_many_statements_as_two(make_order, came_in, matched):
    two = statements(make_order, came_in, matched, FAMILIES[:2])
    six = statements(make_order, came_in, matched, [f"{name}님" for name in FAMILIES])
    assert len(six) == len(two)


def test_orders_and_lines_are_locked_once_and_rolled_up_once(make_order, came_in, matched):
    sqls = statements(make_order, came_in, matched, FAMILIES[:3])
    assert count(sqls, r'FROM "orders_order" .*FOR NO KEY UPDATE') == 1
    assert count(sqls, r'FROM "orders_orderline" .*FOR NO KEY UPDATE') == 1
    assert count(sqls, r'UPDATE "?orders_orderline') == 1
    assert count(sqls, r"INSERT INTO orders_stepdelta") == 1


def test_amounts_and_names_are_sent_as_typed_arrays(make_order, came_in, matched):
    """Numbers of another width are compared one by one: 100,000 orders against 7,000 amounts took 2 s."""
    sqls = statements(make_order, came_in, matched, FAMILIES[:2])
    pools = [sql for sql in sqls if "o.depositor_name, o.buyer_name" in sql]
    assert len(pools) == 3
    for sql in pools:
        assert "ANY(ARRAY" not in sql
        assert re.search(r"= ANY\('\{[^']*\}'::bigint\[\]\)", sql)
