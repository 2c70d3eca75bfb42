"""Tables of products and their stock."""

from products.models.catalog import Product, SaleState, Variant
from products.models.stock import MovementKind, StockLevel, StockMovement

__all__ = ["MovementKind", "Product", "SaleState", "StockLevel", "StockMovement", "Variant"]
