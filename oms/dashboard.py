"""대시보드 "오늘 할 일": what waits in each step, what has gone wrong, what ran last, when orders came in today.

A card holds no condition of its own: it is the address of a list and the number of rows which that list finds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import ExtractHour, TruncDate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.access import LOGIN_ONLY, PermissionRequired, staff_of
from accounts.models import User
from core.calendar import KST, kst_date, kst_day_range
from core.events import delivery_model
from core.lists import lists
from core.models import Job, JobState
from core.models.events import DeliveryState
from core.views.jobs import job_row
from oms.context import step_counts
from orders.models import Order
from payments.columns.problems import GROUPS
from payments.pages.counts import counted, tab_counts
from payments.pages.problems import open_sums
from payments.services.watching.alarms import AlarmKind, alarms
from shipping.services.tracking.telling import standing

WARN, DANGER = "warn", "danger"
LAST_JOBS = 10
HOURS = 24
MOST_IN_ROW = 8


@dataclass(frozen=True, slots=True)
class Watched:
    """살필 목록: a list with conditions, whose rows need somebody."""

    key: str
    label: str
    page: str
    query: str
    tone: str = WARN


STEPS = ("awaiting-payment", "preparing", "ready", "shipping", "delivered", "confirmed")
TODAY = Watched("today", "오늘 주문", "orders", "period=today", tone="")
EXCEPTIONS = (
    Watched("late", "출고 지연", "orders", "mark=overdue&period=all", DANGER),
    Watched("due-today", "오늘 발송기한", "orders", "mark=due-today&period=all"),
    Watched("held", "보류", "orders", "mark=held&period=all"),
    Watched("unmapped", "품목 연결", "orders", "mark=unmapped&period=all"),
    Watched("tracking", "추적 오류", "shipping", "tab=error&period=all", DANGER),
)
MONEY = (
    Watched("matching", "확인할 입금", "deposits", "tab=waiting"),
    Watched("refund-draft", "환불 승인 대기", "refunds", "tab=draft"),
    Watched("refund-pay", "보낼 환불", "refunds", "tab=pay"),
    Watched("refund-failed", "환불 실패", "refunds", "tab=failed", DANGER),
)

_NOTICES, _REFUSED = "/payments/notices/", "/payments/notices/refused/"
ALARMS = {
    AlarmKind.REFUSED: (_REFUSED, "?period=7d"),
    AlarmKind.UNKNOWN_AT_PG: (_NOTICES, "?period=7d&state=REJECTED"),
    AlarmKind.FOREIGN: (_REFUSED, "?period=7d"),
    AlarmKind.SILENT: (_NOTICES, "?period=all"),
    AlarmKind.OLD_CASES: ("/payments/problems/", "?period=all"),
    AlarmKind.FAILING: (_NOTICES, "?tab=waiting&period=all"),
    AlarmKind.DEAD: (_NOTICES, "?period=all&state=DEAD"),
    AlarmKind.UNDELIVERED: ("/dead-letters/", ""),
    AlarmKind.TAKEN_BACK: (_NOTICES, "?period=all&event=REVERSED"),
}
"""Where one looks after an alarm: page, and its conditions."""


@dataclass(frozen=True, slots=True)
class Card:
    """카드: a number of rows and the list that shows them."""

    key: str
    label: str
    number: str
    unit: str
    url: str
    tone: str


@dataclass(frozen=True, slots=True)
class Bar:
    """막대: one hour of today and of yesterday, as rectangles of a drawing 720 wide and 120 high."""

    hour: int
    today: int
    yesterday: int
    x: int
    today_y: int
    today_height: int
    yesterday_y: int
    yesterday_height: int
    label: str


class Dashboard(PermissionRequired):
    """대시보드: the first page after log-in, for everybody."""

    permission = LOGIN_ONLY

    def get(self, request: HttpRequest) -> HttpResponse:
        user, at = staff_of(request), timezone.now()
        bars = hours(at)
        context = {
            "title": "오늘 할 일",
            "steps": list(step_cards(request, user, at)),
            "exceptions": fitting(list(exception_cards(request, user, at))),
            "money": fitting(list(money_cards(request, user))),
            "alarms": list(alarm_cards(user, at)),
            "jobs": last_jobs(user, at),
            "may_see_jobs": user.has_perm("jobs.view"),
            "bars": bars,
            "today_total": sum(bar.today for bar in bars),
            "yesterday_total": sum(bar.yesterday for bar in bars),
            "as_of": f"{at.astimezone(KST):%H:%M}",
        }
        return render(request, "dashboard.html", context)


def step_cards(request: HttpRequest, user: User, at: datetime) -> Iterator[Card]:
    """단계 카드: today's orders, then every step in the order of the work, with the numbers of the menu."""
    if not user.has_perm("orders.view"):
        return
    yield _card(TODAY, user, at)
    counts = step_counts(request)
    for name in STEPS:
        page = lists.page(name)
        label = page.title.rsplit(" ", 1)[0]
        yield Card(name, label, f"{counts[name]:,}건", page.unit, f"{page.url}?period=all", "")


def exception_cards(request: HttpRequest, user: User, at: datetime) -> Iterator[Card]:
    """예외 카드: what somebody has to look at, as far as the person may see it."""
    if user.has_perm("orders.view"):
        for watched in EXCEPTIONS:
            yield _card(watched, user, at)
    if user.has_perm("shipping.view_exceptions"):
        page = lists.page("exceptions")
        yield _plain("exceptions", page.title, step_counts(request)["exceptions"], page.unit, f"{page.url}?period=all")
        yield from tracking_cards(user, at)
    yield from failure_cards(user)


def failure_cards(user: User) -> Iterator[Card]:
    """실패 카드: jobs and deliveries that the system gave up; one query, none for who may see neither."""
    shown = {
        "jobs.view": ("failed-jobs", "실패한 작업", "작업", f"/jobs/?state={JobState.FAILED}"),
        "deadletters.view": ("dead", "실패한 전달", "전달", "/dead-letters/"),
    }
    failed = {
        "jobs.view": Job.objects.filter(state=JobState.FAILED),
        "deadletters.view": delivery_model().objects.filter(state=DeliveryState.DEAD),
    }
    mine = {permission: rows for permission, rows in failed.items() if user.has_perm(permission)}
    for permission, number in (counted(mine) if mine else {}).items():
        key, label, unit, url = shown[permission]
        yield _plain(key, label, number, unit, url)


def tracking_cards(user: User, at: datetime) -> Iterator[Card]:
    """배송조회 카드: couriers that do not answer, and quotas that are too short; none when all is well."""
    found = standing(at=at)
    if found.delays and found.has_accounts:
        url = f"{lists.page('shipping').url}?period=all"
        yield Card("tracking-delays", "조회 지연", f"{len(found.delays)}곳", "배송조회", url, DANGER)
    if found.stretch > 1 and user.has_perm("settings.view"):
        yield Card(
            "tracking-stretch", "조회 간격 늘림", f"{found.stretch:.1f}배", "배송조회", "/settings/tracking/", WARN
        )


def money_cards(request: HttpRequest, user: User) -> Iterator[Card]:
    """입금·환불 카드: deposits, refunds, exceptional money and notices that wait for a person."""
    shown = [one for one in MONEY if user.has_perm(lists.page(one.page).permission)]
    numbers = tab_counts([(one.page, one.query.removeprefix("tab=")) for one in shown])
    for watched, number in zip(shown, numbers, strict=True):
        page = lists.page(watched.page)
        tone = watched.tone if number else ""
        yield Card(watched.key, watched.label, f"{number:,}건", page.unit, f"{page.url}?{watched.query}", tone)
    if user.has_perm("payments.view_problems"):
        yield from problem_cards()
    if user.has_perm("payments.view_notices"):
        stuck, url = step_counts(request)["notices"], lists.page("notices").url
        yield _plain("stuck-notices", "확인할 알림", stuck, "알림", f"{url}?tab=parked&period=all")


def fitting(cards: list[Card]) -> list[Card]:
    """한 줄에 맞추기: where more cards than a row holds want to be seen, those without work stand back."""
    return cards if len(cards) <= MOST_IN_ROW else [card for card in cards if card.number != "0건"]


def alarm_cards(user: User, at: datetime) -> Iterator[Card]:
    """경보 카드: one for each alarm that stands, none when all is well."""
    if not user.has_perm("payments.view_notices"):
        return
    for alarm in alarms(at=at):
        page, query = ALARMS[alarm.kind]
        chosen = f"&account={alarm.account_id}" if alarm.account_id else ""
        key = f"alarm-{alarm.kind}" + (f"-{alarm.account_id}" if alarm.account_id else "")
        yield Card(key, alarm.label, f"{alarm.number:,}{alarm.unit}", "경보", f"{page}{query}{chosen}", DANGER)


def problem_cards() -> Iterator[Card]:
    """예외 입금: number and sum of each group of open problems; one card when there are none."""
    found, url = open_sums(), lists.page("problems").url
    for key, label, _ in GROUPS:
        if key in found:
            rows, won = found[key]
            yield Card(f"money-{key}", label, f"{rows:,}건", f"{won:,}원", f"{url}?tab={key}", DANGER)
    if not found:
        yield _plain("money", "예외 입금", 0, "예외", url)


def _card(watched: Watched, user: User, at: datetime) -> Card:
    query = lists.page(watched.page).query(watched.query, user=user, at=at)
    total = query.count().total
    tone = watched.tone if total.number else ""
    return Card(watched.key, watched.label, total.text(unit="건"), query.page.unit, query.url(), tone)


def _plain(key: str, label: str, number: int, unit: str, url: str) -> Card:
    return Card(key, label, f"{number:,}건", unit, url, DANGER if number else "")


def last_jobs(user: User, at: datetime) -> list[Any]:
    """최근 작업: of everybody for people who may see jobs, else one's own."""
    rows = Job.objects.exclude(state=JobState.PREVIEW).select_related("actor").order_by("-pk")
    if not user.has_perm("jobs.view"):
        rows = rows.filter(actor=user)
    return [job_row(job, at=at) for job in rows[:LAST_JOBS]]


def hours(at: datetime) -> list[Bar]:
    """시간대별 주문: orders of today and of yesterday by the hour in Seoul; one query over two days."""
    today = kst_date(at)
    found = {(row["day"], row["hour"]): row["n"] for row in _by_hour(at)}
    numbers = [(found.get((today, h), 0), found.get((today - timedelta(days=1), h), 0)) for h in range(HOURS)]
    highest = max(1, *(max(pair) for pair in numbers))
    return [_bar(hour, now, before, highest) for hour, (now, before) in enumerate(numbers)]


def _by_hour(at: datetime) -> QuerySet[Any, Any]:
    start, end = kst_day_range(kst_date(at) - timedelta(days=1))[0], kst_day_range(kst_date(at))[1]
    rows = Order.objects.filter(ordered_at__gte=start, ordered_at__lt=end)
    parts = rows.annotate(day=TruncDate("ordered_at", tzinfo=KST), hour=ExtractHour("ordered_at", tzinfo=KST))
    return parts.values("day", "hour").annotate(n=Count("pk")).order_by("day", "hour")


def _bar(hour: int, today: int, yesterday: int, highest: int) -> Bar:
    heights = [-(-100 * number // highest) for number in (today, yesterday)]
    return Bar(
        hour=hour,
        today=today,
        yesterday=yesterday,
        x=hour * 30,
        today_y=100 - heights[0],
        today_height=heights[0],
        yesterday_y=100 - heights[1],
        yesterday_height=heights[1],
        label=f"{hour}시" if hour % 3 == 0 else "",
    )
