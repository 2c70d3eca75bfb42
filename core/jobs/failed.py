"""Failed rows of a job: for its page and as Excel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from core.chunks import batched
from core.excel.columns import Column, Kind
from core.excel.writer import stream_xlsx
from core.jobs.pages import order_model
from core.jobs.uploads import Upload
from core.jobs.work import UnknownAct, act_of
from core.models import ItemResult, Job, JobItem, JobState

NOT_DONE_YET = "아직 처리하지 않았습니다."
COLUMNS = (
    Column("name", "대상", Kind.TEXT, 22),
    Column("result", "결과", Kind.TEXT, 8),
    Column("reason", "사유", Kind.MARK, 60),
)


@dataclass(frozen=True, slots=True)
class FailedRow:
    """실패한 행: what staff call it, the result and the reason."""

    name: str
    result: str
    reason: str


def failed_rows(job: Job, *, limit: int) -> list[FailedRow]:
    """실패한 행: those that were left out first, then those without a verdict (not of a preview: they are to come)."""
    left = _left(job)
    if job.state == JobState.PREVIEW:
        left = left.filter(result=ItemResult.REFUSED)
    return _named(job, list(left[:limit]))


def failed_file(job: Job) -> Iterator[bytes]:
    """실패한 행 엑셀: number, result and reason; for an upload its own error file."""
    try:
        act = act_of(job)
    except UnknownAct:
        act = None
    if isinstance(act, Upload):
        return act.error_file(job)
    return stream_xlsx(COLUMNS, _rows(job), sheet="실패한 행")


def _left(job: Job) -> QuerySet[JobItem]:
    return JobItem.objects.filter(job=job).exclude(result=ItemResult.OK).order_by("-result", "pk")


def _rows(job: Job) -> Iterator[tuple[str, str, str]]:
    for chunk in batched(list(_left(job))):
        for row in _named(job, chunk):
            yield row.name, row.result, row.reason


def _named(job: Job, chunk: Sequence[JobItem]) -> list[FailedRow]:
    try:
        names = act_of(job).names([item.target_id for item in chunk if item.target_id is not None])
    except UnknownAct:
        names = {}
    orders = {(item.data or {}).get("order") for item in chunk if item.target_id is None} - {None}
    numbers = {pk: str(row) for pk, row in order_model()._default_manager.in_bulk(orders).items()} if orders else {}
    return [FailedRow(_name(item, names, numbers), item.get_result_display(), _reason(item)) for item in chunk]


def _name(item: JobItem, names: dict[int, str], numbers: dict[int, str]) -> str:
    if item.target_id is not None:
        return names.get(item.target_id, "")
    if item.row_number is not None:
        return f"{item.row_number}행"
    return numbers.get((item.data or {}).get("order", 0), "")


def _reason(item: JobItem) -> str:
    return item.reason or NOT_DONE_YET
