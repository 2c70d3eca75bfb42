"""Nets under everything else: what no notice told, and what nobody looked at."""
