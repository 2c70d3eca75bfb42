"""상세조건 of the lists of payments."""
