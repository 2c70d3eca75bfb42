"""Periodic work of shipping: 배송조회; called with `at` by core/slots.py."""

import time
from datetime import datetime
from typing import Any

from shipping.services.exceptions import sweeping
from shipping.services.tracking import voided
from shipping.services.tracking.asking import poll_due

LONGEST = 8.0
"""Seconds: the next slot comes after ten and goes on with what is left."""


def poll_tracking(*, at: datetime, **kwargs: Any) -> int:
    """배송조회: ask about the parcels that are due until none is left or 8 seconds have passed; returns the answers.

    Two runs at once share the work by leases. Source: shipping.md 4.3, A17.
    """
    began, written = time.monotonic(), 0
    while time.monotonic() - began < LONGEST:
        answered = poll_due(at=at)
        written += answered
        if not answered:
            break
    return written


def watch_numbers(*, at: datetime, **kwargs: Any) -> int:
    """번호 살피기: begin to ask about boxes that may leave before anybody says so, and about deleted labels."""
    return voided.watch_numbers(at=at)


def sweep_exceptions(*, at: datetime, **kwargs: Any) -> int:
    """배송 예외 훑기: what stands still, was not picked up, was not collected; returns the new cases (3.5)."""
    return sweeping.sweep(at=at)
