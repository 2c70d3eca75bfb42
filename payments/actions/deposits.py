"""Buttons on bank deposits: 무시, 무시 취소, 연결 취소."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from core.actions import DANGER, MORE, BulkAction, register
from core.state import Outcome
from orders.actions import UNDO_REASON, Reasoned
from payments.models import BankDeposit
from payments.services import allocating
from payments.states import DepositState


class DepositAction(Reasoned, BulkAction):
    """입금내역 처리의 바탕: acts on rows of bank statements, each with a reason that stays in the history."""

    model = BankDeposit
    unit = "deposit"


@register
class IgnoreDeposit(DepositAction):
    """무시: money that is for no order."""

    name, label, permission = "ignore-deposit", "무시", "payments.match_deposits"
    states = (DepositState.QUEUED,)
    becomes = "무시"
    is_undoable = True
    undo_data: ClassVar[dict[str, Any]] = {"reason": UNDO_REASON}

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return allocating.ignore(deposit_ids=ids, actor=actor, at=at, reason=reason, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return allocating.reopen(deposit_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class ReopenDeposit(DepositAction):
    """무시 취소."""

    name, label, permission = "reopen-deposit", "무시 취소", "payments.match_deposits"
    states = (DepositState.IGNORED,)
    becomes = "확인 필요"
    style = MORE

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return allocating.reopen(deposit_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class UnallocateDeposit(DepositAction):
    """연결 취소: the orders of the deposits wait for money again."""

    name, label, permission = "unallocate-deposit", "연결 취소", "payments.revert"
    states = (DepositState.MATCHED, DepositState.ALLOCATED)
    becomes = "확인 필요"
    style = DANGER
    is_destructive = True

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return allocating.unallocate(deposit_ids=ids, actor=actor, at=at, reason=reason, batch=batch)
