"""송장 파일 미리보기: counters, filters and rows of a file that was read, as finished strings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils import timezone

from accounts.file_pages import ERROR, READY, SAME
from core.jobs.shown import result_of
from core.jobs.uploads import stopping_errors
from core.models import ItemResult, Job, JobItem, JobState
from orders.models import OrderLine
from orders.states import LineState
from shipping.excel.verdicts import proposal_label
from shipping.file_columns import LABELS
from shipping.models import ShipmentLine, WaybillFileBatch, WaybillLayout
from shipping.services.files.batches import returned

BY_HAND = Q(data__contains={"by_hand": True})
SHOWN = {
    "all": ("전체", Q()),
    "ready": ("반영 가능", READY & Q(reason="")),
    "ask": ("확인 필요", READY & ~Q(reason="")),
    "error": ("오류", ERROR),
    "same": ("변화 없음", SAME),
}


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """미리보기 한 행."""

    number: int
    key: str
    shipment: str
    courier: str
    waybill: str
    old: str
    verdict: str
    css: str
    asks: bool
    can_exclude: bool
    tick: str = ""
    """Words of the tick of a row that asks."""
    choices: Sequence[tuple[str, str]] = ()
    """(value, words) of the shipments that a row without a key may mean."""
    by_hand: bool = False


def facts_of(job: Job) -> dict[str, Any]:
    """미리보기 내용 of one file beside its rows."""
    is_open = job.state == JobState.PREVIEW
    ships = bool((job.params.get("options") or {}).get("ship"))
    return {
        "result": None if is_open else result_of(job, at=timezone.now()),
        "ships": ships,
        "stopped_by": stopping_errors(job) if is_open else 0,
        "layout": _layout(job),
        "verb": "배송중 처리" if ships else "송장 등록",
        "notices": _messages(job) if is_open and ships else 0,
        "all_asks": JobItem.objects.filter(SHOWN["ask"][1], ~BY_HAND, job=job).count() if is_open else 0,
        "keyless": is_open and JobItem.objects.filter(job=job, data__has_key="suggested").exists(),
        "batch": _batch(job),
    }


def _batch(job: Job) -> dict[str, Any] | None:
    """돌아온 파일의 내려받기: how much of it is back with this file, and where the rest can be seen."""
    options = job.params.get("options") or {}
    batch = WaybillFileBatch.objects.filter(pk=options.get("file_batch") or 0).first()
    if batch is None:
        return None
    found = returned([batch.pk], job=job if job.state == JobState.PREVIEW else None)[batch.pk]
    return {"key": batch.key, "text": found.sentence, "missing": found.missing}


def _layout(job: Job) -> dict[str, Any] | None:
    """열 맞춤 of a file whose columns a person has pointed out, now or for an earlier file of the sender."""
    options = job.params.get("options") or {}
    columns = options.get("columns")
    if not columns:
        return None
    kept = WaybillLayout.objects.filter(pk=options.get("layout") or 0).exists()
    pairs = [f"{label.split(' (')[0]} = {columns[key]}" for key, label in LABELS.items() if key in columns]
    return {"name": options.get("sender", ""), "pairs": pairs, "is_kept": kept}


def _messages(job: Job) -> int:
    """발송 알림 수: one for each order of the rows that are applied as they stand, without a tick."""
    targets = JobItem.objects.filter(SHOWN["ready"][1], job=job).values("target_id")
    lines = ShipmentLine.objects.filter(shipment__in=targets, is_live=True).values("line_id")
    return OrderLine.objects.filter(pk__in=lines, state=LineState.READY).values("order_id").distinct().count()


def row_of(item: JobItem, *, is_open: bool) -> PreviewRow:
    """미리보기 한 행 of a waybill file."""
    data = item.data or {}
    is_same, asks = bool(data.get("same")), item.result == ItemResult.PENDING and bool(item.reason)
    refused = item.result == ItemResult.REFUSED and not is_same
    by_hand = asks and bool(data.get("by_hand"))
    follows = by_hand and bool(data.get("rows")) and data["rows"][0] != item.row_number
    done = {ItemResult.OK: "반영함", ItemResult.PENDING: "반영 가능"}.get(ItemResult(item.result), "변화 없음")
    return PreviewRow(
        number=item.row_number or 0,
        key=str(data.get("key", "")),
        shipment=str(data.get("number", "")),
        courier=str(data.get("courier_name", "")),
        waybill=str(data.get("waybill") or data.get("shown", "")),
        old=" ".join(part for part in (data.get("old_courier"), data.get("old")) if part),
        verdict=item.reason or done,
        css="bad" if refused else "doubt" if asks else "",
        asks=asks and is_open and not follows,
        tick=_tick(data),
        choices=[(f"{item.row_number}-{pk}", f"{number} ({why})") for pk, number, why in data.get("candidates", [])],
        by_hand=by_hand,
        can_exclude=is_open and item.result == ItemResult.PENDING,
    )


def _tick(data: Mapping[str, Any]) -> str:
    """확인할 말 of a row."""
    if data.get("proposal"):
        return proposal_label(data["proposal"])
    if data.get("merge"):
        return f"합포 {len(data['merge'])}건"
    return "이 배송건에 등록" if data.get("suggested") else "바꾸기"
