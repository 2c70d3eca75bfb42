"""What the buttons on shipments share."""

from collections.abc import Collection
from typing import ClassVar

from core.actions import BulkAction
from core.locks import locked
from orders.actions import lines_of
from orders.models import Order
from orders.states import LineState
from shipping.models import Shipment, ShipmentLine

S = LineState


@lines_of(Shipment)
def lines_of_shipments(shipment_ids: Collection[int]) -> dict[int, int]:
    """배송건의 품목: live lines of shipments that a person chose."""
    items = ShipmentLine.objects.filter(shipment__in=shipment_ids, is_live=True)
    return dict(items.values_list("line_id", "shipment_id"))


def shipment_of(line_ids: Collection[int]) -> dict[int, int]:
    """배송건 of lines: line id to the live shipment it lies in."""
    items = ShipmentLine.objects.filter(line__in=line_ids, is_live=True)
    return dict(items.values_list("line_id", "shipment_id"))


class ShipmentAction(BulkAction):
    """An act on whole shipments that wait, as they stand on 배송준비중."""

    model = Shipment
    unit = "shipment"
    states: ClassVar[Collection[str]] = (S.READY,)

    def busy(self, target_ids: Collection[int]) -> set[int]:
        """Shipments of orders that another session holds: every service locks the order first."""
        orders = dict(Shipment.objects.filter(pk__in=target_ids).values_list("pk", "order_id"))
        free = {order.pk for order in locked(Order.objects.filter(pk__in=orders.values()), skip_locked=True)}
        return {pk for pk, order in orders.items() if order not in free}
