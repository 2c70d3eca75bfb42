"""합포장: shipments of one receiver become one, under the 배송번호 of the earliest order; and apart again.

The orders, their lines and their stock stay as they are: only in which shipment a line lies changes. An emptied
shipment is closed and points to where its lines went. Source: domain.md 3.5, A08.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from core.events import event_model, record
from core.lookups import Among, id_array
from core.models import Job
from core.state import Change, Outcome, is_preview
from orders.states import LOCK_BIT, LineState, LockKind, blocking
from shipping import events
from shipping.models import Shipment, ShipmentLine, ShipmentStep, WaybillDraft
from shipping.models.parcel import LIVE
from shipping.rollup import roll_up_shipments
from shipping.services.merges.keys import merge_keys
from shipping.services.refusals import NOT_FOUND, NUMBERED, not_ready
from shipping.services.shipments import Locked, lines_of, locked_shipments, locked_whole

ALONE = "받는 분·연락처·주소·배송방법이 모두 같은 배송건이 선택에 더 없습니다."
TYPED = "입력한 송장번호를 아직 등록하지 않았습니다. 입력한 번호를 지운 뒤 합포장하세요."
MERGED_TWICE = "이미 여러 주문을 합포장한 배송건입니다. 합포장을 풀고 다시 묶으세요."
HELD = "배송보류 중입니다. 보류를 해제한 뒤 합포장하세요."
NOT_MERGED = "합포장한 배송건이 아닙니다."
ANOTHER = "함께 합포장한 다른 배송건이 그 사이 바뀌었습니다."
SEVERAL_NOTES = "several_notes"
"""Sum of the outcome: merged shipments whose orders have different 배송메시지; both are printed."""


def merge_shipments(
    *, shipment_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """합포장: of these shipments, those with the same receiver, door and method become one each.

    Only what waits without a number and is not held. All lines join the 배송번호 of the earliest order; stock is not
    touched. The outcome is about shipments, emptied and filled ones alike; `sums` counts SEVERAL_NOTES.
    """
    with locked_whole(shipment_ids, actor=actor) as rows:
        outcome = Outcome(refused=_refusals(shipment_ids, rows))
        good = {pk: one for pk, one in rows.shipments.items() if pk not in outcome.refused}
        groups: dict[tuple[Any, ...], list[Shipment]] = defaultdict(list)
        orders = {line.order_id: line.order for line in rows.lines.values()}
        for pk, key in merge_keys(good).items():
            groups[key].append(good[pk])
        filled = _already_filled(good)
        for group in groups.values():
            # The earliest order first: what is merged keeps its number.
            group.sort(key=lambda one: (orders[one.order_id].ordered_at, one.order_id, one.seq))
            emptied = [one for one in group[1:] if one.pk not in filled]
            outcome.refused |= {one.pk: MERGED_TWICE for one in group[1:] if one.pk in filled}
            if not emptied:
                outcome.refused |= {one.pk: ALONE for one in group if one.pk not in outcome.refused}
                continue
            outcome.possible += [group[0], *emptied]
            notes = {orders[one.order_id].delivery_note.strip() for one in (group[0], *emptied)}
            outcome.sums[SEVERAL_NOTES] += len(notes - {""}) > 1
            if not is_preview():
                changes = _join(group[0], emptied, rows)
                _tell(changes, events.SHIPMENT_MERGED, into=group[0], at=at, actor=actor, batch=batch, source=source)
                outcome.changes += changes
    return outcome


def _refusals(shipment_ids: Collection[int], rows: Locked) -> dict[int, str]:
    gone = set(shipment_ids) - rows.shipments.keys()
    refused = dict.fromkeys(gone, NOT_FOUND) | not_ready(gone)
    refused |= not_ready([pk for pk, one in rows.shipments.items() if one.step != ShipmentStep.READY])
    typed = WaybillDraft.objects.filter(Among("shipment_id", rows.shipments)).exclude(text="")
    refused |= dict.fromkeys(typed.values_list("pk", flat=True), TYPED)
    for pk in rows.shipments:
        if pk not in refused and (text := _why_not(rows, pk)):
            refused[pk] = text
    return refused


def _why_not(rows: Locked, shipment_id: int) -> str:
    if any(parcel.state in LIVE for parcel in rows.parcels_of.get(shipment_id, [])):
        return NUMBERED
    for pk in rows.lines_of[shipment_id]:
        line = rows.lines[pk]
        if line.open_locks & LOCK_BIT[LockKind.HOLD]:
            return HELD
        lock = blocking(line.open_locks, "register_waybill") if line.state == LineState.READY else None
        if lock:
            return f"{lock.label} 때문에 합포장할 수 없습니다. 먼저 확인하세요."
    return ""


def _already_filled(shipments: Collection[int]) -> set[int]:
    """Shipments that hold the lines of others already."""
    live = ShipmentLine.objects.filter(Among("shipment_id", shipments), is_live=True)
    held = live.values_list("shipment_id", "shipment__order_id", "line__order_id")
    return {pk for pk, own, of_line in held if own != of_line}


def _join(first: Shipment, emptied: list[Shipment], rows: Locked) -> list[Change]:
    """Move the lines, close what is empty; the first shipment's summary follows."""
    line_ids = [pk for one in emptied for pk in rows.lines_of[one.pk]]
    ids = [one.pk for one in emptied]
    ShipmentLine.objects.filter(Among("line_id", line_ids), is_live=True).update(is_live=False)
    ShipmentLine.objects.bulk_create(ShipmentLine(shipment=first, line_id=pk) for pk in line_ids)
    WaybillDraft.objects.filter(Among("shipment_id", ids)).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE shipping_shipment SET step = 'CLOSED', line_count = 0, merged_into_id = %s, version = version + 1"
            " WHERE id = ANY(%s::bigint[])",
            [first.pk, id_array(ids)],
        )
    roll_up_shipments([first.pk])
    return [Change(one, "", "", one.version + 1) for one in (first, *emptied)]


def _tell(changes: Collection[Change], kind: Any, *, into: Shipment, **facts: Any) -> None:
    """이력 of each order: under which number its lines travel, or travelled, and with whom."""
    numbers = [change.row.number for change in changes]
    data = {change.row.pk: {"into": into.number, "shipments": numbers} for change in changes}
    record(Outcome(changes=list(changes)), kind, data=data, **facts)


def unmerge(
    *,
    shipment_ids: Collection[int],
    actor: Any,
    at: datetime,
    batch: Job | None = None,
    source: str = "",
    only: Collection[int] | None = None,
) -> Outcome:
    """합포장 풀기: merged shipments without a number get apart; every line returns to the 배송번호 it had.

    `shipment_ids` are those that hold the lines now; `only` takes back just these emptied ones. A line that has left
    배송준비중 since stays away. The outcome is about the shipments asked for, and holds the changes of those emptied.
    """
    with transaction.atomic():
        emptied = _emptied(shipment_ids, only)
        own = ShipmentLine.objects.filter(Among("shipment_id", [one.pk for one in emptied]), is_live=False)
        line_ids = {*lines_of(shipment_ids), *own.values_list("line_id", flat=True)}
        with locked_shipments(sorted(line_ids), actor=actor) as rows:
            # Read again under the locks: somebody may have been faster.
            closed = {one.pk: one for one in Shipment.objects.select_for_update().filter(
                Among("pk", [one.pk for one in emptied]), Among("merged_into_id", shipment_ids)
            ).order_by("pk")}  # fmt: skip
            outcome = Outcome()
            for pk in sorted(shipment_ids):
                mine = [one for one in closed.values() if one.merged_into_id == pk]
                reason = _why_whole(rows, pk, mine)
                if reason:
                    outcome.refused[pk] = reason
                    continue
                first = rows.shipments[pk]
                outcome.possible.append(first)
                if not is_preview():
                    changes = _part(first, mine, rows)
                    _tell(changes, events.SHIPMENT_UNMERGED, into=first, at=at, actor=actor, batch=batch, source=source)
                    outcome.changes += changes
    return outcome


def _emptied(shipment_ids: Collection[int], only: Collection[int] | None) -> list[Shipment]:
    """Shipments that were merged into these; found by the orders whose lines these hold, or had held."""
    items = ShipmentLine.objects.filter(Among("shipment_id", shipment_ids))
    orders = set(items.values_list("line__order_id", flat=True))
    found = Shipment.objects.filter(Among("order_id", orders), Among("merged_into_id", shipment_ids))
    return [one for one in found if only is None or one.pk in only]


def _why_whole(rows: Locked, shipment_id: int, emptied: Collection[Shipment]) -> str:
    first = rows.shipments.get(shipment_id)
    if first is None or not emptied:
        return NOT_MERGED
    if first.step != ShipmentStep.READY:
        return not_ready([shipment_id]).get(shipment_id, NOT_FOUND)
    if any(parcel.state in LIVE for parcel in rows.parcels_of.get(shipment_id, [])):
        return NUMBERED
    if WaybillDraft.objects.filter(shipment=first).exclude(text="").exists():
        return TYPED.replace("합포장하세요", "푸세요")
    return ""


def _part(first: Shipment, emptied: Collection[Shipment], rows: Locked) -> list[Change]:
    """Each line back into the last of the emptied shipments that held it."""
    inside = rows.lines_of[first.pk]
    old = ShipmentLine.objects.filter(
        Among("line_id", inside), Among("shipment_id", [one.pk for one in emptied]), is_live=False
    )
    home = {item.line_id: item for item in old.order_by("pk")}
    ShipmentLine.objects.filter(Among("line_id", home), shipment=first, is_live=True).delete()
    ShipmentLine.objects.filter(pk__in=[item.pk for item in home.values()]).update(is_live=True)
    back = {item.shipment_id for item in home.values()}
    Shipment.objects.filter(pk__in=[one.pk for one in emptied]).update(merged_into=None)
    roll_up_shipments([first.pk, *back])
    # One whose lines have all gone elsewhere stays closed.
    return [Change(one, "", "", one.version + 1) for one in (first, *emptied) if one.pk == first.pk or one.pk in back]


def undo_merge(*, shipment_ids: Collection[int], actor: Any, at: datetime, batch: Job | None) -> Outcome:
    """합포장 되돌리기: what the undone batch made one gets apart again; the outcome is about all these shipments."""
    pairs = merged_by(batch, shipment_ids)
    facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch}
    outcome = Outcome(refused=dict.fromkeys(set(shipment_ids) - pairs.keys() - set(pairs.values()), NOT_MERGED))
    whole = set(pairs.values())
    missing = {pk: first for pk, first in pairs.items() if pk not in shipment_ids}
    for first in set(missing.values()):
        # Part of it has changed since: the rest stays as it is.
        members = {first, *(pk for pk, into in pairs.items() if into == first)}
        outcome.refused |= dict.fromkeys(members & set(shipment_ids), ANOTHER)
        whole.discard(first)
    done = unmerge(shipment_ids=whole, only=[pk for pk in pairs if pairs[pk] in whole], **facts)
    for first, reason in done.refused.items():
        members = {first, *(pk for pk, into in pairs.items() if into == first)}
        outcome.refused |= dict.fromkeys(members & set(shipment_ids), reason)
    firsts = {one.pk for one in done.possible}
    emptied = Shipment.objects.filter(pk__in=[pk for pk, into in pairs.items() if into in firsts])
    outcome.possible = [*done.possible, *emptied]
    outcome.changes = done.changes
    return outcome


def merged_by(batch: Job | None, shipment_ids: Collection[int]) -> dict[int, int]:
    """그 처리의 합포장: emptied shipment -> the one that holds its lines, of those that the undone batch merged."""
    if batch is None or batch.undoes_id is None:
        return {}
    mine = event_model().objects.filter(batch_id=batch.undoes_id, kind=events.SHIPMENT_MERGED.code)
    ids = mine.values_list("subject_id", flat=True)
    pairs = Shipment.objects.filter(pk__in=list(ids), merged_into__isnull=False).values_list("pk", "merged_into_id")
    asked = set(shipment_ids)
    return {pk: into for pk, into in pairs if pk in asked or into in asked}


def holders(shipment_ids: Iterable[int]) -> Mapping[int, int]:
    """담긴 곳: for each emptied shipment among these the one that holds its lines; one query."""
    found = Shipment.objects.filter(Among("pk", shipment_ids), merged_into__isnull=False)
    return {pk: into for pk, into in found.values_list("pk", "merged_into_id") if into is not None}
