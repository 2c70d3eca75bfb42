"""고객 안내: what a buyer is told about a delivery, by staff, or by itself at a first attempt, a pick-up shop, the van.

Only an event is written here; handlers.py sends the text of it, once. Staff repeat the same kind for a shipment only
after a pause; by itself each kind goes out once for a box. Source: ux.md 1.1, 배송중 관리.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.bulk import update_rows
from core.calendar import short
from core.events import event_model, record
from core.lookups import Among
from core.models import Job, Source
from core.settings_registry import get_setting, get_settings
from core.state import Change, Outcome, is_preview
from orders.models import Order
from orders.notices import recipient_of
from orders.states import CLOSED
from shipping import events
from shipping.models import Parcel, Shipment, ShipmentStep
from shipping.options import AUTO_NOTICES, NOTICE_AGAIN_HOURS, NOTICE_TEXTS
from shipping.services.refusals import NOT_FOUND, NOT_SENT
from shipping.services.riders import note
from shipping.services.shipments import Locked, locked_whole
from shipping.states import TRACKED, NoticeKind, TrackingStage

NO_WAYBILL = "송장번호가 없는 배송건입니다."
NOBODY = "알림을 받을 연락처가 없습니다. 고객에게 직접 안내하세요."
BY_MARKET = "판매채널이 고객에게 직접 안내하는 주문입니다."
TOO_SOON = "{last}에 이미 안내했습니다. {next}부터 다시 보낼 수 있습니다."
KIND_OF = {
    TrackingStage.OUT_FOR_DELIVERY: NoticeKind.OUT,
    TrackingStage.ATTEMPT_FAILED: NoticeKind.ABSENT,
    TrackingStage.AVAILABLE_FOR_PICKUP: NoticeKind.KEPT,
}
"""배송단계 that a buyer may be told of by itself."""
TOLD = (events.SHIPMENT_BUYER_TOLD.code, events.PARCEL_NEWS_TOLD.code)
FRESH = timedelta(hours=3)
"""What the courier told so long ago is no news any more: it was caught up with after an outage."""


@dataclass(frozen=True, slots=True)
class StageNews:
    """새 배송단계 of a box, and the courier's moment of it."""

    parcel: Parcel
    stage: TrackingStage
    at: datetime | None


def sentence_of(kind: NoticeKind, text: str = "") -> str:
    """안내 문구: what was typed for this once, else the shop's own of the kind."""
    return text or str(get_setting(NOTICE_TEXTS[kind].key))


def tell_buyers(
    *, shipment_ids: Collection[int], notice: NoticeKind | None, text: str = "", actor: Any, at: datetime,
    batch: Job | None = None,
) -> Outcome:  # fmt: skip
    """고객 안내 of shipments on their way: by id of the shipment; `sums["told"]` counts the messages.

    Refused with the reason: shipments that do not travel by courier now, whose orders have nobody to tell or a market
    that tells its buyers, and those that were told the same a short time ago (setting). `notice` is None in a preview,
    before anybody has chosen it.
    """
    with locked_whole(shipment_ids, actor=actor) as rows:
        orders = _orders(rows)
        again = _told_lately(rows.shipments, notice, at=at) if notice else {}
        refused = dict.fromkeys(set(shipment_ids) - rows.shipments.keys(), NOT_FOUND)
        for pk, shipment in rows.shipments.items():
            if reason := _refusal(shipment, orders[pk]) or again.get(pk):
                refused[pk] = reason
        good = [one for pk, one in rows.shipments.items() if pk not in refused]
        outcome = Outcome(possible=[*good], refused=refused)
        outcome.sums["told"] = sum(1 for one in good for order in orders[one.pk] if recipient_of(order))
        if notice is not None and good and not is_preview():
            said = sentence_of(notice, text)
            data = {one.pk: {"notice": notice.value, "text": said} for one in good}
            facts: dict[str, Any] = {"at": at, "actor": actor, "batch": batch, "data": data}
            outcome.changes = note(good, events.SHIPMENT_BUYER_TOLD, reason=_words(notice, said), **facts)
    return outcome


def _words(notice: NoticeKind, said: str) -> str:
    return f"{notice.label}: {said}"[:200]


def _orders(rows: Locked) -> Mapping[int, list[Order]]:
    """Orders whose goods lie in each shipment: 합포 holds several."""
    wanted = {line.order_id for line in rows.lines.values()}
    known = {one.pk: one for one in Order.objects.filter(Among("pk", wanted)).select_related("channel")}
    found: dict[int, list[Order]] = defaultdict(list)
    for pk, lines in rows.lines_of.items():
        ids = {rows.lines[line].order_id for line in lines if rows.lines[line].state not in CLOSED}
        found[pk] = [known[order] for order in sorted(ids)]
    return found


def _refusal(shipment: Shipment, orders: Sequence[Order]) -> str:
    if shipment.step != ShipmentStep.SHIPPING or not orders:
        return NOT_SENT
    if shipment.method not in TRACKED or not shipment.waybill:
        return NO_WAYBILL
    if any(recipient_of(order) for order in orders):
        return ""
    return NOBODY if any(order.channel.notifies_buyers for order in orders) else BY_MARKET


def _told_lately(shipments: Mapping[int, Shipment], notice: NoticeKind, *, at: datetime) -> dict[int, str]:
    """방금 안내한 배송건, by the history of their orders; the shipments are locked, so that a second click sees it."""
    pause = timedelta(hours=int(get_setting(NOTICE_AGAIN_HOURS.key)))
    told = event_model().objects.filter(Among("order_id", {one.order_id for one in shipments.values()}))
    told = told.filter(kind__in=TOLD, data__notice=notice.value, at__gt=at - pause).order_by("id")
    last = {
        data.get("shipment", subject_id): moment
        for subject_id, data, moment in told.values_list("subject_id", "data", "at")
    }
    return {
        pk: TOO_SOON.format(last=short(moment), next=short(moment + pause))
        for pk, moment in last.items()
        if pk in shipments
    }


def tell_stages(seen: Iterable[StageNews], *, at: datetime) -> int:
    """배송 소식 알림: buyers hear by themselves of what the settings name, once for a box and kind; how many boxes.

    The caller holds the boxes. What the courier told of long ago is left out, and so is what has no moment: after an
    outage nobody is told at night of the van that came at noon.
    """
    fresh = [one for one in seen if one.stage in KIND_OF and one.at is not None and at - FRESH <= one.at]
    if not fresh:
        return 0
    values = get_settings(*(one.key for one in AUTO_NOTICES.values()))
    wanted = [one for one in fresh if values[AUTO_NOTICES[KIND_OF[one.stage]].key]]
    if not wanted:
        return 0
    boxes = Among("subject_id", {one.parcel.pk for one in wanted})
    known = event_model().objects.filter(boxes, subject="parcel", kind=events.PARCEL_NEWS_TOLD.code)
    told = set(known.values_list("subject_id", "data__notice"))
    count = 0
    for kind in AUTO_NOTICES:
        mine = [one.parcel for one in wanted if KIND_OF[one.stage] == kind and (one.parcel.pk, kind.value) not in told]
        if mine:
            _note_news(mine, kind, at=at)
        count += len(mine)
    return count


def _note_news(boxes: Sequence[Parcel], kind: NoticeKind, *, at: datetime) -> None:
    """An event of each box: the versions of shipments stay, so that a courier's news makes no screen stale."""
    for box in boxes:
        box.version += 1
    update_rows(boxes, ["version"])
    said = sentence_of(kind)
    data = {box.pk: {"notice": kind.value, "text": said, "shipment": box.shipment_id} for box in boxes}
    changes = Outcome(changes=[Change(box, box.state, box.state, box.version) for box in boxes])
    facts: dict[str, Any] = {"source": Source.COURIER, "reason": _words(kind, said)}
    record(changes, events.PARCEL_NEWS_TOLD, at=at, data=data, **facts)
