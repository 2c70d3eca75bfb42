"""Money that does not fit: what people decide about it."""
