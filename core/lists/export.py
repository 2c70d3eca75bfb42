"""내려받기: the rows of a list as a file, from one picture of the database and with flat memory.

Up to AT_ONCE rows are sent in the request; more become a job, whose file is logged when it is handed out.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from django.db import connection, transaction
from django.http import HttpRequest

from core.calendar import KST
from core.excel.columns import Kind
from core.excel.writer import stream_xlsx
from core.exceptions import DomainError
from core.jobs.exports import Export, Heartbeat, open_export
from core.lists.declare import Group, ListColumn
from core.lists.query import ListQuery
from core.models import Job

if TYPE_CHECKING:
    from core.lists.page import ListPage

AT_ONCE = 10_000
MOST_ROWS = 300_000


class TooManyRows(DomainError):
    """내려받기 한도: more rows than one file may hold."""

    code = "too_many_rows"
    status = 422


class ListExport(Export):
    """목록 내려받기 of one page, as a job."""

    def __init__(self, page: "ListPage") -> None:
        self.page = page
        self.name = f"list-{page.name}"  # type: ignore[misc]
        self.label = f"{page.title} 내려받기"  # type: ignore[misc]
        self.permission = page.export_permission  # type: ignore[misc]

    def pieces(self, *, job: Job, at: datetime, progress: Heartbeat) -> Iterator[bytes]:
        """내용: what the person's query finds now, with the columns of that moment."""
        asked = datetime.fromisoformat(job.params["at"])
        query = self.page.query(job.params["query"], user=job.actor, at=asked)
        columns = self.page.visible_columns(job.actor, chosen=job.params["columns"])

        def seen(rows: int) -> None:
            progress.rows = rows

        yield from workbook(query, columns, seen=seen)

    def opened(self, *, job: Job, request: HttpRequest) -> None:
        asked = datetime.fromisoformat(job.params["at"])
        query = self.page.query(job.params["query"], user=job.actor, at=asked)
        reason = str(job.params["reason"])
        self.page.record_export(request=request, query=query, reason=reason, rows=job.total, at=asked)


def open_job(query: ListQuery, *, reason: str, rows: int) -> Job:
    """내려받기 등록: a job that writes the file of the query's list."""
    return open_export(
        export=ListExport(query.page),
        actor=query.user,
        file_name=file_name(query),
        total=rows,
        params={
            # The columns are kept beside it: a view that is deleted meanwhile is not missed.
            "query": query.url(view=None).partition("?")[2],
            "columns": [column.key for column in query.columns()],
            "reason": reason,
            "at": query.at.isoformat(),
        },
        at=query.at,
    )


def write_export(query: ListQuery, target: IO[bytes]) -> int:
    """내려받기: write the list's rows as .xlsx into an open file; returns the number of data rows.

    One data row for each line, or for each row of a list without lines. Raises ListRefused when a condition is wrong,
    TooManyRows above MOST_ROWS data rows.
    """
    written = [0]

    def seen(rows: int) -> None:
        written[0] = rows

    target.writelines(workbook(query, query.columns(), seen=seen))
    return written[0]


def workbook(query: ListQuery, columns: Sequence[ListColumn], *, seen: Callable[[int], None]) -> Iterator[bytes]:
    """엑셀 파일: pieces of bytes; `seen` is told the number of data rows after every thousand base rows."""
    query.require_valid()
    flat = [part for column in columns for part in (column, *column.more)]

    def rows() -> Iterator[list[Any]]:
        written = 0
        for groups in query.chunks(columns):
            for group in groups:
                for row in file_rows(group, flat):
                    written += 1
                    yield row
            seen(written)
            if written > MOST_ROWS:
                raise TooManyRows(f"한 번에 {MOST_ROWS:,}줄까지 내려받을 수 있습니다. 기간을 나누어 내려받으세요.")

    with snapshot():
        yield from stream_xlsx([column.excel() for column in flat], rows(), sheet=query.page.title, properties={})


def file_rows(group: Group, columns: Sequence[ListColumn]) -> Iterator[list[Any]]:
    """파일의 줄: one for each line of a row; amounts of the row itself stand in its first line only."""
    for index, line in enumerate(group.lines or (None,)):
        yield [
            None if index and not column.per_line and column.kind is Kind.WON else column.plain(group, line)
            for column in columns
        ]


def file_name(query: ListQuery) -> str:
    """파일 이름: `배송준비중 관리 20261121-1420.xlsx`."""
    return f"{query.page.title} {query.at.astimezone(KST):%Y%m%d-%H%M}.xlsx"


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
