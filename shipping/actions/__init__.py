"""Buttons on shipments, one file for each subject."""

from shipping.actions import handover, merges, numbers, printing, steps

__all__ = ["handover", "merges", "numbers", "printing", "steps"]
