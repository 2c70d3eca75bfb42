"""Money in and out: every write of payments."""
