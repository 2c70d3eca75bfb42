"""자동입금확인의 규칙 as pure functions: names, points, and that nothing doubtful is ever confirmed by itself."""

import time
import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.calendar import KST
from core.exceptions import DomainError
from payments.matching import Book, Row, Standing, Wanted, compare, decide, latest_of, reason_words, summing
from payments.names import digit_runs, name_key, order_numbers
from payments.services.deposits.sharing import Need, shares_of
from payments.states import DepositReason, MatchGrade
from tests.fixtures.orders import NOW

LATER = NOW + timedelta(hours=1)


def wanted(pk, name="홍길동", amount=39_000, **facts):
    return Wanted(pk, f"20260921{pk:07d}", amount, name, facts.pop("ordered_at", NOW), **facts)


@pytest.mark.parametrize(
    "text",
    [
        "홍길동", " 홍 길동 ", "홍.길동", "(주)홍길동", "㈜홍길동", "주식회사 홍길동", "홍길동5678", "홍길동(주)",
        "홍길동 010-1234-5678", unicodedata.normalize("NFD", "홍길동"), "홍길동_1",
    ],
)  # fmt: skip
def test_spellings_of_one_name(text):
    assert name_key(text) == "홍길동"


def test_other_names_stay_apart():
    assert name_key("KIM Chul-Su") == "kimchulsu"
    assert name_key("1234") == "1234"
    assert name_key("주식회사") == ""


@given(st.text(max_size=40))
def test_a_key_is_its_own_key(text):
    assert name_key(name_key(text)) == name_key(text)


def test_runs_of_digits_reach_over_hyphens():
    assert "202609210000012" in digit_runs("홍길동", "20260921-0000012")
    assert digit_runs("홍길동 123") == ()
    assert digit_runs("010-1234-5678") == ("01012345678",)
    assert digit_runs("5678 0000012") == ("56780000012", "5678", "0000012"), "perhaps two numbers"


@pytest.mark.parametrize("text", ["20260921-0000012", "20260921 0000012", "주문202609210000012", "20260921-0000012-01"])
def test_a_whole_order_number_is_one_run_whose_end_names_no_other_order(text):
    assert digit_runs(text) == order_numbers("이순신", text) == ("202609210000012",)


def test_the_end_of_a_longer_number_names_nobody():
    assert order_numbers("1120260921-0000012", "202609210000012345") == ()
    assert "0000012" not in digit_runs("260921-0000012")


@pytest.mark.parametrize(("name", "points"), [("홍길동", 95), ("성춘향", 60)])
def test_a_row_that_names_an_order_of_ours_pays_no_other_by_itself(name, points):
    row = Row(1, LATER, 39_000, name, ("202609200000001",), frozenset({"202609200000001"}))
    verdict = decide(row, Book.of([row], [wanted(1)]))
    assert verdict.order_id is None
    assert (verdict.candidates[0].score, "다른 주문번호" in verdict.explained) == (points, True)
    assert name != "홍길동" or reason_words(verdict.reason, verdict.explained) == "다른 주문번호"
    strange = replace(row, named=frozenset())
    assert decide(strange, Book.of([strange], [wanted(1)])).order_id == (1 if name == "홍길동" else None)


@pytest.mark.parametrize(
    ("row", "order", "score", "grade"),
    [
        (Row(1, LATER, 39_000, "홍길동"), wanted(1), 100, MatchGrade.STRONG),
        (Row(1, LATER + timedelta(days=6), 39_000, "홍길동"), wanted(1), 100, MatchGrade.STRONG),
        (Row(1, LATER + timedelta(days=8), 39_000, "홍길동"), wanted(1), 95, MatchGrade.STRONG),
        (Row(1, LATER, 39_000, "홍길"), wanted(1), 85, MatchGrade.WEAK),
        (Row(1, LATER, 39_000, "성춘향"), wanted(1), 65, MatchGrade.AMOUNT),
        (Row(1, LATER, 39_000, "성춘향", ("00012",)), wanted(12), 100, MatchGrade.CERTAIN),
        (Row(1, LATER, 39_000, "성춘향", ("5678",)), wanted(1, phone="01012345678"), 75, MatchGrade.WEAK),
        (Row(1, LATER, 38_000, "홍길동"), wanted(1), 40, MatchGrade.STRONG),
        (Row(1, LATER, 39_000, "김회사"), wanted(1, buyer="김회사"), 85, MatchGrade.WEAK),
        (Row(1, LATER, 39_000, "가나다라마바사"), wanted(1, name="가나다라마바사아자"), 85, MatchGrade.WEAK),
    ],
)
def test_points(row, order, score, grade):
    found = compare(row, order)
    assert (found.score, found.grade) == (score, grade)


def test_statements_that_give_minutes_or_days_count_their_whole_length():
    day = LATER.astimezone(KST).replace(hour=0, minute=0, second=0)
    assert latest_of(day) == day + timedelta(days=1)
    assert latest_of(LATER) == LATER + timedelta(minutes=1)
    assert latest_of(LATER + timedelta(seconds=5)) == LATER + timedelta(seconds=6)


NAMES = st.sampled_from(["홍길동", "홍길", "성춘향", "김철수", ""])
AMOUNTS = st.sampled_from([10_000, 25_000, 39_000])
ORDERS = st.lists(st.tuples(NAMES, AMOUNTS, st.integers(-48, 48), st.sampled_from(list(Standing)), NAMES), max_size=8)


def orders_of(facts):
    return [
        wanted(pk, name, amount, ordered_at=NOW + timedelta(hours=hours), standing=standing, buyer=buyer)
        for pk, (name, amount, hours, standing, buyer) in enumerate(facts, start=1)
    ]


@settings(max_examples=400)
@given(ORDERS, NAMES, AMOUNTS)
def test_only_the_single_order_of_that_name_and_amount_is_confirmed(facts, name, amount):
    orders = orders_of(facts)
    row = Row(1, LATER, amount, name)
    verdict = decide(row, Book.of([row], orders))
    if verdict.order_id is None:
        return
    chosen = orders[verdict.order_id - 1]
    assert (chosen.amount, chosen.payer, chosen.standing) == (amount, name, Standing.OPEN)
    assert name
    assert chosen.ordered_at < latest_of(LATER)
    rivals = [
        one
        for one in orders
        if one.amount == amount and one.payer == name and one.id != chosen.id
        and one.standing is not Standing.CANCELED and one.ordered_at < latest_of(LATER)
    ]  # fmt: skip
    assert rivals == []


@settings(max_examples=200)
@given(ORDERS, st.lists(st.tuples(NAMES, AMOUNTS), max_size=8))
def test_no_order_is_given_to_two_deposits_and_the_order_of_reading_orders_does_not_matter(facts, deposits):
    orders = orders_of(facts)
    rows = [Row(n, LATER, amount, name) for n, (name, amount) in enumerate(deposits)]
    book, turned = Book.of(rows, orders), Book.of(rows, reversed(orders))
    found = [decide(row, book).order_id for row in rows]
    given_out = [one for one in found if one is not None]
    assert len(given_out) == len(set(given_out))
    assert [decide(row, turned).order_id for row in rows] == found


@given(st.lists(st.integers(1, 50_000), min_size=2, max_size=6), st.integers(2, 100_000))
def test_a_proposed_sum_is_exact(amounts, wanted_sum):
    orders = [wanted(pk, amount=amount) for pk, amount in enumerate(amounts, start=1)]
    chosen = summing(wanted_sum, orders)
    assert not chosen or (len(chosen) > 1 and sum(one.amount for one in orders if one.id in chosen) == wanted_sum)
    assert summing(sum(amounts), orders)


@given(st.integers(1, 10**6), st.lists(st.integers(0, 10**5), min_size=1, max_size=5))
def test_shares_add_up_and_everybody_gets_something(amount, needs):
    try:
        shares = shares_of(amount, [Need(n, one) for n, one in enumerate(needs)])
    except DomainError:
        return
    assert sum(shares.values()) == amount
    assert all(share > 0 for share in shares.values())


def test_a_shop_in_which_everybody_orders_the_same_is_not_slow():
    orders = [wanted(pk, name="홍길동" if pk % 2 else "김철수") for pk in range(1, 5_001)]
    rows = [Row(n, LATER, 39_000, "성춘향") for n in range(500)]
    book = Book.of(rows, orders)
    started = time.process_time()
    found = [decide(row, book) for row in rows]
    assert time.process_time() - started < 5
    assert all(one.order_id is None for one in found)


def test_the_reason_is_that_of_the_order_that_is_nearest():
    """An order of the same name that wants far more does not make a surplus 부분입금."""
    row = Row(1, LATER, 60_000, "홍길동")
    found = decide(row, Book.of([row], [wanted(1, amount=47_000), wanted(2, amount=722_900)]))
    assert found.reason == DepositReason.OVERPAID
    assert found.candidates[0].words.startswith("13,000원 초과")
