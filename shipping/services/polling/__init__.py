"""Which parcels are asked about, when, and through which account."""
