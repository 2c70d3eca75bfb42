"""File formats of channels: column names, codes and status words; no models, no database."""
