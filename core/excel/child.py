"""The limited process that opens uploaded files: `python -m core.excel.child`, file on stdin, rows on stdout.

Whatever a hostile file does to a parser happens here, with 1 GiB of memory, 60 s and no secrets in the environment.
No Django here: it starts in a tenth of a second. Input: one line of JSON (password, sheet), then the file. Output:
lines of JSON, first {"problem": …} or {"table": …}, then {"rows": …} pieces.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import python_calamine as calamine

from core.children import limit
from core.excel import limits
from core.excel.grid import Grid, read_workbook
from core.excel.plain import read_csv, read_html
from core.excel.problems import FileProblem
from core.excel.protect import decrypt
from core.excel.sniff import sniff

# Excel itself opens files with this password without asking; "read-only" workbooks are often saved that way.
_SILENT_PASSWORD = "VelvetSweatshop"
_PIECE = 1_000


def read(data: bytes, *, password: str, sheet: str | None, suffix: str) -> Grid:
    """파일 읽기: one sheet of whatever the bytes are. Raises FileProblem."""
    kind = sniff(data, suffix=suffix)
    if kind == "csv":
        return read_csv(data)
    if kind == "html":
        return read_html(data, sheet=sheet)
    if kind == "locked":
        data = _unlocked(data, password)
        kind = sniff(data)
    try:
        return read_workbook(data, kind, sheet=sheet)
    except calamine.PasswordError:
        if kind != "xls":
            raise FileProblem("file_password_kind") from None
    try:
        return read_workbook(_unlocked(data, password), kind, sheet=sheet)
    except calamine.PasswordError:
        raise FileProblem("file_password_kind") from None


def _unlocked(data: bytes, password: str) -> bytes:
    if password:
        return decrypt(data, password)
    try:
        return decrypt(data, _SILENT_PASSWORD)
    except FileProblem as problem:
        raise FileProblem("file_password") if problem.code == "file_password_wrong" else problem from None


def lines(grid: Grid) -> Iterator[dict[str, Any]]:
    """The answer, piece by piece, so that neither side holds the rows twice."""
    yield {
        "table": {
            "kind": grid.kind,
            "sheets": grid.sheets,
            "sheet": grid.sheet,
            "width": grid.width,
            "numbers": grid.numbers,
            "problems": [[index, column, code] for (index, column), code in grid.problems.items()],
            "dates": grid.dates,
            "properties": grid.properties,
        }
    }
    for start in range(0, len(grid.rows), _PIECE):
        yield {"rows": grid.rows[start : start + _PIECE]}
    yield {"end": len(grid.rows)}


def main(source: BinaryIO, target: BinaryIO) -> int:
    """Read, answer, exit code 0; a MemoryError is an answer too."""
    options = json.loads(source.readline())
    try:
        for answer in lines(read(source.read(), **options)):
            target.write(json.dumps(answer, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
    except FileProblem as problem:
        target.write(json.dumps({"problem": problem.code, "facts": problem.facts}).encode() + b"\n")
    except MemoryError:
        target.write(b'{"problem":"file_memory","facts":{}}\n')
    target.flush()
    return 0


if __name__ == "__main__":
    limit(memory=limits.CHILD_MEMORY, seconds=limits.CHILD_SECONDS)
    sys.exit(main(sys.stdin.buffer, sys.stdout.buffer))
