"""반환하는 입금: a deposit follows the refund that sends it back; callers hold the locks (locking)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.events import record
from core.models import Job
from core.state import Outcome, move
from payments import events
from payments.models import BankDeposit, Refund


def finish(refunds: Sequence[Refund], *, actor: Any, at: datetime, batch: Job | None) -> None:
    """반환: the money has been sent."""
    outcome = _moved(refunds, BankDeposit.returned, at=at, actor=actor)
    record(outcome, events.DEPOSIT_RETURNED, at=at, actor=actor, batch=batch)


def keep(refunds: Sequence[Refund], *, actor: Any, at: datetime, batch: Job | None, reason: str) -> None:
    """반환 철회: the deposits of withdrawn returns wait for a person again."""
    outcome = _moved(refunds, BankDeposit.keep, at=at, note=reason)
    record(outcome, events.DEPOSIT_KEPT, at=at, actor=actor, batch=batch, reason=reason)


def _moved(refunds: Sequence[Refund], transition: Any, *, at: datetime, **facts: Any) -> Outcome:
    deposits = [refund.deposit for refund in refunds if refund.deposit is not None]
    outcome = move(deposits, transition, at=at, **facts)
    if outcome.refused:
        raise RuntimeError(f"deposits of returns were refused: {outcome.refused}")
    return outcome
