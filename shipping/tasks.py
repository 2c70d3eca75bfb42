"""Periodic work of shipping: 배송조회; called with `at` by core/slots.py."""

import time
from datetime import datetime
from typing import Any

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
