"""작업 현황 and 실패한 전달 over HTTP: who sees what, progress, undo, stop, resume, files, bad addresses."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import User
from accounts.roles import Role
from core import relay
from core.jobs import files, start
from core.jobs.lease import claim
from core.models import Job, JobKind, JobState
from core.models.events import DeliveryState
from orders import events
from orders.models import Delivery
from tests.fixtures.answers import text_of
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import (
    HOLD_REASON,
    LineMaker,
    TestHold,
    confirmed,
    expire,
    hold_lines,
    previewed,
    queued,
    release_lines,
    work_on,
)

SignIn = Callable[..., Client]
Subscribe = Callable[..., list[Any]]
HX = {"HX-Request": "true"}


@pytest.fixture
def client(sign_in: SignIn, staff: User) -> Client:
    return sign_in(staff)


@pytest.fixture
def htmx(sign_in: SignIn, staff: User) -> Client:
    return sign_in(staff, headers=HX)


def partly(act: TestHold, make_lines: LineMaker, staff: User) -> Job:
    """A finished job with two rows done and one refused."""
    lines = make_lines(3)
    hold_lines([lines[0].pk], actor=staff, at=NOW)
    return confirmed(previewed(act, lines, actor=staff), actor=staff)


# 작업 현황


def test_the_list_shows_what_was_done_and_no_previews(
    hold_act: TestHold, make_lines: LineMaker, staff: User, client: Client
) -> None:
    job = partly(hold_act, make_lines, staff)
    previewed(hold_act, make_lines(1), actor=staff)
    page = client.get("/jobs/")
    assert page.content.decode().count("data-job=") == 1
    assert f'data-job="{job.uuid}"' in page.content.decode()
    assert "시험 보류" in text_of(page)
    assert "일부 실패" in text_of(page)
    assert f"{staff.display_name} 님" in text_of(page)
    assert client.get("/jobs/?state=PREVIEW").content.decode().count("data-job=") == 1
    assert client.get("/jobs/?state=FAILED").content.decode().count("data-job=") == 0
    assert "조건에 맞는 작업이 없습니다." in text_of(client.get("/jobs/?state=FAILED"))


def test_the_list_is_paged_by_the_last_row_and_costs_the_same(
    staff: User, client: Client, make_staff: Callable[..., User]
) -> None:
    other = make_staff(Role.CS)
    Job.objects.create(kind=JobKind.EXPORT, act="x", label="하나", actor=staff, state=JobState.QUEUED)
    with CaptureQueriesContext(connection) as few:
        client.get("/jobs/")
    for number in range(60):
        Job.objects.create(kind=JobKind.ACT, act="x", label=f"{number}", actor=other, state=JobState.QUEUED)
    with CaptureQueriesContext(connection) as many:
        first = client.get("/jobs/")
    assert len(many) == len(few)
    assert first.content.decode().count("data-job=") == 50
    following = re.search(r'rel="next" href="([^"]+)"', first.content.decode())
    assert following is not None
    second = client.get(following.group(1))
    assert second.content.decode().count("data-job=") == 11
    assert client.get("/jobs/?mine=1").content.decode().count("data-job=") == 1
    assert client.get("/jobs/?kind=EXPORT&mine=1").content.decode().count("data-job=") == 1


@pytest.mark.parametrize(
    "query", ["state=NO", "kind=x", "mine=2", "before=x", "before=-1", "what=1", "before=" + "9" * 30]
)
def test_unknown_conditions_are_bad_requests(client: Client, query: str) -> None:
    answer = client.get(f"/jobs/?{query}")
    assert (answer.status_code, "알 수 없는 조회 조건" in text_of(answer)) == (400, True)


def test_people_without_the_right_see_only_their_own_jobs(
    hold_act: TestHold, make_lines: LineMaker, staff: User, sign_in: SignIn, make_staff: Callable[..., User]
) -> None:
    job = partly(hold_act, make_lines, staff)
    viewer = make_staff(Role.VIEWER)
    assert sign_in(viewer).get("/jobs/").status_code == 403
    assert sign_in(viewer).get(f"/jobs/{job.uuid}/").status_code == 404
    Job.objects.filter(pk=job.pk).update(actor=viewer)
    assert sign_in(viewer).get(f"/jobs/{job.uuid}/").status_code == 200
    assert sign_in(Role.AUDITOR).get(f"/jobs/{job.uuid}/").status_code == 200
    assert Client().get("/jobs/").status_code == 302


def test_a_job_page_tells_what_became_of_it(
    hold_act: TestHold, make_lines: LineMaker, staff: User, client: Client
) -> None:
    job = partly(hold_act, make_lines, staff)
    page = client.get(f"/jobs/{job.uuid}/")
    text = text_of(page)
    assert "3건 중 2건을 시험 보류했습니다." in text
    assert "전체 3 건 · 성공 2 건 · 제외 1 건 · 남음 0 건" in text
    assert f"이미 배송보류 중입니다. 사유: {HOLD_REASON}" in text
    assert "data-undo" in page.content.decode()


def test_a_job_that_is_not_there_is_not_found(client: Client) -> None:
    assert client.get("/jobs/00000000-0000-0000-0000-000000000000/").status_code == 404
    assert client.get("/jobs/not-a-number/").status_code == 404


# Progress


def test_the_strip_polls_until_the_job_is_done(
    hold_act: TestHold, make_lines: LineMaker, staff: User, htmx: Client, small_chunks: int
) -> None:
    job = queued(previewed(hold_act, make_lines(5), actor=staff), actor=staff)
    waiting = htmx.get(f"/jobs/{job.uuid}/strip/")
    assert waiting.status_code == 200
    assert "0 / 5건 처리 중" in text_of(waiting)
    assert "차례를 기다리고 있습니다." in text_of(waiting)
    assert f'hx-get="/jobs/{job.uuid}/strip/"' in waiting.content.decode()
    work_on(job)
    done = htmx.get(f"/jobs/{job.uuid}/strip/")
    assert (done.status_code, done["HX-Trigger"]) == (286, "oms:changed")
    assert "5건을 시험 보류했습니다." in text_of(done)


def test_a_silent_job_is_shown_as_cut_off(
    hold_act: TestHold, make_lines: LineMaker, staff: User, htmx: Client, client: Client
) -> None:
    job = queued(previewed(hold_act, make_lines(2), actor=staff), actor=staff)
    claim(job_id=job.pk, at=timezone.now())
    expire(job)
    assert "끊김" in text_of(client.get("/jobs/"))
    assert "연결이 끊겼습니다. 곧 자동으로 이어서 처리합니다." in text_of(htmx.get(f"/jobs/{job.uuid}/strip/"))


def test_the_pace_is_told_after_three_seconds(
    hold_act: TestHold, make_lines: LineMaker, staff: User, htmx: Client
) -> None:
    job = queued(previewed(hold_act, make_lines(2), actor=staff), actor=staff)
    claim(job_id=job.pk, at=timezone.now())
    Job.objects.filter(pk=job.pk).update(total=1000, done=100, started_at=timezone.now() - timedelta(seconds=10))
    assert re.search(r"남은 시간 약 1분 (29|30|31)초\.", text_of(htmx.get(f"/jobs/{job.uuid}/strip/")))


# Undo, stop, resume


def test_a_batch_is_undone_over_its_own_preview(
    hold_act: TestHold, make_lines: LineMaker, staff: User, htmx: Client, make_staff: Callable[..., User]
) -> None:
    lines = make_lines(3)
    job = confirmed(previewed(hold_act, lines, actor=staff, at=timezone.now()), actor=staff)
    release_lines([lines[0].pk], actor=make_staff(Role.CS, display_name="이도윤"), at=timezone.now())
    preview = htmx.post(f"/jobs/{job.uuid}/undo/")
    assert "data-dialog" in preview.content.decode()
    assert "2건을 되돌립니다" in text_of(preview)
    when = r"처리한 뒤 \d\d-\d\d \d\d:\d\d에 이도윤 님이 내용을 바꿨습니다\(보류 해제\)\. 1건"
    assert re.search(when, text_of(preview))
    assert f'hx-post="/jobs/{job.uuid}/undo/apply/"' in preview.content.decode()
    done = htmx.post(f"/jobs/{job.uuid}/undo/apply/")
    assert "3건 중 2건을 되돌렸습니다. 1건은 되돌릴 수 없습니다." in text_of(done)
    assert reloaded(job).state == JobState.UNDONE
    again = htmx.post(f"/jobs/{job.uuid}/undo/apply/")
    assert "3건 중 2건을 되돌렸습니다." in text_of(again)
    assert [reloaded(line).version for line in lines] == [2, 2, 2]
    page = htmx.get(f"/jobs/{job.uuid}/")
    assert "되돌린 작업입니다." in text_of(page)


def test_an_undo_that_is_too_late_says_so(hold_act: TestHold, make_lines: LineMaker, staff: User, htmx: Client) -> None:
    job = confirmed(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    Job.objects.filter(pk=job.pk).update(undo_until=timezone.now() - timedelta(seconds=1))
    late = htmx.post(f"/jobs/{job.uuid}/undo/")
    assert (late.status_code, "30분이 지나 되돌릴 수 없습니다." in text_of(late)) == (409, True)
    assert "data-undo" not in htmx.get(f"/jobs/{job.uuid}/strip/").content.decode()
    nothing = htmx.post(f"/jobs/{job.uuid}/undo/apply/")
    assert nothing.status_code == 422
    assert reloaded(job).state == JobState.DONE


def test_undo_needs_the_right_of_the_act(
    hold_act: TestHold, make_lines: LineMaker, staff: User, sign_in: SignIn
) -> None:
    job = confirmed(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    for path in ("undo/", "cancel/", "resume/"):
        assert sign_in(Role.AUDITOR, headers=HX).post(f"/jobs/{job.uuid}/{path}").status_code == 403
    assert reloaded(job).state == JobState.DONE
    assert not Job.objects.filter(kind=JobKind.UNDO).exists()


def test_a_job_is_stopped_and_goes_on(hold_act: TestHold, make_lines: LineMaker, staff: User, htmx: Client) -> None:
    job = queued(previewed(hold_act, make_lines(2), actor=staff), actor=staff)
    stopped = htmx.post(f"/jobs/{job.uuid}/cancel/")
    assert "멈춘 작업입니다. 2건은 아직 처리하지 않았습니다." in text_of(stopped)
    assert "이어서 처리" in text_of(stopped)
    assert reloaded(job).state == JobState.CANCELED
    resumed = htmx.post(f"/jobs/{job.uuid}/resume/")
    assert "0 / 2건 처리 중" in text_of(resumed)
    work_on(job)
    refused = htmx.post(f"/jobs/{job.uuid}/resume/")
    assert refused.status_code == 409
    assert reloaded(job).state == JobState.DONE


def test_a_failed_job_shows_why_and_how_to_go_on(
    hold_act: TestHold, make_lines: LineMaker, staff: User, htmx: Client
) -> None:
    job = queued(previewed(hold_act, make_lines(2), actor=staff), actor=staff)
    hold_act.before = lambda ids: 1 / 0  # type: ignore[assignment,return-value]
    work_on(job)
    text = text_of(htmx.get(f"/jobs/{job.uuid}/strip/"))
    assert "처리하지 못했습니다. 잠시 뒤" in text
    assert "2건은 아직 처리하지 않았습니다." in text
    assert "이어서 처리" in text


# Files


def test_failed_rows_come_as_excel(hold_act: TestHold, make_lines: LineMaker, staff: User, client: Client) -> None:
    waiting = make_lines(1, state="AWAITING_PAYMENT")  # type: ignore[arg-type]
    lines = make_lines(2)
    hold_lines([lines[0].pk], actor=staff, at=NOW)
    job = confirmed(previewed(hold_act, [*waiting, *lines], actor=staff), actor=staff)
    answer = client.get(f"/jobs/{job.uuid}/failed.xlsx")
    assert "filename*=UTF-8''" in answer["Content-Disposition"]
    sheet = load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active  # type: ignore[attr-defined]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["대상", "결과", "사유"],
        [waiting[0].order.number, "제외", "지금은 할 수 없는 상태입니다: 시험 보류"],
        [lines[0].number, "제외", f"이미 배송보류 중입니다. 사유: {HOLD_REASON}"],
    ]


def test_rows_that_were_not_reached_are_in_the_file_too(
    hold_act: TestHold, make_lines: LineMaker, staff: User, client: Client
) -> None:
    lines = make_lines(1)
    job = queued(previewed(hold_act, lines, actor=staff), actor=staff)
    start.cancel(job_id=job.pk, actor=staff, at=NOW)
    answer = client.get(f"/jobs/{job.uuid}/failed.xlsx")
    sheet = load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active  # type: ignore[attr-defined]
    assert [cell.value for cell in sheet[2]] == [lines[0].number, "대기", "아직 처리하지 않았습니다."]


def test_there_is_no_file_where_none_was_made(
    hold_act: TestHold, make_lines: LineMaker, staff: User, client: Client
) -> None:
    job = confirmed(previewed(hold_act, make_lines(1), actor=staff), actor=staff)
    assert client.get(f"/jobs/{job.uuid}/file/").status_code == 404
    gone = Job.objects.create(kind=JobKind.EXPORT, act="gone", label="x", actor=staff, state=JobState.QUEUED)
    assert client.get(f"/jobs/{gone.uuid}/file/").status_code == 404
    assert client.get(f"/jobs/{gone.uuid}/failed.xlsx").status_code == 404
    assert client.get(f"/jobs/{gone.uuid}/").status_code == 200
    assert files.path_of("missing") is None


# 실패한 전달


@pytest.fixture
def dead(make_lines: LineMaker, subscribe: Subscribe) -> list[Delivery]:
    def fail(delivery: Any) -> None:
        raise RuntimeError("발송사가 받지 않습니다")

    subscribe(events.LINE_HELD, fails=fail)
    for line in make_lines(2):
        hold_lines([line.pk], actor=None, at=NOW)
    for hour in range(5):
        relay.run_once(at=NOW + timedelta(hours=hour))
    return list(Delivery.objects.order_by("pk"))


def test_dead_letters_say_what_failed_and_why(dead: list[Delivery], client: Client) -> None:
    page = client.get("/dead-letters/")
    text = text_of(page)
    assert page.content.decode().count("data-letter=") == 2
    assert "시험 알림" in text
    assert "배송보류" in text
    assert "RuntimeError: 발송사가 받지 않습니다" in text
    assert dead[0].order is not None
    assert f'href="/orders/{dead[0].order.number}/"' in page.content.decode()


def test_dead_letters_are_tried_again_by_whoever_has_the_right(
    dead: list[Delivery], client: Client, sign_in: SignIn
) -> None:
    cs = sign_in(Role.CS)
    assert "다시 처리" not in text_of(cs.get("/dead-letters/"))
    assert cs.post("/dead-letters/retry/", {"ids": [dead[0].pk]}).status_code == 403
    assert reloaded(dead[0]).state == DeliveryState.DEAD
    answer = client.post("/dead-letters/retry/", {"ids": [dead[0].pk]}, follow=True)
    assert "1건을 다시 처리합니다." in text_of(answer)
    assert [reloaded(row).state for row in dead] == [DeliveryState.PENDING, DeliveryState.DEAD]
    assert sign_in(Role.VIEWER).get("/dead-letters/").status_code == 403


@pytest.mark.parametrize("ids", [[], ["x"], ["1" * 30], ["-1"], ["1", "\x00"]])
def test_a_choice_of_no_letters_is_refused(dead: list[Delivery], client: Client, ids: list[str]) -> None:
    answer = client.post("/dead-letters/retry/", {"ids": ids})
    assert (answer.status_code, "다시 처리할 전달을 선택하세요." in text_of(answer)) == (422, True)
    assert {row.state for row in Delivery.objects.all()} == {DeliveryState.DEAD}


def test_dead_letters_are_paged(dead: list[Delivery], client: Client) -> None:
    assert client.get(f"/dead-letters/?before={dead[1].pk}").content.decode().count("data-letter=") == 1
    assert client.get("/dead-letters/?before=x").status_code == 400
    assert client.get("/dead-letters/?page=2").status_code == 400
    Delivery.objects.all().delete()
    assert "실패한 전달이 없습니다." in text_of(client.get("/dead-letters/"))


def test_the_page_of_a_running_job_asks_for_its_progress_in_one_place(
    hold_act: TestHold, make_lines: LineMaker, staff: User, client: Client
) -> None:
    job = queued(previewed(hold_act, make_lines(2), actor=staff), actor=staff)
    html = client.get(f"/jobs/{job.uuid}/").content.decode()
    assert html.count("data-poll") == html.count(f'data-result="{job.uuid}"') == 1
    assert html.count('id="strip"') == 1
    assert html.index('id="strip"') < html.index("data-poll")
