"""Storefront API /api/v1/: orders in, states out. One channel per key; errors are JSON with a Korean sentence."""
