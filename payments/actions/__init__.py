"""Buttons on money and on refunds; importing the package registers all of them."""

from payments.actions import canceling, deposits, notices, payments, problems, refunds

__all__ = ["canceling", "deposits", "notices", "payments", "problems", "refunds"]
