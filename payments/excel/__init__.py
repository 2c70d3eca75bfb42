"""Tables that people hand to payments."""
