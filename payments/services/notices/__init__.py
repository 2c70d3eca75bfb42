"""Webhooks of PGs, from raw bytes to an applied answer."""
