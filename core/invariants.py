"""불변 조건: what must be true of the database at any moment; `oms_check` runs every check of every app.

An app declares its checks in its `invariants.py`. Source: reliability.md 5.3.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.module_loading import autodiscover_modules

from core.models.jobs import FINISHED, JobKind, JobState
from core.registry import ByName

MOST = 20
"""Violations named per query: enough to see the pattern of a fault."""


@dataclass(frozen=True, slots=True)
class Violation:
    """위반: which invariant (e.g. "INV-07") is broken by which row, and how, in English for operators."""

    invariant: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Invariant:
    """불변 조건 하나: its code, what it promises, and the check that lists what breaks it."""

    code: str
    promise: str
    name: str
    check: Callable[[], Iterable[Violation]]


_declared: ByName[Invariant] = ByName()


def invariant(
    code: str, promise: str
) -> Callable[[Callable[[], Iterable[Violation]]], Callable[[], Iterable[Violation]]]:
    """Declare a check; several checks may share a code (each app proves its side), a check is declared once."""

    def register(check: Callable[[], Iterable[Violation]]) -> Callable[[], Iterable[Violation]]:
        name = f"{check.__module__}.{check.__qualname__}"
        _declared.add(Invariant(code, promise, name, check))
        return check

    return register


def declared_invariants() -> list[Invariant]:
    """불변 조건 목록: the checks of all installed apps by code and name; loads their `invariants` modules."""
    autodiscover_modules("invariants")
    return sorted(_declared.values(), key=lambda one: (one.code, one.name))


def find_violations(*codes: str) -> list[Violation]:
    """위반 찾기: run the checks of the given codes, or all; an empty list means that everything holds."""
    return [violation for one in declared_invariants() if not codes or one.code in codes for violation in one.check()]


_SILENT = f"""
SELECT uuid, act, lease_until FROM core_job
WHERE state = '{JobState.RUNNING}' AND (lease_until IS NULL OR lease_until < now() - interval '2 minutes')
LIMIT {MOST}
"""
_ENDED = ", ".join(f"'{state}'" for state in (*FINISHED, JobState.UNDONE))
_UNDECIDED = f"""
SELECT job.uuid, job.act, count(*) FROM core_jobitem item JOIN core_job job ON job.id = item.job_id
WHERE item.result = 'PENDING' AND job.state IN ({_ENDED})
GROUP BY job.id LIMIT {MOST}
"""
# A row of a file that asks for what already is counts as neither done nor refused.
_SAME = f"job.kind = '{JobKind.UPLOAD}' AND COALESCE(item.data, '{{}}') ? 'same'"
_JOB_COUNTS = f"""
SELECT job.uuid, job.total, job.done, job.failed, count(item.id), count(*) FILTER (WHERE item.result = 'OK'),
       count(*) FILTER (WHERE item.result = 'REFUSED' AND NOT ({_SAME}))
FROM core_job job LEFT JOIN core_jobitem item ON item.job_id = job.id
WHERE job.state IN ({_ENDED}) AND job.kind <> '{JobKind.EXPORT}'
GROUP BY job.id
HAVING (job.total, job.done, job.failed)
       <> (count(item.id), count(*) FILTER (WHERE item.result = 'OK'),
           count(*) FILTER (WHERE item.result = 'REFUSED' AND NOT ({_SAME})))
LIMIT {MOST}
"""


@invariant("INV-12", "A running job is somebody's; a finished one has a verdict for every item and counts them right.")
def check_jobs() -> Iterable[Violation]:
    """작업 검사: leases, items and the numbers on the job."""
    for uuid, act, lease_until in _rows(_SILENT):
        yield Violation("INV-12", f"job {uuid}", f"{act} is running, its lease ended {lease_until or 'never began'}")
    for uuid, act, number in _rows(_UNDECIDED):
        yield Violation("INV-12", f"job {uuid}", f"{act} is finished with {number} items undecided")
    for uuid, *figures in _rows(_JOB_COUNTS):
        yield Violation("INV-12", f"job {uuid}", f"total, done, failed {figures[:3]}, its items say {figures[3:]}")


def _rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())
