"""The written workbook, opened by openpyxl, calamine and LibreOffice, and read back by our own reader."""

import csv
import io
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import python_calamine
from hypothesis import given, settings
from hypothesis import strategies as st

from core.excel import Column, Kind, read_table, stream_xlsx, write_xlsx
from core.excel.cleaning import clean_text
from core.excel.writer import MAX_ROWS

COLUMNS = [
    Column("number", "주문번호", width=20),
    Column("amount", "결제금액", Kind.WON),
    Column("quantity", "수량", Kind.INTEGER, 6),
    Column("day", "출고일", Kind.DATE),
    Column("paid", "결제일시", Kind.DATETIME, 20),
    Column("any", "기타", Kind.ANY),
]
PAID = datetime(2025, 11, 21, 5, 20, 5, tzinfo=UTC)
ROW = ["20251121-0002263", 12300, 2, date(2025, 11, 21), PAID, "05123"]
TRIGGERS = ["=1+1", "=cmd|' /C calc'!A0", "+82 10", "-1", "@SUM(A1)", "\t=1", "＝1", "'=1", "{=1}", '=HYPERLINK("x")']


def written(columns: Sequence[Column], rows: Any, **options: Any) -> bytes:
    return b"".join(stream_xlsx(columns, rows, **options))


def texts(values: Sequence[Any], **options: Any) -> bytes:
    return written([Column("a", "값")], [[value] for value in values], **options)


def by_openpyxl(data: bytes) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in openpyxl.load_workbook(io.BytesIO(data)).worksheets[0].iter_rows()]


def by_calamine(data: bytes) -> list[list[Any]]:
    with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as workbook:
        return workbook.get_sheet_by_index(0).to_python(skip_empty_area=False)


def by_libreoffice(data: bytes, folder: Path) -> list[list[Any]]:
    program = shutil.which("soffice")
    assert program
    (folder / "a.xlsx").write_bytes(data)
    profile = f"-env:UserInstallation=file://{folder}/profile"
    filters = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false"
    command = [program, profile, "--headless", "--convert-to", filters, "--outdir", str(folder), str(folder / "a.xlsx")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return list(csv.reader(io.StringIO((folder / "a.csv").read_text(encoding="utf-8"))))


# LibreOffice joins in where it is installed, as it is in CI.
READERS: dict[str, Callable[[bytes, Path], list[list[Any]]]] = {
    "openpyxl": lambda data, folder: by_openpyxl(data),
    "calamine": lambda data, folder: by_calamine(data),
    **({"libreoffice": by_libreoffice} if shutil.which("soffice") else {}),
}


def part(data: bytes, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return archive.read(name).decode()


def test_every_reader_sees_the_same_values():
    data = written(COLUMNS, [ROW, [None] * 6, ["", 0, -5, None, None, 1.5]])
    moment = datetime(2025, 11, 21, 14, 20, 5)
    assert by_openpyxl(data) == [
        [column.header for column in COLUMNS],
        ["20251121-0002263", 12300, 2, datetime(2025, 11, 21), moment, "05123"],
        [None] * 6,
        [None, 0, -5, None, None, 1.5],
    ]
    assert by_calamine(data)[1] == ["20251121-0002263", 12300.0, 2.0, date(2025, 11, 21), moment, "05123"]
    table = read_table(data, filename="a.xlsx")
    assert table.rows[1] == ["20251121-0002263", 12300, 2, datetime(2025, 11, 21), moment, "05123"]
    assert table.numbers == [1, 2, 4]


@pytest.mark.parametrize("reader", READERS)
def test_office_programs_show_text_as_text_and_dates_in_their_formats(reader, tmp_path):
    note = " a\nb & <c> "
    data = written(
        [*COLUMNS, Column("note", "오류 내용", Kind.MARK)],
        [[*ROW, note], *[[text, 1234567, 1, date(2025, 1, 2), PAID, True, "_x0041_"] for text in TRIGGERS]],
        properties={"batch": "1"},
    )
    rows = READERS[reader](data, tmp_path)
    assert [row[0] for row in rows] == ["주문번호", "20251121-0002263", *TRIGGERS]
    assert rows[1][5:] == ["05123", note]
    assert [len(row) for row in rows] == [7] * 12
    if reader == "libreoffice":  # it shows thousands only in a locale that has a separator
        assert [rows[1][1].replace(",", ""), *rows[1][2:5]] == ["12300", "2", "2025-11-21", "2025-11-21 14:20:05"]
        assert rows[2][2:] == ["1", "2025-01-02", "2025-11-21 14:20:05", "TRUE", "_x0041_"]


def test_text_is_never_a_formula_and_keeps_its_zeros():
    data = texts([*TRIGGERS, "00123", "010-1234-5678", "680000000011", "6.25E+11", "1,234", "TRUE", "2025-11-21"])
    assert "<f" not in part(data, "xl/worksheets/sheet1.xml")
    sheet = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
    for row in sheet.iter_rows(min_row=2):
        assert row[0].data_type in {"s", "inlineStr"}
        assert row[0].number_format == "@"
    assert [row[0] for row in by_calamine(data)[1:]][:10] == TRIGGERS


def test_numbers_dates_and_the_rest_have_their_formats():
    sheet = openpyxl.load_workbook(io.BytesIO(written(COLUMNS, [ROW]))).worksheets[0]
    formats = [cell.number_format for cell in sheet[2]]
    assert formats == ["@", "#,##0", "0", "yyyy\\-mm\\-dd", "yyyy\\-mm\\-dd\\ hh:mm:ss", "@"]


def test_the_header_is_frozen_filtered_bold_and_as_wide_as_declared():
    sheet = openpyxl.load_workbook(io.BytesIO(written(COLUMNS, [ROW, ROW]))).worksheets[0]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:F3"
    assert sheet["A1"].font.bold
    assert sheet["A1"].fill.fgColor.rgb == "FFE8EDF3"
    assert [sheet.column_dimensions[letter].width for letter in "ABC"] == [20, 14, 6]


def test_headers_may_stand_twice_and_hold_anything():
    columns = [Column("a", "품목명"), Column("b", "품목명"), Column("c", "<주문 & '번호'>"), Column("d", "")]
    assert by_openpyxl(written(columns, [["1", "2", "3", "4"]]))[0] == ["품목명", "품목명", "<주문 & '번호'>", ""]


def test_control_characters_and_surrogates_are_dropped_and_spaces_are_kept():
    data = texts(
        ["a\x00b\x0bc", "\ud800x\udfff", "  두 칸  ", "줄\r\n바꿈\r끝", "탭\t", "\ufffe\uffff", "🎁 이모지 é ㈜①"]
    )
    assert [row[0] for row in by_calamine(data)[1:]] == [
        "abc", "x", "  두 칸  ", "줄\n바꿈\n끝", "탭\t", "", "🎁 이모지 é ㈜①",
    ]  # fmt: skip


def test_markup_in_text_is_text():
    values = ["<b>&amp;</b>", "]]>", "&#0;", "\"'", "</t></is></c></row>", "_x0041_", "_x005F_", "_X0041_", "__x0041_"]
    assert [row[0] for row in by_calamine(texts(values))[1:]] == values


def test_overlong_text_is_cut_to_what_a_cell_holds():
    for character, kept in (("가", 32_766), ("🎁", 16_383)):
        text = by_calamine(texts([character * 40_000]))[1][0]
        assert text == character * kept + "…"
        assert len(text.encode("utf-16-le")) // 2 <= 32_767
    assert by_calamine(texts(["가" * 32_767]))[1][0] == "가" * 32_767


class _Label(StrEnum):
    READY = "배송준비중"


def test_values_of_unexpected_types_are_written_as_what_they_are():
    columns = [Column("t", "t"), Column("i", "i", Kind.INTEGER), Column("d", "d", Kind.DATETIME)]
    rows = [
        [680000000011, "텍스트", "미정"],
        [_Label.READY, Decimal("12.50"), date(1850, 1, 1)],
        [True, True, datetime(2025, 1, 1)],
        [Decimal("NaN"), Decimal("NaN"), datetime(1850, 1, 1, tzinfo=UTC)],
        [float("inf"), float("nan"), 5],
        [1.5, 2022040521691281, None],
    ]
    assert by_openpyxl(written(columns, rows))[1:] == [
        ["680000000011", "텍스트", "미정"],
        ["배송준비중", 12.5, "1850-01-01"],
        ["True", True, datetime(2025, 1, 1)],
        ["NaN", "NaN", "1850-01-01 09:00:00"],
        ["inf", "nan", 5],
        ["1.5", "2022040521691281", None],
    ]


def test_days_are_those_of_korea():
    columns = [Column("d", "d", Kind.DATE), Column("t", "t", Kind.DATETIME)]
    late = datetime(2025, 11, 20, 15, 30, tzinfo=UTC)
    assert by_openpyxl(written(columns, [[date(2025, 11, 21), late]]))[1] == [
        datetime(2025, 11, 21),
        datetime(2025, 11, 21, 0, 30),
    ]


def test_custom_properties_survive_and_are_read_back():
    properties = {"oms.batch": "7f3a-<&>", "oms.보낸이": "물류\n팀\x00"}
    data = texts(["a"], properties=properties)
    found = openpyxl.load_workbook(io.BytesIO(data)).custom_doc_props
    assert {item.name: item.value for item in found.props} == {"oms.batch": "7f3a-<&>", "oms.보낸이": "물류\n팀"}
    assert read_table(data, filename="a").properties == {"oms.batch": "7f3a-<&>", "oms.보낸이": "물류\n팀"}


@pytest.mark.parametrize(
    ("wanted", "given_name"),
    [
        ("주문", "주문"),
        ("a/b:c*d?[e]\\f", "a b c d  e  f"),
        ("'인용'", "인용"),
        ("가" * 40, "가" * 31),
        ("", "Sheet"),
        ("A&B", "A&B"),
    ],
)
def test_sheet_names_are_legal(wanted, given_name):
    data = texts(["a"], sheet=wanted)
    assert openpyxl.load_workbook(io.BytesIO(data)).sheetnames == [given_name]
    assert read_table(data, filename="a").sheets == [given_name]


def test_a_sheet_without_rows_has_its_header():
    data = written(COLUMNS, [])
    assert by_openpyxl(data) == [[column.header for column in COLUMNS]]
    assert part(data, "xl/worksheets/sheet1.xml").count("<row ") == 1


def test_rows_beyond_a_sheet_go_to_the_next_one():
    data = written([Column("n", "n", Kind.INTEGER)], ([i] for i in range(MAX_ROWS + 4)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sizes = []
        for name in ("xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"):
            xml = archive.read(name)
            sizes.append((xml.count(b"<row "), re.findall(rb'autoFilter ref="([^"]*)"', xml)))
    assert sizes == [(MAX_ROWS, [b"A1:A1048576"]), (6, [b"A1:A6"])]
    with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as workbook:
        assert workbook.sheet_names == ["주문", "주문 (2)"]
        assert workbook.get_sheet_by_index(1).to_python()[:3] == [["n"], [1048575.0], [1048576.0]]


def test_a_wrong_call_is_refused_before_or_while_writing():
    with pytest.raises(ValueError, match="column"):
        written([], [])
    with pytest.raises(ValueError, match="zip"):
        written(COLUMNS, [ROW[:5]])


def test_rows_are_pulled_as_the_bytes_are_taken():
    pulled = 0

    def rows() -> Iterator[list[str]]:
        nonlocal pulled
        for pulled in range(200_000):
            yield [f"{pulled * 7919 % 1_000_003:09d} 서울특별시"]

    stream = stream_xlsx([Column("a", "a")], rows())
    first = next(stream)
    assert first.startswith(b"PK\x03\x04")
    assert 0 < pulled < 50_000
    stream.close()


def test_a_failing_source_leaves_no_file_that_opens():
    def rows() -> Iterator[list[str]]:
        for number in range(30_000):
            yield [f"{number * 7919 % 1_000_003:09d} 서울특별시 강남구"]
        raise RuntimeError("the cursor is gone")

    taken: list[bytes] = []
    with pytest.raises(RuntimeError, match="cursor"):
        taken.extend(stream_xlsx([Column("a", "a")], rows()))
    assert taken
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(b"".join(taken)))


def test_a_path_and_an_open_file_get_the_same_workbook(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", COLUMNS, [ROW])
    target = io.BytesIO()
    write_xlsx(target, COLUMNS, [ROW])
    assert by_openpyxl((tmp_path / "a.xlsx").read_bytes()) == by_openpyxl(target.getvalue())


def test_memory_stays_flat_while_a_large_sheet_is_written():
    script = (
        "import resource\n"
        "from core.excel.columns import Column\n"
        "from core.excel.writer import stream_xlsx\n"
        "columns = [Column(str(i), str(i)) for i in range(20)]\n"
        "def grown(rows):\n"
        "    for piece in stream_xlsx(columns, ([f'{i} 서울특별시 {c}' for c in range(20)] for i in range(rows))):\n"
        "        pass\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(grown(2_000), grown(60_000))\n"
    )
    output = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    small, large = (int(number) for number in output.split())
    assert large - small < 8 * 1024


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.text(
    st.sampled_from("가 a=_x0041_&<>\"'\n\r\t\x00\x1f]| "), max_size=40
)


@settings(max_examples=25)
@given(st.lists(st.lists(TEXT, min_size=3, max_size=3), min_size=1, max_size=20))
def test_any_text_comes_back_as_it_went(rows):
    columns = [Column(str(i), f"열{i}") for i in range(3)]
    table = read_table(written(columns, rows), filename="a.xlsx")
    expected = {
        number: [clean_text(value) or None for value in row]
        for number, row in enumerate(rows, start=2)
        if any(clean_text(value).strip() for value in row)
    }
    found = {number: [*row, None, None, None][:3] for number, row in zip(table.numbers, table.rows, strict=True)}
    del found[1]
    assert found == expected


def test_empty_cells_of_text_columns_have_the_text_format_and_no_others_are_written():
    columns = [Column("a", "값"), Column("b", "금액", Kind.WON), Column("c", "오류", Kind.MARK)]
    data = written(columns, [["", None, ""], [None, 5, "틀림"], ["\x01", None, None]])
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert [sheet.cell(row, 1).number_format for row in (2, 3, 4)] == ["@", "@", "@"]
    assert [sheet.column_dimensions[name].number_format for name in "ABC"] == ["@", "#,##0", "@"]
    assert sheet.column_dimensions["C"].fill.fill_type is None
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        xml = package.read("xl/worksheets/sheet1.xml").decode()
    assert re.findall(r'<c r="(\w+)"[^>]*/>', xml) == ["A2", "A3", "A4"]
    assert by_calamine(data)[2] == ["", 5, "틀림"]
    assert read_table(data, filename="a.xlsx").rows == [["값", "금액", "오류"], [None, 5, "틀림"]]
