"""Buttons on shipments, one file for each subject."""

from shipping.actions import merges, numbers, printing, steps

__all__ = ["merges", "numbers", "printing", "steps"]
