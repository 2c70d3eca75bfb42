"""화면에 보일 것 of order files: samples for mapping, counters and rows of a preview."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from channels.services.reading import header_for_mapping
from core.calendar import short
from core.excel import Table
from core.jobs.uploads import UploadCounts, upload_counts
from core.models import ItemResult, Job, JobItem, JobKind, JobState
from core.people import named
from orders.models import OrderLine

SAMPLE_ROWS = 3
PAGE_ROWS = 100
RECENT = 10
PREVIEW_KINDS = {
    "all": "전체",
    "ready": "반영 가능",
    "ask": "확인 필요",
    "error": "오류",
    "same": "변화 없음",
}
RESULT_KINDS = {
    "all": "전체",
    "done": "등록",
    "ready": "남음",
    "error": "제외",
    "same": "변화 없음",
}
ROW_KINDS = PREVIEW_KINDS | RESULT_KINDS
_APPLIED = {ItemResult.OK: "등록", ItemResult.REFUSED: "제외", ItemResult.PENDING: "대기"}


@dataclass(frozen=True, slots=True)
class ImportRow:
    """미리보기 한 행: finished words."""

    number: int
    order: str
    placed: str
    product: str
    plan: str
    reason: str
    verdict: str
    css: str


@dataclass(frozen=True, slots=True)
class RecentImport:
    """지난 파일 한 줄."""

    uuid: str
    file_name: str
    at: str
    who: str
    state: str
    total: int
    done: int
    failed: int


def recent_imports() -> list[RecentImport]:
    """지난 주문 파일, newest first; one query."""
    jobs = Job.objects.filter(kind=JobKind.UPLOAD, act="order-file").exclude(state=JobState.CANCELED)
    return [
        RecentImport(
            uuid=str(job.uuid),
            file_name=job.file_name,
            at=short(job.created_at),
            who=named(job.actor),
            state=job.get_state_display(),
            total=job.total,
            done=job.done,
            failed=job.failed,
        )
        for job in jobs.select_related("actor").order_by("-pk")[:RECENT]
    ]


def mapping_page(table: Table, form: Any) -> dict[str, Any]:
    """열 맞추기 화면: the names, three rows below them, and the inputs."""
    header = header_for_mapping(table)
    sample = table.rows[header.index + 1 : header.index + 1 + SAMPLE_ROWS]
    return unread_page(table.filename, form, labels=header.labels) | {
        "header_row": table.numbers[header.index],
        "sample": [["" if cell is None else str(cell)[:40] for cell in row] for row in sample],
    }


def unread_page(file_name: str, form: Any, *, labels: Sequence[str]) -> dict[str, Any]:
    """열 맞추기 화면 of a file that could not be opened this time: the names as shown before, and the inputs."""
    return {
        "title": "열 맞추기",
        "subtitle": file_name,
        "form": form,
        "fields": form.table(),
        "labels": labels,
        "locked": bool(form["password"].value() or form["password"].errors),
    }


def import_page(job: Job, *, kind: str, after: int) -> dict[str, Any]:
    """미리보기·결과 화면."""
    options = job.params.get("options", {})
    found = _items(job, kind).filter(row_number__gt=after).order_by("row_number", "pk")[: PAGE_ROWS + 1]
    rows = list(found)
    shown = rows[:PAGE_ROWS]
    counts = upload_counts(job)
    return {
        "title": "주문 파일 미리보기" if job.state == JobState.PREVIEW else "주문 파일 결과",
        "subtitle": job.file_name,
        "job": job,
        "profile_name": options.get("profile_name", ""),
        "channel_name": options.get("channel_name", ""),
        "ignored": options.get("ignored", []),
        "counts": counts,
        "tabs": _tabs(counts, kind, is_preview=job.state == JobState.PREVIEW),
        "kind": kind,
        "rows": _preview_rows(shown) if job.state == JobState.PREVIEW else _result_rows(shown),
        "next_after": shown[-1].row_number if len(rows) > PAGE_ROWS else None,
        "is_preview": job.state == JobState.PREVIEW,
        "is_running": job.is_open,
        "has_errors": bool(counts.error),
    }


def _tabs(counts: UploadCounts, kind: str, *, is_preview: bool) -> Sequence[tuple[str, str, int, bool]]:
    numbers = {
        "all": counts.total,
        "done": counts.total - counts.ready - counts.ask - counts.error - counts.same,
        "ready": counts.ready,
        "ask": counts.ask,
        "error": counts.error,
        "same": counts.same,
    }
    kinds = PREVIEW_KINDS if is_preview else RESULT_KINDS
    return [(key, label, numbers[key], key == kind) for key, label in kinds.items()]


def _items(job: Job, kind: str) -> Any:
    items = JobItem.objects.filter(job=job)
    refused = items.filter(result=ItemResult.REFUSED)
    return {
        "all": items,
        "done": items.filter(result=ItemResult.OK),
        "ready": items.filter(result=ItemResult.PENDING, reason=""),
        "ask": items.filter(result=ItemResult.PENDING).exclude(reason=""),
        "error": refused.exclude(data__has_key="same"),
        "same": refused.filter(data__has_key="same"),
    }[kind]


def _preview_rows(items: Sequence[JobItem]) -> list[ImportRow]:
    return [_row(item, *_judged(item)) for item in items]


def _judged(item: JobItem) -> tuple[str, str]:
    if item.result == ItemResult.REFUSED:
        return ("변화 없음", "") if (item.data or {}).get("same") else ("오류", "bad")
    return ("확인 필요", "doubt") if item.reason else ("반영 가능", "")


def _result_rows(items: Sequence[JobItem]) -> list[ImportRow]:
    """결과 행: a stored row shows its order and product as they are now; one query."""
    stored = [item.target_id for item in items if item.result == ItemResult.OK and item.target_id]
    lines = OrderLine.objects.filter(pk__in=stored).values_list("pk", "order__number", "product_name")
    found = {pk: (number, product) for pk, number, product in lines}
    rows = []
    for item in items:
        is_same = bool((item.data or {}).get("same"))
        css = "bad" if item.result == ItemResult.REFUSED and not is_same else ""
        verdict = "변화 없음" if is_same else _APPLIED[ItemResult(item.result)]
        placed, product = found.get(item.target_id or 0, ("", ""))
        rows.append(_row(item, verdict, css, placed=placed, product=product))
    return rows


def _row(item: JobItem, verdict: str, css: str, *, placed: str = "", product: str = "") -> ImportRow:
    data = item.data or {}
    return ImportRow(
        number=item.row_number or 0,
        order=data.get("number", ""),
        placed=placed,
        product=product or data.get("product", ""),
        plan=data.get("plan", ""),
        reason="" if data.get("same") else item.reason,
        verdict=verdict,
        css=css,
    )
