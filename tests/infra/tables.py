"""Couriers and status rules: every test begins with what a new shop has, as if a process had just read it.

Counted queries then do not depend on which test read the tables last, and pure tests need no database; modules of
tests may make numbers while they are collected. tests/shipping/test_courier_tables.py proves that the rows of the
migration say the same.
"""

import pytest

from core import fresh
from shipping.couriers import TABLE
from shipping.services.tracking.rules import BOOK, RuleBook
from tests.infra.preset_couriers import PRESETS
from tests.infra.preset_rules import PRESETS as RULES

AN_HOUR = 3600.0
fresh.SECONDS = AN_HOUR


def remember() -> None:
    """As if the tables of a new shop had just been read; a test that changes rows by itself calls forget()."""
    TABLE.remember(PRESETS)
    BOOK.remember(RuleBook(RULES))


remember()


@pytest.fixture(autouse=True)
def shipped_tables() -> None:
    remember()
