"""Twins of courier services on loopback: one process, one life of each parcel, each service in its own dialect."""
