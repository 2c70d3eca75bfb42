"""Files that channels send in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.files import LoggedUpload
from channels.models import OrderProfile
from channels.services import importing
from channels.services.reading import Reading, recognise
from core.excel import ERROR_HEADER, Column, Kind, Table, stream_xlsx
from core.jobs.items import CHUNK, Verdict
from core.jobs.uploads import UploadRow, open_upload, refused_rows, register
from core.models import Job, JobItem
from orders.models import OrderLine

WIDTH, WIDTH_OF_ERRORS = 16, 60


@register
class OrderFile(LoggedUpload):
    """주문 파일: rows become orders; the rows of one order stand or fall together.

    The file is read before (it may need a password, which is stored nowhere): `OrderFile(reading)` previews it, the
    registered one without a reading applies and explains.
    """

    name, label, permission = "order-file", "주문 파일 올리기", "orders.import"
    model = OrderLine
    # Orders that do not exist yet make nobody wait.
    chunk = 1000

    def __init__(self, reading: Reading | None = None) -> None:
        self.reading = reading

    def read(self, path: Path, *, options: Mapping[str, Any], actor: Any) -> Iterable[UploadRow]:
        if self.reading is None:
            raise LookupError("an order file is previewed with its reading")
        return importing.judged_rows(self.reading, at=timezone.now())

    def apply(
        self, items: Sequence[JobItem], *, actor: Any, at: datetime, batch: Job, **options: Any
    ) -> Mapping[int, Verdict]:
        return importing.apply_rows(
            items,
            actor=actor,
            at=at,
            batch=batch,
            channel=options["channel"],
            creates_products=options["creates_products"],
        )

    def error_file(self, job: Job) -> Iterator[bytes]:
        """오류 파일: the person's own sheet with the refused rows in the order of the file and why."""
        options = job.params["options"]
        header: list[str] = options["header"]
        kept = [at for at, name in enumerate(header) if name.strip() != ERROR_HEADER]
        columns = [Column(str(at), header[at], Kind.ANY, WIDTH) for at in kept]
        columns.append(Column("error", ERROR_HEADER, Kind.MARK, WIDTH_OF_ERRORS))
        refused = refused_rows(job)

        def rows() -> Iterator[list[Any]]:
            for item in refused.order_by("row_number", "pk").iterator(chunk_size=CHUNK):
                cells = (item.data or {}).get("cells", [])
                row = [importing.restored_cell(cells[at]) if at < len(cells) else None for at in kept]
                yield [*row, item.reason]

        return stream_xlsx(columns, rows(), sheet=options["sheet"] or "주문")


def open_import(*, content: bytes, table: Table, profile: OrderProfile | None, actor: Any, at: datetime) -> Job:
    """주문 파일 미리보기: a job whose items say what each row would become; nothing else is stored.

    `table` is what was read out of `content`. Raises AlreadyApplied for a file that was applied before, UnknownLayout,
    LayoutMismatch, FileProblem.
    """
    reading = recognise(table, profile=profile)
    return open_upload(
        upload=OrderFile(reading),
        actor=actor,
        file_name=table.filename,
        content=[content],
        at=at,
        options=importing.import_options(reading),
        part=table.sheet if len(table.sheets) > 1 else "",
    )
