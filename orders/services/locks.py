"""T17 and the locks of upper apps: holds, claims, payment checks; each is a row, mirrored as a bit on its line."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from core.events import record
from core.models import Job
from core.state import Outcome, missing, move
from orders import events
from orders.models import LineLock, OrderLine
from orders.services.locking import NOT_FOUND, locked_lines
from orders.states import LOCK_BIT, LockKind

NEVER_HELD = "배송보류를 한 적이 없는 품목입니다."


def hold(
    *,
    line_ids: Collection[int],
    actor: Any,
    at: datetime,
    reason: str,
    until: date | None = None,
    batch: Job | None = None,
    source: str = "",
) -> Outcome:
    """배송보류: stop lines before shipping, with a reason everybody reads. Source: domain.md T17."""
    with locked_lines(line_ids, actor=actor) as lines:
        outcome = move(lines, OrderLine.hold, at=at, reason=reason)
        outcome.refused |= missing(set(line_ids), lines, text=NOT_FOUND)
        _open(outcome.moved, LockKind.HOLD, at=at, actor=actor, reason=reason, until=until)
        record(outcome, events.LINE_HELD, at=at, actor=actor, batch=batch, source=source, reason=reason, undoable=True)
    return outcome


def release_hold(
    *, line_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None, source: str = "", reason: str = ""
) -> Outcome:
    """보류 해제: the line goes on where it stood, with the deadline it had."""
    with locked_lines(line_ids, actor=actor) as lines:
        outcome = move(lines, OrderLine.release_hold, at=at)
        outcome.refused |= missing(set(line_ids), lines, text=NOT_FOUND)
        _close(outcome.moved, LockKind.HOLD, at=at, actor=actor)
        record(
            outcome,
            events.LINE_HOLD_RELEASED,
            at=at,
            actor=actor,
            batch=batch,
            source=source,
            reason=reason,
            undoable=True,
        )
    return outcome


def hold_again(*, line_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None) -> Outcome:
    """보류 해제 되돌리기: the lines are held again for the reason and until the date of their last hold (T17)."""
    with locked_lines(line_ids, actor=actor) as lines:
        ended = LineLock.objects.filter(line__in=lines, kind=LockKind.HOLD, released_at__isnull=False)
        last = {lock.line_id: lock for lock in ended.order_by("line_id", "-pk").distinct("line_id")}
        never = {line.pk: NEVER_HELD for line in lines if line.pk not in last}
        reasons = {pk: {"reason": lock.reason} for pk, lock in last.items()}
        outcome = move(lines, OrderLine.hold, at=at, per_row=reasons, refuse=never)
        outcome.refused |= missing(set(line_ids), lines, text=NOT_FOUND)
        LineLock.objects.bulk_create(
            LineLock(
                line=line,
                kind=LockKind.HOLD,
                reason=last[line.pk].reason,
                until=last[line.pk].until,
                placed_at=at,
                placed_by=actor,
            )
            for line in outcome.moved
        )
        for reason in sorted({line.hold_reason for line in outcome.moved}):
            mine = Outcome(changes=[change for change in outcome.changes if change.row.hold_reason == reason])
            record(mine, events.LINE_HELD, at=at, actor=actor, batch=batch, reason=reason, undoable=True)
    return outcome


def place_lock(
    *,
    line_ids: Collection[int],
    kind: LockKind,
    actor: Any,
    at: datetime,
    reason: str,
    reference: str = "",
    batch: Job | None = None,
) -> Outcome:
    """잠금: an upper app stops the transitions that the lock table names; placing it twice changes nothing."""
    with locked_lines(line_ids, actor=actor) as lines:
        free = [line for line in lines if not line.open_locks & LOCK_BIT[kind]]
        outcome = move(free, OrderLine.place_lock, at=at, kind=kind)
        _open(outcome.moved, kind, at=at, actor=actor, reason=reason, reference=reference)
        record(outcome, events.LINE_LOCKED, at=at, actor=actor, batch=batch, reason=f"{kind.label}: {reason}")
    return outcome


def release_lock(
    *, line_ids: Collection[int], kind: LockKind, actor: Any, at: datetime, reason: str = "", batch: Job | None = None
) -> Outcome:
    """잠금 해제: the stopped transitions are free again; releasing twice changes nothing."""
    with locked_lines(line_ids, actor=actor) as lines:
        bound = [line for line in lines if line.open_locks & LOCK_BIT[kind]]
        outcome = move(bound, OrderLine.release_lock, at=at, kind=kind)
        _close(outcome.moved, kind, at=at, actor=actor)
        record(outcome, events.LINE_UNLOCKED, at=at, actor=actor, batch=batch, reason=f"{kind.label} {reason}".strip())
    return outcome


def _open(
    lines: list[OrderLine],
    kind: LockKind,
    *,
    at: datetime,
    actor: Any,
    reason: str,
    reference: str = "",
    until: date | None = None,
) -> None:
    LineLock.objects.bulk_create(
        LineLock(line=line, kind=kind, reason=reason, reference=reference, placed_at=at, placed_by=actor, until=until)
        for line in lines
    )


def _close(lines: list[OrderLine], kind: LockKind, *, at: datetime, actor: Any) -> None:
    LineLock.objects.filter(line__in=lines, kind=kind, released_at__isnull=True).update(
        released_at=at, released_by=actor
    )
