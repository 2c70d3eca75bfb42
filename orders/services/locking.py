"""Locked lines with their locked orders: the door through which every order service reads."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from core.locks import locked_by, locking
from core.lookups import Among
from orders.models import Order, OrderLine

_ORDER: Any = OrderLine._meta.get_field("order")

NOT_FOUND = "주문을 찾을 수 없습니다. 목록을 새로 고친 뒤 다시 시도하세요."


@contextmanager
def locked_lines(
    line_ids: Collection[int],
    *,
    actor: Any = None,
    skip_locked: bool = False,
    held: Mapping[int, OrderLine] | None = None,
    order_ids: Collection[int] | None = None,
    fields: tuple[str, ...] = (),
) -> Iterator[list[OrderLine]]:
    """Lines by id, locked after their orders, ascending; each line carries its locked order.

    Raises LockTimeout when another member of staff holds them for more than 3 s; with `skip_locked` the lines of orders
    that somebody holds are left out instead. `held` are lines that the caller has locked in this transaction and not
    moved since: when it has all of them they are not read a second time. `order_ids` are the orders of the lines, where
    the caller knows them. `fields` as in `locked_by`; the orders then carry their id alone.
    """
    if held is not None and all(pk in held for pk in line_ids):
        yield [held[pk] for pk in sorted(line_ids)]
        return
    with locking(actor=actor):
        if order_ids is None:
            order_ids = OrderLine.objects.filter(Among("pk", line_ids)).values_list("order_id", flat=True)
        orders = _orders(set(order_ids), skip_locked=skip_locked, fields=("id",) if fields else ())
        if skip_locked:
            free = OrderLine.objects.filter(Among("pk", line_ids), Among("order_id", orders))
            line_ids = list(free.values_list("pk", flat=True))
        yield _lines(locked_by(OrderLine, line_ids, fields=fields), orders)


@contextmanager
def locked_orders(
    order_ids: Collection[int],
    *,
    actor: Any = None,
    skip_locked: bool = False,
    held: Sequence[OrderLine] | None = None,
) -> Iterator[tuple[list[Order], list[OrderLine]]]:
    """Orders by id and all their lines, locked in that order; waits, or skips, like `locked_lines`.

    `held` are all lines of these orders, and maybe of others, that the caller has locked with their orders in this
    transaction and not moved since: they are not read a second time.
    """
    if held is not None:
        wanted = set(order_ids)
        lines = [line for line in held if line.order_id in wanted]
        yield list({line.order_id: line.order for line in lines}.values()), lines
        return
    with locking(actor=actor):
        orders = _orders(order_ids, skip_locked=skip_locked)
        yield list(orders.values()), _lines(locked_by(OrderLine, orders, key="order_id"), orders)


def _orders(ids: Collection[int], *, skip_locked: bool, fields: tuple[str, ...] = ()) -> dict[int, Order]:
    return {order.pk: order for order in locked_by(Order, ids, skip_locked=skip_locked, fields=fields)}


def _lines(lines: list[OrderLine], orders: Mapping[int, Order]) -> list[OrderLine]:
    # Without the checks of a plain assignment, which cost as much as reading the row.
    keep = _ORDER.set_cached_value
    for line in lines:
        keep(line, orders[line.order_id])
    return lines
