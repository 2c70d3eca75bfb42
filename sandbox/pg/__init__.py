"""Twins of the PGs on loopback: one process, one bank, each PG under its own prefix in its own dialect."""
