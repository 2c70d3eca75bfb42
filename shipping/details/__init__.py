"""What settings pages of shipping show, with finished strings."""
