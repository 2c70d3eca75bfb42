"""What the settings pages of shipping show, with finished strings."""
