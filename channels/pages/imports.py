"""화면에 보일 것 of order files: samples for mapping, counters and rows of a preview."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from channels.services.reading import header_for_mapping
from core.calendar import KST
from core.excel import Table
from core.jobs.uploads import UploadCounts, upload_counts
from core.models import ItemResult, Job, JobItem, JobKind, JobState

SAMPLE_ROWS = 3
PAGE_ROWS = 100
RECENT = 10
ROW_KINDS = {
    "all": "전체",
    "ready": "반영 가능",
    "ask": "확인 필요",
    "error": "오류",
    "same": "변화 없음",
}
_APPLIED = {ItemResult.OK: "등록", ItemResult.REFUSED: "제외", ItemResult.PENDING: "대기"}


@dataclass(frozen=True, slots=True)
class ImportRow:
    """미리보기 한 행: finished words."""

    number: int
    order: str
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
            at=f"{job.created_at.astimezone(KST):%m-%d %H:%M}",
            who=f"{job.actor.display_name} 님" if job.actor else "시스템",  # type: ignore[union-attr]
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
        "tabs": _tabs(counts, kind),
        "kind": kind,
        "rows": [_row(item, is_preview=job.state == JobState.PREVIEW) for item in shown],
        "next_after": shown[-1].row_number if len(rows) > PAGE_ROWS else None,
        "is_preview": job.state == JobState.PREVIEW,
        "is_running": job.is_open,
        "has_errors": bool(counts.error),
    }


def _tabs(counts: UploadCounts, kind: str) -> Sequence[tuple[str, str, int, bool]]:
    numbers = {
        "all": counts.total,
        "ready": counts.ready,
        "ask": counts.ask,
        "error": counts.error,
        "same": counts.same,
    }
    return [(key, label, numbers[key], key == kind) for key, label in ROW_KINDS.items()]


def _items(job: Job, kind: str) -> Any:
    items = JobItem.objects.filter(job=job)
    refused = items.filter(result=ItemResult.REFUSED)
    return {
        "all": items,
        "ready": items.filter(result=ItemResult.PENDING, reason=""),
        "ask": items.filter(result=ItemResult.PENDING).exclude(reason=""),
        "error": refused.exclude(data__has_key="same"),
        "same": refused.filter(data__has_key="same"),
    }[kind]


def _row(item: JobItem, *, is_preview: bool) -> ImportRow:
    data = item.data or {}
    if not is_preview:
        verdict, css = _APPLIED[ItemResult(item.result)], "bad" if item.result == ItemResult.REFUSED else ""
    elif item.result == ItemResult.REFUSED:
        verdict, css = ("변화 없음", "") if data.get("same") else ("오류", "bad")
    else:
        verdict, css = ("확인 필요", "doubt") if item.reason else ("반영 가능", "")
    return ImportRow(
        number=item.row_number or 0,
        order=data.get("number", ""),
        product=data.get("product", ""),
        plan=data.get("plan", ""),
        reason="" if data.get("same") else item.reason,
        verdict=verdict,
        css=css,
    )
