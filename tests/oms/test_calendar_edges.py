"""Dates at the edge of the calendar, and far from the present: refused with a sentence, never a failure."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from core.calendar import OutOfCalendar, due_date, kst_date, kst_day_range
from core.excel.values import Problem, datetime_
from core.jobs import runner, start
from core.models import ItemResult, Job, JobItem, JobState
from orders.models import LineLock, OrderLine
from orders.models.channel import DeadlineRule
from tests.fixtures.answers import body
from tests.fixtures.orders import reloaded

EDGES = ["0001-01-01", "9999-12-31"]
DELAY = "발송예정일은 오늘부터 90일 안에서 고르세요."


@pytest.fixture
def client(sign_in, staff):
    return sign_in(staff, headers={"HX-Request": "true"})


@pytest.fixture
def rows(make_order):
    order = make_order(paid=True)
    return f"{order.pk}:{reloaded(order).version}"


def press(client, act, rows, **more):
    return client.post(f"/acts/{act}/", {"page": "orders", "mode": "ids", "rows": rows} | more)


def confirm(client, act, rows, **fields):
    assert press(client, act, rows).status_code == 200
    return client.post(f"/acts/{Job.objects.get(act=act).uuid}/apply/", fields)


@pytest.mark.parametrize("day", [date.min, date.max])
def test_the_first_and_the_last_day_have_no_borders(day):
    with pytest.raises(OutOfCalendar, match="2000년부터 2099년"):
        kst_day_range(day)


def test_an_instant_beyond_the_last_day_has_no_day_in_seoul():
    with pytest.raises(OutOfCalendar):
        kst_date(datetime.max.replace(tzinfo=UTC))
    with pytest.raises(OutOfCalendar):
        due_date(datetime.min.replace(tzinfo=UTC))


def test_a_cell_beyond_the_last_day_is_no_moment():
    assert isinstance(datetime_("9999-12-31 23:59:59-12:00"), Problem)


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize("day", EDGES)
def test_the_access_log_refuses_a_day_that_nobody_means(client, name, day):
    answer = client.get(f"/access-log/?{name}={day}")
    assert answer.status_code == 422
    assert "2000년부터 2099년까지" in body(answer)


@pytest.mark.parametrize("day", EDGES)
def test_a_delay_to_the_end_of_time_is_refused_at_the_first_press_and_at_the_confirmation(client, rows, day):
    fields = {"new_date": day, "delay_reason": "ETC", "detail": "늦습니다"}
    first = press(client, "notify-delay", rows, **fields)
    assert (first.status_code, DELAY in body(first)) == (422, True)
    answer = client.post(f"/acts/{Job.objects.get().uuid}/apply/", fields)
    assert (answer.status_code, DELAY in body(answer)) == (422, True)
    assert Job.objects.get().state == JobState.PREVIEW
    assert not OrderLine.objects.filter(delay_notified_at__isnull=False).exists()


@pytest.mark.parametrize("days", [-1, 366])
def test_a_hold_until_long_ago_or_far_ahead_is_refused(client, rows, days):
    until = kst_date(timezone.now()) + timedelta(days=days)
    answer = confirm(client, "hold", rows, reason="고객 부재", until=str(until))
    assert answer.status_code == 422
    assert "예정일은 오늘부터 365일 안에서 고르세요." in body(answer)
    assert not LineLock.objects.exists()


def test_a_hold_until_tomorrow_is_taken(client, rows):
    until = kst_date(timezone.now()) + timedelta(days=1)
    assert confirm(client, "hold", rows, reason="고객 부재", until=str(until)).status_code == 200
    assert LineLock.objects.get().until == until


def test_a_date_that_passed_before_the_job_ran_is_never_replaced_by_another(client, rows, staff):
    assert press(client, "notify-delay", rows).status_code == 200
    job = Job.objects.get()
    form = {"new_date": [str(kst_date(timezone.now()) - timedelta(days=1))], "delay_reason": ["ETC"]}
    runner.run(start.confirm(job_id=job.pk, actor=staff, at=timezone.now(), form=form))
    assert [(item.result, item.reason) for item in JobItem.objects.filter(job=job)] == [(ItemResult.REFUSED, DELAY)]
    assert not OrderLine.objects.filter(delay_notified_at__isnull=False).exists()


@pytest.mark.parametrize("as_of", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_selection_as_of_the_end_of_time_is_refused(client, rows, as_of):
    answer = press(client, "acknowledge", "", mode="filter", query="", as_of=as_of)
    assert answer.status_code == 422
    assert "목록을 연 시각을 알 수 없습니다." in body(answer)
    assert not Job.objects.exists()


@pytest.mark.parametrize("day", [*EDGES, "2000-01-01", "2099-12-31"])
def test_a_rule_from_the_end_of_time_is_refused(client, channel, day):
    values = {"part": "rule", "kind": "SHIP", "channel": channel.pk, "days": "1", "valid_from": day}
    answer = client.post("/settings/deadlines/", values)
    assert answer.status_code == 422
    assert ("2000년부터 2099년까지" if day in EDGES else "앞뒤 10년 안에서") in body(answer)
    assert not DeadlineRule.objects.exists()
