"""The one bulk view over HTTP: dialog or strip, form, typed number, refusals, the filter of a real list."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django import forms
from django.test import Client
from django.utils import timezone

from accounts.models import AccessAction, AccessLog, User
from accounts.roles import Role
from core.actions import ACTIONS
from core.jobs import shown
from core.models import Job, JobItem, JobState
from orders import events
from orders.models import Delivery, OrderEvent
from tests.fixtures.answers import text_of
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.work import HOLD_REASON, LineMaker, TestHold, hold_lines, selected

Subscribe = Callable[..., list[Any]]
SignIn = Callable[..., Client]
HX = {"HX-Request": "true"}
CHANGED = "oms:changed"


@pytest.fixture
def client(sign_in: SignIn, staff: User) -> Client:
    return sign_in(staff, headers=HX)


def rows_of(lines: Any) -> str:
    return ",".join(f"{pk}:{version}" for pk, version in selected(lines).rows.items())


def press(client: Client, lines: Any, *, act: str = "test-hold", **fields: Any) -> Any:
    values = {"page": "order", "mode": "ids", "rows": rows_of(lines), "query": "", "as_of": "", "expected": "1"}
    return client.post(f"/acts/{act}/", values | fields)


def job_of(answer: Any) -> Job:
    found = re.search(r"(?:data-result=\"|/acts/|/jobs/)([0-9a-f-]{36})", answer.content.decode())
    assert found is not None, answer.content.decode()
    return Job.objects.get(uuid=found.group(1))


def test_an_act_without_anything_to_ask_is_done_at_once(
    hold_act: TestHold, make_lines: LineMaker, client: Client
) -> None:
    lines = make_lines(3)
    answer = press(client, lines)
    assert (answer.status_code, answer["HX-Retarget"], answer["HX-Trigger"]) == (200, "#strip", CHANGED)
    assert "3건을 시험 보류했습니다." in text_of(answer)
    assert "data-undo" in answer.content.decode()
    assert 'data-failed="0"' in answer.content.decode()
    assert [reloaded(line).version for line in lines] == [1, 1, 1]


def test_excluded_rows_are_shown_before_anything_happens(
    hold_act: TestHold, make_lines: LineMaker, client: Client, staff: User
) -> None:
    lines = make_lines(3)
    hold_lines([lines[0].pk], actor=staff, at=NOW)
    answer = press(client, lines)
    shown_text = text_of(answer)
    assert answer.status_code == 200
    assert "data-dialog" in answer.content.decode()
    assert "2건을 시험 보류합니다" in shown_text
    assert "3건 중 2건을 처리합니다. 1건은 제외합니다." in shown_text
    assert f"이미 배송보류 중입니다. 사유: {HOLD_REASON} 1건" in shown_text
    assert shown.CAN_UNDO in shown_text
    assert [reloaded(line).version for line in lines] == [1, 0, 0]
    job = job_of(answer)
    result = client.post(f"/acts/{job.uuid}/apply/")
    assert result["HX-Trigger"] == CHANGED
    assert "3건 중 2건을 시험 보류했습니다. 1건은 처리하지 못했습니다." in text_of(result)
    assert f'data-failed-ids="{lines[0].order_id}"' in result.content.decode()
    assert f"/jobs/{job.uuid}/failed.xlsx" in result.content.decode()
    assert [reloaded(line).version for line in lines] == [1, 1, 1]


def test_lines_of_few_orders_are_counted_as_lines(hold_act: TestHold, make_lines: LineMaker, client: Client) -> None:
    assert "품목 4건을 시험 보류했습니다." in text_of(press(client, make_lines(4, per_order=2)))


def test_messages_are_announced_and_can_be_left_out(
    hold_act: TestHold, make_lines: LineMaker, client: Client, subscribe: Subscribe
) -> None:
    subscribe(events.LINE_HELD, holds=True)
    answer = press(client, make_lines(2))
    assert "고객에게 알림 2건을 보냅니다." in text_of(answer)
    client.post(f"/acts/{job_of(answer).uuid}/apply/", {"quiet": "on"})
    job = reloaded(job_of(answer))
    assert (job.state, job.is_quiet, Delivery.objects.count()) == (JobState.DONE, True, 0)


def test_a_second_confirmation_shows_the_first_result(
    hold_act: TestHold, make_lines: LineMaker, client: Client, subscribe: Subscribe
) -> None:
    subscribe(events.LINE_HELD, holds=True)
    job = job_of(press(client, make_lines(2)))
    first = client.post(f"/acts/{job.uuid}/apply/")
    second = client.post(f"/acts/{job.uuid}/apply/")
    assert (first.status_code, second.status_code) == (200, 200)
    assert "2건을 시험 보류했습니다." in text_of(second)
    assert "HX-Trigger" not in second
    assert OrderEvent.objects.filter(kind="line.held").count() == 2


def test_a_stale_row_is_excluded_with_when_who_and_what(
    hold_act: TestHold, make_lines: LineMaker, client: Client, make_staff: Callable[..., User]
) -> None:
    [line] = make_lines(1)
    seen = rows_of([line])
    hold_lines([line.pk], actor=make_staff(Role.CS, display_name="이도윤"), at=NOW)
    answer = press(client, [line], rows=seen)
    assert "화면을 연 뒤 09-21 11:00에 이도윤 님이 내용을 바꿨습니다(배송보류)." in text_of(answer)
    assert re.search(r'type="submit"[^>]* disabled', answer.content.decode())
    refused = client.post(f"/acts/{job_of(answer).uuid}/apply/")
    assert (refused.status_code, "처리할 수 있는 행이 없습니다." in text_of(refused)) == (409, True)
    assert reloaded(line).version == 1


def test_the_failed_rows_are_shown_by_the_list_itself(
    hold_act: TestHold, make_lines: LineMaker, client: Client, staff: User
) -> None:
    lines = make_lines(3)
    hold_lines([lines[0].pk], actor=staff, at=NOW)
    job = job_of(press(client, lines, page="preparing"))
    result = client.post(f"/acts/{job.uuid}/apply/")
    url = f"/orders/preparing/?batch={job.uuid}&result=fail&period=all"
    assert f'href="{url.replace("&", "&amp;")}"' in result.content.decode()
    page = client.get(url, headers={"HX-Target": "list"})
    assert page.status_code == 200
    assert re.findall(r'data-id="(\d+)"', page.content.decode()) == [str(lines[0].order_id)]
    done = client.get(url.replace("fail", "ok"), headers={"HX-Target": "list"})
    assert len(re.findall(r'data-id="', done.content.decode())) == 2
    assert client.get("/orders/preparing/?batch=x&period=all", headers={"HX-Target": "list"}).status_code < 500


# Forms and typed numbers


class ReasonForm(forms.Form):
    reason = forms.CharField(label="사유", min_length=2, error_messages={"required": "사유를 입력하세요."})


class Asking(TestHold):
    """An act with a form, without undo."""

    form_class: ClassVar[Any] = ReasonForm
    is_undoable = False
    is_destructive = True
    reasons: ClassVar[list[str]] = []

    def apply(self, ids: Any, *, reason: str = "", **facts: Any) -> Any:
        self.reasons.append(reason)
        return super().apply(ids, **facts)


@pytest.fixture
def asking(hold_act: TestHold, monkeypatch: pytest.MonkeyPatch) -> Asking:
    act = Asking()
    monkeypatch.setitem(ACTIONS, "test-hold", act)
    Asking.reasons.clear()
    return act


def test_a_form_is_asked_for_and_its_errors_come_back(asking: Asking, make_lines: LineMaker, client: Client) -> None:
    [line] = make_lines(1)
    answer = press(client, [line])
    assert 'name="reason"' in answer.content.decode()
    assert shown.CANNOT_UNDO in text_of(answer)
    job = job_of(answer)
    empty = client.post(f"/acts/{job.uuid}/apply/", {"reason": " "})
    assert (empty.status_code, "사유를 입력하세요." in text_of(empty)) == (422, True)
    assert "data-dialog" in empty.content.decode()
    assert (reloaded(job).state, reloaded(line).version) == (JobState.PREVIEW, 0)
    done = client.post(f"/acts/{job.uuid}/apply/", {"reason": "고객 요청", "typed": "", "extra": "x"})
    assert (done.status_code, asking.reasons[-1]) == (200, "고객 요청")
    assert reloaded(job).params["form"] == {"reason": ["고객 요청"]}
    assert reloaded(line).version == 1


@pytest.mark.parametrize(("number", "said"), [(101, "101을"), (122, "122를")])
def test_a_destructive_act_on_many_rows_asks_for_the_number(
    asking: Asking, make_lines: LineMaker, client: Client, number: int, said: str
) -> None:
    lines = make_lines(number, per_order=5)
    answer = press(client, lines)
    assert f'data-typed="{number}"' in answer.content.decode()
    job = job_of(answer)
    wrong = client.post(f"/acts/{job.uuid}/apply/", {"reason": "정리", "typed": "100"})
    assert (wrong.status_code, f"{said} 숫자로 입력하세요." in text_of(wrong)) == (422, True)
    assert (reloaded(job).state, reloaded(lines[0]).version) == (JobState.PREVIEW, 0)
    done = client.post(f"/acts/{job.uuid}/apply/", {"reason": "정리", "typed": str(number)})
    assert (done.status_code, reloaded(job).done) == (200, number)


def test_an_act_without_undo_says_so_first(
    hold_act: TestHold, make_lines: LineMaker, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TestHold, "is_undoable", False)
    [line] = make_lines(1)
    assert shown.CANNOT_UNDO in text_of(press(client, [line]))
    assert reloaded(line).version == 0


# Everything that was found


def test_all_found_rows_of_a_list_are_taken_without_later_ones(
    hold_act: TestHold, make_lines: LineMaker, client: Client
) -> None:
    lines = make_lines(3)
    as_of = timezone.now()
    [late] = make_lines(1)
    answer = press(
        client, [], page="preparing", mode="filter", rows="", query="period=all", as_of=as_of.isoformat(), expected="4"
    )
    assert "data-dialog" in answer.content.decode(), "rows that are not on the screen are shown as a number first"
    assert "화면을 연 뒤 조회 결과가 4건에서 3건으로 바뀌었습니다." in text_of(answer)
    result = client.post(f"/acts/{job_of(answer).uuid}/apply/")
    assert "3건을 시험 보류했습니다." in text_of(result)
    assert [reloaded(line).version for line in [*lines, late]] == [1, 1, 1, 0]


def test_a_list_condition_that_is_wrong_selects_nothing(
    hold_act: TestHold, make_lines: LineMaker, client: Client
) -> None:
    [line] = make_lines(1)
    for query in ("nonsense=1", "from=2026-13-45&basis=ordered"):
        answer = press(
            client, [], page="preparing", mode="filter", rows="", query=query, as_of=timezone.now().isoformat()
        )
        assert answer.status_code == 422, query
        assert "data-result" in answer.content.decode()
    assert reloaded(line).version == 0
    assert not JobItem.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": "ids", "rows": ""},
        {"mode": "ids", "rows": "1"},
        {"mode": "ids", "rows": "\x00"},
        {"mode": "everything"},
        {"page": "no-such-list"},
        {"page": "order", "mode": "filter", "as_of": "2026-09-21T11:00:00+09:00"},
        {"page": "preparing", "mode": "filter", "as_of": "yesterday"},
        {"page": "preparing", "mode": "filter", "as_of": "2026-09-21T11:00:00"},
        {"page": "preparing", "mode": "filter", "as_of": ""},
    ],
)
def test_a_selection_that_cannot_be_read_is_refused(
    hold_act: TestHold, make_lines: LineMaker, client: Client, fields: dict[str, str]
) -> None:
    [line] = make_lines(1)
    answer = press(client, [line], **fields)
    assert answer.status_code == 422
    assert "data-result" in answer.content.decode()
    assert reloaded(line).version == 0
    assert not JobItem.objects.exists()


def test_a_number_expected_that_is_none_is_ignored(hold_act: TestHold, make_lines: LineMaker, client: Client) -> None:
    make_lines(1)
    at = (timezone.now() + timedelta(seconds=1)).isoformat()
    answer = press(
        client, [], page="preparing", mode="filter", rows="", query="period=all", as_of=at, expected="1,000건 이상"
    )
    assert "1건을 시험 보류합니다" in text_of(answer)


# People


def test_an_act_needs_its_right_and_the_refusal_is_logged(
    hold_act: TestHold, make_lines: LineMaker, sign_in: SignIn
) -> None:
    [line] = make_lines(1)
    answer = press(sign_in(Role.VIEWER, headers=HX), [line])
    assert answer.status_code == 403
    assert reloaded(line).version == 0
    assert not Job.objects.exists()
    assert AccessLog.objects.filter(action=AccessAction.DENIED).exists()


def test_nobody_acts_without_a_log_in(hold_act: TestHold, make_lines: LineMaker, db: None) -> None:
    [line] = make_lines(1)
    assert press(Client(headers=HX), [line]).status_code == 401
    assert reloaded(line).version == 0


def test_a_colleagues_preview_is_not_confirmed(
    hold_act: TestHold, make_lines: LineMaker, client: Client, sign_in: SignIn, subscribe: Subscribe
) -> None:
    subscribe(events.LINE_HELD, holds=True)
    [line] = make_lines(1)
    job = job_of(press(client, [line]))
    other = sign_in(Role.OWNER, headers=HX).post(f"/acts/{job.uuid}/apply/")
    assert (other.status_code, "다른 직원이 준비한 작업입니다." in text_of(other)) == (422, True)
    hidden = sign_in(Role.VIEWER, headers=HX).post(f"/acts/{job.uuid}/apply/")
    assert hidden.status_code == 422
    assert (reloaded(job).state, reloaded(line).version) == (JobState.PREVIEW, 0)


def test_an_unknown_act_is_not_there(client: Client, make_lines: LineMaker) -> None:
    assert press(client, make_lines(1), act="no-such-act").status_code == 422
    assert client.get("/acts/test-hold/").status_code == 405


def test_a_refusal_as_a_page_prints_its_own_status(
    hold_act: TestHold, make_lines: LineMaker, sign_in: SignIn, staff: User
) -> None:
    [line] = make_lines(1)
    browser = sign_in(staff)
    unreadable = press(browser, [line], page="preparing", mode="filter", rows="", query="from=2026-13-45&basis=ordered")
    assert unreadable.status_code not in (200, 302)
    code = re.search(r'<p class="code">(\d+)</p>', unreadable.content.decode())
    assert code is not None
    assert int(code.group(1)) == unreadable.status_code
    wrong = browser.post("/orders/excel/?from=2026-13-45&basis=ordered", {"reason": "확인"})
    assert wrong.status_code == 422
    assert '<p class="code">422</p>' in wrong.content.decode()
    assert reloaded(line).version == 0


def test_without_htmx_the_job_page_holds_the_confirmation(
    hold_act: TestHold, make_lines: LineMaker, sign_in: SignIn, staff: User, subscribe: Subscribe
) -> None:
    subscribe(events.LINE_HELD, holds=True)
    plain = sign_in(staff)
    answer = press(plain, make_lines(1))
    job = Job.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/jobs/{job.uuid}/")
    page = plain.get(answer["Location"])
    assert "1건을 시험 보류합니다" in text_of(page)
    assert "확인하기 전에는 주문이 바뀌지 않습니다." in text_of(page)
    dialog = plain.get(f"/jobs/{job.uuid}/confirm/", headers=HX)
    assert "data-dialog" in dialog.content.decode()
    assert f'hx-post="/acts/{job.uuid}/apply/"' in dialog.content.decode()
    assert plain.post(f"/acts/{job.uuid}/apply/")["Location"] == f"/jobs/{job.uuid}/"
    assert reloaded(job).state == JobState.DONE
