"""Files that people really send, read right: every format, encoding and oddity of a Korean office."""

import codecs
import io
import zipfile
from datetime import datetime

import pytest
import xlwt

from core.excel import clean_name, encrypt, read_table
from core.excel.problems import CELL_SENTENCES, Problem
from tests.fixtures.files import (
    HEAD,
    MAIN,
    WAYBILL_ROWS,
    book,
    cells,
    locked,
    ods,
    ods_row,
    package,
    patched,
    raw_xlsx,
    saved,
    xls,
    xlsb,
    xlsx,
    xlsx_parts,
)

CSV_TEXT = "배송번호,택배사,송장번호\r\nD-1,CJ대한통운,680000000011\r\n"
CSV_ROWS = [["배송번호", "택배사", "송장번호"], ["D-1", "CJ대한통운", "680000000011"]]


def rows_of(data: bytes, **options: str) -> list[list[object]]:
    return list(read_table(data, filename="a", **options).rows)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (xlsx(), "xlsx"),
        (saved(xls(WAYBILL_ROWS)), "xls"),
        (xlsb(WAYBILL_ROWS), "xlsb"),
        (ods("".join(ods_row(*row) for row in WAYBILL_ROWS)), "ods"),
        ("\n".join(",".join(row) for row in WAYBILL_ROWS).encode(), "csv"),
        (
            "<html><meta charset=utf-8><table>"
            + "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in WAYBILL_ROWS)
            + "</table></html>",
            "html",
        ),
    ],
    ids=["xlsx", "xls", "xlsb", "ods", "csv", "html"],
)
def test_every_format_gives_the_same_rows_whatever_its_name(data, kind):
    data = data.encode() if isinstance(data, str) else data
    for filename in ("송장.xlsx", "송장.csv", "송장.XLS", *([] if kind in ("csv", "html") else ["송장.hwp"]), ""):
        table = read_table(data, filename=filename)
        assert table.kind == kind
        assert table.rows == WAYBILL_ROWS
        assert table.numbers == [1, 2, 3]
        assert (table.width, table.problems) == (3, {})


@pytest.mark.parametrize(
    "data",
    [
        CSV_TEXT.encode(),
        codecs.BOM_UTF8 + CSV_TEXT.encode(),
        CSV_TEXT.encode("cp949"),
        codecs.BOM_UTF16_LE + CSV_TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + CSV_TEXT.encode("utf-16-be"),
        CSV_TEXT.encode("utf-16-le"),
        CSV_TEXT.replace("\r\n", "\n").encode(),
        CSV_TEXT.replace("\r\n", "\r").encode(),
        CSV_TEXT.replace(",", ";").encode(),
        CSV_TEXT.replace(",", "\t").encode("cp949"),
        CSV_TEXT.replace("D-1,", '"D-1",').encode(),
        CSV_TEXT.encode() + b"\r\n,,\r\n \r\n",
        CSV_TEXT.replace("D-1", "D\x00-1").encode(),
    ],
    ids=["utf-8", "utf-8 bom", "cp949", "utf-16 le", "utf-16 be", "utf-16 without bom", "lf", "cr", "semicolon",
         "tab", "quoted", "blank tail", "nul"],
)  # fmt: skip
def test_csv_is_read_in_every_encoding_and_with_every_delimiter(data):
    assert rows_of(data) == CSV_ROWS


def test_csv_keeps_line_breaks_commas_and_quotes_inside_of_quotes():
    assert rows_of('이름,메모\n"김, 하은","첫 줄\r\n둘째 ""줄"""\n'.encode()) == [
        ["이름", "메모"],
        ["김, 하은", '첫 줄\n둘째 "줄"'],
    ]


@pytest.mark.parametrize("line", ['="0680000000011",="06234"', '"=""0680000000011""","=""06234"""'])
def test_csv_gives_back_the_digits_that_a_market_has_wrapped_in_a_formula(line):
    table = read_table(f"송장번호,우편번호\r\n{line}\r\n".encode("cp949"), filename="a.csv")
    assert table.rows[1] == ["0680000000011", "06234"]
    assert read_table(b'a\r\n="1"&"2"\r\n', filename="a.csv").rows[1] == ['="1"&"2"']


def test_csv_gives_back_what_our_own_guard_has_quoted():
    assert rows_of("a,b,c\n'=1+1,'+82 10,'90년대\n".encode()) == [["a", "b", "c"], ["=1+1", "+82 10", "'90년대"]]


def test_html_tables_of_portals_are_read_with_entities_breaks_and_spans():
    page = (
        '<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><meta http-equiv="Content-Type"'
        ' content="text/html; charset=euc-kr"><style>td{mso-number-format:"\\@"}</style></head><body>'
        "<table border=1><tr><th>주문번호<th>수령인<th>메모</tr>"
        "<tr><td rowspan=2>1</td><td>김&amp;이</td><td>첫<br>둘째&nbsp;줄</td></tr>"
        "<tr><td colspan=2>&lt;b&gt;</td></tr></table><table><tr><td>x</td></tr></table>"
    )
    table = read_table(page.encode("cp949"), filename="주문.xls")
    assert table.sheets == ["표 1", "표 2"]
    assert table.rows == [["주문번호", "수령인", "메모"], ["1", "김&이", "첫\n둘째 줄"], [None, "<b>", None]]
    assert table.problems == {(2, 0): "merged", (2, 2): "merged"}
    assert rows_of(page.encode("cp949"), sheet="표 2") == [["x"]]


def test_numbers_become_whole_and_long_ones_are_marked():
    table = read_table(
        xlsx([["n"], [680000000011], [1.0], [1.5], [True], [2022040521691281], [123456789012345678]]), filename="a"
    )
    assert table.rows[1:5] == [[680000000011], [1], [1.5], [True]]
    assert [type(row[0]) for row in table.rows[1:5]] == [int, int, float, bool]
    assert table.problems == {(5, 0): "precision", (6, 0): "precision"}
    assert table.cell(5, 0) == Problem("precision", CELL_SENTENCES["precision"])
    assert table.cell(1, 0) == 680000000011


def test_waybills_in_exponent_form_are_marked_in_every_format():
    for data in (xlsx([["송장"], ["6.25E+11"]]), "송장,b\n6.25E+11,x\n".encode(), saved(xls([["송장"], ["6.25E+11"]]))):
        table = read_table(data, filename="a")
        assert table.rows[1][0] == "6.25E+11"
        assert table.problems == {(1, 0): "exponent"}
    assert read_table(xlsx([["코드"], ["1E10"], ["1.2E+3X"]]), filename="a").problems == {}


def test_lost_zeros_are_read_as_the_numbers_they_became():
    assert rows_of(xlsx([["전화", "우편"], [1012345678, 6236]]))[1] == [1012345678, 6236]


def test_dates_and_times_are_read_as_written():
    moment = datetime(2025, 11, 21, 14, 20, 5)
    table = read_table(xlsx([["t", "d"], [moment, moment.date()]]), filename="a")
    assert table.rows[1] == [moment, datetime(2025, 11, 21)]
    style = xlwt.easyxf(num_format_str="yyyy-mm-dd")
    workbook = xls([["t"]])
    workbook.get_sheet(0).write(1, 0, moment, style)
    assert rows_of(saved(workbook))[1] == [moment]
    assert rows_of(raw_xlsx('<row r="1"><c r="A1" s="1"><v>0.5</v></c></row>')) == [["12:00:00"]]


def test_formulas_give_their_cached_value_and_without_one_they_are_marked():
    data = raw_xlsx(
        cells("a", "b", "c", "d", "e", "f")
        + '<row r="2"><c r="A2"><f>1+1</f><v>2</v></c><c r="B2"><f>1+1</f></c><c r="C2"><f>1+1</f><v></v></c>'
        + '<c r="D2" t="str"><f>""</f><v></v></c><c r="E2"><f t="shared" si="0"/></c>'
        + '<c r="F2" t="str"><f>A1&amp;"x"</f><v>=cmd|calc</v></c></row>'
    )
    table = read_table(data, filename="a")
    assert table.rows[1] == [2, None, None, None, None, "=cmd|calc"]
    assert table.problems == {(1, 1): "formula", (1, 2): "formula", (1, 4): "formula"}


def test_a_row_of_formulas_without_values_is_not_lost():
    workbook = book([["송장"], ["=A1"], [None], ["=A2"], ["=A9"]])
    table = read_table(saved(workbook), filename="a")
    assert table.numbers == [1, 2, 4, 5]
    assert table.problems == {(1, 0): "formula", (2, 0): "formula", (3, 0): "formula"}


def test_error_values_are_marked():
    data = raw_xlsx(cells("a", "b") + '<row r="2"><c r="A2" t="e"><f>x</f><v>#REF!</v></c><c r="B2"><v>1</v></c></row>')
    table = read_table(data, filename="a")
    assert table.rows[1] == [None, 1]
    assert table.problems == {(1, 0): "error"}


def test_text_that_looks_like_a_formula_stays_text():
    data = raw_xlsx(cells("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"))
    assert rows_of(data) == [["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"]]


def test_external_links_are_not_followed_and_the_cached_value_is_read():
    parts = xlsx_parts('<row r="1"><c r="A1"><f>[1]Sheet1!A1</f><v>7</v></c></row>')
    parts["xl/externalLinks/externalLink1.xml"] = f'{HEAD}<externalLink xmlns="{MAIN}"/>'
    parts["xl/externalLinks/_rels/externalLink1.xml.rels"] = (
        f'{HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship'
        ' Id="rId1" TargetMode="External" Target="http://127.0.0.1:9/x.xlsx" Type="x"/></Relationships>'
    )
    assert rows_of(package(parts)) == [[7]]


@pytest.mark.parametrize("save", ["xlsx", "xls"])
def test_merged_cells_are_marked_where_they_hold_no_value(save):
    if save == "xlsx":
        workbook = book([["주문번호", "품목"], ["1", "a"], [None, "b"], ["2", "c"]])
        workbook.active.merge_cells("A2:A3")
        data = saved(workbook)
    else:
        old = xls([["주문번호", "품목"]])
        old.get_sheet(0).write_merge(1, 2, 0, 0, "1")
        for number, text in enumerate("abc", start=1):
            old.get_sheet(0).write(number, 1, text)
        old.get_sheet(0).write(3, 0, "2")
        data = saved(old)
    table = read_table(data, filename="a")
    assert table.rows == [["주문번호", "품목"], ["1", "a"], [None, "b"], ["2", "c"]]
    assert table.problems == {(2, 0): "merged"}
    assert table.cell(2, 0) == Problem("merged", CELL_SENTENCES["merged"])


def test_hidden_sheets_are_not_offered_and_the_first_sheet_with_rows_is_read():
    workbook = book([["secret"]], title="숨김")
    workbook.active.sheet_state = "hidden"
    workbook.create_sheet("빈 시트")
    workbook.create_sheet("주문").append(["a"])
    workbook.create_sheet("기타").append(["b"])
    data = saved(workbook)
    table = read_table(data, filename="a")
    assert (table.sheets, table.sheet, table.rows) == (["빈 시트", "주문", "기타"], "주문", [["a"]])
    assert rows_of(data, sheet="기타") == [["b"]]


def test_a_wrong_dimension_neither_hides_rows_nor_adds_them():
    for dimension in ("A1", "A1:XFD1048576", "Z9:A1", "A1:XFD99999999"):
        parts = xlsx_parts(cells("a", "b") + cells("c", "d", row=2))
        sheet = str(parts["xl/worksheets/sheet1.xml"]).replace('ref="A1"', f'ref="{dimension}"')
        assert rows_of(package({**parts, "xl/worksheets/sheet1.xml": sheet})) == [["a", "b"], ["c", "d"]]


def test_rows_and_columns_keep_their_place_when_the_sheet_starts_late():
    workbook = book([])
    workbook.active["C4"], workbook.active["D7"] = "a", "b"
    table = read_table(saved(workbook), filename="a")
    assert table.numbers == [4, 7]
    assert table.rows == [[None, None, "a", None], [None, None, None, "b"]]


def test_a_stray_cell_far_below_does_no_harm():
    data = raw_xlsx(cells("a") + '<row r="1048576"><c r="A1048576" t="inlineStr"><is><t> </t></is></c></row>')
    assert rows_of(data) == [["a"]]


def test_cells_without_references_and_with_prefixes_are_read():
    assert rows_of(raw_xlsx("<row><c><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c></row>")) == [
        [1, 2],
        [3, None],
    ]
    sheet = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1"><x:c r="A1"><x:f>1</x:f></x:c><x:c r="B1">'
    sheet += "<x:v>5</x:v></x:c></x:row></x:sheetData></x:worksheet>"
    table = read_table(package({**xlsx_parts(""), "xl/worksheets/sheet1.xml": sheet}), filename="a")
    assert (table.rows, table.problems) == ([[None, 5]], {(0, 0): "formula"})


def test_control_characters_and_nul_are_dropped_and_line_ends_are_one():
    assert rows_of(raw_xlsx(cells("a_x0000_b", "c_x000D_&#10;d", "&#x7f;e"))) == [["ab", "c\nd", "e"]]
    assert rows_of(b"a\x01\x02b,c\r\n" + b"d,e\r\n" * 60)[0] == ["ab", "c"]


def test_numbers_excel_cannot_hold_are_marked():
    table = read_table(raw_xlsx('<row r="1"><c r="A1"><v>1e999</v></c><c r="B1"><v>1</v></c></row>'), filename="a")
    assert (table.rows, table.problems) == ([[None, 1]], {(0, 0): "number"})


def test_ods_with_the_repeated_blank_rows_of_libreoffice_is_read():
    blank = '<table:table-cell table:number-columns-repeated="16384"/>'
    tail = f'<table:table-row table:number-rows-repeated="1048574">{blank}</table:table-row>'
    assert rows_of(ods(ods_row("a", "b") + ods_row("c", "0012") + tail)) == [
        ["a", "b"],
        ["c", "0012"],
    ]


def test_locked_workbooks_open_with_their_password_in_both_formats():
    for password in ("1234", "비밀번호!", "p" * 255):
        assert rows_of(locked(xlsx(), password), password=password) == WAYBILL_ROWS
        assert rows_of(encrypt(xlsx(), password), password=password) == WAYBILL_ROWS


def test_the_password_excel_tries_by_itself_is_tried_and_one_too_many_does_not_hurt():
    assert rows_of(locked(xlsx(), "VelvetSweatshop")) == WAYBILL_ROWS
    assert rows_of(xlsx(), password="unused") == WAYBILL_ROWS


def test_parts_that_nobody_reads_may_be_in_any_encoding_or_broken():
    other = '<?xml version="1.0" encoding="UTF-16"?><label>회사</label>'.encode("utf-16")
    data = patched(xlsx(), customXml__item1_dot_xml=other, xl__drawings__drawing1_dot_xml="<broken")
    assert rows_of(data) == WAYBILL_ROWS


def test_custom_properties_come_with_the_table():
    properties = (
        f'{HEAD}<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"'
        ' xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"><property fmtid="x" pid="2"'
        ' name="batch"><vt:lpwstr>7&lt;8</vt:lpwstr></property></Properties>'
    )
    assert read_table(patched(xlsx(), docProps__custom_dot_xml=properties), filename="a").properties == {"batch": "7<8"}
    assert read_table(xlsx(), filename="a").properties == {}


def test_fifty_thousand_rows_and_two_hundred_columns_are_read():
    table = read_table("\n".join(f"{i},송장{i}" for i in range(50_000)).encode(), filename="a.csv")
    assert (len(table.rows), table.rows[-1], table.numbers[-1]) == (50_000, ["49999", "송장49999"], 50_000)
    assert read_table(xlsx([[f"열{i}" for i in range(200)]]), filename="a").width == 200


def test_an_honest_sheet_of_repeated_text_is_not_taken_for_a_bomb():
    line = '<row><c t="inlineStr"><is><t>서울특별시 강남구 테헤란로 152</t></is></c></row>'
    data = raw_xlsx(line * 49_000)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = archive.getinfo("xl/worksheets/sheet1.xml")
    assert entry.file_size / entry.compress_size > 40
    parts = xlsx_parts("".join(cells("서울특별시 강남구 테헤란로 152", f"{i}호", row=i) for i in range(1, 20_001)))
    assert len(rows_of(package(parts))) == 20_000


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\김\\주문 (1).xlsx", "주문 (1).xlsx"),
        ("a\r\nSet-Cookie: x.xlsx", "aSet-Cookie x.xlsx"),
        ('a";filename="b.exe', "a;filename=b.exe"),
        ("gpj.\u202exslx", "gpj.xslx"),
        ("\x00.xlsx", "xlsx"),
        ("..", "파일"),
        ("", "파일"),
        ("가" * 300 + ".xlsx", "가" * 115 + ".xlsx"),
    ],
)
def test_names_lose_their_tricks(name, shown):
    assert clean_name(name) == shown
    assert read_table(xlsx(), filename=name).filename == shown
