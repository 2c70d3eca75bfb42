"""What the pages of channels show."""
