"""미리보기에서 고치기: refused rows of a file whose number or courier a person typed again (ux.md 3.3).

Each is judged by the path that judged the file, and against the other rows as they stand; nothing else of the file
changes. A row that was refused because of another one is judged again when it is mended itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q

from core.exceptions import Conflict
from core.jobs.lifecycle import lock_job
from core.jobs.previews import require_open
from core.jobs.uploads import UploadRow
from core.lookups import Among
from core.models import ItemResult, Job, JobItem
from shipping.couriers import COURIERS, UnknownCourier
from shipping.excel.matching import SAME_NUMBER
from shipping.excel.results import ResultRow
from shipping.excel.verdicts import preview
from shipping.waybills import check_waybill

SAME_SHIPMENT = "파일의 {:,}행과 같은 배송건입니다."
NO_COURIER = "택배사를 고르세요."
MENDED_ALREADY = "다른 직원이 먼저 고친 행이 있습니다. 화면을 새로 고쳐 확인하세요."
MOST = 200
"""More rows than a screen shows are not mended at once."""


class Typed(NamedTuple):
    """고친 값: slug of the courier and the number, as typed."""

    courier: str
    waybill: str


@dataclass(frozen=True, slots=True)
class Mended:
    """다시 확인한 결과: how many rows may be applied now, and how many are still wrong."""

    good: int
    bad: int


def can_mend(item: JobItem) -> bool:
    """고칠 수 있는 행: refused, of a known shipment; where the key is wrong another number mends nothing."""
    data = item.data or {}
    is_wrong = item.result == ItemResult.REFUSED and not data.get("same")
    return is_wrong and bool(data.get("key") and data.get("shipment")) and "suggested" not in data


def to_judge(job: Job, typed: Mapping[int, Typed], *, pressed: Collection[int] = ()) -> dict[int, Typed]:
    """다시 확인할 행 of a screen: where something else stands now than before, and the one whose button was pressed."""
    items = JobItem.objects.filter(job=job, row_number__in=list(typed), result=ItemResult.REFUSED)
    rows = {item.row_number or 0: shown_of(item) for item in items if can_mend(item)}
    return {row: typed[row] for row, shown in rows.items() if row in pressed or typed[row] != shown}


def shown_of(item: JobItem) -> Typed:
    """지금 값 of a row, as the screen shows it in its fields."""
    data = item.data or {}
    return Typed(str(data.get("courier", "")), str(data.get("waybill") or data.get("shown", "")))


def mend_rows(*, job_id: int, typed: Mapping[int, Typed], actor: Any) -> Mended:
    """다시 확인: judge these rows of a preview by what was typed; they may be applied then, or say why not.

    Raises Conflict for a file that somebody applied or threw away, and for rows that a colleague has mended meanwhile.
    """
    with transaction.atomic():
        job = lock_job(job_id)
        if job is None:
            raise Conflict(MENDED_ALREADY)
        require_open(job)
        rows = JobItem.objects.filter(job=job, row_number__in=list(typed)[:MOST]).order_by("row_number")
        items = list(rows)
        if not items or not all(can_mend(item) for item in items):
            raise Conflict(MENDED_ALREADY, code="mended_already")
        read = [_row(item, typed[item.row_number or 0]) for item in items]
        ship = bool((job.params.get("options") or {}).get("ship"))
        found = {one.row_number: one for one in preview(read, ship=ship, actor=actor)}
        verdicts = _beside_others(job, items, found)
        for item in items:
            _keep(item, verdicts[item.row_number or 0])
        JobItem.objects.bulk_update(items, ["target_id", "group_id", "result", "reason", "data"])
    bad = sum(1 for one in verdicts.values() if one.error)
    return Mended(len(items) - bad, bad)


def _row(item: JobItem, typed: Typed) -> ResultRow:
    data, courier = item.data or {}, COURIERS.get(typed.courier)
    number, error = "", ""
    if not typed.courier:
        error = NO_COURIER
    elif courier is None:
        error = UnknownCourier(typed.courier[:40]).message
    else:
        verdict = check_waybill(typed.waybill, courier)
        number, error = (verdict.number, "") if verdict.is_accepted else ("", verdict.message)
    return ResultRow(
        index=0,
        row_number=item.row_number or 0,
        key=str(data["key"]),
        courier=courier.slug if courier else "",
        courier_text=str(data.get("courier_name", "")),
        waybill=number,
        shown_waybill=typed.waybill[:60],
        error=error,
    )


def _beside_others(job: Job, items: Sequence[JobItem], found: Mapping[int, UploadRow]) -> dict[int, UploadRow]:
    """What the other rows of the file, which are not judged again, have to say."""
    numbers = {str(one.data["waybill"]) for one in found.values() if one.data["waybill"]}
    shipments = {one.data["shipment"] for one in found.values() if one.data["shipment"]}
    others = JobItem.objects.filter(job=job).exclude(Among("pk", [item.pk for item in items]))
    others = others.filter(Q(result=ItemResult.PENDING) | Q(data__has_key="same") | Q(target_id__isnull=False))
    others = others.filter(Q(data__waybill__in=numbers) | Q(data__shipment__in=shipments) | Q(target_id__in=shipments))
    verdicts = dict(found)
    for row, data, target in others.order_by("row_number").values_list("row_number", "data", "target_id"):
        theirs = (data or {}).get("courier"), (data or {}).get("waybill")
        for number, one in found.items():
            if verdicts[number].error:
                continue
            mine = one.data["courier"], one.data["waybill"]
            is_same_shipment = one.data["shipment"] in {(data or {}).get("shipment"), target}
            if is_same_shipment and mine == theirs:
                verdicts[number] = replace(one, target_id=None, group_id=None, ask="", is_same=True)
            elif is_same_shipment:
                verdicts[number] = _wrong(one, SAME_SHIPMENT.format(row))
            elif mine == theirs:
                verdicts[number] = _wrong(one, SAME_NUMBER.format(row))
    return verdicts


def _wrong(row: UploadRow, error: str) -> UploadRow:
    return replace(row, target_id=None, group_id=None, ask="", error=error)


def _keep(item: JobItem, verdict: UploadRow) -> None:
    item.data = {**verdict.data, "mended": True}
    if verdict.is_same:
        item.data["same"] = True
    if verdict.by_hand:
        item.data["by_hand"] = True
    item.target_id, item.group_id = verdict.target_id, verdict.group_id
    item.reason = verdict.error or ("변화 없음" if verdict.is_same else verdict.ask)
    item.result = ItemResult.REFUSED if verdict.error or verdict.is_same else ItemResult.PENDING
