"""Edges of payments: one module for each PG; no models, no database."""
