"""Boxes of the order detail about money; importing the package registers all of them."""

from payments.panels import payment, refunds

__all__ = ["payment", "refunds"]
