"""Files that are refused, each with its own sentence, and never an exception of another kind."""

import io
import tracemalloc
import zipfile

import pytest

from core.excel import FileProblem, limits, read_table
from core.excel.problems import FILE_SENTENCES
from tests.fixtures.files import (
    HEAD,
    MAIN,
    cells,
    locked,
    lying,
    noise,
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

SHEET = "xl__worksheets__sheet1_dot_xml"
LAUGHS = "".join(f'<!ENTITY l{i} "{"".join([f"&l{i - 1};"] * 10)}">' if i else '<!ENTITY l0 "lol">' for i in range(10))


def _worksheet(prolog: str, inside: str) -> str:
    return f'{prolog}<worksheet xmlns="{MAIN}"><sheetData>{inside}</sheetData></worksheet>'


def _many_numbers(rows: int) -> bytes:
    return raw_xlsx("".join(f'<row r="{i}"><c r="A{i}"><v>{i}</v></c></row>' for i in range(1, rows + 1)))


def _many_cells(columns: int) -> bytes:
    return xlsx([[f"열{i}" for i in range(columns)]])


def _entries(count: int) -> bytes:
    return package({**xlsx_parts(cells("a")), **{f"junk/{i}": "" for i in range(count)}})


def _twice(name: str) -> bytes:
    data = io.BytesIO(xlsx())
    with zipfile.ZipFile(data, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(name, _worksheet("", cells("other")))
    return data.getvalue()


def _encrypted_entry() -> bytes:
    data = bytearray(xlsx())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = -1
        while (place := data.find(magic, place + 1)) >= 0:
            data[place + offset] |= 1
    return bytes(data)


def _macro_xls() -> bytes:
    # A storage of this name is where Excel 97 keeps macros; renaming another stream is enough to look like one.
    name = "Workbook".encode("utf-16-le")
    macro = "_VBA_PRO".encode("utf-16-le")
    assert len(name) == len(macro)
    return saved(xls()).replace(name, macro, 1)


def _shared_bomb() -> bytes:
    parts = xlsx_parts(
        "".join(
            f'<row r="{r}">' + "".join(f'<c t="s" r="{chr(65 + c)}{r}"><v>0</v></c>' for c in range(20)) + "</row>"
            for r in range(1, 1501)
        )
    )
    parts["xl/sharedStrings.xml"] = f'{HEAD}<sst xmlns="{MAIN}"><si><t>{"가" * 3_000}</t></si></sst>'
    return package(parts)


HOSTILE: dict[str, tuple[object, str]] = {
    # nothing in it
    "no bytes": (lambda: b"", "file_empty"),
    "only blanks": (lambda: b" \r\n\t \x00", "file_empty"),
    "an empty sheet": (lambda: xlsx([]), "file_empty"),
    "only blank cells": (lambda: xlsx([[" ", None], ["", "\u3000"]]), "file_empty"),
    "an empty csv": (lambda: b"\xef\xbb\xbf\r\n\r\n,,\r\n", "file_empty"),
    "an empty zip": (lambda: package({}), "file_empty"),
    "an empty ods": (lambda: ods(""), "file_empty"),
    "all sheets hidden": (lambda: raw_xlsx(cells("a"), state="hidden"), "file_empty"),
    # something else
    "a pdf": (lambda: b"%PDF-1.7\n" + noise(500), "file_type"),
    "a png": (lambda: b"\x89PNG\r\n\x1a\n" + noise(500), "file_type"),
    "a jpeg": (lambda: b"\xff\xd8\xff\xe0" + noise(500), "file_type"),
    "a program": (lambda: b"MZ\x90\x00" + noise(500), "file_type"),
    "a 7z": (lambda: b"7z\xbc\xaf\x27\x1c" + noise(100), "file_type"),
    "a gzip": (lambda: b"\x1f\x8b\x08\x00" + noise(100), "file_type"),
    "random bytes": (lambda: noise(5000), "file_type"),
    "a word document": (lambda: package({"word/document.xml": "<w/>"}), "file_type"),
    "a slide show": (lambda: package({"ppt/presentation.xml": "<p/>"}), "file_type"),
    "a plain zip": (lambda: package({"주문.csv": "a,b"}), "file_type"),
    "an ods text": (lambda: ods("", mimetype="application/vnd.oasis.opendocument.text"), "file_type"),
    "an ole document": (lambda: saved(xls()).replace("Workbook".encode("utf-16-le"), "WordDocu".encode("utf-16-le")),
                        "file_type"),
    "a web page without a table": (lambda: b"<html><body><p>login</p></body></html>", "file_type"),
    "an xml file": (lambda: b'<?xml version="1.0"?><orders><order/></orders>', "file_type"),
    "a saved web page": (lambda: b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n", "file_type"),
    # bombs and tricks
    "a zip bomb of zeros": (lambda: patched(xlsx(), **{SHEET: b"\0" * 150_000_000}), "file_unpacked"),
    "a zip bomb of rows": (lambda: patched(xlsx(), **{SHEET: _worksheet("", "<row><c><v>1</v></c></row>" * 2_000_000)}),
                           "file_unpacked"),
    "many middling parts": (lambda: package({**xlsx_parts(cells("a")), **{f"x{i}": noise(1_500_000)[:20_000] * 75
                                             for i in range(140)}}), "file_unpacked"),
    "a part larger than declared": (lambda: lying(package(xlsx_parts(cells("가나다라마바사") * 500)),
                                                  "xl/worksheets/sheet1.xml", 300), "file_broken"),
    "a thousand and one entries": (lambda: _entries(1_001), "file_entries"),
    "two parts of one name": (lambda: _twice("xl/worksheets/sheet1.xml"), "file_broken"),
    "encrypted zip entries": (_encrypted_entry, "file_broken"),
    "bzip2 entries": (lambda: package(xlsx_parts(cells("a")), compression=zipfile.ZIP_BZIP2), "file_broken"),
    "a doctype in the sheet": (lambda: patched(xlsx(), **{SHEET: _worksheet("<!DOCTYPE worksheet>", "")}),
                               "file_doctype"),
    "an entity bomb": (lambda: patched(xlsx(), **{SHEET: _worksheet(f"<!DOCTYPE x [{LAUGHS}]>", cells("&l9;"))}),
                       "file_doctype"),
    "an external entity": (lambda: patched(xlsx(), **{SHEET: _worksheet(
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', cells("&e;"))}), "file_doctype"),
    "a doctype behind a long comment": (lambda: patched(xlsx(), **{SHEET: _worksheet(
        f"<!--{'x' * 50_000}--><!DOCTYPE x>", "")}), "file_doctype"),
    "a doctype in the shared strings": (lambda: patched(xlsx(), xl__sharedStrings_dot_xml="<!DOCTYPE sst><sst/>"),
                                        "file_doctype"),
    "a doctype in a part that nobody reads": (lambda: patched(xlsx(), customXml__item1_dot_xml="<!DOCTYPE x><x/>"),
                                              "file_doctype"),
    "a doctype in ods": (lambda: patched(ods(ods_row("a")), content_dot_xml="<!DOCTYPE x><x/>"), "file_doctype"),
    "a sheet in utf-16": (lambda: patched(xlsx(), **{SHEET: _worksheet(
        '<?xml version="1.0" encoding="UTF-16"?>', cells("a")).encode("utf-16")}), "file_broken"),
    "macros": (lambda: patched(xlsx(), xl__vbaProject_dot_bin=b"\xcc\x61"), "file_macro"),
    "macros in another case": (lambda: patched(xlsx(), xl__VBAPROJECT_dot_BIN=b"\xcc\x61"), "file_macro"),
    "excel 4 macros": (lambda: patched(xlsx(), xl__macrosheets__sheet1_dot_xml="<m/>"), "file_macro"),
    "macros in xlsb": (lambda: patched(xlsb([["a"]]), xl__vbaProject_dot_bin=b"\xcc\x61"), "file_macro"),
    # broken
    "a truncated zip": (lambda: xlsx()[:-200], "file_broken"),
    "half a zip": (lambda: xlsx()[: len(xlsx()) // 2], "file_broken"),
    "a truncated xls": (lambda: saved(xls())[:1500], "file_broken"),
    "ole of noise": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise(3000), "file_broken"),
    "xml that is none": (lambda: patched(xlsx(), **{SHEET: b"<worksheet><sheetData><row"}), "file_broken"),
    "a dimension that is none": (lambda: package({**xlsx_parts(cells("a")), "xl/worksheets/sheet1.xml":
        f'<worksheet xmlns="{MAIN}"><dimension ref="x"/><sheetData>{cells("a")}</sheetData></worksheet>'}),
                                 "file_broken"),
    "a row zero": (lambda: raw_xlsx('<row r="0"><c r="A0"><v>1</v></c></row>'), "file_broken"),
    "a cell outside of excel": (lambda: raw_xlsx('<row r="1"><c r="ZZZZZ99999999"><v>1</v></c></row>'), "file_broken"),
    "a missing sheet part": (lambda: package({k: v for k, v in xlsx_parts("").items() if "sheet1" not in k}),
                             "file_broken"),
    "a shared string that is not there": (lambda: raw_xlsx('<row r="1"><c r="A1" t="s"><v>7</v></c></row>'),
                                          "file_broken"),
    "text in no known encoding": (lambda: "주문,송장\n".encode("cp949") + b"\xff\xfe\xfd,\x81\n", "file_encoding"),
    "a nul in a short csv": (lambda: b"a,b\n1,\x002\n", "file_nul"),
    "an open quote": (lambda: '주문,송장\n"a,1\nb,2\n'.encode(), "file_quote"),
    # too much
    "a million rows": (lambda: _many_numbers(1_000_000), "file_too_many"),
    "50,001 rows": (lambda: _many_numbers(50_001), "file_too_many"),
    "50,001 lines of csv": (lambda: b"a,b\n" * 50_001, "file_too_many"),
    "201 columns": (lambda: _many_cells(201), "file_too_wide"),
    "201 columns of csv": (lambda: b"a," * 200 + b"a", "file_too_wide"),
    "21 megabytes": (lambda: b"a,b\n" * 5_500_000, "file_too_large"),
    "a value in the last corner": (lambda: raw_xlsx(
        cells("a") + '<row r="1048576"><c r="XFD1048576"><v>5</v></c></row>'), "file_memory"),
    "a huge cell in csv": (lambda: b"a," + b"x" * 32_768, "file_cell_too_long"),
    "a huge cell in xlsx": (lambda: raw_xlsx(cells("가" * 32_768)), "file_cell_too_long"),
    "one long text in every cell": (_shared_bomb, "file_too_much_text"),
    # locked
    "a password": (lambda: locked(xlsx(), "비밀번호"), "file_password"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_its_own_sentence(name):
    build, code = HOSTILE[name]
    data = build()  # type: ignore[operator]
    with pytest.raises(FileProblem) as caught:
        read_table(data, filename=f"{name}.xlsx")
    assert caught.value.code == code
    assert caught.value.message == FILE_SENTENCES[code].format(**caught.value.facts)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("name", ["a.exe", "e.txt", "목록.TSV", "b.py", "c.json"])
@pytest.mark.parametrize("data", ["배송번호,송장번호\nD-1,680000000011\n".encode(), b"<table><td>1</td></table>"])
def test_text_that_does_not_claim_to_be_a_table_is_refused_by_its_name(name, data):
    with pytest.raises(FileProblem) as caught:
        read_table(data, filename=name)
    assert (caught.value.code, caught.value.facts) == ("file_type", {"found": f".{name.split('.')[1].lower()} 파일"})
    assert caught.value.message.startswith("xlsx, xls, csv 파일만 올릴 수 있습니다.")


def test_a_table_with_nul_letters_is_told_so():
    with pytest.raises(FileProblem) as caught:
        read_table(b"a,b\n1,\x002\n", filename="a.csv")
    assert caught.value.code == "file_nul"
    assert caught.value.message.startswith("파일에 NUL 글자가 섞여 글자가 깨졌습니다.")


def test_the_sentences_name_the_numbers():
    with pytest.raises(FileProblem) as caught:
        read_table(_many_numbers(60_000), filename="a.xlsx")
    assert caught.value.message == (
        "한 번에 50,000행까지 올릴 수 있습니다. 지금은 60,000행입니다. 파일을 나누어 올려 주세요."
    )
    with pytest.raises(FileProblem) as caught:
        read_table(_many_cells(250), filename="a.xlsx")
    assert caught.value.message == (
        "한 번에 200열까지 올릴 수 있습니다. 지금은 250열입니다. 필요 없는 열을 지우고 다시 올려 주세요."
    )
    with pytest.raises(FileProblem) as caught:
        read_table(b"%PDF-1.7", filename="a.xlsx")
    assert caught.value.message == (
        "xlsx, xls, csv 파일만 올릴 수 있습니다. 지금 올린 파일은 PDF 문서입니다. "
        "엑셀에서 새 xlsx 파일로 저장해 다시 올려 주세요."
    )
    with pytest.raises(FileProblem) as caught:
        read_table(b"a" * (20 * 2**20 + 1), filename="a.csv")
    assert (caught.value.code, caught.value.status) == ("file_too_large", 413)


@pytest.mark.parametrize("password", ["비밀", "비밀번호 ", "0", "x" * 300])
def test_a_wrong_password_is_told_apart_from_none(password):
    with pytest.raises(FileProblem) as caught:
        read_table(locked(xlsx(), "비밀번호"), filename="a.xlsx", password=password)
    assert caught.value.code == "file_password_wrong"


def test_a_locked_file_is_guarded_after_it_was_opened():
    bomb = patched(xlsx(), **{SHEET: b"\0" * 150_000_000})
    with pytest.raises(FileProblem) as caught:
        read_table(locked(bomb, "pw"), filename="a.xlsx", password="pw")
    assert caught.value.code == "file_unpacked"


def test_macros_in_an_old_workbook_are_refused():
    with pytest.raises(FileProblem) as caught:
        read_table(_macro_xls(), filename="a.xls")
    assert caught.value.code in {"file_macro", "file_type"}


def test_a_sheet_that_is_not_there_is_refused():
    for data in (xlsx(), saved(xls()), b"<table><tr><td>a</td></tr></table>"):
        with pytest.raises(FileProblem) as caught:
            read_table(data, filename="a", sheet="../../etc")
        assert caught.value.code == "file_sheet"


def test_too_many_merged_cells_are_refused():
    wide = '<row r="1"><c r="A1"><v>1</v></c><c r="GR1"><v>1</v></c></row>'
    rows = wide + "".join(f'<row r="{i}"><c r="A{i}"><v>1</v></c></row>' for i in range(2, 1_100))
    merged = '<mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    with pytest.raises(FileProblem) as caught:
        read_table(raw_xlsx(rows, after=merged), filename="a.xlsx")
    assert caught.value.code == "file_merged"


def _outcome(data: bytes) -> str:
    try:
        return "read" if read_table(data, filename="a.xlsx", password="pw").rows else "nothing"
    except FileProblem as problem:
        return problem.code


def test_any_cut_and_any_flipped_byte_of_a_file_is_read_or_refused():
    for data in (xlsx(), saved(xls()), locked(xlsx(), "pw")):
        for step in range(1, 6):
            cut = data[: len(data) * step // 6]
            flipped = bytearray(data)
            for place in range(step * 17, len(data), 997):
                flipped[place] ^= 0x5A
            for broken in (cut, bytes(flipped)):
                assert _outcome(broken) in {"read", *FILE_SENTENCES}


def test_refusing_a_file_takes_the_parent_no_memory_beyond_the_file():
    bombs = [HOSTILE[name][0]() for name in ("a zip bomb of zeros", "one long text in every cell", "50,001 rows")]  # type: ignore[operator]
    for data in bombs:
        tracemalloc.start()
        with pytest.raises(FileProblem):
            read_table(data, filename="a.xlsx")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 * len(data) + 2**20


def test_a_child_that_takes_too_long_is_ended_with_a_sentence(monkeypatch):
    monkeypatch.setattr(limits, "CHILD_SECONDS", 0.005)  # below what any process needs to start
    with pytest.raises(FileProblem) as caught:
        read_table(xlsx(), filename="a.xlsx")
    assert caught.value.code == "file_time"


def test_the_corpus_is_large_enough():
    assert len(HOSTILE) >= 40
    assert {code for _, code in HOSTILE.values()} >= set(FILE_SENTENCES) - {
        "file_password_wrong", "file_password_kind", "file_sheet", "file_merged", "file_no_header", "file_time",
        "file_no_columns", "file_no_rows",
    }  # fmt: skip
