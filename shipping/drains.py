"""Rows of shipping that wait for the relay: status rules that are to be laid upon what is stored."""

from datetime import datetime

from core.drains import drain
from shipping.services.tracking import reproject


@drain(channel="oms_status_rules")
def apply_status_rules(*, at: datetime) -> int:
    """새 규칙 적용: one round of parcels with an unknown status; how many were looked at."""
    return reproject.apply_rules(at=at)
