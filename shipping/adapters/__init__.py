"""Edges of shipping: one module for each tracking source; no models, no database."""
