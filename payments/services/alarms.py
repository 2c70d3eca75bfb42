"""경보: what about the money cannot wait until somebody happens to look (payments.md 5.9).

Nothing of it is stored: every alarm is read out of the rows that cause it and ends with them. The dashboard shows all
of them, the log and a telephone get them from the periodic watch.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q

from core.calendar import KST, business_calendar, kst_date
from core.messaging import send
from core.settings_registry import SHOP_NAME, get_settings
from payments import options
from payments.models import LedgerEntry, MoneyProblem, PgAccount, PgNotice, PgRequest, VirtualAccount
from payments.states import EntryKind, NoticeState, VirtualState

log = logging.getLogger("payments.alarms")

BURST = timedelta(minutes=10)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
FEWEST_FAILURES = 5
"""Failed questions of an account that say nothing about its rate."""
REFUSED = Q(status__in=[401, 403])
FOREIGN = Q(status=403) | Q(reason="account_mismatch")
NO_ANSWER = Q(state=NoticeState.RETRY, reason__in=["no_answer", "denied", "failed"])
_LIMITS = (
    options.REFUSED_FROM, options.FOREIGN_FROM, options.SILENT_HOURS, options.OLD_CASE_DAYS, options.FAILING_PERCENT,
    options.DEAD_FROM, options.TAKEN_BACK_HOURS,
)  # fmt: skip
Limits = Mapping[str, Any]


class AlarmKind(StrEnum):
    """경보 종류."""

    REFUSED = "refused"
    FOREIGN = "foreign"
    SILENT = "silent"
    OLD_CASES = "old-cases"
    FAILING = "failing"
    DEAD = "dead"
    TAKEN_BACK = "taken-back"


LABELS = {
    AlarmKind.REFUSED: "알림 거절",
    AlarmKind.FOREIGN: "다른 상점·IP의 알림",
    AlarmKind.SILENT: "알림 없음",
    AlarmKind.OLD_CASES: "오래된 예외 입금",
    AlarmKind.FAILING: "PG 조회 실패",
    AlarmKind.DEAD: "처리하지 못한 알림",
    AlarmKind.TAKEN_BACK: "은행이 취소한 입금",
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """경보 하나: what, at which PG account (empty for the whole shop), and how many of what."""

    kind: AlarmKind
    number: int
    unit: str
    account_id: int | None = None
    account: str = ""

    @property
    def label(self) -> str:
        """이름."""
        return f"{self.account} {LABELS[self.kind]}".strip()

    @property
    def text(self) -> str:
        """한 줄: for a message on the telephone."""
        return f"{self.label} {self.number:,}{self.unit}"


def alarms(*, at: datetime) -> list[Alarm]:
    """지금의 경보, the most pressing kind first; a fixed number of small queries."""
    limits = get_settings(*(one.key for one in _LIMITS))
    found = [*_taken_back(limits, at), *_dead(limits), *_turned_away(limits, at), *_failing(limits, at)]
    return [*found, *_silent(limits, at), *_old_cases(limits, at)]


def watch(*, at: datetime) -> int:
    """경보 알리기: into the log, and once a day each to the telephone of the settings; how many there are."""
    found = alarms(at=at)
    values = get_settings(options.ALARM_TO.key, SHOP_NAME.key)
    for one in found:
        log.error("money alarm %s: account %s, %s", one.kind, one.account_id, one.number)
        if to := values[options.ALARM_TO.key]:
            context = {"shop_name": values[SHOP_NAME.key], "news": one.text}
            key = f"alarm/{one.kind}/{one.account_id or 0}/{kst_date(at)}"
            send(template="staff_alarm", to=to, context=context, key=key, at=at)
    return len(found)


def _taken_back(limits: Limits, at: datetime) -> Iterator[Alarm]:
    """The bank or the PG took money back that had counted (A58, A59); what staff took back themselves is no news."""
    since = at - timedelta(hours=limits[options.TAKEN_BACK_HOURS.key])
    rows = LedgerEntry.objects.filter(kind=EntryKind.REVERSAL, at__gt=since, actor=None)
    if number := rows.values("payment").distinct().count():
        yield Alarm(AlarmKind.TAKEN_BACK, number, "건")


def _dead(limits: Limits) -> Iterator[Alarm]:
    number = PgNotice.objects.filter(state=NoticeState.DEAD).count()
    if number >= limits[options.DEAD_FROM.key]:
        yield Alarm(AlarmKind.DEAD, number, "건")


def _turned_away(limits: Limits, at: datetime) -> Iterator[Alarm]:
    """A wrong key or an attack; and notices of another shop or from another address than the account knows."""
    rows = PgRequest.objects.filter(REFUSED, at__gt=at - DAY, account__is_active=True)
    burst = Count("pk", filter=Q(at__gt=at - BURST))
    found = rows.values("account", name=F("account__name")).annotate(burst=burst, foreign=Count("pk", filter=FOREIGN))
    for row in found.order_by("account"):
        facts = {"account_id": row["account"], "account": row["name"]}
        if row["burst"] >= limits[options.REFUSED_FROM.key]:
            yield Alarm(AlarmKind.REFUSED, row["burst"], "건", **facts)
        if row["foreign"] >= limits[options.FOREIGN_FROM.key]:
            yield Alarm(AlarmKind.FOREIGN, row["foreign"], "건", **facts)


def _failing(limits: Limits, at: datetime) -> Iterator[Alarm]:
    """Of the notices of the last hour that were looked at, those whose PG has given no usable answer so far."""
    rows = PgNotice.objects.filter(received_at__gt=at - HOUR, account__is_active=True).exclude(state="RECEIVED")
    found = rows.values("account", name=F("account__name")).annotate(all=Count("pk"), bad=Count("pk", filter=NO_ANSWER))
    for row in found.order_by("account"):
        percent = 100 * row["bad"] // row["all"]
        if row["bad"] >= FEWEST_FAILURES and percent > limits[options.FAILING_PERCENT.key]:
            yield Alarm(AlarmKind.FAILING, percent, "%", account_id=row["account"], account=row["name"])


def _silent(limits: Limits, at: datetime) -> Iterator[Alarm]:
    """Virtual accounts that have waited all the time, and not one request of their PG."""
    hours = limits[options.SILENT_HOURS.key]
    since = at - timedelta(hours=hours)
    waiting = VirtualAccount.objects.filter(
        state=VirtualState.ISSUED, due_at__gt=at, issued_at__lte=since, payment__account=OuterRef("pk")
    )
    heard = PgRequest.objects.filter(account=OuterRef("pk"), at__gt=since)
    rows = PgAccount.objects.filter(Exists(waiting), ~Exists(heard), is_active=True).order_by("pk")
    for pk, name in rows.values_list("pk", "name"):
        yield Alarm(AlarmKind.SILENT, hours, "시간", account_id=pk, account=name)


def _old_cases(limits: Limits, at: datetime) -> Iterator[Alarm]:
    local = at.astimezone(KST)
    day = business_calendar().add(local.date(), -limits[options.OLD_CASE_DAYS.key])
    before = datetime.combine(day, local.timetz())
    if number := MoneyProblem.objects.filter(resolved_at=None, found_at__lt=before).count():
        yield Alarm(AlarmKind.OLD_CASES, number, "건")
