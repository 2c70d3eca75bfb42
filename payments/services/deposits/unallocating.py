"""연결 취소의 결과: what becomes of the orders of deposits, told before anybody confirms it. Reads only."""

from collections import defaultdict
from collections.abc import Collection
from enum import StrEnum

from orders.models import Order
from orders.states import LineState
from payments.models import DepositAllocation


class Follow(StrEnum):
    """주문에 생기는 일: back to 입금대기, less money while it waits, nothing, or canceled as before."""

    WAITS = "waits"
    SHORT = "short"
    STAYS = "stays"
    CANCELED = "canceled"


def forecast(deposit_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """예상: by deposit how many orders meet what; an order of several deposits counts with the first. One query.

    Whether a deposit can be taken back at all is for `allocating.unallocate` to say.
    """
    live = DepositAllocation.objects.filter(deposit__in=deposit_ids, voided_at=None).select_related("payment__order")
    loss: dict[int, int] = defaultdict(int)
    first: dict[int, tuple[int, Order]] = {}
    for one in live.order_by("deposit_id", "pk"):
        order = one.payment.order
        loss[order.pk] += one.amount - one.replaced_amount
        first.setdefault(order.pk, (one.deposit_id, order))
    found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for deposit_id, order in first.values():
        found[deposit_id][_follow(order, loss[order.pk])] += 1
    return found


def _follow(order: Order, loss: int) -> Follow:
    if order.stage == LineState.CANCELED_UNPAID:
        return Follow.CANCELED
    if order.stage == LineState.AWAITING_PAYMENT:
        return Follow.SHORT
    return Follow.WAITS if order.paid_amount - loss < order.due_amount else Follow.STAYS
