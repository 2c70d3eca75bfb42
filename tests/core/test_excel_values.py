"""Cells of real files become values, or a sentence that says what to do."""

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.excel import values
from core.excel.problems import CELL_SENTENCES, Problem, cell_problem

KST = timezone(timedelta(hours=9))


def code(result: Any) -> str:
    assert isinstance(result, Problem), result
    assert result.message.endswith(".")
    return result.code


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (1012345678, "01012345678"),
        (1012345678.0, "01012345678"),
        ("010-1234-5678", "01012345678"),
        ("'01012345678", "01012345678"),
        ("+82 10-1234-5678", "01012345678"),
        (212345678, "0212345678"),
        ("0502-1234-5678", "050212345678"),
        ("1588-1234", "15881234"),
        ("", ""),
        (None, ""),
        ("-", ""),
    ],
)
def test_phones_get_their_zero_back(cell, value):
    assert values.phone(cell) == value


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("010-****-5678", "phone_masked"),
        ("010-1234", "phone_format"),
        ("010-1111-2222 / 010-3333-4444", "phone_format"),
        ("없음", "phone_format"),
        ("1.01E+09", "phone_format"),
        (True, "text_expected"),
        (10.5, "text_expected"),
        (datetime(2025, 11, 21), "text_expected"),
        (1234567890123456, "precision"),
    ],
)
def test_what_is_no_phone_is_refused(cell, problem):
    assert code(values.phone(cell)) == problem


@pytest.mark.parametrize(
    ("cell", "value"),
    [(6236, "06236"), ("06236", "06236"), (" 6236 ", "06236"), ("０６２３６", "06236"), (6236.0, "06236"), (None, "")],
)
def test_zip_codes_have_five_digits(cell, value):
    assert values.zip_code(cell) == value


@pytest.mark.parametrize("cell", ["135-080", "123", 7, "서울", "062361", "62a36"])
def test_what_is_no_zip_code_is_refused(cell):
    assert code(values.zip_code(cell)) == "zip_format"


@pytest.mark.parametrize("cell", ["1e400", "0원a", "서울", "62a36", "①②③④x"])
def test_letters_in_a_zip_code_are_named(cell):
    message = "우편번호에 숫자가 아닌 글자가 있습니다. 06234처럼 숫자 5자리로 입력하세요."
    assert values.zip_code(cell) == Problem("zip_format", message)


def test_the_sentence_of_a_zip_code_counts_its_digits():
    result = values.zip_code("135-080")
    assert result == Problem("zip_format", "우편번호는 숫자 5자리여야 합니다. 지금은 6자리입니다.")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (680000000011, "680000000011"),
        (680000000011.0, "680000000011"),
        ("6800-0000-0011", "680000000011"),
        (" 6800 0000 0011 ", "680000000011"),
        ("０６８００００００１１", "06800000011"),
        ("ee123456789kr", "EE123456789KR"),
        (999_999_999_999_999, "999999999999999"),
        (None, ""),
        ("  ", ""),
    ],
)
def test_waybills_are_digits_and_letters(cell, value):
    assert values.waybill(cell) == value


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("6.36826E+11", "waybill_exponent"),
        ("6E+11", "waybill_exponent"),
        (cell_problem("exponent"), "waybill_exponent"),
        (cell_problem("formula"), "formula"),
        (1_000_000_000_000_000, "precision"),
        (680000000011.5, "text_expected"),
        (datetime(2025, 11, 21), "text_expected"),
        (False, "text_expected"),
        ("직접수령", "waybill_format"),
        ("=cmd", "waybill_format"),
        ("1" * 31, "waybill_format"),
    ],
)
def test_waybills_that_lost_digits_or_are_none_are_refused(cell, problem):
    assert code(values.waybill(cell)) == problem


def test_the_sentence_for_an_exponent_is_the_one_staff_know():
    assert values.waybill("6.25E+11") == Problem(
        "waybill_exponent", "송장번호가 지수 형식입니다. 엑셀에서 셀 서식을 텍스트로 바꿔 주세요."
    )


def test_identifiers_are_complete_or_refused():
    assert values.identifier("20251121-0002263") == "20251121-0002263"
    assert values.identifier(2022040521) == "2022040521"
    assert values.identifier("1E10") == "1E10"
    assert code(values.identifier("2.02204E+15")) == "exponent"
    assert code(values.identifier(2022040521691281)) == "precision"
    assert code(values.identifier(1.5)) == "text_expected"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234원", 1234), ("₩1,234", 1234), ("￦ 1,234", 1234), ("1234", 1234), (1234, 1234), (1234.0, 1234),
        ("0원", 0), ("-1,000", -1000), ("(1,000)", -1000), ("△500", -500), ("−500", -500), ("1234.00", 1234),
        ("１２，３００원", 12300),
        ("1,234 KRW", 1234), ("", None), (None, None), ("  ", None), ("-", None),
    ],
)  # fmt: skip
def test_amounts_are_whole_won(cell, value):
    assert values.amount(cell) == value


@pytest.mark.parametrize("cell", ["12.5", 12.5, "1,23", "12,34,567", "천원", "$5", "1e5", True, "원", "1 2 x",
                                  datetime(2025, 1, 1), "9" * 21])  # fmt: skip
def test_what_is_no_amount_is_refused(cell):
    assert values.amount(cell) == Problem("amount_format", "금액은 12,300처럼 원 단위 정수로 입력하세요.")


def test_quantities_are_whole():
    assert [values.integer(cell) for cell in ("3", "3개", "1,000", 2, 2.0, None, "2 EA")] == [3, 3, 1000, 2, 2, None, 2]
    assert code(values.integer("두 개")) == "number_format"
    assert code(values.integer(1.5)) == "number_format"


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2025-11-21", (0, 0, 0)), ("2025.11.21", (0, 0, 0)), ("2025. 11. 21.", (0, 0, 0)), ("2025/11/21", (0, 0, 0)),
        ("20251121", (0, 0, 0)), (20251121, (0, 0, 0)), ("2025년 11월 21일", (0, 0, 0)), (45982, (0, 0, 0)),
        (datetime(2025, 11, 21), (0, 0, 0)), ("2025-11-21 (금)", (0, 0, 0)), ("2025-11-21 (금) 14:20", (14, 20, 0)),
        ("2025-11-21 14:20:05", (14, 20, 5)), ("2025-11-21T14:20:05+09:00", (14, 20, 5)),
        ("2025-11-21T05:20:05Z", (14, 20, 5)), ("2025-11-21T05:20:05.123+0000", (14, 20, 5)),
        ("2025.11.21 14:20", (14, 20, 0)), ("20251121142005", (14, 20, 5)), (20251121142005, (14, 20, 5)),
        ("202511211420", (14, 20, 0)), ("20251121 142005", (14, 20, 5)), ("2025-11-21 오후 2:20:05", (14, 20, 5)),
        ("2025-11-21 오전 12:00:00", (0, 0, 0)), ("2025-11-21 2:20 PM", (14, 20, 0)), (45982.597280092596, (14, 20, 5)),
        ("2025-11-21 14:20:05.999", (14, 20, 5)), ("２０２５－１１－２１", (0, 0, 0)),
        (datetime(2025, 11, 21, 14, 20, 5, 999), (14, 20, 5)), ("2025-11-21 14:20:05 KST", (14, 20, 5)),
    ],
)  # fmt: skip
def test_the_usual_spellings_of_a_moment_are_read_in_korean_time(cell, moment):
    result = values.datetime_(cell)
    assert result == datetime(2025, 11, 21, *moment, tzinfo=KST)
    assert isinstance(result, datetime)
    assert result.utcoffset() == timedelta(hours=9)


@pytest.mark.parametrize("cell", [None, "", "  ", "-", "--", "."])
def test_a_blank_date_is_none(cell):
    assert values.datetime_(cell) is None


@pytest.mark.parametrize(
    "cell",
    ["2025-13-01", "2025-02-30", "25-11-21", "21/11/2025", "내일", "2025-11-21 25:00", "2025-11-21 14:60", 5, 3.7, True,
     "2025-11-21 오후 13:00", "2025112114200", 99999, "1899-01-01", "2025-11-21x", "2025-11-21 14:20 +25:00"],
)  # fmt: skip
def test_what_is_no_date_is_refused(cell):
    assert values.datetime_(cell) == Problem("date_format", "날짜는 2025-11-21처럼 입력하세요.")


def test_text_is_trimmed_and_typed_cells_are_written_out():
    cells = [" 가 나 ", None, 5, 1.5, True, datetime(2025, 11, 21), datetime(2025, 11, 21, 14, 20, 5)]
    assert [values.text(cell) for cell in cells] == [  # type: ignore[arg-type]
        "가 나", "", "5", "1.5", "TRUE", "2025-11-21", "2025-11-21 14:20:05",
    ]  # fmt: skip


CONVERSIONS = [
    values.text, values.identifier, values.waybill, values.phone, values.zip_code, values.amount, values.integer,
    values.datetime_,
]  # fmt: skip


@pytest.mark.parametrize("convert", CONVERSIONS)
def test_a_problem_of_the_file_goes_through_every_conversion(convert):
    for name in CELL_SENTENCES:
        assert isinstance(convert(cell_problem(name)), Problem)


@given(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40)
    | st.datetimes(min_value=datetime(1900, 1, 1)) | st.from_regex(r"[0-9().,:\-+TZ 년월일원]{0,25}", fullmatch=True)
)  # fmt: skip
def test_no_cell_makes_a_conversion_fail(cell):
    for convert in CONVERSIONS:
        result = convert(cell)
        assert result is None or isinstance(result, (str, int, date, Problem))
