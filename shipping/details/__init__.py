"""What the pages of shipping show beside their lists, with finished strings."""
