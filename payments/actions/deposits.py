"""Buttons on bank deposits: 무시, 무시 취소, 연결 취소."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from core.actions import DANGER, MORE, BulkAction, register
from core.state import Outcome, is_preview
from orders.actions import UNDO_REASON, Reasoned
from payments.models import BankDeposit
from payments.services.deposits import allocating, unallocating
from payments.services.deposits.unallocating import Follow
from payments.states import DepositState

FOLLOWS = {
    Follow.WAITS: "주문 {n:,}건이 입금대기로 돌아갑니다.",
    Follow.SHORT: "입금대기인 주문 {n:,}건은 받은 돈이 줄어듭니다.",
    Follow.STAYS: "주문 {n:,}건은 다른 입금이 있어 지금 상태로 남습니다.",
    Follow.CANCELED: "취소한 주문 {n:,}건은 취소로 남습니다.",
}
"""What becomes of the orders of deposits whose connection ends."""


class DepositAction(Reasoned, BulkAction):
    """입금내역 처리의 바탕: acts on rows of bank statements, each with a reason that stays in the history."""

    model = BankDeposit
    unit = "deposit"

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        return [f"입금액은 모두 {sums['won']:,}원입니다."] if sums.get("won") else []


def _summed(outcome: Outcome) -> Outcome:
    """금액: the dialog tells the won of what it acts on."""
    outcome.sums["won"] = sum(deposit.amount for deposit in outcome.possible)
    return outcome


@register
class IgnoreDeposit(DepositAction):
    """무시: money that is for no order."""

    name, label, permission = "ignore-deposit", "무시", "payments.match_deposits"
    states = (DepositState.QUEUED,)
    thing = "입금"
    is_undoable = True
    undo_data: ClassVar[dict[str, Any]] = {"reason": UNDO_REASON}

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return _summed(allocating.ignore(deposit_ids=ids, actor=actor, at=at, reason=reason, batch=batch))

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return allocating.reopen(deposit_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class ReopenDeposit(DepositAction):
    """무시 취소."""

    name, label, permission = "reopen-deposit", "무시 취소", "payments.match_deposits"
    states = (DepositState.IGNORED,)
    thing, verb = "무시", "취소"
    style = MORE

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return _summed(allocating.reopen(deposit_ids=ids, actor=actor, at=at, reason=reason, batch=batch))


@register
class UnallocateDeposit(DepositAction):
    """연결 취소: the orders of the deposits wait for money again."""

    name, label, permission = "unallocate-deposit", "연결 취소", "payments.revert"
    states = (DepositState.MATCHED, DepositState.ALLOCATED)
    thing, verb = "연결", "취소"
    style = DANGER
    is_destructive = True

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        follows = unallocating.forecast(ids) if is_preview() else {}
        outcome = unallocating.unallocate(deposit_ids=ids, actor=actor, at=at, reason=reason, batch=batch)
        for deposit in outcome.possible:
            outcome.sums.update(follows.get(deposit.pk, {}))
        return _summed(outcome)

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        followed = [text.format(n=sums[name]) for name, text in FOLLOWS.items() if sums.get(name)]
        return [*super().sentences(sums), *followed]
