"""송장 파일 내려받기와 돌아온 파일: what went out under which key, and how much of it has a number by now.

Source: shipping.md 5.2 D; domain.md 5 row 6.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from core.calendar import kst_date
from core.korean import josa
from core.lookups import id_array
from core.models import Job, JobItem
from core.numbering import take_numbers
from shipping.models import ExcelTemplate, Shipment, ShipmentStep, WaybillFileBatch
from shipping.states import TRACKED

SERIES = "waybill-file"


def next_key(*, at: datetime) -> str:
    """내려받기 번호: the next one of the day, `20261123-004`. A file that fails leaves a gap and nothing else."""
    day = kst_date(at)
    with transaction.atomic():
        (number,) = take_numbers(SERIES, day=day, count=1)
    return f"{day:%Y%m%d}-{number:03d}"


def record_download(
    *, key: str, template: ExcelTemplate, shipment_ids: Sequence[int], actor: Any, at: datetime, reason: str
) -> WaybillFileBatch:
    """내려받기 기록: the download and its shipments; the file itself is kept nowhere."""
    with transaction.atomic():
        batch = WaybillFileBatch.objects.create(
            key=key,
            template=template,
            template_name=template.name,
            actor=actor,
            at=at,
            count=len(shipment_ids),
            reason=reason,
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO shipping_waybillfileitem (batch_id, shipment_id) SELECT %s, unnest(%s::bigint[])",
                [batch.pk, id_array(shipment_ids)],
            )
    return batch


_MOST_KEYS = """
SELECT i.batch_id FROM shipping_waybillfileitem i JOIN shipping_waybillfilebatch b ON b.id = i.batch_id
WHERE i.shipment_id = ANY(%s::bigint[]) GROUP BY i.batch_id ORDER BY count(*) DESC, max(b.at) DESC, i.batch_id DESC
LIMIT 1
"""


def batch_of(*, properties: Mapping[str, str], shipment_ids: Collection[int]) -> WaybillFileBatch | None:
    """돌아온 파일의 내려받기: by the key in the properties of the workbook, else the download with most of its rows.

    Of several with as many the newest counts; None for a file that none of our downloads knows.
    """
    named = WaybillFileBatch.objects.filter(key=properties.get("oms_batch", "")[:20]).first()
    if named is not None or not shipment_ids:
        return named
    with connection.cursor() as cursor:
        cursor.execute(_MOST_KEYS, [id_array(shipment_ids)])
        found = cursor.fetchone()
    return WaybillFileBatch.objects.get(pk=found[0]) if found else None


def keep_batch(*, job: Job, properties: Mapping[str, str]) -> None:
    """돌아온 파일 표시: the job remembers which download its file belongs to."""
    found = batch_of(properties=properties, shipment_ids=_named_in(job))
    if found is not None:
        job.params["options"]["file_batch"] = found.pk
        job.save(update_fields=["params"])


def _named_in(job: Job) -> set[int]:
    rows = JobItem.objects.filter(job=job, data__has_key="shipment").values_list("data__shipment", flat=True)
    return {pk for pk in rows if isinstance(pk, int)}


@dataclass(frozen=True, slots=True)
class Returned:
    """돌아온 수 of one download: with a number, still without one, and those that wait for none any more."""

    total: int
    back: int
    missing: int
    gone: int

    @property
    def sentence(self) -> str:
        """내려받은 200건 가운데 187건이 돌아왔고 13건이 없습니다."""
        rest = f" {josa(f'{self.gone:,}건', '은/는')} 이제 송장을 기다리지 않습니다." if self.gone else ""
        if not self.missing:
            return f"내려받은 {self.total:,}건 가운데 {self.back:,}건이 돌아왔고 빠진 배송건이 없습니다.{rest}"
        return f"내려받은 {self.total:,}건 가운데 {self.back:,}건이 돌아왔고 {self.missing:,}건이 없습니다.{rest}"


# What was merged meanwhile stands where its lines lie now; `filed` is what a file that is looked at would register.
_COUNT = """
WITH filed AS MATERIALIZED (
    SELECT DISTINCT (data ->> 'shipment')::bigint AS id FROM core_jobitem
    WHERE job_id = %(job)s AND data ->> 'shipment' IS NOT NULL
      AND (result = 'PENDING' AND NOT COALESCE((data ->> 'by_hand')::bool, false)
           OR COALESCE((data ->> 'same')::bool, false))),
now AS (
    SELECT i.batch_id, s.step = 'READY' AND s.method IN ('PARCEL', 'REGIST') AS waits,
           s.waybill <> '' OR o.id IN (SELECT id FROM filed) OR s.id IN (SELECT id FROM filed) AS has
    FROM shipping_waybillfileitem i JOIN shipping_shipment o ON o.id = i.shipment_id
    JOIN shipping_shipment s ON s.id = COALESCE(o.merged_into_id, o.id)
    WHERE i.batch_id = ANY(%(batches)s::bigint[]))
SELECT batch_id, count(*), count(*) FILTER (WHERE has), count(*) FILTER (WHERE NOT has AND waits)
FROM now GROUP BY batch_id
"""


def returned(batch_ids: Collection[int], *, job: Job | None = None) -> dict[int, Returned]:
    """돌아온 수 by download: registered however it was, also by hand; with the rows of `job` that would be registered.

    One query.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"job": job.pk if job else None, "batches": id_array(batch_ids)})
        rows = cursor.fetchall()
    found = {pk: Returned(total, back, missing, total - back - missing) for pk, total, back, missing in rows}
    return {pk: found.get(pk, Returned(0, 0, 0, 0)) for pk in batch_ids}


def shipments_of(batch: WaybillFileBatch, *, show: str = "all") -> QuerySet[Shipment]:
    """내려받은 배송건: `missing`, `back`, `gone` or all; what was merged meanwhile is still under its own number."""
    mine = Shipment.objects.filter(file_items__batch=batch).select_related("order", "merged_into").order_by("number")
    holder = mine.annotate(
        waybill_now=Coalesce("merged_into__waybill", "waybill"),
        step_now=Coalesce("merged_into__step", "step"),
        method_now=Coalesce("merged_into__method", "method"),
    )
    waits = Q(step_now=ShipmentStep.READY, method_now__in=TRACKED)
    if show == "back":
        return holder.exclude(waybill_now="")
    if show == "missing":
        return holder.filter(waits, waybill_now="")
    return holder.filter(~waits, waybill_now="") if show == "gone" else holder
