"""Kinds of events of products."""

from core.events import kind

PRODUCT_CREATED = kind("product.created", "상품 등록")
PRODUCT_EDITED = kind("product.edited", "상품 수정")
# One event per stock movement that changes 실재고 from outside an order: the orders' verdicts follow from it.
STOCK_CHANGED = kind("stock.changed", "재고 변경")
