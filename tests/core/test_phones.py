"""Korean numbers: one stored form, one shown form, and the zeros that spreadsheets drop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.phones import format_phone, is_mobile, is_phone, is_safe_number, normalize_phone, tail4


@pytest.mark.parametrize(
    ("typed", "stored", "shown"),
    [
        ("010-1234-5678", "01012345678", "010-1234-5678"),
        ("010 1234 5678", "01012345678", "010-1234-5678"),
        ("０１０－１２３４－５６７８", "01012345678", "010-1234-5678"),
        ("+82 10-1234-5678", "01012345678", "010-1234-5678"),
        ("+82-(0)10-1234-5678", "01012345678", "010-1234-5678"),
        ("821012345678", "01012345678", "010-1234-5678"),
        ("1012345678", "01012345678", "010-1234-5678"),
        ("1012345678.0", "01012345678", "010-1234-5678"),
        ("011-234-5678", "0112345678", "011-234-5678"),
        ("02-123-4567", "021234567", "02-123-4567"),
        ("0212345678", "0212345678", "02-1234-5678"),
        ("212345678", "0212345678", "02-1234-5678"),
        ("031-123-4567", "0311234567", "031-123-4567"),
        ("311234567", "0311234567", "031-123-4567"),
        ("07012345678", "07012345678", "070-1234-5678"),
        ("080-123-4567", "0801234567", "080-123-4567"),
        ("0507-1234-5678", "050712345678", "0507-1234-5678"),
        ("50712345678", "050712345678", "0507-1234-5678"),
        ("0505-123-4567", "05051234567", "0505-123-4567"),
        ("1588-0000", "15880000", "1588-0000"),
    ],
)
def test_numbers_are_stored_and_shown_in_one_form(typed, stored, shown):
    assert normalize_phone(typed) == stored
    assert is_phone(stored)
    assert format_phone(typed) == shown
    assert format_phone(shown) == shown
    assert tail4(typed) == stored[-4:]


@pytest.mark.parametrize("typed", ["", "없음", "123", "010-1234", "999999999999999", "0000"])
def test_what_is_no_number_stays_as_it_came(typed):
    assert not is_phone(normalize_phone(typed))
    assert format_phone(typed) == typed


def test_the_tail_needs_four_digits():
    assert [tail4(text) for text in ("123", "1234", "010-1234-5678", "")] == ["", "1234", "5678", ""]


def test_safe_and_mobile_numbers_are_told_apart():
    assert is_safe_number("0507-1234-5678")
    assert not is_safe_number("010-1234-5678")
    assert is_mobile("1012345678")
    assert not is_mobile("0507-1234-5678")


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(text):
    once = normalize_phone(text)
    assert normalize_phone(once) == once
    assert once == "" or once.isdecimal()
