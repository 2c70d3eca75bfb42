"""합포 키: which shipments go to the same person at the same door in the same way (domain.md 3.5)."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from django.db.models import F

from core.lookups import Among
from core.phones import normalize_phone
from orders.models import Order
from orders.states import CLOSED
from shipping.models import Shipment, ShipmentLine

# "101 1203" and "1011 203" are two doors: what stands between two digits parts them.
_BETWEEN = re.compile(r"(?<=\d)[\s,.()\[\]·-]+(?=\d)")
_BLANK = re.compile(r"[\s,.()\[\]·]+")


class Receiver(NamedTuple):
    """받는 분: name, telephone, zip code and the whole address with 동 and 호, each without its way of writing."""

    name: str
    phone: str
    zip_code: str
    address: str


APART = "합포장한 주문의 받는 분이 서로 다릅니다. 합포장을 풀거나 배송지를 맞춘 뒤 등록하세요."
_FIELDS = ("recipient_name", "recipient_phone", "zip_code", "address1", "address2")


def plain(text: str) -> str:
    """글자만: half-width, lower case, without blanks and the signs that people put between the parts of an address."""
    half_width = unicodedata.normalize("NFKC", text)
    return _BLANK.sub("", _BETWEEN.sub("-", half_width)).lower()


def receiver(name: str, phone: str, zip_code: str, address1: str, address2: str) -> Receiver:
    """받는 분 of an order, comparable."""
    return Receiver(plain(name), normalize_phone(phone), plain(zip_code), plain(f"{address1} {address2}"))


def receivers(order_ids: Collection[int]) -> dict[int, Receiver]:
    """받는 분 of orders; one query."""
    rows = Order.objects.filter(Among("pk", order_ids)).values_list("pk", *_FIELDS)
    return {pk: receiver(*rest) for pk, *rest in rows}


def merge_keys(shipments: Mapping[int, Shipment]) -> dict[int, tuple[Any, ...]]:
    """합포 키 of shipments: the receiver of their order and the method; one query."""
    known = receivers({one.order_id for one in shipments.values()})
    return {pk: (*known[one.order_id], one.method) for pk, one in shipments.items()}


def keys_of(shipment_ids: Collection[int]) -> dict[int, tuple[Any, ...]]:
    """합포 키 by shipment id; one query."""
    fields = [f"order__{name}" for name in _FIELDS]
    rows = Shipment.objects.filter(Among("pk", shipment_ids)).values_list("pk", "method", *fields)
    return {pk: (*receiver(*rest), method) for pk, method, *rest in rows}


def apart(shipment_ids: Collection[int]) -> set[int]:
    """갈라진 합포: shipments that hold lines of several orders whose receivers are no longer the same.

    One query; a second only when there are merged shipments.
    """
    live = ShipmentLine.objects.filter(Among("shipment_id", shipment_ids), is_live=True)
    others = live.exclude(line__state__in=CLOSED).exclude(line__order=F("shipment__order"))
    pairs = set(others.values_list("shipment_id", "shipment__order_id", "line__order_id"))
    return parted(pairs)


def parted(pairs: Collection[tuple[int, int, int]]) -> set[int]:
    """갈라진 합포 among (shipment, its order, the order of a line of it); one query unless there are none."""
    if not pairs:
        return set()
    orders: dict[int, set[int]] = defaultdict(set)
    for shipment_id, own, other in pairs:
        orders[shipment_id] |= {own, other}
    known = receivers({pk for mine in orders.values() for pk in mine})
    return {pk for pk, mine in orders.items() if len({known[order] for order in mine}) > 1}
