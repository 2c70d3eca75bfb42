"""Forms of shipping; they validate and never save."""
