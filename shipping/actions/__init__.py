"""Buttons on shipments and their exceptions, one file for each subject."""

from shipping.actions import correcting, exceptions, handover, merges, notices, numbers, printing, steps, tracking

__all__ = ["correcting", "exceptions", "handover", "merges", "notices", "numbers", "printing", "steps", "tracking"]
