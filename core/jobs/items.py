"""Items of a job, read and written set-wise."""

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Count

from core.chunks import CHUNK
from core.lookups import id_array, text_array
from core.models import ItemResult, Job, JobItem, JobKind

SHOWN_REASONS = 5
OTHER_REASONS = "그 밖의 이유"
_CUT = "…"
_NUMBER = re.compile(r"(?:\b[A-Z]-)?[0-9][0-9-]{5,}")
"""Numbers of orders, shipments and waybills in a sentence; dates without a year and counts are shorter."""
MOST_LOOKED_AT = 1_000
"""Target rows that what was typed is compared with."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """새 항목: a target row as the preview saw it; `reason` set means it is left out."""

    target_id: int | None
    group_id: int | None
    seen_version: int | None
    reason: str = ""
    data: Mapping[str, Any] | None = None
    row_number: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """결과: an empty reason means done; `made_version` is what the job made of the row, for the undo."""

    reason: str = ""
    made_version: int | None = None
    target_id: int | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """건수 of a job's items by result."""

    pending: int
    ok: int
    refused: int
    same: int = 0
    """Rows of a file that ask for what already is: neither done nor refused."""

    @property
    def total(self) -> int:
        return self.pending + self.ok + self.refused + self.same


def insert_items(job: Job, items: Iterable[NewItem]) -> int:
    """항목 저장: in the order of base row and target, so that chunks lock ascending; sets the job's total."""
    ordered = sorted(items, key=lambda item: (item.group_id or 0, item.target_id or 0))
    write_items(job, [(item, ItemResult.REFUSED if item.reason else ItemResult.PENDING) for item in ordered])
    Job.objects.filter(pk=job.pk).update(total=len(ordered))
    job.total = len(ordered)
    return len(ordered)


def write_items(job: Job, rows: Sequence[tuple[NewItem, ItemResult]]) -> None:
    """항목 쓰기: the items with their results in this order, one INSERT."""
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                job.pk,
                id_array(item.target_id for item, _ in rows),
                id_array(item.group_id for item, _ in rows),
                id_array(item.seen_version for item, _ in rows),
                id_array(item.row_number for item, _ in rows),
                text_array(result.value for _, result in rows),
                text_array(item.reason for item, _ in rows),
                text_array(_JSON(item.data) if item.data else None for item, _ in rows),
            ],
        )


_JSON = json.JSONEncoder(ensure_ascii=False).encode

_INSERT = """
INSERT INTO core_jobitem (job_id, target_id, group_id, seen_version, row_number, result, reason, data)
SELECT %s, v.target_id, v.group_id, v.seen_version, v.row_number, v.result, v.reason, v.data
FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::text[], %s::text[], %s::jsonb[])
     WITH ORDINALITY AS v(target_id, group_id, seen_version, row_number, result, reason, data, n)
ORDER BY v.n
"""


def next_chunk(job: Job, *, size: int | None = None) -> list[JobItem]:
    """다음 묶음: the next items without a verdict, `size` or the usual number; the last base row complete."""
    size = size or CHUNK
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [job.pk, size])
        items = [_item(row) for row in cursor.fetchall()]
    if len(items) == size and items[-1].group_id is not None:
        pending = JobItem.objects.filter(job=job, result=ItemResult.PENDING).order_by("pk")
        items += pending.filter(pk__gt=items[-1].pk, group_id=items[-1].group_id)
    return items


_COLUMNS = tuple(field.attname for field in JobItem._meta.concrete_fields)
_DATA = _COLUMNS.index("data")
_NEXT = f"""
SELECT {", ".join(_COLUMNS)} FROM core_jobitem WHERE job_id = %s AND result = '{ItemResult.PENDING.value}'
ORDER BY id LIMIT %s
"""


def _item(row: Sequence[Any]) -> JobItem:
    values = list(row)
    values[_DATA] = None if values[_DATA] is None else json.loads(values[_DATA])
    return JobItem.from_db(connection.alias, _COLUMNS, values)


def store_verdicts(verdicts: Mapping[int, Verdict]) -> None:
    """결과 저장: verdicts by item id, one UPDATE."""
    rows = sorted(verdicts.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE core_jobitem i SET result = v.result, reason = v.reason, made_version = v.made_version,"
            " target_id = COALESCE(v.target_id, i.target_id)"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::int[], %s::bigint[])"
            " AS v(id, result, reason, made_version, target_id) WHERE i.id = v.id",
            [
                id_array(pk for pk, _ in rows),
                text_array(str(ItemResult.REFUSED if verdict.reason else ItemResult.OK) for _, verdict in rows),
                text_array(verdict.reason for _, verdict in rows),
                id_array(verdict.made_version for _, verdict in rows),
                id_array(verdict.target_id for _, verdict in rows),
            ],
        )


def carry_versions(*, job_id: int, versions: Mapping[int, int]) -> None:
    """이어진 처리: what a job began has gone on after its end; its undo asks for the versions of now, by target id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE core_jobitem i SET made_version = v.version FROM unnest(%s::bigint[], %s::int[]) AS v(id, version)"
            " WHERE i.job_id = %s AND i.target_id = v.id AND i.made_version IS NOT NULL",
            [id_array(versions), id_array(versions.values()), job_id],
        )


def pending_ids(job: Job, *, limit: int = MOST_LOOKED_AT) -> list[int]:
    """처리할 대상: target rows that a preview found possible, the first ones."""
    rows = JobItem.objects.filter(job=job, result=ItemResult.PENDING, target_id__isnull=False).order_by("pk")
    return [pk for pk in rows.values_list("target_id", flat=True)[:limit] if pk is not None]


def count_on(job: Job, *, done: int, failed: int) -> None:
    """진행 건수: a chunk more is finished, so the tries of the job begin anew."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE core_job SET done = done + %s, failed = failed + %s, attempts = 0 WHERE id = %s",
            [done, failed, job.pk],
        )


def counts(job: Job) -> Counts:
    """건수: by result, counted from the items."""
    rows = JobItem.objects.filter(job=job)
    found = dict(rows.values_list("result").annotate(Count("pk")))
    same = rows.filter(result=ItemResult.REFUSED, data__has_key="same").count() if job.kind == JobKind.UPLOAD else 0
    pending, ok, refused = (int(found.get(r, 0)) for r in (ItemResult.PENDING, ItemResult.OK, ItemResult.REFUSED))
    return Counts(pending, ok, refused - same, same)


def reasons(job: Job) -> list[tuple[str, int]]:
    """제외 사유별 건수: the most frequent first, the rare ones together; those that differ in a number only are one."""
    refused = JobItem.objects.filter(job=job, result=ItemResult.REFUSED).exclude(data__has_key="same")
    alike: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for text, n in refused.values_list("reason").annotate(n=Count("pk")):
        alike[_NUMBER.sub(_CUT, text).removesuffix(f": {_CUT}")].append((text, int(n)))
    counted = ((mine[0][0] if len(mine) == 1 else kind, sum(n for _, n in mine)) for kind, mine in alike.items())
    found = sorted(counted, key=lambda each: (-each[1], each[0]))
    shown, rest = found[:SHOWN_REASONS], found[SHOWN_REASONS:]
    return [*shown, (OTHER_REASONS, sum(n for _, n in rest))] if rest else shown


def group_count(job: Job) -> int:
    """기준 행 수: how many base rows the items belong to."""
    return JobItem.objects.filter(job=job, group_id__isnull=False).values("group_id").distinct().count()


def failed_group_ids(job: Job, *, limit: int) -> list[int]:
    """실패한 기준 행: base rows with a refused or unfinished item, ascending."""
    left = JobItem.objects.filter(job=job, group_id__isnull=False).exclude(result=ItemResult.OK)
    found = left.order_by("group_id").values_list("group_id", flat=True).distinct()[:limit]
    return [pk for pk in found if pk is not None]


def chunks(items: Sequence[NewItem]) -> Iterable[list[NewItem]]:
    """묶음 나누기: items in chunks, a base row's items together, as next_chunk() does it."""
    chunk: list[NewItem] = []
    for item in sorted(items, key=lambda each: (each.group_id or 0, each.target_id or 0)):
        if len(chunk) >= CHUNK and (item.group_id is None or item.group_id != chunk[-1].group_id):
            yield chunk
            chunk = []
        chunk.append(item)
    if chunk:
        yield chunk


def busy_targets(*, actor: Any, acts: Collection[str], target_ids: Collection[int]) -> Job | None:
    """처리 중인 대상: an unfinished job of the same person that still has one of these rows before it."""
    rival = (
        JobItem.objects.filter(
            job__actor=actor,
            job__state__in=["QUEUED", "RUNNING"],
            job__act__in=acts,
            result=ItemResult.PENDING,
            target_id__in=list(target_ids),
        )
        .select_related("job")
        .first()
    )
    return rival.job if rival else None
