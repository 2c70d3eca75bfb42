"""우리 계약의 번호: what registering and voiding parcels mean for the numbers that contracts gave us.

Called by the services that hold the shipments: a number becomes USED in the transaction that writes its parcel, and
VOID in the one that ends it, so that the two never differ.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from core import drains
from core.lookups import Among, id_array, text_array
from core.state import follow, move
from shipping.models import CourierContract, Parcel, Shipment, WaybillNumber
from shipping.models.parcel import LIVE
from shipping.states import API_MODES, OPEN_NUMBERS, ROUTING_MODES, CancelState, NumberState, ParcelState, WaybillSource

CHANNEL = "oms_issue"
LEFT_OVER = timedelta(minutes=10)
"""A number that was reserved and not written by then is looked at: its shipment may be gone."""
FOR_ANOTHER = "다른 배송건에 발급한 송장번호입니다."
GIVEN_UP = "폐기한 송장번호라 다시 쓸 수 없습니다. 새 번호를 발급하세요."
NOT_BOOKED = (
    "택배사에 아직 접수하지 않은 송장번호입니다. 접수가 끝나면 저절로 등록되니, 입력해 둔 번호가 있으면 지우세요."
)


class Given(NamedTuple):
    """발급한 번호: the row of a number, and the source that its parcel will name."""

    pk: int
    source: str


_USED = """
SELECT p.courier, p.waybill, p.shipment_id, o.number
FROM shipping_parcel p JOIN shipping_shipment s ON s.id = p.shipment_id JOIN orders_order o ON o.id = s.order_id
WHERE p.waybill = ANY(%s::text[]) AND p.state = ANY(%s::text[])
"""


def used_elsewhere(numbers: Mapping[int, str], courier_of: Mapping[int, str]) -> dict[int, str]:
    """다른 배송건의 송장번호: why shipments may not have numbers that live parcels of others bear; one query."""
    if not numbers:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_USED, [text_array(numbers.values()), text_array(LIVE)])
        used = {(courier, waybill): (shipment_id, order) for courier, waybill, shipment_id, order in cursor.fetchall()}
    return {
        pk: f"다른 주문 {mine[1]}에서 쓰고 있는 송장번호입니다."
        for pk, number in numbers.items()
        if (mine := used.get((courier_of[pk], number))) is not None and mine[0] != pk
    }


# A range gives a number once for ever; what an API gave comes back to us after years, as another number. For the very
# shipment that lost it before it left it is the old one, whose booking is canceled.
_KNOWN = """
SELECT n.courier, n.number, n.id, n.shipment_id, n.state, n.range_id IS NOT NULL
FROM shipping_waybillnumber n LEFT JOIN shipping_parcel p ON p.id = n.parcel_id
WHERE n.number = ANY(%s::text[]) AND n.number <> '' AND (n.range_id IS NOT NULL OR n.state = ANY(%s::text[])
      OR (n.cancel = ANY(%s::text[]) AND n.shipment_id = ANY(%s::bigint[]) AND p.handed_over_at IS NULL))
ORDER BY n.id
"""


def given_to(numbers: Mapping[int, str], courier_of: Mapping[int, str]) -> tuple[dict[int, Given], dict[int, str]]:
    """발급한 번호 찾기: by shipment the number that was given for it, and why some may not be registered; one query."""
    if not numbers:
        return {}, {}
    watched = [NumberState.RESERVED, NumberState.REGISTERED, NumberState.ABANDONED]
    with connection.cursor() as cursor:
        states, canceled = ([one.value for one in some] for some in (watched, (CancelState.DUE, CancelState.DONE)))
        lists = [text_array(numbers.values()), text_array(states), text_array(canceled), id_array(numbers)]
        cursor.execute(_KNOWN, lists)
        known = {(courier, number): rest for courier, number, *rest in cursor.fetchall()}
    found: dict[int, Given] = {}
    refused: dict[int, str] = {}
    for shipment_id, number in numbers.items():
        pk, owner, state, is_of_range = known.get((courier_of[shipment_id], number), (0, 0, "", False))
        if state == NumberState.RESERVED and owner == shipment_id and not is_of_range:
            # Its box would leave under a number of which the courier never heard.
            refused[shipment_id] = NOT_BOOKED
        elif state in OPEN_NUMBERS and owner == shipment_id:
            found[shipment_id] = Given(pk, (WaybillSource.RANGE if is_of_range else WaybillSource.API).value)
        elif state in OPEN_NUMBERS:
            refused[shipment_id] = FOR_ANOTHER
        elif state in {NumberState.VOID, NumberState.ABANDONED}:
            refused[shipment_id] = GIVEN_UP
    return found, refused


def is_given(courier: str, number: str) -> bool:
    """이미 준 번호: whether a live parcel bears it or another number on its way is the same; two queries at most."""
    waits = [NumberState.RESERVED, NumberState.REGISTERED]
    return (
        Parcel.objects.filter(courier=courier, waybill=number, state__in=LIVE).exists()
        or WaybillNumber.objects.filter(courier=courier, number=number, state__in=waits).exists()
    )


_BEFORE = """
SELECT n.shipment_id, n.courier, n.number, n.id
FROM shipping_waybillnumber n JOIN shipping_parcel p ON p.id = n.parcel_id
WHERE n.number = ANY(%s::text[]) AND n.shipment_id = ANY(%s::bigint[]) AND n.range_id IS NOT NULL AND n.state = %s
  AND p.state = %s AND p.handed_over_at IS NOT NULL
"""


def given_before(numbers: Mapping[int, str], courier_of: Mapping[int, str]) -> dict[int, int]:
    """정정으로 폐기한 번호 by shipment: numbers of a range that left with the very shipment and were corrected away.

    Its label bears the number still, so a shipment may have its own back, and nobody else may. One query.
    """
    if not numbers:
        return {}
    states = [NumberState.VOID.value, ParcelState.VOID.value]
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, [text_array(numbers.values()), id_array(numbers), *states])
        rows = cursor.fetchall()
    return {
        owner: pk for owner, courier, number, pk in rows if (courier, number) == (courier_of[owner], numbers[owner])
    }


def use_again(parcel_of: Mapping[int, int], *, at: datetime) -> None:
    """번호 되찾기: numbers by id that were corrected away are right after all, on these parcels."""
    if parcel_of:
        per_row = {pk: {"parcel_id": parcel} for pk, parcel in parcel_of.items()}
        move(locked_by_id(parcel_of), WaybillNumber.use_again, at=at, per_row=per_row)


def use(parcel_of: Mapping[int, int], *, at: datetime) -> None:
    """번호 사용: numbers by id are on these parcels now; their shipments no longer wait."""
    if not parcel_of:
        return
    rows = locked_by_id(parcel_of)
    move(rows, WaybillNumber.use, at=at, per_row={row.pk: {"parcel_id": parcel_of[row.pk]} for row in rows})
    _wait_no_more({row.shipment_id for row in rows})


def _wait_no_more(shipment_ids: Collection[int]) -> None:
    """발급 진행 지우기 of shipments for which no number is on its way any more."""
    if shipment_ids:
        Shipment.objects.filter(Among("pk", shipment_ids)).exclude(issuing="").update(issuing="")


def routed_couriers() -> list[str]:
    """분류 정보를 알려 주는 택배사: slugs with a contract whose courier tells sort codes by address; one query."""
    usable = CourierContract.objects.filter(mode__in=ROUTING_MODES, is_active=True)
    return list(usable.order_by("courier").values_list("courier", flat=True).distinct())


def route_waiting(courier: str, *, at: datetime) -> int:
    """분류 정보 뒤늦게 묻기: boxes that were numbered while nobody could be asked for their sort code; how many."""
    waiting = Parcel.objects.filter(courier=courier, state__in=[ParcelState.NUMBERED, ParcelState.PRINTED])
    asked = waiting.filter(routing__isnull=True, route_at=None).update(route_at=at)
    if asked:
        drains.notify(CHANNEL)
    return asked


# One descent of the index for a whole block: numbers of one length stand in it in their order.
_BORNE = """
SELECT waybill, id, shipment_id FROM shipping_parcel
WHERE waybill BETWEEN %s AND %s AND courier = %s AND state = ANY(%s::text[])
"""


def adopt(*, contract: CourierContract, range_id: int, numbers: Sequence[str], at: datetime) -> set[str]:
    """먼저 쓴 번호: those that live parcels bear already, typed before their turn; they are these parcels' for good.

    `numbers` are a block of a range, in order. One query, unless there are any.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BORNE, [numbers[0], numbers[-1], contract.courier, text_array(LIVE)])
        block = set(numbers)
        rows = {number: (pk, owner) for number, pk, owner in cursor.fetchall() if number in block}
    if not rows:
        return set()
    waits = open_numbers([owner for _, owner in rows.values()])
    # One at a time: a shipment has one open number, which each of these is for a moment.
    for number, (parcel_id, owner) in rows.items():
        if owner in waits:
            continue
        [(pk, *_)] = insert(
            contract=contract, shipment_ids=[owner], numbers=[number], ranges=[range_id], parcels={},
            state=NumberState.RESERVED, actor=None, at=at, batch=None,
        )  # fmt: skip
        move(locked_by_id([pk]), WaybillNumber.use, at=at, parcel_id=parcel_id)
    return set(rows)


def locked_by_id(ids: Collection[int]) -> list[WaybillNumber]:
    """Rows of numbers, locked after all that belongs to their shipments."""
    return list(
        WaybillNumber.objects.filter(Among("pk", ids)).select_for_update(of=("self",), no_key=True).order_by("pk")
    )


@follow(Parcel)
def void_numbers(parcels: Sequence[Parcel], *, at: datetime) -> None:
    """번호 폐기: whoever voids a parcel voids its number, and a courier that knows of it is told to forget it."""
    ended = [parcel.pk for parcel in parcels if parcel.state == ParcelState.VOID]
    if not ended:
        return
    with connection.cursor() as cursor:
        cursor.execute(_OF_PARCELS, [id_array(ended)])
        modes = dict(cursor.fetchall())
    if not modes:
        return
    rows = locked_by_id(modes)
    is_told = {row.pk: modes[row.pk] in API_MODES for row in rows}
    ended_numbers = move(
        rows, WaybillNumber.void, at=at,
        per_row={pk: {"cancel": CancelState.DUE if told else CancelState.NONE} for pk, told in is_told.items()},
    )  # fmt: skip
    _wait_no_more({one.row.shipment_id for one in ended_numbers.changes if one.from_state in OPEN_NUMBERS})
    if any(is_told.values()):
        drains.notify(CHANNEL)


_OF_PARCELS = """
SELECT n.id, c.mode FROM shipping_waybillnumber n JOIN shipping_couriercontract c ON c.id = n.contract_id
WHERE n.parcel_id = ANY(%s::bigint[]) AND n.state NOT IN ('VOID', 'ABANDONED')
"""


def open_numbers(shipment_ids: Collection[int]) -> dict[int, WaybillNumber]:
    """발급 중인 번호 by shipment: at most one each; one query."""
    rows = WaybillNumber.objects.filter(Among("shipment_id", shipment_ids), state__in=OPEN_NUMBERS)
    return {row.shipment_id: row for row in rows.select_related("contract")}


_INSERT = """
INSERT INTO shipping_waybillnumber (created_at, updated_at, contract_id, range_id, courier, number, shipment_id,
    parcel_id, seq, key, state, next_try_at, batch_id, requested_by_id, given_at)
SELECT %(at)s, %(at)s, %(contract)s, v.range_id, %(courier)s, v.number, v.shipment_id, v.parcel_id, q.seq,
       s.number || '-' || q.seq, %(state)s, %(due)s, %(batch)s, %(actor)s, %(given)s
FROM unnest(%(shipments)s::bigint[], %(numbers)s::text[], %(ranges)s::bigint[], %(parcels)s::bigint[])
     WITH ORDINALITY AS v(shipment_id, number, range_id, parcel_id, n)
JOIN shipping_shipment s ON s.id = v.shipment_id
CROSS JOIN LATERAL (SELECT 1 + COALESCE(max(o.seq), 0) AS seq FROM shipping_waybillnumber o
                    WHERE o.shipment_id = v.shipment_id) q
ORDER BY v.n
RETURNING id, shipment_id, number
"""


def insert(
    *, contract: Any, shipment_ids: Sequence[int], numbers: Sequence[str], ranges: Sequence[int | None],
    parcels: Mapping[int, int], state: NumberState, actor: Any, at: datetime, batch: Any,
) -> list[tuple[int, int, str]]:  # fmt: skip
    """번호 적기: rows for locked shipments without an open one, under unused keys; (id, shipment, number).

    `parcels` names boxes that exist already, by shipment.
    """
    is_given = state == NumberState.RESERVED
    values = {
        "at": at,
        "contract": contract.pk,
        "courier": contract.courier,
        "state": state.value,
        "due": at + LEFT_OVER if is_given else at,
        "given": at if is_given else None,
        "batch": batch.pk if batch is not None else None,
        "actor": actor.pk if actor is not None else None,
        "shipments": id_array(shipment_ids),
        "numbers": text_array(numbers),
        "ranges": id_array(ranges),
        "parcels": id_array(parcels.get(pk) for pk in shipment_ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        return list(cursor.fetchall())
