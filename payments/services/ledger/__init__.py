"""The ledger of every payment, and what does not fit into it."""
