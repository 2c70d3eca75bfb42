"""Columns of the list of unpaid orders. Names are masked in cells and whole in files (reliability.md R-10)."""

from typing import Any

from core import cells
from core.calendar import kst_date
from core.excel.columns import Kind
from core.lists import Group, ListColumn
from core.masking import mask_name
from orders.columns import DANGER, LATE, TODAY, in_file, order_tags
from orders.states import PaymentMethod

_METHOD = dict(PaymentMethod.choices)


def deposit_tags(group: Group) -> list[cells.Tag]:
    """표시: what is wrong with the money first, then what every list shows."""
    order, found = group.record, []
    if order.paid_amount and order.paid_amount != order.due_amount:
        found.append(cells.Tag("금액 다름", DANGER))
    if order.deposit_by is not None and order.deposit_by <= group.now:
        found.append(cells.Tag("기한 지남", LATE))
    elif order.deposit_by is not None and kst_date(order.deposit_by) == kst_date(group.now):
        found.append(cells.Tag("기한 오늘", TODAY))
    return [*found, *order_tags(group)]


def _paid_cell(group: Group, line: Any) -> str:
    order = group.record
    if order.paid_amount in {0, order.due_amount}:
        return cells.won(order.paid_amount)
    gap = order.due_amount - order.paid_amount
    return cells.two_lines(cells.won(order.paid_amount), f"{abs(gap):,}원 {'부족' if gap > 0 else '초과'}")


DEPOSITOR = ListColumn(
    "depositor", "입금자명", lambda g, _: cells.text(mask_name(g.record.depositor_name)),
    lambda g, _: g.record.depositor_name, personal=True, masked=lambda g, _: mask_name(g.record.depositor_name),
)  # fmt: skip
DUE = ListColumn(
    "due", "결제예정액", lambda g, _: cells.won_and(g.record.due_amount, _METHOD[g.record.payment_method]),
    lambda g, _: g.record.due_amount, kind=Kind.WON, css="num nowrap", sort="due_amount",
    more=(in_file("method", "결제수단", lambda g, _: _METHOD[g.record.payment_method]),),
)  # fmt: skip
PAID = ListColumn(
    "paid", "입금액", _paid_cell, lambda g, _: g.record.paid_amount, kind=Kind.WON, css="num nowrap"
)  # fmt: skip
DEPOSIT_BY = ListColumn(
    "deposit_by", "입금기한", lambda g, _: cells.deadline(g.record.deposit_by, g.now), lambda g, _: g.record.deposit_by,
    kind=Kind.DATETIME, css="nowrap", sort="deposit_by", width=19,
)  # fmt: skip
TAGS = ListColumn(
    "tags", "표시", lambda g, _: cells.tags(deposit_tags(g)),
    lambda g, _: ", ".join(tag.label for tag in deposit_tags(g)),
)  # fmt: skip
