"""후보 주문 모으기: what the database leaves out is what the book would not have kept."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders.models import Order
from payments.matching import Book, Standing, Wanted, summing
from payments.names import NOT_PLAIN, name_key
from payments.services.deposits.pool import pool_of, rows_of
from tests.fixtures.orders import NOW

NAMES = ("홍길동", "㈜홍길동", "홍 길동 5678", "(주) 홍길동", "HONG", "홍길동회사", "주식회사홍길동", "", "성춘향")


@pytest.fixture
def orders(make_order):
    """Every spelling with a fitting and another amount, as the depositor and as the buyer."""
    return [
        make_order(
            price=price, depositor_name=name if mine else "누군가", buyer_name="누군가" if mine else name or "갑"
        )
        for name in NAMES
        for price in (10_000, 20_000)
        for mine in (True, False)
    ]


def kept(book):
    return {
        "amount": {amount: [one.id for one in some] for amount, some in book.by_amount.items()},
        "name": {name: [one.id for one in some] for name, some in book.by_name.items()},
        "both": {key: [one.id for one in some] for key, some in book.by_both.items()},
        "pair": {key: [one.id for one in some] for key, some in book.by_pair.items()},
    }


@pytest.mark.parametrize("depositor", ["홍길동", "(주)홍길동", "홍길동1234", "hong", "아무도아닌", ""])
def test_the_book_is_that_of_all_open_orders(orders, came_in, depositor):
    deposit = came_in(10_000, depositor)
    everything = [
        Wanted(
            one.pk, one.number.replace("-", ""), one.due_amount, name_key(one.depositor_name), one.ordered_at,
            one.deposit_by, name_key(one.buyer_name), one.buyer_phone, Standing.OPEN,
        )
        for one in Order.objects.order_by("ordered_at", "pk")
    ]  # fmt: skip
    rows = rows_of([deposit])
    assert kept(pool_of(rows)) == kept(Book.of(rows, everything))


def test_orders_that_fit_in_nothing_are_not_read(orders, came_in, make_order):
    deposit = came_in(10_000, "홍길동")
    for n in range(5):
        make_order(price=30_000 + n, depositor_name="이몽룡", buyer_name="이몽룡")
    with CaptureQueriesContext(connection) as captured:
        pool_of(rows_of([deposit]))
    assert len(captured) == 4
    with connection.cursor() as cursor:
        cursor.execute(captured.captured_queries[0]["sql"])
        names = {row[3] for row in cursor.fetchall()}
    assert "이몽룡" not in names
    assert {"홍길동", "㈜홍길동", "홍 길동 5678"} <= names


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    st.one_of(st.text(max_size=12), st.text("가나힣회사 ㈜(주)1a\n", max_size=12)).filter(
        lambda text: "\x00" not in text
    )
)
def test_a_name_that_the_database_calls_plain_is_its_own_key(db, text):
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {NOT_PLAIN.format(name='v.t')} FROM (SELECT %s::text AS t) v", [text])
        if not cursor.fetchone()[0]:
            assert name_key(text) == text


def test_what_wants_everything_or_more_is_part_of_no_sum():
    def wanted(pk, amount):
        return Wanted(pk, str(pk), amount, "홍길동", NOW)

    assert summing(30_000, [wanted(1, 30_000), wanted(2, 40_000)]) == set()
    assert summing(30_000, [wanted(1, 10_000), wanted(2, 15_000)]) == set()
    many = [wanted(n, 90_000) for n in range(1, 20)]
    assert summing(30_000, [*many, wanted(30, 10_000), wanted(31, 20_000)]) == {30, 31}
    assert summing(30_000, [wanted(n, 10_000) for n in range(1, 6)]) == {1, 2, 3}
