"""Kinds of events of products."""

from core.events import kind

# One event per stock movement that changes 실재고 from outside an order: the orders' verdicts follow from it.
STOCK_CHANGED = kind("stock.changed", "재고 변경")
