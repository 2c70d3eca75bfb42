"""What a person filled in for an act: sealed while its job needs it, gone when the job has ended."""

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django import forms
from django.db import connection

from accounts.models import User
from core.actions import ACTIONS
from core.exceptions import Conflict
from core.jobs import inputs, lease, runner, start
from core.models import ItemResult, Job, JobItem, JobState
from core.options import FILE_KEEP_DAYS
from core.sealing import Unreadable
from core.settings_registry import get_setting
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import LineMaker, TestHold, confirmed, expire, previewed, queued, tally, work_on

SECRET = "777000111222"
POSTED = {"reason": ["고객 요청"], "number": [SECRET], "holder": [""]}


class AccountForm(forms.Form):
    sealed_fields = ("number", "holder")

    reason = forms.CharField(label="사유")
    number = forms.CharField(label="계좌번호", required=False)
    holder = forms.CharField(label="예금주", required=False)


class Paying(TestHold):
    """An act that asks for an account."""

    form_class: ClassVar[Any] = AccountForm
    is_undoable = False

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[dict[str, str]] = []

    def apply(self, ids: Collection[int], *, actor: Any, at: Any, batch: Any, **data: Any) -> Any:
        self.seen.append(data)
        return super().apply(ids, actor=actor, at=at, batch=batch)


@pytest.fixture
def paying() -> Iterator[Paying]:
    act = Paying()
    ACTIONS[act.name] = act
    yield act
    del ACTIONS[act.name]


@pytest.fixture
def waiting(paying: Paying, make_lines: LineMaker, staff: User) -> Job:
    """A job that waits for a worker, with its form."""
    job = previewed(paying, make_lines(5), actor=staff)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "IN_REQUEST", 0)
        start.confirm(job_id=job.pk, actor=staff, at=job.created_at, form=POSTED)
    return reloaded(job)


def stored(job: Job) -> str:
    """The whole row as the database has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT j::text FROM core_job j WHERE id = %s", [job.pk])
        return str(cursor.fetchone()[0])


def stopped(job: Job, state: JobState) -> Job:
    """The job as somebody stopped it, or as it failed, before its first row."""
    held = lease.claim(job_id=job.pk, at=NOW)
    assert held is not None
    if state == JobState.CANCELED:
        start.cancel(job_id=job.pk, actor=job.actor, at=NOW)
        runner.run(held)
    else:
        Job.objects.filter(pk=job.pk).update(attempts=lease.MAX_ATTEMPTS)
        expire(job)
        assert lease.claim(job_id=job.pk, at=NOW) is None
    job = reloaded(job)
    assert job.state == state
    Job.objects.filter(pk=job.pk).update(finished_at=NOW)
    return reloaded(job)


def test_a_waiting_job_keeps_what_is_secret_under_seal(waiting: Job, paying: Paying) -> None:
    assert SECRET not in stored(waiting)
    assert waiting.params["form"] == {"reason": ["고객 요청"]}
    assert inputs.given(waiting) == {"reason": ["고객 요청"], "number": [SECRET]}
    paying.seen.clear()
    done = work_on(waiting)
    assert (done.state, tally(done)) == (JobState.DONE, (0, 5, 0))
    assert paying.seen == [{"reason": "고객 요청", "number": SECRET, "holder": ""}]


@pytest.mark.parametrize("is_partly", [False, True])
def test_a_job_that_has_ended_keeps_nothing_of_it(
    paying: Paying, make_lines: LineMaker, staff: User, is_partly: bool
) -> None:
    lines = make_lines(2)
    job = previewed(paying, lines, actor=staff)
    if is_partly:
        paying.before = lambda ids: TestHold().apply([lines[0].pk], actor=staff, at=NOW, batch=None)
    done = confirmed(job, actor=staff, form=POSTED)
    assert done.state == (JobState.PARTIAL if is_partly else JobState.DONE)
    assert (done.params["form"], done.params["sealed"]) == ({"reason": ["고객 요청"]}, "")
    assert paying.seen[-1]["number"] == SECRET


def test_what_is_empty_is_not_sealed(paying: Paying, make_lines: LineMaker, staff: User) -> None:
    blank = {"reason": ["정리"], "number": [""], "holder": [""]}
    done = confirmed(previewed(paying, make_lines(1), actor=staff), actor=staff, form=blank)
    assert (done.state, done.params["form"], "sealed" in done.params) == (JobState.DONE, {"reason": ["정리"]}, False)
    assert paying.seen[-1] == {"reason": "정리", "number": "", "holder": ""}


@pytest.mark.parametrize("state", [JobState.CANCELED, JobState.FAILED])
def test_a_stopped_job_goes_on_with_it(waiting: Job, paying: Paying, staff: User, state: JobState) -> None:
    job = stopped(waiting, state)
    assert inputs.forget_old(at=NOW + timedelta(days=1)) == 0
    assert SECRET not in stored(job)
    start.resume(job_id=job.pk, actor=staff, at=NOW)
    assert (work_on(job).state, paying.seen[-1]["number"]) == (JobState.DONE, SECRET)
    assert reloaded(job).params["sealed"] == ""


def test_it_goes_with_the_files_and_the_rest_is_refused(waiting: Job, paying: Paying, staff: User) -> None:
    job = stopped(waiting, JobState.CANCELED)
    kept_for = timedelta(days=int(get_setting(FILE_KEEP_DAYS.key)))
    assert inputs.forget_old(at=NOW + kept_for) == 0
    later = NOW + kept_for + timedelta(seconds=1)
    assert (inputs.forget_old(at=later), inputs.forget_old(at=later)) == (1, 0)
    assert reloaded(job).params["sealed"] == ""
    paying.seen.clear()
    start.resume(job_id=job.pk, actor=staff, at=NOW)
    assert (work_on(job).state, paying.seen) == (JobState.PARTIAL, [])
    assert set(JobItem.objects.filter(job=job).values_list("result", "reason")) == {
        (ItemResult.REFUSED, inputs.FORGOTTEN)
    }


def test_a_waiting_job_is_never_too_old(waiting: Job) -> None:
    assert inputs.forget_old(at=NOW + timedelta(days=400)) == 0
    assert inputs.given(waiting)["number"] == [SECRET]  # type: ignore[index]


def test_jobs_of_before_the_seal_run_and_lose_it_at_night(paying: Paying, make_lines: LineMaker, staff: User) -> None:
    job = queued(previewed(paying, make_lines(2), actor=staff), actor=staff)
    Job.objects.filter(pk=job.pk).update(params=job.params | {"form": POSTED})
    assert inputs.forget_old(at=NOW + timedelta(days=400)) == 0
    assert (work_on(job).state, paying.seen[-1]["number"]) == (JobState.DONE, SECRET)
    before = reloaded(job).params
    assert inputs.forget_old(at=NOW) == 1
    assert reloaded(job).params == before | {"form": {"reason": ["고객 요청"]}, "sealed": ""}
    assert inputs.forget_old(at=NOW) == 0


def test_a_lost_key_stops_the_job_and_refuses_no_row(
    waiting: Job, paying: Paying, monkeypatch: pytest.MonkeyPatch, staff: User
) -> None:
    def closed(*args: Any, **facts: Any) -> str:
        raise Unreadable("no key")

    with monkeypatch.context() as patch:
        patch.setattr(inputs, "unseal", closed)
        job = work_on(waiting)
        assert (job.state, tally(job)) == (JobState.FAILED, (5, 0, 0))
    start.resume(job_id=job.pk, actor=staff, at=NOW)
    assert work_on(job).state == JobState.DONE
    with pytest.raises(Conflict):
        start.resume(job_id=job.pk, actor=staff, at=NOW)
