"""기간이 지난 전달: 퀵 and 직접전달 end by themselves after a while, 방문수령 never does (shipping.md 7).

What is counted by days is 추정 배송완료: it does not confirm itself. Every run takes what is due by then and leaves out
what somebody works on or what has a lock or claim; running again adds nothing.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from core.calendar import KST
from core.chunks import CHUNK
from core.locks import locked
from core.models import Source
from core.settings_registry import get_settings
from orders.events import LINE_UNDELIVERED
from orders.models import Order, OrderEvent
from orders.states import DeliveredBy, LineState
from shipping import events
from shipping.models import Handover, Shipment, ShipmentLine, ShipmentStep
from shipping.services.riders import begin, note
from shipping.services.shipments import deliver_locked, locked_whole
from shipping.states import TRACKED, DeliveryMethod, TrackingStage

DAY = range(9, 21)
"""Hours of KST in which buyers may be written to."""
REMINDERS = (timedelta(days=3), timedelta(days=7))
T = TrackingStage
STRAYED = (T.ATTEMPT_FAILED, T.AVAILABLE_FOR_PICKUP, T.RETURNING, T.RETURNED, T.EXCEPTION, T.CANCELLED)
"""Stages in which days prove nothing: somebody has to look."""


def deliver_overdue(*, at: datetime) -> int:
    """기간 경과 배송완료: how many lines were delivered by the clock, with 기간 경과 as their proof."""
    values = get_settings("quick_done_hours", "direct_done_days", "parcel_done_days")
    hours, days, carried = values["quick_done_hours"], values["direct_done_days"], values["parcel_done_days"]
    waits = (
        ((DeliveryMethod.QUICK,), timedelta(hours=hours), f"{hours}시간 경과"),
        ((DeliveryMethod.DIRECT,), timedelta(days=days), f"{days}일 경과"),
        (TRACKED, timedelta(days=carried), f"{carried}일 경과"),
    )
    return sum(_deliver(_due(methods, at - wait), reason, at=at) for methods, wait, reason in waits if wait)


def _due(methods: Collection[str], before: datetime) -> QuerySet[Shipment]:
    found = Shipment.objects.filter(
        step=ShipmentStep.SHIPPING, method__in=methods, shipped_at__lte=before, has_claim=False
    )
    # For what no courier scans the last change is the dispatch, which the index of 배송중 is sorted by.
    found = found.filter(last_event_at__lte=before).exclude(_taken_back(before))
    if tuple(methods) == TRACKED:
        return found.filter(tracking_failed=False).exclude(stage__in=STRAYED)
    return found.exclude(handover__dispatched_at__gt=before)


def _taken_back(since: datetime) -> Exists:
    """배송완료 취소 since then: somebody knows that it had not arrived, so the clock begins anew."""
    undone = OrderEvent.objects.filter(
        subject="line", subject_id=OuterRef("line_id"), kind=LINE_UNDELIVERED.code, at__gt=since
    )
    return Exists(ShipmentLine.objects.filter(Exists(undone), shipment=OuterRef("pk"), is_live=True))


def _deliver(due: QuerySet[Shipment], reason: str, *, at: datetime) -> int:
    done, after = 0, 0
    while ids := list(due.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        done += _deliver_some(ids, due, reason, at=at)
        after = ids[-1]
    return done


def _deliver_some(ids: list[int], due: QuerySet[Shipment], reason: str, *, at: datetime) -> int:
    with transaction.atomic():
        free = _free(ids)
        with locked_whole(free) as rows:
            # Asked again under the locks: somebody may have taken it back or dispatched it anew meanwhile.
            still = set(due.filter(pk__in=rows.shipments).values_list("pk", flat=True))
            line_ids = [pk for one in sorted(still) for pk in rows.lines_of[one]]
            busy = {rows.shipment_of_line[pk] for pk in line_ids if rows.lines[pk].open_locks}
            ready = [
                pk
                for pk in line_ids
                if rows.shipment_of_line[pk] not in busy and rows.lines[pk].state == LineState.SHIPPING
            ]
            facts: dict[str, Any] = {"actor": None, "at": at, "source": Source.TASK, "reason": reason}
            return len(deliver_locked(rows, line_ids=ready, by=DeliveredBy.DAYS, **facts).moved)


def _free(ids: Collection[int]) -> list[int]:
    """Shipments none of whose orders another session holds; takes the locks of the others."""
    live = ShipmentLine.objects.filter(shipment__in=ids, is_live=True)
    pairs = list(live.values_list("shipment_id", "line__order_id").distinct())
    held = {order for _, order in pairs}
    held -= {order.pk for order in locked(Order.objects.filter(pk__in=held), skip_locked=True)}
    taken = {pk for pk, order in pairs if order in held}
    return [pk for pk in ids if pk not in taken]


def remind_pickups(*, at: datetime) -> int:
    """수령 알림 after three and after seven days; how many buyers will be told."""
    told = 0
    for wait in REMINDERS:
        for ids in _unfetched(wait, at=at):
            told += _remind(ids, wait, at=at)
    return told


def _unfetched(wait: timedelta, *, at: datetime) -> Iterator[list[int]]:
    waiting = Shipment.objects.filter(
        step=ShipmentStep.SHIPPING, method=DeliveryMethod.VISIT, has_claim=False, last_event_at__lte=at - wait
    )
    fresh = Q(handover__isnull=True) | Q(handover__reminded_at=None)
    due = waiting.filter(fresh | Q(handover__reminded_at__lt=F("shipped_at") + wait))
    after = 0
    while ids := list(due.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        yield ids
        after = ids[-1]


def _remind(ids: list[int], wait: timedelta, *, at: datetime) -> int:
    with transaction.atomic():
        # One whom somebody works on is reminded an hour later.
        shipments = locked(Shipment.objects.filter(pk__in=ids), skip_locked=True)
        begin(shipments, actor=None)
        rows = {row.pk: row for row in locked(Handover.objects.filter(pk__in=[one.pk for one in shipments]))}
        due = [one for one in shipments if _is_due(one, rows[one.pk], wait, at=at)]
        Handover.objects.filter(pk__in=[one.pk for one in due]).update(reminded_at=at)
        note(due, events.SHIPMENT_PICKUP_REMINDED, at=at, source=Source.TASK)
    return len(due)


def _is_due(shipment: Shipment, row: Handover, wait: timedelta, *, at: datetime) -> bool:
    moment = shipment.shipped_at
    if moment is None or shipment.step != ShipmentStep.SHIPPING or moment + wait > at:
        return False
    return row.reminded_at is None or row.reminded_at < moment + wait


def run(*, at: datetime, **kwargs: Any) -> int:
    """전달 기한: what is due by the clock, hourly; buyers are reminded by day only. How many lines and buyers."""
    done = deliver_overdue(at=at)
    return done + (remind_pickups(at=at) if DAY.start <= at.astimezone(KST).hour < DAY.stop else 0)
