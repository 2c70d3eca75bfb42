"""입력값: what a person filled in for an act is kept with its job until the job has run; what is secret of it, sealed.

A form says by `sealed_fields` which of its fields are secret. Their values stand in the job's params under one seal as
long as the job waits or can go on, and are gone once it has ended for good: an undo needs no form. Those of a job that
was stopped go with its files, after FILE_KEEP_DAYS; it then refuses what is left of its rows.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from core.actions import ACTIONS, Act, BulkAction
from core.exceptions import DomainError
from core.models import Job, JobState
from core.models.jobs import FINISHED, RESUMABLE
from core.options import FILE_KEEP_DAYS
from core.sealing import seal, unseal
from core.settings_registry import get_setting

FORM, SEALED = "form", "sealed"
PURPOSE = "job form"
FORGOTTEN = "입력한 값의 보관 기간이 지나 이어서 처리할 수 없습니다. 목록에서 다시 선택해 처리하세요."

_OVER = "(state = ANY(%s) OR (state = ANY(%s) AND finished_at < %s))"
_FORGET = f"""UPDATE core_job SET params = params || '{{"{SEALED}": ""}}' WHERE params->>'{SEALED}' <> '' AND {_OVER}"""
# As jobs were written before there was a seal.
_FORGET_CLEAR = f"""
UPDATE core_job SET params = jsonb_set(params, '{{{FORM}}}', (params->'{FORM}') - %s::text[]) || '{{"{SEALED}": ""}}'
 WHERE act = %s AND params->'{FORM}' ?| %s::text[] AND {_OVER}
"""


class NoLongerValid(DomainError):
    """입력값 무효: what was filled in at the confirmation cannot be used when the job runs."""

    code = "no_longer_valid"
    status = 422


def kept(act: Act, form: Mapping[str, Sequence[str]] | None) -> dict[str, Any]:
    """보관할 입력값: the part of a job's params that stands for a filled-in form; nothing where there is none."""
    if form is None:
        return {}
    secret = _secret_of(act)
    filled: dict[str, Any] = {FORM: {name: list(values) for name, values in form.items() if name not in secret}}
    closed = {name: list(values) for name, values in form.items() if name in secret and any(values)}
    if closed:
        filled[SEALED] = seal(json.dumps(closed, ensure_ascii=False), purpose=PURPOSE)
    return filled


def given(job: Job) -> dict[str, list[str]] | None:
    """입력값: what was posted for the form of a job, None when nothing was. Raises NoLongerValid when it is gone.

    Raises Unreadable without the key that sealed it: the job fails, and goes on when the key is back.
    """
    form, sealed = job.params.get(FORM), job.params.get(SEALED)
    if sealed is None:
        return None if form is None else dict(form)
    if not sealed:
        raise NoLongerValid(FORGOTTEN)
    return {**form, **json.loads(unseal(sealed, purpose=PURPOSE))}


def forget(job: Job) -> None:
    """봉인한 입력값 지우기: of a job that has just ended for good; the caller holds its row."""
    if job.params.get(SEALED):
        job.params = job.params | {SEALED: ""}
        Job.objects.filter(pk=job.pk).update(params=job.params)


def forget_old(*, at: datetime) -> int:
    """지난 입력값 지우기: of jobs that were stopped longer ago than files are kept, and of ended ones that `forget` did
    not reach; how many jobs.
    """
    before = at - timedelta(days=int(get_setting(FILE_KEEP_DAYS.key)))
    over: list[Any] = [[*FINISHED, JobState.UNDONE], list(RESUMABLE), before]
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, over)
        total = cursor.rowcount
        for act in ACTIONS.values():
            if secret := list(_secret_of(act)):
                cursor.execute(_FORGET_CLEAR, [secret, act.name, secret, *over])
                total += cursor.rowcount
    return total


def _secret_of(act: Act) -> Collection[str]:
    form = act.form_class if isinstance(act, BulkAction) else None
    return getattr(form, "sealed_fields", ())
