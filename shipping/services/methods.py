"""배송방법 변경: how a shipment that waits will leave the house instead (shipping.md 5.4, 7)."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.lookups import Among
from core.models import Job
from core.state import Change, Outcome, is_preview
from orders import events as orders_events
from orders.models import OrderLine
from orders.services import before, changes, locks
from orders.states import CLOSED
from shipping.models import Shipment, ShipmentStep, WaybillDraft
from shipping.models.parcel import LIVE
from shipping.services.issuing.issue import withdraw
from shipping.services.numbers import pool
from shipping.services.refusals import NOT_FOUND, NUMBERED, not_ready
from shipping.services.shipments import Locked, locked_whole
from shipping.states import DeliveryMethod

LEFT = "이미 출고한 배송건입니다. 배송취소로 배송준비중에 되돌리고, 송장번호가 있으면 삭제한 뒤 바꾸세요."
SAME = "이미 같은 배송방법입니다."
CHANGED = "배송방법을 바꿔 발급을 취소했습니다."


def change_method(
    *,
    shipment_ids: Collection[int],
    method: DeliveryMethod,
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
    reason: str = "",
) -> Outcome:
    """배송방법 변경: shipments in 배송준비중 without a live number leave in another way, with all their lines.

    The outcome is about shipments: `refused` by shipment id, `changes` of the shipments and of their lines. What was
    typed into the cell of a number goes: the new way may need none.
    """
    with locked_whole(shipment_ids, actor=actor) as rows:
        refused = _refusals(shipment_ids, rows, method)
        good = [rows.shipments[pk] for pk in sorted(rows.shipments) if pk not in refused]
        outcome = Outcome(possible=[*good], refused=refused)
        line_ids = [pk for one in good for pk in rows.lines_of[one.pk] if rows.lines[pk].state not in CLOSED]
        versions = {one.pk: one.version for one in good}
        facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch, "source": source, "reason": reason}
        moved = changes.change_method(line_ids=line_ids, method=method, held=rows.lines, **facts)
        changed = rows.shipments_of(moved.moved)
        Shipment.objects.filter(Among("pk", changed)).update(method=method)
        _withdraw_numbers(changed, at=at)
        WaybillDraft.objects.filter(Among("shipment_id", changed)).delete()
        # The roll-up of the lines has added one to the version of their shipment.
        outcome.changes = [Change(one, "", "", versions[one.pk] + 1) for one in good if one.pk in changed]
        outcome.changes += moved.changes
    return outcome


def _withdraw_numbers(shipment_ids: Collection[int], *, at: datetime) -> None:
    """발급 거두기: a number that is on its way was asked for by the way before; its courier may not fit the new one."""
    if is_preview() or not (waiting := pool.open_numbers(shipment_ids)):
        return
    withdraw(waiting.values(), at=at, error=CHANGED)
    Shipment.objects.filter(Among("pk", waiting)).update(issuing="")


def refused_now(shipment_ids: Collection[int]) -> dict[int, str]:
    """배송방법을 바꿀 수 없는 이유 whatever the new one is; for the preview of a person who has not chosen it yet."""
    with locked_whole(shipment_ids) as rows:
        return _refusals(shipment_ids, rows, None)


def _refusals(shipment_ids: Collection[int], rows: Locked, method: DeliveryMethod | None) -> dict[int, str]:
    gone = set(shipment_ids) - rows.shipments.keys()
    refused = dict.fromkeys(gone, NOT_FOUND) | not_ready(gone)
    waits_not = [pk for pk, one in rows.shipments.items() if one.step != ShipmentStep.READY]
    refused |= not_ready(waits_not)
    refused |= {pk: LEFT for pk in waits_not if rows.shipments[pk].step == ShipmentStep.SHIPPING}
    for pk, one in rows.shipments.items():
        if pk in refused:
            continue
        if any(parcel.state in LIVE for parcel in rows.parcels_of.get(pk, [])):
            refused[pk] = NUMBERED
        elif one.method == method:
            refused[pk] = SAME
    return refused


def change_back(*, shipment_ids: Collection[int], actor: Any, at: datetime, batch: Job, reason: str) -> Outcome:
    """배송방법 변경 되돌리기: the shipments of the undone batch leave in the way that they had before it."""
    with locked_whole(shipment_ids, actor=actor) as rows:
        ids = list(rows.lines)
        known = before.of_undone(batch, orders_events.LINE_METHOD_CHANGED, model=OrderLine, ids=ids)
        by_method: dict[str, set[int]] = defaultdict(set)
        for line_id, facts in known.items():
            by_method[facts["delivery_method"]].add(rows.shipment_of_line[line_id])
        outcome = Outcome()
        for method, mine in sorted(by_method.items()):
            outcome.merge(
                change_method(
                    shipment_ids=mine, method=DeliveryMethod(method), actor=actor, at=at, batch=batch, reason=reason
                )
            )
    return outcome


def hold_shipments(
    *, shipment_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None, source: str = ""
) -> Outcome:
    """배송보류 of whole shipments in 배송준비중; the outcome is about shipments, with the changes of their lines."""
    with locked_whole(shipment_ids, actor=actor) as rows:
        gone = set(shipment_ids) - rows.shipments.keys()
        refused = dict.fromkeys(gone, NOT_FOUND) | not_ready(gone)
        refused |= not_ready([pk for pk, one in rows.shipments.items() if one.step != ShipmentStep.READY])
        good = [one for pk, one in sorted(rows.shipments.items()) if pk not in refused]
        line_ids = [pk for one in good for pk in rows.lines_of[one.pk] if rows.lines[pk].state not in CLOSED]
        versions = {one.pk: one.version for one in good}
        done = locks.hold(line_ids=line_ids, actor=actor, at=at, reason=reason, batch=batch, source=source)
        owner = rows.shipment_of_line
        held = {owner[line.pk] for line in done.possible}
        refused |= {owner[pk]: text for pk, text in done.refused.items() if pk in owner and owner[pk] not in held}
        outcome = Outcome(possible=[one for one in good if one.pk in held], refused=refused)
        if done.changes:
            outcome.changes = [Change(one, "", "", versions[one.pk] + 1) for one in outcome.possible]
            outcome.changes += done.changes
    return outcome


def release_shipments(*, shipment_ids: Collection[int], actor: Any, at: datetime, batch: Job | None) -> Outcome:
    """배송보류 되돌리기 of whole shipments: the outcome is about shipments, and holds the changes of their lines."""
    with locked_whole(shipment_ids, actor=actor) as rows:
        versions = {pk: one.version for pk, one in rows.shipments.items()}
        done = locks.release_hold(line_ids=sorted(rows.lines), actor=actor, at=at, batch=batch)
        owner = rows.shipment_of_line
        free = {owner[line.pk] for line in done.possible}
        outcome = Outcome(possible=[rows.shipments[pk] for pk in sorted(free)])
        left = {owner[pk]: text for pk, text in done.refused.items() if pk in owner}
        outcome.refused = {pk: text for pk, text in left.items() if pk not in free}
        if done.changes:
            outcome.changes = [Change(one, "", "", versions[one.pk] + 1) for one in outcome.possible]
            outcome.changes += done.changes
    return outcome
