"""경보: what about the money cannot wait until somebody happens to look (payments.md 5.9).

Nothing of it is stored: every alarm is read out of the rows that cause it and ends with them. The dashboard shows all
of them, the log and a telephone get them from the periodic watch.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from django.db import connection

from core.calendar import KST, business_calendar, kst_date
from core.messaging import send
from core.settings_registry import SHOP_NAME, get_settings
from payments import options
from payments.models import MoneyProblem

log = logging.getLogger("payments.alarms")

BURST = timedelta(minutes=10)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
FEWEST_FAILURES = 5
"""Failed questions of an account that say nothing about its rate."""
_LIMITS = (
    options.REFUSED_FROM, options.FOREIGN_FROM, options.SILENT_HOURS, options.OLD_CASE_DAYS, options.FAILING_PERCENT,
    options.DEAD_FROM, options.TAKEN_BACK_HOURS,
)  # fmt: skip
Limits = Mapping[str, Any]


class Fact(NamedTuple):
    """One row of what alarms are made of."""

    what: str
    account_id: int | None
    account: str
    number: int
    other: int


class AlarmKind(StrEnum):
    """경보 종류, the most pressing first."""

    TAKEN_BACK = "taken-back"
    DEAD = "dead"
    UNDELIVERED = "undelivered"
    REFUSED = "refused"
    UNKNOWN_AT_PG = "unknown-at-pg"
    FOREIGN = "foreign"
    FAILING = "failing"
    SILENT = "silent"
    OLD_CASES = "old-cases"


LABELS = {
    AlarmKind.REFUSED: "알림 거절",
    AlarmKind.UNKNOWN_AT_PG: "PG가 모르는 알림",
    AlarmKind.FOREIGN: "다른 상점·IP의 알림",
    AlarmKind.SILENT: "알림 없음",
    AlarmKind.OLD_CASES: "오래된 예외 입금",
    AlarmKind.FAILING: "PG 조회 실패",
    AlarmKind.DEAD: "처리하지 못한 알림",
    AlarmKind.UNDELIVERED: "끝내지 못한 입금·환불 후속 처리",
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
    """지금의 경보, the most pressing kind first; the settings and one query, and two more when a case may be old."""
    limits = get_settings(*(one.key for one in _LIMITS))
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, _moments(limits, at))
        facts = [alarm for row in cursor.fetchall() for alarm in _judged(Fact(*row), limits, at)]
    return sorted(facts, key=lambda one: (list(AlarmKind).index(one.kind), one.account_id or 0))


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


def _moments(limits: Limits, at: datetime) -> dict[str, Any]:
    return {
        "at": at,
        "burst": at - BURST,
        "day": at - DAY,
        "hour": at - HOUR,
        "silent": at - timedelta(hours=limits[options.SILENT_HOURS.key]),
        "taken_back": at - timedelta(hours=limits[options.TAKEN_BACK_HOURS.key]),
        "old": at - timedelta(days=limits[options.OLD_CASE_DAYS.key]),
    }


def _judged(fact: Fact, limits: Limits, at: datetime) -> Iterator[Alarm]:
    """Facts against the limits of the settings."""
    whose: dict[str, Any] = {"account_id": fact.account_id, "account": fact.account}
    match fact.what:
        case "taken-back" if fact.number:
            yield Alarm(AlarmKind.TAKEN_BACK, fact.number, "건")
        case "dead" if fact.number >= limits[options.DEAD_FROM.key]:
            yield Alarm(AlarmKind.DEAD, fact.number, "건")
        case "undelivered" if fact.number >= limits[options.DEAD_FROM.key]:
            yield Alarm(AlarmKind.UNDELIVERED, fact.number, "건")
        # One burst, told by the two lists that explain it.
        case "turned-away" if fact.other and fact.number >= limits[options.REFUSED_FROM.key]:
            yield Alarm(AlarmKind.REFUSED, fact.other, "건", **whose)
        case "unknown-at-pg" if fact.other and fact.number >= limits[options.REFUSED_FROM.key]:
            yield Alarm(AlarmKind.UNKNOWN_AT_PG, fact.other, "건", **whose)
        case "foreign" if fact.number >= limits[options.FOREIGN_FROM.key]:
            yield Alarm(AlarmKind.FOREIGN, fact.number, "건", **whose)
        case "asked" if fact.other >= FEWEST_FAILURES:
            if (percent := 100 * fact.other // fact.number) > limits[options.FAILING_PERCENT.key]:
                yield Alarm(AlarmKind.FAILING, percent, "%", **whose)
        case "silent":
            yield Alarm(AlarmKind.SILENT, limits[options.SILENT_HOURS.key], "시간", **whose)
        case "old" if fact.number and (number := _old_cases(limits, at)):
            yield Alarm(AlarmKind.OLD_CASES, number, "건")


def _old_cases(limits: Limits, at: datetime) -> int:
    """Cases that are open for longer than so many business days."""
    local = at.astimezone(KST)
    day = business_calendar().add(local.date(), -limits[options.OLD_CASE_DAYS.key])
    return MoneyProblem.objects.filter(resolved_at=None, found_at__lt=datetime.combine(day, local.timetz())).count()


# What staff took back themselves is no news (A58, A59). Refused is what was turned away at the door, and what the PG
# did not know when it was asked (A66). Undelivered is what should have followed the money and failed every time. Of the
# notices of the last hour that were looked at, those count as failed whose PG has given no usable answer so far. Silent
# is an account whose virtual accounts have waited all the time while it told nothing.
_FACTS = """
SELECT 'taken-back', NULL::bigint, '', count(DISTINCT payment_id), 0 FROM payments_ledgerentry
WHERE kind = 'REVERSAL' AND at > %(taken_back)s AND actor_id IS NULL
UNION ALL
SELECT 'dead', NULL, '', count(*), 0 FROM payments_pgnotice WHERE state = 'DEAD'
UNION ALL
SELECT 'undelivered', NULL, '', count(*), 0 FROM orders_delivery WHERE state = 'DEAD' AND subscriber LIKE 'payments.%%'
UNION ALL
SELECT f.what, r.id, r.name, f.number, f.other FROM (
    SELECT a.id, a.name, count(*) FILTER (WHERE r.at > %(burst)s) AS burst,
        count(*) FILTER (WHERE r.at > %(burst)s AND r.is_unknown) AS unknown,
        count(*) FILTER (WHERE r.is_foreign) AS foreigners
    FROM (SELECT account_id, at, status = 403 OR reason = 'account_mismatch' AS is_foreign, false AS is_unknown
          FROM payments_pgrequest WHERE status IN (401, 403) AND at > %(day)s
          UNION ALL
          SELECT account_id, finished_at, false, true FROM payments_pgnotice
          WHERE state = 'REJECTED' AND received_at > %(day)s AND finished_at > %(burst)s) r
    JOIN payments_pgaccount a ON a.id = r.account_id AND a.is_active GROUP BY a.id) r
CROSS JOIN LATERAL (VALUES ('turned-away', r.burst, r.burst - r.unknown), ('unknown-at-pg', r.burst, r.unknown),
                           ('foreign', r.foreigners, 0)) f(what, number, other)
UNION ALL
SELECT 'asked', a.id, a.name, count(*),
    count(*) FILTER (WHERE n.state = 'RETRY' AND n.reason IN ('no_answer', 'denied', 'failed'))
FROM payments_pgnotice n JOIN payments_pgaccount a ON a.id = n.account_id AND a.is_active
WHERE n.received_at > %(hour)s AND n.state <> 'RECEIVED' GROUP BY a.id
UNION ALL
SELECT 'silent', a.id, a.name, 0, 0 FROM payments_pgaccount a
WHERE a.is_active AND EXISTS (
    SELECT FROM payments_virtualaccount v JOIN payments_payment p ON p.id = v.payment_id
    WHERE p.account_id = a.id AND v.state = 'ISSUED' AND v.due_at > %(at)s AND v.issued_at <= %(silent)s)
AND NOT EXISTS (SELECT FROM payments_pgrequest r WHERE r.account_id = a.id AND r.at > %(silent)s)
UNION ALL
SELECT 'old', NULL, '', count(*), 0 FROM payments_moneyproblem WHERE resolved_at IS NULL AND found_at < %(old)s
"""
