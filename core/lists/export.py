"""내려받기: the rows of a list as a file, from one picture of the database and with flat memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from django.db import connection, transaction

from core.excel.columns import Kind
from core.excel.writer import stream_xlsx
from core.exceptions import DomainError
from core.lists.declare import Group, ListColumn
from core.lists.query import ListQuery

AT_ONCE = 10_000
MOST_ROWS = 100_000


class TooManyRows(DomainError):
    """내려받기 한도: more rows than one file may hold."""

    code = "too_many_rows"
    status = 422


def write_export(query: ListQuery, target: IO[bytes]) -> int:
    """내려받기: write the list's rows as .xlsx into an open file; returns the number of data rows.

    One data row for each line, or for each row of a list without lines. Raises ListRefused when a condition is wrong,
    TooManyRows above MOST_ROWS base rows.
    """
    query.require_valid()
    columns = list(query.columns())
    flat = [part for column in columns for part in (column, *column.more)]
    written = 0

    def rows() -> Iterator[list[Any]]:
        nonlocal written
        seen = 0
        for groups in query.chunks():
            seen += len(groups)
            if seen > MOST_ROWS:
                raise TooManyRows(f"한 번에 {MOST_ROWS:,}건까지 내려받을 수 있습니다. 기간을 나누어 내려받으세요.")
            for group in groups:
                for row in file_rows(group, flat):
                    written += 1
                    yield row

    with snapshot():
        target.writelines(
            stream_xlsx([column.excel() for column in flat], rows(), sheet=query.page.title, properties={})
        )
    return written


def file_rows(group: Group, columns: Sequence[ListColumn]) -> Iterator[list[Any]]:
    """파일의 줄: one for each line of a row; amounts of the row itself stand in its first line only."""
    for index, line in enumerate(group.lines or (None,)):
        yield [
            None if index and not column.per_line and column.kind is Kind.WON else column.plain(group, line)
            for column in columns
        ]


@contextmanager
def snapshot() -> Iterator[None]:
    """한 시점: a read-only transaction that sees one state of the database throughout."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield
