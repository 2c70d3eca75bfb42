"""Addresses of payments that are not lists."""
