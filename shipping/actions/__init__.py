"""Buttons on shipments and their exceptions, one file for each subject."""

from shipping.actions import exceptions, merges, numbers, printing, steps

__all__ = ["exceptions", "merges", "numbers", "printing", "steps"]
