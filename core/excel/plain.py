"""Text that is called Excel: CSV in the encodings of Korean PCs, and HTML tables saved as .xls by portals."""

import codecs
import csv
import io
import re
from html.parser import HTMLParser

from core.excel import limits
from core.excel.cleaning import MAX_CELL
from core.excel.grid import Grid
from core.excel.problems import FileProblem

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""First characters that make a spreadsheet compute the cell (reliability.md T12)."""

_DELIMITERS = ",;\t"
_KEPT_TEXT = re.compile(r'="([^"]*)"')
_META_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_\-]{3,20})", re.IGNORECASE)
_KOREAN = {"euc-kr", "euckr", "cp949", "ms949", "ks_c_5601-1987", "ksc5601", "x-windows-949", "windows-949"}


def decode(data: bytes) -> str:
    """글자 읽기: byte order mark, then strict UTF-8, then CP949 (a superset of EUC-KR); otherwise file_encoding."""
    for bom, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(bom):
            return _decode(data[len(bom) :], encoding)
    encodings = ["utf-8", "cp949"]
    declared = _META_CHARSET.search(data[:4096])
    if declared and declared.group(1).decode().lower() in _KOREAN:
        encodings.reverse()
    if data[:2000].count(0) * 5 > len(data[:2000]):  # UTF-16 without its mark: every Latin letter carries a zero
        odd = data[1:2000:2].count(0) > data[0:2000:2].count(0)
        encodings = ["utf-16-le" if odd else "utf-16-be"]
    for encoding in encodings:
        try:
            return _decode(data, encoding)
        except FileProblem as problem:
            if problem.code != "file_encoding":
                raise
    raise FileProblem("file_encoding")


def _decode(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise FileProblem("file_encoding") from None
    if text.count("\x00") * 20 > len(text):
        raise FileProblem("file_nul")
    return text.replace("\x00", "")


def read_csv(data: bytes) -> Grid:
    """CSV 읽기: comma, semicolon or tab, whichever splits the first lines best; every value stays text."""
    text = decode(data)
    grid = Grid("csv", ["CSV"], "CSV")
    csv.field_size_limit(limits.MAX_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    number = 0
    try:
        for number, row in enumerate(reader, start=1):
            grid.add(number, [_unguarded(cell) for cell in row])
    except csv.Error:
        raise FileProblem("file_quote", row=number + 1) from None
    if not grid.rows:
        raise FileProblem("file_empty")
    return grid.finish()


def _unguarded(cell: str) -> str:
    # Markets write ="0101…" so that Excel keeps the digits: the formula is the text in it.
    if cell[:2] == '="' and (kept := _KEPT_TEXT.fullmatch(cell)):
        return kept[1]
    # Our own CSV files put ' before what a spreadsheet would compute; people send them back.
    return cell[1:] if cell[:1] == "'" and cell[1:2] in DANGEROUS and len(cell) > 1 else cell


def _delimiter(text: str) -> str:
    outside = re.sub(r'"[^"]*"', "", text[:65_536])
    lines = [line for line in outside.splitlines() if line.strip()][:20]
    return max(_DELIMITERS, key=lambda mark: (sum(mark in line for line in lines), outside.count(mark)))


def read_html(data: bytes, *, sheet: str | None) -> Grid:
    """HTML 표 읽기: one table of the page; the longest when none is named. Spanned cells are marked as merged."""
    parser = _Tables()
    parser.feed(decode(data))
    parser.close()
    parser.finish()
    tables = [table for table in parser.tables if table]
    if not tables:
        raise FileProblem("file_type", found="표가 없는 웹 문서")
    names = [f"표 {number}" for number in range(1, len(tables) + 1)]
    if sheet is not None and sheet not in names:
        raise FileProblem("file_sheet")
    chosen = names.index(sheet) if sheet is not None else max(range(len(tables)), key=lambda i: len(tables[i]))
    grid = Grid("html", names, names[chosen])
    merged = {}
    for number, row in enumerate(tables[chosen], start=1):
        grid.add(number, [cell for cell, _ in row])
        merged.update({(number - 1, column): "merged" for column, (_, spanned) in enumerate(row) if spanned})
    if not grid.rows:
        raise FileProblem("file_empty")
    grid.finish()
    grid.mark({place: code for place, code in merged.items() if place[1] < grid.width})
    return grid


class _Tables(HTMLParser):
    """Collects every table as rows of (text, is covered by a span)."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[tuple[str, bool]]]] = []
        self._open: list[int] = []
        self._text: list[str] | None = None
        self._span = 1
        self._down: dict[int, int] = {}  # column → rows still covered by a cell above
        self._rows_down = 1
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._end_cell()
            self.tables.append([])
            self._open.append(len(self.tables) - 1)
            self._down = {}
        elif tag in ("script", "style"):
            self._hidden += 1
        elif tag == "tr" and self._open:
            self._end_cell()
            self.tables[self._open[-1]].append([])
            self._cover()
        elif tag in ("td", "th") and self._open:
            self._end_cell()
            if not self.tables[self._open[-1]]:
                self.tables[self._open[-1]].append([])
            named = dict(attrs)
            self._span = _number(named.get("colspan"), limits.MAX_COLUMNS + 1)
            self._rows_down = _number(named.get("rowspan"), limits.MAX_ROWS)
            self._text = []
        elif tag == "br" and self._text is not None:
            self._text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr"):
            self._end_cell()
        elif tag in ("script", "style"):
            self._hidden = max(self._hidden - 1, 0)
        elif tag == "table" and self._open:
            self._end_cell()
            self._open.pop()
            self._down = {}

    def handle_data(self, data: str) -> None:
        if self._text is not None and not self._hidden:
            self._text.append(data)

    def finish(self) -> None:
        """Close what the file left open."""
        self._end_cell()

    def _cover(self) -> None:
        row = self.tables[self._open[-1]][-1]
        while self._down.get(len(row), 0) > 0:
            self._down[len(row)] -= 1
            row.append(("", True))

    def _end_cell(self) -> None:
        if self._text is None or not self._open:
            return
        row = self.tables[self._open[-1]][-1]
        if len(row) <= limits.MAX_COLUMNS:
            if self._rows_down > 1:
                self._down.update({len(row) + i: self._rows_down - 1 for i in range(self._span)})
            lines = "".join(self._text).replace("\xa0", " ").split("\n")
            row.append(("\n".join(" ".join(line.split()) for line in lines).strip()[: MAX_CELL + 1], False))
            row.extend([("", True)] * (self._span - 1))
            self._cover()
        self._text = None


def _number(text: str | None, most: int) -> int:
    return min(max(int(text), 1), most) if text and text.isascii() and text.isdigit() and len(text) < 8 else 1
