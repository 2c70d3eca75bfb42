"""Lists of shipping; importing the package registers all of them."""

from shipping.pages import exceptions, shipments

__all__ = ["exceptions", "shipments"]
