"""Guards of zipped workbooks and what calamine does not tell: formulas without value, error cells, properties."""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from core.excel import limits
from core.excel.problems import FileProblem

_UNREADABLE = (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError, EOFError, zlib.error)
_CHUNK = 256 * 1024
_PROLOG = 4 * 1024  # doctypes stand before the root element; a longer prolog is read on, this is only the step
_SMALL_PART = 4 * 2**20
_CELL_REFERENCE = re.compile(rb"\sr\s*=\s*[\"']([A-Za-z]{1,3})([0-9]{1,7})[\"']")
_CELL_TYPE_STRING = re.compile(rb"\st\s*=\s*[\"']str[\"']")
_FORMULA = re.compile(rb"<(?:\w+:)?f(?=[\s/>])[^>]*?(/?)>")
_VALUE = re.compile(rb"\s*<(?:\w+:)?v(?:\s[^>]*)?>[^<]")
_ERROR_CELL = re.compile(rb"<(?:\w+:)?c\s[^>]*?\bt\s*=\s*[\"']e[\"'][^>]*>")
_READ_PARTS = (
    "content.xml", "[content_types].xml", "_rels/", "docprops/custom.xml",
    "xl/workbook", "xl/_rels/", "xl/worksheets/", "xl/sharedstrings", "xl/styles",
)  # fmt: skip
_ENCODINGS = {"UTF-8", "UTF8", "US-ASCII", "ASCII"}


class _Stop(Exception):
    """Ends a parse that has seen enough."""


@dataclass
class _Parts:
    sheets: dict[str, str] = field(default_factory=dict)  # name → relation id
    targets: dict[str, str] = field(default_factory=dict)  # relation id → part


class Package:
    """압축 꾸러미: one zipped workbook (xlsx, xlsb, ods) that passed the guards.

    The constructor raises FileProblem before anything is unpacked: file_entries, file_unpacked, file_broken (odd
    compression, encrypted entries, path tricks), and after looking at every XML part's start: file_doctype.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _UNREADABLE:
            raise FileProblem("file_broken") from None
        self._check_entries()
        for entry in self._zip.infolist():
            if entry.filename.lower().endswith((".xml", ".rels")) and entry.file_size:
                self._check_prolog(entry.filename)

    def _check_entries(self) -> None:
        entries = self._zip.infolist()
        if len(entries) > limits.MAX_ENTRIES:
            raise FileProblem("file_entries")
        if len({entry.filename for entry in entries}) != len(entries):
            raise FileProblem("file_broken")  # two parts of one name: each reader would see another workbook
        for entry in entries:
            if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise FileProblem("file_broken")
            dense = entry.file_size > limits.MAX_RATIO * max(entry.compress_size, 1)
            if dense and entry.file_size > limits.RATIO_FREE:
                raise FileProblem("file_unpacked")
        if sum(entry.file_size for entry in entries) > limits.MAX_UNPACKED:
            raise FileProblem("file_unpacked")

    def _check_prolog(self, name: str) -> None:
        # calamine reads other encodings as an empty sheet, which would lose rows without a word. Parts that nobody here
        # reads (customXml comes in UTF-16) may be what they like, except a carrier of entities.
        is_read = name.lower().startswith(_READ_PARTS)

        def declared(version: str, encoding: str | None, standalone: int) -> None:
            if is_read and encoding and encoding.upper() not in _ENCODINGS:
                raise FileProblem("file_broken")

        def doctype(*declaration: object) -> None:
            raise FileProblem("file_doctype")

        def root(tag: str, attributes: dict[str, str]) -> None:
            raise _Stop

        parser = expat.ParserCreate()
        parser.XmlDeclHandler = declared
        parser.StartDoctypeDeclHandler = doctype
        parser.StartElementHandler = root
        first = True
        try:
            for chunk in self.chunks(name, size=_PROLOG):
                if is_read and first and chunk[:2] in (b"\xff\xfe", b"\xfe\xff"):
                    raise FileProblem("file_broken")
                first = False
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except _Stop:
            return
        except expat.ExpatError:
            if is_read:
                raise FileProblem("file_broken") from None

    def chunks(self, name: str, *, size: int = _CHUNK) -> Iterator[bytes]:
        """The unpacked part in pieces; a size or checksum that differs from what was declared is file_broken."""
        try:
            with self._zip.open(name) as member:
                while chunk := member.read(size):
                    yield chunk
        except _UNREADABLE:
            raise FileProblem("file_broken") from None

    def check_unpacked(self, *names: str) -> None:
        """Unpack parts to nowhere, so that lies about their size are found before another parser believes them."""
        for name in names:
            if name in self._zip.namelist():
                for _ in self.chunks(name):
                    pass

    def sheet_part(self, sheet: str) -> str | None:
        """Part name of an xlsx sheet, or None where the package does not say."""
        parts = _Parts()
        self._parse("xl/workbook.xml", lambda tag, a: _read_sheet(parts, tag, a))
        self._parse("xl/_rels/workbook.xml.rels", lambda tag, a: _read_relation(parts, tag, a))
        target = parts.targets.get(parts.sheets.get(sheet, ""), "")
        path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        return next((name for name in self._zip.namelist() if name.lower() == path.lower()), None)

    def _parse(self, name: str, start: Callable[[str, dict[str, str]], None]) -> None:
        if name not in self._zip.namelist() or self._zip.getinfo(name).file_size > _SMALL_PART:
            return
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = lambda tag, attributes: start(tag.rsplit(" ", 1)[-1], attributes)
        try:
            for chunk in self.chunks(name):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except expat.ExpatError:
            raise FileProblem("file_broken") from None

    def properties(self) -> dict[str, str]:
        """사용자 지정 속성: name → text of docProps/custom.xml; at most what fits the limit of a small part."""
        found: dict[str, str] = {}
        name, value = "", ""

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal name, value
            if tag.endswith(" property"):
                name, value = attributes.get("name", ""), ""

        def text(data: str) -> None:
            nonlocal value
            value += data

        def end(tag: str) -> None:
            if tag.endswith(" property") and name:
                found[name] = value

        part = "docProps/custom.xml"
        if part not in self._zip.namelist() or self._zip.getinfo(part).file_size > _SMALL_PART:
            return found
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler, parser.CharacterDataHandler, parser.EndElementHandler = start, text, end
        try:
            parser.Parse(b"".join(self.chunks(part)), True)
        except expat.ExpatError:
            raise FileProblem("file_broken") from None
        return found


def _read_sheet(parts: _Parts, tag: str, attributes: dict[str, str]) -> None:
    if tag == "sheet":
        relation = next((value for key, value in attributes.items() if key.endswith(" id")), "")
        parts.sheets[attributes.get("name", "")] = relation


def _read_relation(parts: _Parts, tag: str, attributes: dict[str, str]) -> None:
    if tag == "Relationship":
        parts.targets[attributes.get("Id", "")] = attributes.get("Target", "")


def cell_marks(xml: bytes) -> dict[tuple[int, int], str]:
    """수식·오류 셀: (row, column) from 0 → "formula" (no cached value) or "error", of one worksheet part.

    Looks only around formulas and error cells, so that the usual sheet without any costs one search.
    """
    marks: dict[tuple[int, int], str] = {}
    for match in _ERROR_CELL.finditer(xml) if b't="e"' in xml or b"t='e'" in xml else ():
        if place := _place(match.group()):
            marks[place] = "error"
    for match in _FORMULA.finditer(xml) if b"<f" in xml or b":f" in xml else ():
        after = match.end()
        if not match.group(1):
            close = xml.find(b"</", after)
            after = xml.find(b">", close) + 1 if close >= 0 else after
        opening = _opening_cell(xml, match.start())
        has_value = _VALUE.match(xml, after) or _CELL_TYPE_STRING.search(opening)
        if not has_value and (place := _place(opening)):
            marks[place] = "formula"
    return marks


def _opening_cell(xml: bytes, before: int) -> bytes:
    # <f> is the first child of <c>, so the cell's tag is the one that ends right before it.
    end = xml.rfind(b">", 0, before)
    start = xml.rfind(b"<", 0, end)
    return xml[start : end + 1] if 0 <= start < end else b""


def _place(tag: bytes) -> tuple[int, int] | None:
    match = _CELL_REFERENCE.search(tag)
    if not match:
        return None
    column = 0
    for letter in match.group(1).upper():
        column = column * 26 + letter - 64
    return int(match.group(2)) - 1, column - 1
