"""What shipping adds to the lists of orders: the numbers to search by and the column 송장."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from core import cells
from core.lists import Group, ListColumn, lists
from core.lookups import id_array
from shipping.couriers import courier_name
from shipping.search import arms_of_orders
from shipping.states import Direction, ParcelState

ORDER_LISTS = ("orders", "awaiting-payment", "preparing", "confirmed")


def fetch_waybills(order_ids: Sequence[int]) -> Mapping[int, list[tuple[str, str]]]:
    """송장 of orders: (courier, number) of their live parcels, oldest first; one query."""
    found: dict[int, list[tuple[str, str]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_WAYBILLS, [id_array(order_ids)])
        for order_id, courier, waybill in cursor.fetchall():
            found.setdefault(order_id, []).append((courier, waybill))
    return found


# A box with lines of several orders is that of each of them.
_WAYBILLS = f"""
SELECT s.order_id, p.courier, p.waybill
FROM shipping_shipment s JOIN shipping_parcel p ON p.shipment_id = COALESCE(s.merged_into_id, s.id)
WHERE s.order_id = ANY(%s::bigint[]) AND p.direction = '{Direction.OUT.value}' AND p.state <> '{ParcelState.VOID.value}'
ORDER BY s.order_id, p.id
"""


def _cell(group: Group, line: Any) -> str:
    mine = group.fetched.get("waybill", [])
    if not mine:
        return cells.EMPTY
    courier, waybill = mine[0]
    more = f" 외 {len(mine) - 1}건" if len(mine) > 1 else ""
    return cells.two_lines(waybill, courier_name(courier) + more, title=", ".join(number for _, number in mine[1:]))


def _numbers(group: Group, line: Any) -> str:
    return ", ".join(waybill for _, waybill in group.fetched.get("waybill", []))


def _couriers(group: Group, line: Any) -> str:
    return ", ".join(dict.fromkeys(courier_name(courier) for courier, _ in group.fetched.get("waybill", [])))


WAYBILL = ListColumn(
    "waybill",
    "송장",
    _cell,
    _numbers,
    css="nowrap",
    width=16,
    after="stage",
    fetch=fetch_waybills,
    more=(ListColumn("courier", "택배사", lambda g, _: "", _couriers, width=12),),
)

lists.extend(*ORDER_LISTS, arms=arms_of_orders())
lists.extend("orders", columns=(WAYBILL,))
