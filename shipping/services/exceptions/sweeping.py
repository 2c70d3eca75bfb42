"""배송 예외 훑기: cases that no news opens but the clock; reads only what is due, through partial indexes.

Silence counts only where the source has been heard lately: while nobody can be asked, no box is suspected of anything.
Source: shipping.md 3.5.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Subquery

from core.calendar import business_calendar, kst_date, kst_day_range
from core.settings_registry import get_settings
from shipping.models import Parcel, ShippingException
from shipping.options import LOST_DAYS, NO_PICKUP_DAYS, STALLED_HOURS, UNCOLLECTED_DAYS, UNKNOWN_HOURS
from shipping.services.exceptions.opening import Opening, close_cases, open_cases
from shipping.services.exceptions.rules import Evidence
from shipping.states import ExceptionKind

K = ExceptionKind
CHUNK = 500
HEARD = timedelta(hours=36)
"""A source that has answered about the parcel within this time knows of no news; intervals may grow to a day."""
LONGEST_LOOK_BACK = 40
"""Days: no setting of business days reaches further back, whatever holidays there are."""

# Its source has answered lately (a feed that was read has answered about all of its parcels, whatever it told), and no
# case of this kind speaks of the same silence already. The rows are locked, so that news which is being written just
# now is neither waited for nor contradicted.
_DUE = """
SELECT p.id FROM shipping_parcel p JOIN shipping_trackingpoll t ON t.parcel_id = p.id
LEFT JOIN shipping_trackingaccount a ON a.code = t.told_by
LEFT JOIN shipping_feedstate f ON f.account_id = a.id
WHERE p.state = 'HANDED_OVER' AND p.direction = 'OUT' AND {condition}
  AND t.is_active AND GREATEST(t.last_ok_at, f.last_ok_at) > %(heard)s
  AND NOT EXISTS (SELECT 1 FROM shipping_shippingexception e WHERE e.parcel_id = p.id AND e.kind = %(kind)s
                  AND (e.closed_at IS NULL OR (e.closed_by_id IS NOT NULL AND e.evidence_at >= p.{evidence})))
  {more}
ORDER BY p.{evidence} LIMIT %(most)s
FOR NO KEY UPDATE OF p SKIP LOCKED
"""
_UNSCANNED = "p.first_scan_at IS NULL AND p.handed_over_at < %(before)s AND p.stage <> 'CANCELLED'"
_SILENT = (
    "p.first_scan_at IS NOT NULL AND p.last_event_at < %(before)s"
    " AND p.stage NOT IN ('AVAILABLE_FOR_PICKUP', 'EXCEPTION')"
)
_UNCOLLECTED = "p.first_scan_at IS NOT NULL AND p.last_event_at < %(before)s AND p.stage = 'AVAILABLE_FOR_PICKUP'"
# Once suspected of being lost a box does not count as standing still any more.
_NOT_LOST = (
    "AND NOT EXISTS (SELECT 1 FROM shipping_shippingexception l WHERE l.parcel_id = p.id"
    " AND l.kind = 'SUSPECTED_LOST' AND l.evidence_at >= p.last_event_at)"
)
_UNKNOWN = "p.unknown_since < %(before)s"


@dataclass(frozen=True, slots=True)
class Rule:
    """시간 규칙: which parcels are due before a moment, and the moment that the case is about."""

    kind: ExceptionKind
    sql: str
    evidence: str
    before: Callable[[Mapping[str, Any], datetime], datetime]


def _rule(kind: ExceptionKind, condition: str, evidence: str, before: Any, more: str = "") -> Rule:
    return Rule(kind, _DUE.format(condition=condition, evidence=evidence, more=more), evidence, before)


def picked_up_by(at: datetime, days: int) -> datetime:
    """미집하 기준: boxes handed over before this instant have had `days` whole business days (A3)."""
    calendar, day = business_calendar(), kst_date(at)
    for _ in range(LONGEST_LOOK_BACK + 2 * days):
        start, end = kst_day_range(day)
        if calendar.deadline(start, days) <= at:
            return end
        day -= timedelta(days=1)
    return kst_day_range(day)[0]


# The longer silence first: what it opens ends the shorter one.
RULES = (
    _rule(K.NO_PICKUP, _UNSCANNED, "handed_over_at", lambda own, at: picked_up_by(at, own[NO_PICKUP_DAYS.key])),
    _rule(K.SUSPECTED_LOST, _SILENT, "last_event_at", lambda own, at: at - timedelta(days=own[LOST_DAYS.key])),
    _rule(K.STALLED, _SILENT, "last_event_at", lambda own, at: at - timedelta(hours=own[STALLED_HOURS.key]), _NOT_LOST),
    _rule(K.UNCOLLECTED, _UNCOLLECTED, "last_event_at", lambda own, at: at - timedelta(days=own[UNCOLLECTED_DAYS.key])),
    _rule(K.UNKNOWN_STATUS, _UNKNOWN, "unknown_since", lambda own, at: at - timedelta(hours=own[UNKNOWN_HOURS.key])),
)


def sweep(*, at: datetime) -> int:
    """배송 예외 훑기: opens what is due by the clock; how many cases. Two at once, or one killed, do no harm."""
    keys = [one.key for one in (NO_PICKUP_DAYS, LOST_DAYS, STALLED_HOURS, UNCOLLECTED_DAYS, UNKNOWN_HOURS)]
    own = get_settings(*keys)
    return sum(_sweep(rule, rule.before(own, at), at=at) for rule in RULES)


def _sweep(rule: Rule, before: datetime, *, at: datetime) -> int:
    opened = 0
    while True:
        with transaction.atomic():
            found = _due(rule, before, at=at)
            new = open_cases(
                [Opening(one, rule.kind, Evidence(getattr(one, rule.evidence), _detail(one))) for one in found], at=at
            )
            _escalate(rule, [one.pk for one in found], at=at)
        opened += len(new)
        if len(found) < CHUNK or not new:
            return opened


def _due(rule: Rule, before: datetime, *, at: datetime) -> list[Parcel]:
    values: dict[str, Any] = {"before": before, "kind": rule.kind.value, "heard": at - HEARD, "most": CHUNK}
    with connection.cursor() as cursor:
        cursor.execute(rule.sql, values)
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(Parcel.objects.filter(pk__in=ids).order_by("pk"))


def _detail(parcel: Parcel) -> str:
    return parcel.last_event_text


def _escalate(rule: Rule, parcel_ids: list[int], *, at: datetime) -> None:
    """정체 becomes 분실 의심: one case for one silence; who looked after it goes on looking after it."""
    if rule.kind != K.SUSPECTED_LOST or not parcel_ids:
        return
    going = ShippingException.objects.filter(parcel__in=parcel_ids, closed_at=None)
    stalled = going.filter(kind=K.STALLED)
    before = stalled.filter(parcel=OuterRef("parcel"))
    kept = {name: Subquery(before.values(name)[:1]) for name in ("assignee", "memo", "attempts")}
    going.filter(Exists(before), kind=K.SUSPECTED_LOST).update(**kept, version=F("version") + 1)
    close_cases(list(stalled.values_list("pk", flat=True)), at=at)
