"""What shipping adds to the lists of orders: the numbers to search by and the column 송장."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField

from core import cells
from core.lists import Group, ListColumn, OneOf, lists
from core.lookups import id_array
from core.prepared import Given, Prepared
from shipping.columns import courier_name
from shipping.models import Parcel
from shipping.search import arms_of_orders
from shipping.states import Direction, ParcelState

ORDER_LISTS = ("orders", "awaiting-payment", "preparing", "confirmed")


def fetch_waybills(order_ids: Sequence[int]) -> Mapping[int, list[tuple[str, str]]]:
    """송장 of orders: (courier, number) of their live parcels, oldest first; one query."""
    found: dict[int, list[tuple[str, str]]] = {}
    for order_id, courier, waybill in _waybills().rows(orders=id_array(order_ids)):
        found.setdefault(order_id, []).append((courier, waybill))
    return found


@cache
def _waybills() -> Prepared:
    of_orders = OneOf("shipment__order", Given("orders", ArrayField(BigIntegerField())))
    parcels = Parcel.objects.filter(of_orders, direction=Direction.OUT).exclude(state=ParcelState.VOID)
    rows = parcels.order_by("shipment__order_id", "pk")
    return Prepared(rows.values_list("shipment__order_id", "courier", "waybill"))


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
