"""Buttons on shipments and their exceptions, one file for each subject."""

from shipping.actions import exceptions, handover, merges, numbers, printing, steps, tracking

__all__ = ["exceptions", "handover", "merges", "numbers", "printing", "steps", "tracking"]
