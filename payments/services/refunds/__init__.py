"""Refunds as people decide about them, and how they are booked."""
