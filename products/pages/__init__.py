"""What the product pages show. The list registers itself when this package is imported."""

from products.pages.variant_list import VariantList

__all__ = ["VariantList"]
