"""What a file is, told by its content; its name and declared type are the sender's claim."""

import codecs
import io
import re
import zipfile

import olefile

from core.excel.problems import FileProblem

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "PDF 문서"),
    (b"\x89PNG", "그림 파일"),
    (b"\xff\xd8\xff", "그림 파일"),
    (b"GIF8", "그림 파일"),
    (b"BM", "그림 파일"),
    (b"RIFF", "그림 또는 동영상 파일"),
    (b"7z\xbc\xaf", "압축 파일"),
    (b"Rar!", "압축 파일"),
    (b"\x1f\x8b", "압축 파일"),
    (b"MZ", "실행 파일"),
    (b"\x7fELF", "실행 파일"),
    (b"{\\rtf", "문서 파일"),
    (b"MIME-Version:", "웹 보관 파일"),
    (b"SQLite format 3", "데이터베이스 파일"),
)
_PACKAGES: tuple[tuple[str, str], ...] = (
    ("word/", "워드 문서"),
    ("ppt/", "파워포인트 문서"),
    ("contents/section0.xml", "한글 문서"),
    ("index/document.iwa", "Numbers 문서"),
)
_MARKUP = re.compile(rb"<(!doctype\s+html|html|head|body|table|meta|style|!--)", re.IGNORECASE)
_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


TABLE_NAMES = frozenset({"", ".csv", ".xls", ".xlsx", ".xlsb", ".ods", ".html", ".htm"})
"""Endings under which people and markets send a table as text; a script or a note is text too, and no table."""


def sniff(data: bytes, *, suffix: str = "") -> str:
    """파일 종류: xlsx, xlsb, ods, xls, locked (encrypted), html or csv.

    Workbooks are told by their content alone. Any text could be a CSV, so there `suffix`, the ending of the file's
    name, decides whether it claims to be a table.
    Raises FileProblem: file_empty, file_type (with what it is instead), file_macro, file_broken.
    """
    if not data.strip(b" \t\r\n\x00"):
        raise FileProblem("file_empty")
    if data.startswith(ZIP):
        return _package_kind(data)
    if data.startswith(OLE):
        return _compound_kind(data)
    if data.startswith(b"PK\x05\x06"):
        raise FileProblem("file_empty")
    for magic, found in _FOREIGN:
        if data.startswith(magic) and (len(magic) > 2 or b"\x00" in data[:64]):
            raise FileProblem("file_type", found=found)
    kind = _text_kind(data)
    if suffix.lower() not in TABLE_NAMES:
        raise FileProblem("file_type", found=f"{suffix.lower()} 파일")
    return kind


def _package_kind(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = [name.lower() for name in package.namelist()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise FileProblem("file_broken") from None
    if any(name.endswith("vbaproject.bin") or name.startswith("xl/macrosheets/") for name in names):
        raise FileProblem("file_macro")
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "xl/workbook.bin" in names:
        return "xlsb"
    if "content.xml" in names and "mimetype" in names:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            if _mimetype(package).startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
                return "ods"
        raise FileProblem("file_type", found="문서 파일")
    for prefix, found in _PACKAGES:
        if any(name.startswith(prefix) for name in names):
            raise FileProblem("file_type", found=found)
    raise FileProblem("file_type", found="압축 파일")


def _mimetype(package: zipfile.ZipFile) -> bytes:
    try:
        with package.open("mimetype") as member:
            return member.read(100)
    except (KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError):
        return b""


def _compound_kind(data: bytes) -> str:
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            streams = {"/".join(path).lower() for path in container.listdir(streams=True, storages=True)}
    except MemoryError:
        raise
    except Exception as error:  # olefile meets arbitrary bytes
        raise FileProblem("file_broken") from error
    if "encryptedpackage" in streams:
        return "locked"
    if any(name.startswith("_vba_project_cur") for name in streams):
        raise FileProblem("file_macro")
    if "workbook" in streams or "book" in streams:
        return "xls"
    raise FileProblem("file_type", found="엑셀이 아닌 문서")


def _text_kind(data: bytes) -> str:
    head = data[:4096]
    for bom in _BOMS:
        head = head.removeprefix(bom)
    head = head.replace(b"\x00", b"").lstrip()
    if _MARKUP.match(head):
        return "html"
    if head.startswith(b"<?xml"):
        if re.search(rb"<(html|table)[\s>]", head, re.IGNORECASE) and b"office:spreadsheet" not in head:
            return "html"
        raise FileProblem("file_type", found="XML 파일")
    if data.startswith(_BOMS):
        return "csv"
    odd = sum(byte < 32 and byte not in b"\t\r\n\x00" for byte in head)
    if odd * 50 > len(head):
        raise FileProblem("file_type", found="알려지지 않은 형식")
    return "csv"
