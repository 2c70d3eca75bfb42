"""합포 제안: shipments that wait, unmerged, for the same receiver at the same door (A08)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from shipping.services.merges.keys import receiver

_SAME_PHONE = """
SELECT pk, version, number, method, order_number, ordered_at, ship_by, line_count, delivery_note,
       recipient_name, recipient_phone, zip_code, address1, address2
FROM (SELECT s.id AS pk, s.version, s.number, s.method, o.number AS order_number, o.ordered_at, s.ship_by,
             s.line_count, o.delivery_note, o.recipient_name, o.recipient_phone, o.zip_code, o.address1, o.address2,
             count(*) OVER (PARTITION BY o.recipient_phone, s.method) AS alike
      FROM shipping_shipment s JOIN orders_order o ON o.id = s.order_id
      WHERE s.step = 'READY' AND s.waybill = '' AND NOT s.is_held AND NOT s.has_claim) waiting
WHERE alike > 1 ORDER BY ordered_at, pk
"""


class Mergeable(NamedTuple):
    """합포할 수 있는 배송건 with what a person must see of it."""

    pk: int
    version: int
    number: str
    method: str
    order_number: str
    ordered_at: datetime
    ship_by: datetime | None
    line_count: int
    delivery_note: str
    recipient_name: str
    recipient_phone: str
    zip_code: str
    address1: str
    address2: str


@dataclass(frozen=True, slots=True)
class Group:
    """합포 묶음: at least two shipments, the earliest order first."""

    rows: Sequence[Mergeable]

    @property
    def has_several_notes(self) -> bool:
        """Whether the orders ask for different things at the door."""
        return len({row.delivery_note.strip() for row in self.rows} - {""}) > 1


def groups() -> list[Group]:
    """합포 제안: groups in the order of their earliest order; one query over what waits with a telephone in common."""
    with connection.cursor() as cursor:
        cursor.execute(_SAME_PHONE)
        rows = [Mergeable._make(row) for row in cursor.fetchall()]
    found: dict[tuple[Any, ...], list[Mergeable]] = defaultdict(list)
    for row in rows:
        who = receiver(row.recipient_name, row.recipient_phone, row.zip_code, row.address1, row.address2)
        found[(*who, row.method)].append(row)
    return [Group(mine) for mine in found.values() if len(mine) > 1]
