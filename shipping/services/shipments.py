"""배송건: created by 배송준비중 처리, sent by 배송중 처리, taken back, delivered by hand.

Each service opens one transaction, locks orders, lines, shipments, parcels in this order, lets the orders app move the
lines and follows with its own rows. Source: domain.md T7, T8, T11 to T14; architecture.md 3.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from core.events import record
from core.locks import locked_by
from core.lookups import Among, id_array
from core.models import Job
from core.numbering import shipment_number
from core.state import Outcome, explain, move
from orders import events as orders_events
from orders.models import OrderLine
from orders.services import before, progress
from orders.services.locking import locked_lines
from orders.services.locks import release_lock
from orders.states import CLOSED, LOCK_BIT, DeliveredBy, LockKind
from shipping import events
from shipping.models import Parcel, Shipment, ShipmentLine, ShipmentStep, WaybillDraft
from shipping.models.parcel import LIVE
from shipping.rollup import NewShipment, close_empty, create_shipments, roll_up_shipments, shipments_of_lines
from shipping.services import riders
from shipping.services.polling import polls
from shipping.states import DeliveryMethod, ParcelState

BOX_WAITS = "송장번호를 기다리는 상자가 있어 보낼 수 없습니다. 번호가 온 뒤 보내거나 송장을 삭제하고 다시 발급하세요."
BY_CODE_OR_NAME = "방문수령은 '수령 확인'으로 끝냅니다. 고객의 수령 코드나 받은 사람의 이름을 확인하세요."
TORN = "방금 다른 직원이 합포장한 배송건입니다. 목록을 새로 고친 뒤 다시 시도하세요."
TYPED_OVER = "입력한 송장번호를 아직 등록하지 않아 보낼 수 없습니다. 송장 등록을 먼저 하거나, 입력한 번호를 지우세요."


@dataclass(frozen=True, slots=True)
class Fields:
    """Columns of lines and shipments that a service looks at (`core.locks.locked_by`); empty means all."""

    lines: tuple[str, ...] = ()
    shipments: tuple[str, ...] = ()


WHOLE = Fields()


@dataclass
class Locked:
    """Rows of some shipments, locked in the lock order: live lines by shipment, shipments by id, live parcels."""

    shipments: dict[int, Shipment] = field(default_factory=dict)
    lines: dict[int, OrderLine] = field(default_factory=dict)
    shipment_of_line: dict[int, int] = field(default_factory=dict)
    parcels: list[Parcel] = field(default_factory=list)

    @cached_property
    def lines_of(self) -> dict[int, list[int]]:
        """Line ids of each shipment, ascending."""
        found: dict[int, list[int]] = defaultdict(list)
        for line_id, shipment_id in sorted(self.shipment_of_line.items()):
            found[shipment_id].append(line_id)
        return found

    @cached_property
    def parcels_of(self) -> dict[int, list[Parcel]]:
        """Live and ended parcels of each shipment without the void ones."""
        found: dict[int, list[Parcel]] = defaultdict(list)
        for parcel in self.parcels:
            found[parcel.shipment_id].append(parcel)
        return found

    @property
    def foreign(self) -> set[tuple[int, int, int]]:
        """합포: (shipment, its order, order of a line) for the open lines that lie in another order's shipment."""
        own = {pk: shipment.order_id for pk, shipment in self.shipments.items()}
        return {
            (shipment_id, own[shipment_id], line.order_id)
            for pk, shipment_id in self.shipment_of_line.items()
            if (line := self.lines[pk]).order_id != own[shipment_id] and line.state not in CLOSED
        }

    @cached_property
    def torn(self) -> set[int]:
        """갈라진 배송건: those that a merge filled or emptied while these locks were waited for; lines are missing."""
        count = Counter(pk for line, pk in self.shipment_of_line.items() if self.lines[line].state not in CLOSED)
        return {pk for pk, one in self.shipments.items() if one.line_count != count[pk]}

    def leaving(self, shipment_ids: Collection[int]) -> "Locked":
        """Some of the shipments as they may leave now: open lines only, with the parcels that were written since."""
        shipments = {pk: self.shipments[pk] for pk in shipment_ids}
        mine = (self.lines[line_id] for pk in shipment_ids for line_id in self.lines_of[pk])
        lines = {line.pk: line for line in mine if line.state not in CLOSED}
        return Locked(shipments, lines, {pk: self.shipment_of_line[pk] for pk in lines}, _parcels_of(shipments))

    def shipments_of(self, lines: Iterable[OrderLine]) -> set[int]:
        """Ids of the shipments that hold the lines."""
        return {self.shipment_of_line[line.pk] for line in lines if line.pk in self.shipment_of_line}


@contextmanager
def locked_shipments(
    line_ids: Collection[int], *, actor: Any = None, order_ids: Collection[int] | None = None, fields: Fields = WHOLE
) -> Iterator[Locked]:
    """The lines asked for with their live shipments and parcels. Raises LockTimeout like `locked_lines`."""
    with locked_lines(line_ids, actor=actor, order_ids=order_ids, fields=fields.lines) as lines:
        shipment_of_line = shipments_of_lines(line_ids)
        shipments = {s.pk: s for s in locked_by(Shipment, set(shipment_of_line.values()), fields=fields.shipments)}
        yield Locked(shipments, {line.pk: line for line in lines}, shipment_of_line, _parcels_of(shipments))


def _parcels_of(shipments: Mapping[int, Shipment]) -> list[Parcel]:
    parcels = locked_by(Parcel, shipments, key="shipment_id", only=_NOT_VOID, fields=_OF_PARCELS)
    for parcel in parcels:
        parcel.shipment = shipments[parcel.shipment_id]
    return parcels


def lines_of(shipment_ids: Collection[int]) -> list[int]:
    """Ids of the live lines of these shipments."""
    items = ShipmentLine.objects.filter(Among("shipment_id", shipment_ids), is_live=True)
    return list(items.order_by("line_id").values_list("line_id", flat=True))


_OF_PARCELS = tuple(field.attname for field in Parcel._meta.concrete_fields if field.attname != "routing")
_NOT_VOID = f"state <> '{ParcelState.VOID.value}'"
_ORDERS = """
SELECT i.line_id, l.order_id FROM shipping_shipmentline i JOIN orders_orderline l ON l.id = i.line_id
WHERE i.shipment_id = ANY(%s::bigint[]) AND i.is_live
"""


@contextmanager
def locked_whole(shipment_ids: Collection[int], *, actor: Any = None, fields: Fields = WHOLE) -> Iterator[Locked]:
    """The live lines of these shipments, locked with them like `locked_shipments`."""
    with connection.cursor() as cursor:
        cursor.execute(_ORDERS, [id_array(shipment_ids)])
        order_of = dict(cursor.fetchall())
    order_ids = set(order_of.values())
    with locked_shipments(sorted(order_of), actor=actor, order_ids=order_ids, fields=fields) as rows:
        yield rows


def make_ready(
    *, line_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = ""
) -> Outcome:
    """배송준비중 처리: move the lines and give each order's new ones one 배송번호. Source: domain.md T7, 3.5."""
    with transaction.atomic():
        outcome = progress.make_ready(line_ids=line_ids, actor=actor, at=at, batch=batch, source=source)
        by_order: dict[int, list[OrderLine]] = defaultdict(list)
        for line in outcome.moved:
            by_order[line.order_id].append(line)
        create_shipments_of(by_order)
    return outcome


def create_shipments_of(by_order: dict[int, list[OrderLine]]) -> None:
    """새 배송건: one per order and delivery method for lines just moved; suffixes go on from the highest ever used."""
    if not by_order:
        return
    known = Shipment.objects.filter(Among("order_id", by_order)).values("order_id")
    used = dict(known.annotate(n=Max("seq")).values_list("order_id", "n"))
    fresh = []
    for order_id, lines in sorted(by_order.items()):
        for method in sorted({line.delivery_method for line in lines}):
            seq = used.get(order_id, -1) + 1
            used[order_id] = seq
            number = shipment_number(lines[0].order.number, seq)
            mine = [line.pk for line in lines if line.delivery_method == method]
            fresh.append(NewShipment(number, order_id, seq, method, mine))
    create_shipments(fresh)


def return_to_preparing(
    *, line_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = "", reason: str = ""
) -> Outcome:
    """상품준비중으로: the lines leave their shipment, which is closed when it is empty; its number is never reused."""
    with locked_shipments(line_ids, actor=actor) as rows:
        outcome = progress.return_to_preparing(
            line_ids=line_ids, actor=actor, at=at, batch=batch, source=source, reason=reason
        )
        ShipmentLine.objects.filter(Among("line_id", outcome.moved_ids), is_live=True).update(is_live=False)
        left = rows.shipments_of(outcome.moved)
        roll_up_shipments(left)
        close_empty(left)
    return outcome


def ship(*, line_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = "") -> Outcome:
    """배송중 처리: a shipment leaves with all its lines and parcels, or not at all. Source: domain.md T11.

    When one line of a shipment is refused the others are too, with the reason of the first: a shipment travels whole.
    It does not leave under a number over which somebody typed another one (ux.md 3.2).
    As the undo of 배송취소 it had left when it left before, so that nobody is told a second time.
    """
    line_ids = lines_of_whole_shipments(line_ids)
    put_back = before.of_undone(batch, orders_events.LINE_UNSHIPPED, model=OrderLine, ids=line_ids)
    facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch, "source": source}
    with locked_shipments(line_ids, actor=actor) as rows:
        return ship_locked(rows, line_ids=line_ids, put_back=put_back, **facts)


def ship_locked(
    rows: Locked, *, line_ids: Collection[int], put_back: Mapping[int, before.Facts] | None = None, actor: Any,
    at: datetime, **facts: Any,
) -> Outcome:  # fmt: skip
    """배송중 처리 of locked whole shipments; `put_back` as in `progress.ship`, `facts` are batch and source."""
    facts |= {"actor": actor, "at": at}
    refused = _typed_over(rows) | _unnumbered(rows) | _refusals_by_shipment(rows, OrderLine.ship)
    refused |= {line: TORN for pk in rows.torn for line in rows.lines_of[pk]}
    good = [pk for pk in line_ids if pk not in refused]
    outcome = progress.ship(line_ids=good, held=rows.lines, put_back=put_back, **facts)
    outcome.refused |= refused
    shipped = rows.shipments_of(outcome.moved)
    parcels = [p for p in rows.parcels if p.shipment_id in shipped and p.state in LIVE]
    handed = move([p for p in parcels if p.state != ParcelState.HANDED_OVER], Parcel.hand_over, at=at)
    record(handed, events.PARCEL_HANDED_OVER, **facts)
    _keep_recipients(shipped)
    leaving = [rows.shipments[pk] for pk in sorted(shipped)]
    riders.begin(leaving, actor=actor)
    if not put_back:
        riders.renew(leaving, at=at)
    polls.start(parcels=handed.moved, at=at)
    _deliver_at_once(rows, outcome, **facts)
    return outcome


def _deliver_at_once(rows: Locked, outcome: Outcome, **facts: Any) -> None:
    """배송없음 (a ticket, a service) has nothing to travel: what leaves has arrived (shipping.md 7)."""
    none = {pk for pk, one in rows.shipments.items() if one.method == DeliveryMethod.NONE}
    mine = [line.pk for line in outcome.moved if rows.shipment_of_line[line.pk] in none]
    if mine:
        facts |= {"by": DeliveredBy.DISPATCH, "reason": DeliveredBy.DISPATCH.label}
        arrived = progress.deliver(delivered_at=dict.fromkeys(mine, facts["at"]), **facts)
        # A second change of the same lines: 되돌리기 asks for the version that the last one made.
        outcome.changes += arrived.changes


def _unnumbered(rows: Locked) -> dict[int, str]:
    """Lines of shipments with a further box that has no number yet: it would stay behind."""
    waits = {parcel.shipment_id for parcel in rows.parcels if parcel.state == ParcelState.CREATED}
    return {line: BOX_WAITS for pk in waits for line in rows.lines_of[pk]}


def _typed_over(rows: Locked) -> dict[int, str]:
    """Lines of shipments whose 임시 송장 is not the number that is registered: nobody meant to send that one."""
    drafts = WaybillDraft.objects.filter(Among("shipment_id", rows.shipments)).exclude(text="")
    refused: dict[int, str] = {}
    for pk, courier, text in drafts.values_list("shipment_id", "courier", "text"):
        live = {(parcel.courier, parcel.waybill) for parcel in rows.parcels_of.get(pk, []) if parcel.state in LIVE}
        if live and (courier, text) not in live:
            refused |= dict.fromkeys(rows.lines_of[pk], TYPED_OVER)
    return refused


def lines_of_whole_shipments(line_ids: Collection[int]) -> list[int]:
    """The lines asked for and the others of the same live shipments, without those that are canceled or returned."""
    shipments = ShipmentLine.objects.filter(Among("line_id", line_ids), is_live=True).values("shipment_id")
    whole = ShipmentLine.objects.filter(shipment__in=shipments, is_live=True).exclude(line__state__in=CLOSED)
    return sorted({*line_ids, *whole.values_list("line_id", flat=True)})


def _refusals_by_shipment(rows: Locked, method: Any) -> dict[int, str]:
    refused: dict[int, str] = {}
    for mine in rows.lines_of.values():
        reason = next((text for pk in mine if (text := explain(rows.lines[pk], method))), None)
        if reason:
            refused |= dict.fromkeys(mine, reason)
    return refused


def _keep_recipients(shipment_ids: Collection[int]) -> None:
    """Write down where each shipment was sent, as the order says at this moment."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE shipping_shipment s SET recipient_name = o.recipient_name, recipient_phone = o.recipient_phone,"
            " zip_code = o.zip_code, address = trim(o.address1 || ' ' || o.address2), jibun_address = o.jibun_address"
            " FROM orders_order o WHERE o.id = s.order_id AND s.id = ANY(%s)",
            [sorted(shipment_ids)],
        )


def unship(
    *, line_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None, source: str = ""
) -> Outcome:
    """배송취소: the whole shipment comes back while the courier has not scanned it (domain.md T12)."""
    line_ids = lines_of_whole_shipments(line_ids)
    with locked_shipments(line_ids, actor=actor) as rows:
        refused = _refusals_by_shipment(rows, OrderLine.unship)
        good = [pk for pk in line_ids if pk not in refused]
        outcome = progress.unship(line_ids=good, actor=actor, at=at, reason=reason, batch=batch, source=source)
        outcome.refused |= refused
        back = rows.shipments_of(outcome.moved)
        parcels = [p for p in rows.parcels if p.shipment_id in back and p.state == ParcelState.HANDED_OVER]
        taken = move(parcels, Parcel.take_back, at=at)
        record(taken, events.PARCEL_TAKEN_BACK, at=at, actor=actor, batch=batch, source=source, reason=reason)
        polls.stop(parcels=taken.moved)
    return outcome


def deliver_by_hand(
    *, line_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None, source: str = ""
) -> Outcome:
    """배송완료 처리 by staff, with a reason (domain.md T13); never of 방문수령, whose proof is a code or a name.

    Source: shipping.md 7.
    """
    line_ids = lines_of_whole_shipments(line_ids)
    with locked_shipments(line_ids, actor=actor) as rows:
        waits = [
            pk
            for pk, one in rows.shipments.items()
            if one.method == DeliveryMethod.VISIT and one.step == ShipmentStep.SHIPPING
        ]
        refused = {line: BY_CODE_OR_NAME for pk in waits for line in rows.lines_of[pk]}
        facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch, "source": source, "reason": reason}
        good = [pk for pk in line_ids if pk not in refused]
        outcome = deliver_locked(rows, line_ids=good, by=DeliveredBy.STAFF, **facts)
        outcome.refused |= refused
    return outcome


def deliver_locked(rows: Locked, *, line_ids: Collection[int], by: DeliveredBy, at: datetime, **facts: Any) -> Outcome:
    """배송완료 of locked whole shipments by another proof than a courier's word; their boxes are asked about no more.

    `facts` are actor, batch, source and reason of the events.
    """
    outcome = progress.deliver(delivered_at=dict.fromkeys(line_ids, at), by=by, at=at, **facts)
    done = rows.shipments_of(outcome.moved)
    parcels = [p for p in rows.parcels if p.shipment_id in done and p.state == ParcelState.HANDED_OVER]
    delivered = move(parcels, Parcel.deliver, at=at, delivered_at=at)
    record(delivered, events.PARCEL_DELIVERED, at=at, **facts)
    polls.stop(parcels=delivered.moved)
    return outcome


def deliver_again(
    *, line_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """배송완료 취소 되돌리기: the whole shipment has arrived again, when and by whose word it had before (T14)."""
    line_ids = lines_of_whole_shipments(line_ids)
    with locked_shipments(line_ids, actor=actor) as rows:
        refused = _refusals_by_shipment(rows, OrderLine.deliver)
        good = [pk for pk in line_ids if pk not in refused]
        put_back = before.of_undone(batch, orders_events.LINE_UNDELIVERED, model=OrderLine, ids=good)
        facts: dict[str, Any] = {"actor": actor, "at": at, "batch": batch, "reason": reason}
        delivered_at = dict.fromkeys(good, at)
        outcome = progress.deliver(delivered_at=delivered_at, by=DeliveredBy.STAFF, put_back=put_back, **facts)
        outcome.refused |= refused
        done = rows.shipments_of(outcome.moved)
        parcels = [p for p in rows.parcels if p.shipment_id in done and p.state == ParcelState.HANDED_OVER]
        ids = [parcel.pk for parcel in parcels]
        known = before.of_undone(batch, events.PARCEL_UNDELIVERED, model=Parcel, ids=ids)
        moments = {pk: {"delivered_at": known.get(pk, {}).get("delivered_at") or at} for pk in ids}
        arrived = move(parcels, Parcel.deliver_again, at=at, per_row=moments)
        record(arrived, events.PARCEL_DELIVERED, **facts)
        polls.stop(parcels=arrived.moved)
    return outcome


def undeliver(
    *, line_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None, source: str = ""
) -> Outcome:
    """배송완료 취소: the whole shipment goes back to 배송중 and its parcels are asked about again (domain.md T14).

    What the courier had told about the delivery does not count any more; a later delivery does.
    """
    line_ids = lines_of_whole_shipments(line_ids)
    with locked_shipments(line_ids, actor=actor) as rows:
        refused = _refusals_by_shipment(rows, OrderLine.undeliver)
        good = [pk for pk in line_ids if pk not in refused]
        outcome = progress.undeliver(line_ids=good, actor=actor, at=at, reason=reason, batch=batch, source=source)
        outcome.refused |= refused
        back = rows.shipments_of(outcome.moved)
        parcels = [p for p in rows.parcels if p.shipment_id in back and p.state == ParcelState.DELIVERED]
        facts = before.kept(parcels, "delivered_at")
        undone = move(parcels, Parcel.undeliver, at=at)
        # Nobody doubts a delivery any more that was taken back.
        doubted = [line.pk for line in outcome.moved if line.open_locks & LOCK_BIT[LockKind.DELIVERY]]
        if doubted:
            release_lock(line_ids=doubted, kind=LockKind.DELIVERY, actor=actor, at=at, reason=reason[:150], batch=batch)
        record(
            undone, events.PARCEL_UNDELIVERED, at=at, actor=actor, batch=batch, source=source, reason=reason, data=facts
        )
        polls.start(parcels=undone.moved, at=at)
    return outcome


__all__ = [
    "Fields", "Locked", "create_shipments_of", "deliver_again", "deliver_by_hand", "deliver_locked", "lines_of",
    "lines_of_whole_shipments", "locked_shipments", "locked_whole", "make_ready", "return_to_preparing", "ship",
    "ship_locked", "undeliver", "unship",
]  # fmt: skip
