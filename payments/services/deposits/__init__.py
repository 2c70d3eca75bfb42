"""Bank statements: rows, matching, and what staff decide about them."""
