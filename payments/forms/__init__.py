"""Forms of payments: they validate, they never save."""
