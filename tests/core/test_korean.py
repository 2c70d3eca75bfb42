"""Particles follow the last sound; first consonants are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.korean import josa, particle


@pytest.mark.parametrize(
    ("word", "pair", "expected"),
    [
        ("송장번호", "을/를", "송장번호를"),
        ("사유", "을/를", "사유를"),
        ("상품", "을/를", "상품을"),
        ("배송중", "으로/로", "배송중으로"),
        ("배송대기", "으로/로", "배송대기로"),
        ("서울", "으로/로", "서울로"),
        ("서울", "을/를", "서울을"),
        ("주문", "이/가", "주문이"),
        ("취소", "이/가", "취소가"),
        ("대표", "은/는", "대표는"),
        ("물류팀", "과/와", "물류팀과"),
        ("물류", "와/과", "물류와"),
        ("재무", "가/이", "재무가"),
        ("값", "이라/라", "값이라"),
    ],
)
def test_hangul_decides_by_its_final_consonant(word, pair, expected):
    assert josa(word, pair) == expected


@pytest.mark.parametrize(
    ("word", "object_", "direction"),
    [
        ("10", "을", "으로"),
        ("1", "을", "로"),
        ("2", "를", "로"),
        ("3", "을", "으로"),
        ("4", "를", "로"),
        ("5", "를", "로"),
        ("6", "을", "으로"),
        ("7", "을", "로"),
        ("8", "을", "로"),
        ("9", "를", "로"),
        ("20260921-0000017", "을", "로"),
        ("20260921-0000010", "을", "으로"),
        ("1,000", "을", "으로"),
        ("1000000000000", "를", "로"),
        ("12,300원", "을", "으로"),
        ("30%", "를", "로"),
    ],
)
def test_numbers_are_read_in_korean(word, object_, direction):
    assert (particle(word, "을/를"), particle(word, "으로/로")) == (object_, direction)


@pytest.mark.parametrize(
    ("word", "object_", "direction"),
    [
        ("CJ", "를", "로"),
        ("URL", "을", "로"),
        ("PDF", "를", "로"),
        ("VIP 회원 A", "를", "로"),
        ("SMS", "를", "로"),
        ("CRM", "을", "으로"),
        ("CDN", "을", "으로"),
        ("Excel", "을", "로"),
        ("Google", "을", "로"),
        ("Coupang", "을", "으로"),
        ("Facebook", "을", "으로"),
        ("Naver", "를", "로"),
        ("SmartStore", "를", "로"),
        ("Cafe24", "를", "로"),
        ("Amazon", "을", "으로"),
    ],
)
def test_latin_letters_are_read_in_korean(word, object_, direction):
    assert (particle(word, "을/를"), particle(word, "으로/로")) == (object_, direction)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("'한진'", "'한진'을"),
        ("상품준비중(N10)", "상품준비중(N10)을"),
        ("우체국 ", "우체국 을"),
        ("(주)바다", "(주)바다를"),
    ],
)
def test_marks_and_remarks_at_the_end_are_passed_over(word, expected):
    assert josa(word, "을/를") == expected


def test_what_is_no_particle_is_refused():
    with pytest.raises(KeyError):
        josa("주문", "을/은")


@given(st.text(max_size=40))
def test_any_text_gets_one_of_the_two(word):
    assert particle(word, "을/를") in {"을", "를"}
