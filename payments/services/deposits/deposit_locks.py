"""입금 확인 중: orders that a waiting deposit may belong to are kept from 입금전취소 (domain.md T4, A05)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.lookups import Among
from core.models import Job
from orders.models import LineLock, OrderLine
from orders.services import locks
from orders.states import LOCK_BIT, LineState, LockKind
from payments.models import DepositCandidate
from payments.states import DepositState

KIND = LockKind.DEPOSIT_PENDING
REFERENCE = "bank-deposit"
WAITS = "입금내역의 확인을 기다립니다."
SOLVED = "입금내역을 확인했습니다."


def keep_in_step(*, order_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None) -> None:
    """잠금 맞추기: unpaid lines of these orders are locked while a waiting deposit holds them, free otherwise.

    The caller has locked the orders. Locks that somebody else placed stay.
    """
    if not order_ids:
        return
    mine = Among("order_id", order_ids)
    waiting = DepositCandidate.objects.filter(mine, holds=True, deposit__state=DepositState.QUEUED)
    holding = set(waiting.values_list("order_id", flat=True))
    lines = OrderLine.objects.filter(mine)
    to_lock, locked = [], []
    for pk, order_id, state, bits in lines.values_list("pk", "order_id", "state", "open_locks"):
        is_locked, is_wanted = bool(bits & LOCK_BIT[KIND]), order_id in holding and state == LineState.AWAITING_PAYMENT
        if is_wanted and not is_locked:
            to_lock.append(pk)
        elif is_locked and not is_wanted:
            locked.append(pk)
    ours = LineLock.objects.filter(Among("line_id", locked), kind=KIND, reference=REFERENCE, released_at=None)
    to_free = list(ours.values_list("line_id", flat=True))
    if to_lock:
        locks.place_lock(
            line_ids=to_lock, kind=KIND, actor=actor, at=at, reason=WAITS, reference=REFERENCE, batch=batch
        )
    if to_free:
        locks.release_lock(line_ids=to_free, kind=KIND, actor=actor, at=at, reason=SOLVED, batch=batch)
