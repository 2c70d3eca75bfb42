"""The error file, CSV out, and real encryption."""

import csv
import io
from datetime import UTC, date, datetime

import openpyxl
import pytest

from core.excel import (
    ERROR_HEADER,
    Column,
    FileProblem,
    Kind,
    Problem,
    Replacement,
    decrypt,
    encrypt,
    read_table,
    stream_csv,
    stream_errors,
    write_xlsx,
)
from tests.fixtures.files import cells, noise, package, patched, raw_xlsx, saved, xls, xlsx

HEADER = ["주문번호", "송장번호", "송장번호", "결제일", "금액"]
FIRST = ["20251121-0000001", 680000000011, "=cmd", datetime(2025, 11, 21, 14, 20, 5), 1.5]
SECOND = ["20251121-0000002", None, "00123", datetime(2025, 11, 21), 12300]


def error_file(failed, rows=(HEADER, FIRST, SECOND), header_index=0):
    sent = io.BytesIO()  # by our own writer, because openpyxl would make a formula of "=cmd"
    write_xlsx(sent, [Column(str(i), name or "", Kind.ANY) for i, name in enumerate(rows[0])], rows[1:])
    table = read_table(sent.getvalue(), filename="a.xlsx")
    return b"".join(stream_errors(table, header_index=header_index, failed=failed))


def test_the_error_file_is_the_users_own_sheet_with_a_coloured_reason():
    data = error_file({2: "송장번호가 없습니다."})
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        [*HEADER, ERROR_HEADER],
        [*SECOND, "송장번호가 없습니다."],
    ]
    assert sheet.title == "주문"
    assert [cell.fill.fgColor.rgb for cell in sheet["F"]] == ["FFF5B7B1", "FFFDE2E1"]
    assert sheet["A2"].fill.patternType is None


def test_values_of_the_error_file_keep_their_types_and_long_numbers_are_shown_in_full():
    sheet = openpyxl.load_workbook(io.BytesIO(error_file({1: "이유"}))).active
    assert [cell.value for cell in sheet[2]][:5] == FIRST
    assert [cell.number_format for cell in sheet[2]][:3] == ["@", "0", "@"]
    assert sheet["C2"].data_type != "f"


@pytest.mark.parametrize("cell", ['<c r="A2"><v>5.2185312345678E+17</v></c>', '<c r="A2"><f>1+1</f></c>', "#N/A"])
def test_a_cell_that_cannot_be_read_is_refused_again_when_it_comes_back(cell):
    second = cells(cell, row=2) if cell[:1] == "#" else f'<row r="2">{cell}</row>'
    table = read_table(raw_xlsx(cells("주문번호") + second), filename="a.xlsx")
    for _ in range(2):
        assert isinstance(table.cell(1, 0), Problem)
        table = read_table(b"".join(stream_errors(table, header_index=0, failed={1: "이유"})), filename="a.xlsx")


def test_only_failed_rows_are_kept_in_the_order_of_the_file():
    data = error_file({2: "둘째", 1: "첫째"})
    assert [row[-1] for row in read_table(data, filename="a").rows] == [ERROR_HEADER, "첫째", "둘째"]


def test_guide_rows_above_the_header_are_left_out():
    data = error_file({2: "이유"}, rows=(["안내 글", *[None] * 4], HEADER, FIRST), header_index=1)
    assert read_table(data, filename="a").rows[0] == [*HEADER, ERROR_HEADER]


def test_a_corrected_error_file_gets_a_fresh_reason_column_and_keeps_its_properties():
    properties = (
        '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" xmlns:vt="http://'
        'schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"><property fmtid="x" pid="2" name="batch">'
        "<vt:lpwstr>b-1</vt:lpwstr></property></Properties>"
    )
    table = read_table(patched(error_file({1: "먼저"}), docProps__custom_dot_xml=properties), filename="a")
    again = read_table(b"".join(stream_errors(table, header_index=0, failed={1: "다시"})), filename="a")
    assert again.rows[0] == [*HEADER, ERROR_HEADER]
    assert again.rows[1][-1] == "다시"
    assert again.properties == {"batch": "b-1"}


def test_a_row_that_is_not_in_the_table_is_refused():
    with pytest.raises(IndexError):
        error_file({9: "이유"})
    with pytest.raises(IndexError):
        error_file({-1: "이유"})


COLUMNS = [
    Column("a", "주문번호"),
    Column("b", "메모"),
    Column("c", "금액", Kind.WON),
    Column("d", "일시", Kind.DATETIME),
]
PAID = datetime(2025, 11, 21, 5, 20, 5, tzinfo=UTC)


def as_rows(data: bytes, encoding: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(encoding), newline="")))


def test_csv_begins_with_its_mark_and_holds_korean_time():
    data = b"".join(stream_csv(COLUMNS, [["1", '쉼표, "따옴표"\n줄', -500, PAID], ["2", None, 0, date(2025, 11, 21)]]))
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\xef\xbb\xbf") == 1
    assert as_rows(data, "utf-8-sig") == [
        ["주문번호", "메모", "금액", "일시"],
        ["1", '쉼표, "따옴표"\n줄', "-500", "2025-11-21 14:20:05"],
        ["2", "", "0", "2025-11-21"],
    ]


@pytest.mark.parametrize("text", ["=1+1", "+82", "-1", "@SUM", "\t=1", "\n=1", "\r=1", "＝1", "＋1", "－1", "＠a"])
def test_csv_text_that_would_be_computed_is_quoted_and_comes_back_without(text):
    data = b"".join(stream_csv([Column("a", "a"), Column("b", text)], [[text, "b"]]))
    rows = as_rows(data, "utf-8-sig")
    assert rows[1][0].startswith("'")
    assert rows[0][1].startswith("'")
    assert read_table(data, filename="a.csv").rows[1][0] == text.replace("\r", "\n")
    bare = b"".join(stream_csv([Column("a", "a")], [[text]], guard=False))
    assert not as_rows(bare, "utf-8-sig")[1][0].startswith("'")


def test_cp949_replaces_what_it_lacks_and_reports_it():
    replaced: list[Replacement] = []
    rows = [["1", "문 앞 🎁 café", 1, None], ["2", "㈜가나 ①", 1, None], ["3", "똠방각하 뷁", 1, None]]
    data = b"".join(stream_csv(COLUMNS, rows, encoding="cp949", replaced=replaced))
    assert [row[1] for row in as_rows(data, "cp949")[1:]] == ["문 앞 ? caf?", "㈜가나 ①", "똠방각하 뷁"]
    assert replaced == [Replacement(1, "메모", "🎁é")]
    assert read_table(data, filename="a.csv").rows[2][1] == "㈜가나 ①"


def test_csv_streams_and_refuses_a_row_of_another_length():
    pieces = list(stream_csv([Column("a", "a")], ([str(i)] for i in range(2_000))))
    assert len(pieces) > 3
    assert len(as_rows(b"".join(pieces), "utf-8-sig")) == 2_001
    with pytest.raises(ValueError, match="row 1"):
        list(stream_csv(COLUMNS, [["1"]]))


def test_an_encrypted_workbook_opens_only_with_its_password(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", [Column("a", "이름")], [["김하은"]])
    for source in (tmp_path / "a.xlsx", str(tmp_path / "a.xlsx"), (tmp_path / "a.xlsx").read_bytes()):
        data = encrypt(source, "비밀번호 1")
        assert "김하은".encode() not in data
        assert read_table(decrypt(data, "비밀번호 1"), filename="a").rows == [["이름"], ["김하은"]]
        assert read_table(data, filename="a", password="비밀번호 1").rows == [["이름"], ["김하은"]]
        for password, problem in (("", "file_password"), ("비밀번호", "file_password_wrong")):
            with pytest.raises(FileProblem) as caught:
                decrypt(data, password)
            assert caught.value.code == problem


@pytest.mark.parametrize("size", [0, 10, 1_000, 2_000, 2_500, 3_000, 3_500, 4_000, 10_000])
def test_workbooks_of_every_size_can_be_encrypted(size):
    data = patched(raw_xlsx(cells("김하은")), junk=noise(size))
    assert read_table(encrypt(data, "pw"), filename="a", password="pw").rows == [["김하은"]]


@pytest.mark.parametrize("password", ["", "x" * 256])
def test_a_file_never_leaves_with_a_password_that_protects_nothing(password):
    with pytest.raises(ValueError, match="password"):
        encrypt(xlsx(), password)


@pytest.mark.parametrize("data", [b"", b"not a file", package({"a": "b"}), xlsx(), saved(xls())])
def test_what_is_not_encrypted_is_refused_with_a_sentence(data):
    with pytest.raises(FileProblem) as caught:
        decrypt(data, "pw")
    assert caught.value.code in {"file_broken", "file_password_kind"}
