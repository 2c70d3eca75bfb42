"""What a PG says about a payment becomes the ledger, and the order follows."""
