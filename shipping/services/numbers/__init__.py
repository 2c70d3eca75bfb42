"""송장: numbers, the boxes that carry them and where numbers come from."""
