"""Two people before one uploaded file: each of the four kinds tells the later one who did what and when."""

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.calendar import short
from core.jobs import start
from core.models import Job, JobItem, JobState
from tests.fixtures.orders import reloaded

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(make_staff):
    """The one who comes later, and the colleague."""
    return make_staff(Role.OWNER), make_staff(Role.OWNER)


def test_leaving_a_file_that_a_colleague_applies_does_not_stop_them(file_kind, people, sign_in):
    owner, colleague = map(sign_in, people)
    place = file_kind.send(owner)
    job = Job.objects.get()
    start.confirm(job_id=job.pk, actor=people[1], at=timezone.now())
    assert reloaded(job).state == JobState.RUNNING
    answer = file_kind.press(owner, place, "discard")
    text = answer.content.decode()
    assert answer.status_code == 409
    assert f"에 {people[1].display_name} 님이 반영을 시작한 파일입니다." in text
    assert short(timezone.now())[:5] in text
    assert "작업 현황에서" in text
    job = reloaded(job)
    assert (job.state, job.cancel_requested) == (JobState.RUNNING, False)
    assert JobItem.objects.filter(job=job, result="PENDING").count() == 1


def test_leaving_a_file_that_a_colleague_has_applied_says_so(file_kind, people, sign_in):
    owner, colleague = map(sign_in, people)
    place = file_kind.send(owner)
    file_kind.press(colleague, place, "apply")
    job, written = Job.objects.get(), file_kind.written()
    assert job.state == JobState.DONE
    answer = file_kind.press(owner, place, "discard")
    assert answer.status_code == 409
    said = f"{short(job.started_at)}에 {people[1].display_name} 님이 이미 반영한 파일입니다."
    assert said in answer.content.decode()
    assert (reloaded(job).state, file_kind.written()) == (JobState.DONE, written)


def test_a_file_that_a_colleague_threw_away_is_not_applied_and_says_who_and_when(file_kind, people, sign_in):
    owner, colleague = map(sign_in, people)
    place = file_kind.send(owner)
    assert file_kind.press(colleague, place, "discard")["Location"] == file_kind.upload
    job, written = Job.objects.get(), file_kind.written()
    said = f"{short(timezone.now())[:5]}"
    for what in ("apply", "discard"):
        answer = file_kind.press(owner, place, what)
        text = answer.content.decode()
        assert answer.status_code == 409
        assert (
            f"에 {people[1].display_name} 님이 그만둔 미리보기라 반영하지 않았습니다. 파일을 다시 올려 주세요." in text
        )
        assert said in text
        assert "취소함" not in text
    assert owner.get(place).status_code == 404
    assert reloaded(job).state == JobState.CANCELED
    assert file_kind.written() == written
