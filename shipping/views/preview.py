"""송장 파일 미리보기: counters, filters and rows of a file that was read, as finished strings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils import timezone

from accounts.file_pages import ERROR, READY, SAME
from core.jobs.shown import result_of
from core.jobs.uploads import stopping_errors
from core.korean import josa
from core.models import ItemResult, Job, JobItem, JobState
from core.settings_registry import get_setting
from orders.models import OrderLine
from orders.states import LineState
from shipping.couriers import courier_name
from shipping.excel.mending import can_mend
from shipping.excel.verdicts import proposal_label
from shipping.file_columns import LABELS
from shipping.models import ExcelTemplate, ShipmentLine, WaybillFileBatch, WaybillLayout
from shipping.services.files.batches import returned

OTHER_COURIER = (
    "{} 보낸 파일인데 택배사 열이 없어 {} 번호로 읽었습니다. 다르면 그만두고 '기본 택배사'를 골라 다시 올리세요."
)
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
    """배송번호 where the file names the row otherwise."""
    courier: str
    waybill: str
    old: str
    """Courier and number that stand there and are others."""
    verdict: str
    css: str
    asks: bool
    can_exclude: bool
    tick: str = ""
    """Words of the tick of a row that asks."""
    choices: Sequence[tuple[str, str, bool]] = ()
    """(value, words, is it chosen) of the shipments that a row without a key may mean; the first one leaves it open."""
    by_hand: bool = False
    box: int = 0
    """How many rows are left out with this one: those of its 합포."""
    is_ticked: bool = False
    """Ticked on this row while the person looked at others."""
    couriers: Sequence[tuple[str, str, bool]] = ()
    """(slug, name, is it the row's own) where courier and number may be typed again."""


def facts_of(job: Job) -> dict[str, Any]:
    """미리보기 내용 of one file beside its rows."""
    is_open = job.state == JobState.PREVIEW
    ships = bool((job.params.get("options") or {}).get("ship"))
    asking = JobItem.objects.filter(SHOWN["ask"][1], job=job)
    return {
        "result": None if is_open else result_of(job, at=timezone.now()),
        "ships": ships,
        "stopped_by": stopping_errors(job) if is_open else 0,
        "columns": _columns(job) if is_open else None,
        "verb": "배송중 처리" if ships else "송장 등록",
        "notices": _messages(job) if is_open and ships else 0,
        "all_asks": asking.exclude(BY_HAND).count() if is_open else 0,
        "kept": asking.filter(data__contains={"ticked": True}).count() if is_open else 0,
        "keyless": is_open and JobItem.objects.filter(job=job, data__has_key="suggested").exists(),
        "batch": _batch(job),
    }


def _batch(job: Job) -> dict[str, Any] | None:
    """돌아온 파일의 내려받기: how much of it is back with this file, and where the rest can be seen."""
    options, is_open = job.params.get("options") or {}, job.state == JobState.PREVIEW
    batch = WaybillFileBatch.objects.select_related("template").filter(pk=options.get("file_batch") or 0).first()
    if batch is None:
        return None
    found = returned([batch.pk], job=job if is_open else None)[batch.pk]
    doubt = _other_courier(batch.template, options) if is_open else ""
    return {"key": batch.key, "text": found.sentence, "missing": found.missing, "doubt": doubt}


def _other_courier(template: ExcelTemplate | None, options: Mapping[str, Any]) -> str:
    """A file for one courier that names none is read by the numbers of another: nobody sees that in the numbers."""
    used = options.get("courier") or get_setting("default_courier")
    if template is None or template.courier in {"", used} or "courier" in options.get("read", ("courier",)):
        return ""
    return OTHER_COURIER.format(josa(courier_name(template.courier), "으로/로"), courier_name(used))


def _columns(job: Job) -> dict[str, Any] | None:
    """읽은 열, those that were ignored, and whether a person pointed them out, now or for an earlier file."""
    options = job.params.get("options") or {}
    read = options.get("read") or options.get("columns")
    if not read:
        return None
    return {
        "is_chosen": bool(options.get("columns")),
        "is_kept": WaybillLayout.objects.filter(pk=options.get("layout") or 0).exists(),
        "name": options.get("sender", ""),
        "pairs": [f"{label.split(' (')[0]} = {read[key]}" for key, label in LABELS.items() if key in read],
        "ignored": [label for label in options.get("labels", ()) if label not in read.values()],
    }


def _messages(job: Job) -> int:
    """발송 알림 수: one for each order of the rows that are applied as they stand, without a tick."""
    targets = JobItem.objects.filter(SHOWN["ready"][1], job=job).values("target_id")
    lines = ShipmentLine.objects.filter(shipment__in=targets, is_live=True).values("line_id")
    return OrderLine.objects.filter(pk__in=lines, state=LineState.READY).values("order_id").distinct().count()


def row_of(item: JobItem, *, is_open: bool, couriers: Sequence[tuple[str, str]] = ()) -> PreviewRow:
    """미리보기 한 행 of a waybill file; `couriers` are those that a wrong row may be given."""
    data = item.data or {}
    is_same, asks = bool(data.get("same")), item.result == ItemResult.PENDING and bool(item.reason)
    refused = item.result == ItemResult.REFUSED and not is_same
    by_hand = asks and bool(data.get("by_hand"))
    follows = by_hand and bool(data.get("rows")) and data["rows"][0] != item.row_number
    done = {ItemResult.OK: "반영함", ItemResult.PENDING: "반영 가능"}.get(ItemResult(item.result), "변화 없음")
    return PreviewRow(
        number=item.row_number or 0,
        key=str(data.get("key", "")),
        shipment=str(data.get("number", "")) if data.get("number") != data.get("key") else "",
        courier=str(data.get("courier_name", "")),
        waybill=str(data.get("waybill") or data.get("shown", "")),
        old=_old(data),
        verdict=item.reason or done,
        css="bad" if refused else "doubt" if asks else "",
        asks=asks and is_open and not follows,
        tick=_tick(data),
        choices=_choices(item.row_number or 0, data),
        by_hand=by_hand,
        is_ticked=bool(data.get("ticked")),
        can_exclude=is_open and item.result == ItemResult.PENDING and not follows,
        box=0 if follows else len(data.get("rows", ())),
        couriers=_couriers(str(data.get("courier", "")), couriers) if is_open and can_mend(item) else (),
    )


def _old(data: Mapping[str, Any]) -> str:
    """지금 송장번호, where the row says another one."""
    old = data.get("old_courier"), data.get("old")
    return " ".join(filter(None, old)) if old != (data.get("courier_name"), data.get("waybill")) else ""


def _couriers(own: str, offered: Sequence[tuple[str, str]]) -> list[tuple[str, str, bool]]:
    """택배사 of a wrong row: its own first, where it has one that is not offered."""
    known = dict(offered)
    more = [] if own in known else [(own, courier_name(own) if own else "고르세요")]
    return [(slug, name, slug == own) for slug, name in [*more, *known.items()]]


def _choices(row: int, data: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    offered, chosen = data.get("candidates"), data.get("shipment")
    if not offered:
        return []
    found = [(f"{row}-{pk}", f"{number} ({why})", pk == chosen) for pk, number, why in offered]
    return [(f"{row}-", "고르지 않음", chosen is None), *found]


def _tick(data: Mapping[str, Any]) -> str:
    """확인할 말 of a row."""
    if data.get("proposal"):
        return proposal_label(data["proposal"])
    if data.get("merge"):
        return f"합포 {len(data['merge'])}건"
    return "이 배송건에 등록" if data.get("suggested") else "바꾸기"
