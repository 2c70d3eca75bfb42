"""Locked lines with their locked orders: the door through which every order service reads."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.locks import locked, locking
from orders.models import Order, OrderLine

NOT_FOUND = "주문을 찾을 수 없습니다. 목록을 새로 고친 뒤 다시 시도하세요."


@contextmanager
def locked_lines(
    line_ids: Collection[int],
    *,
    actor: Any = None,
    skip_locked: bool = False,
    held: Mapping[int, OrderLine] | None = None,
) -> Iterator[list[OrderLine]]:
    """Lines by id, locked after their orders, ascending; each line carries its locked order.

    Raises LockTimeout when another member of staff holds them for more than 3 s; with `skip_locked` the lines of orders
    that somebody holds are left out instead. `held` are lines that the caller has locked in this transaction and not
    moved since: when it has all of them they are not read a second time.
    """
    with locking(actor=actor):
        if held is not None and all(pk in held for pk in line_ids):
            yield [held[pk] for pk in sorted(line_ids)]
            return
        order_ids = set(OrderLine.objects.filter(pk__in=line_ids).values_list("order_id", flat=True))
        orders = {order.pk: order for order in locked(Order.objects.filter(pk__in=order_ids), skip_locked=skip_locked)}
        yield _lines(OrderLine.objects.filter(pk__in=line_ids, order_id__in=orders), orders)


@contextmanager
def locked_orders(
    order_ids: Collection[int], *, actor: Any = None, skip_locked: bool = False
) -> Iterator[tuple[list[Order], list[OrderLine]]]:
    """Orders by id and all their lines, locked in that order; waits, or skips, like `locked_lines`."""
    with locking(actor=actor):
        orders = {order.pk: order for order in locked(Order.objects.filter(pk__in=order_ids), skip_locked=skip_locked)}
        yield list(orders.values()), _lines(OrderLine.objects.filter(order_id__in=orders), orders)


def _lines(queryset: Any, orders: dict[int, Order]) -> list[OrderLine]:
    lines: list[OrderLine] = locked(queryset)
    for line in lines:
        line.order = orders[line.order_id]
    return lines
