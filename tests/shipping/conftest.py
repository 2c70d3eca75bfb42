"""What several couriers' tests share."""

import pytest

from tests.shipping.issuing_samples import VirtualClock


@pytest.fixture
def clock(tracker):
    """The clock of the courier sandbox, which stands still until a test sets it."""
    tracker.control("config", is_demo=False)
    return VirtualClock(tracker)
