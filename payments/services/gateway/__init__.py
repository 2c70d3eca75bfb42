"""What we ask PGs to do: accounts, refunds, their own settings."""
