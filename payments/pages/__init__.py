"""Lists of payments and what the menu counts of them; importing the package registers all of them."""

from payments.pages import awaiting, counts, deposits, notices, problems, receipts, refunds

__all__ = ["awaiting", "counts", "deposits", "notices", "problems", "receipts", "refunds"]
