"""입금 이력: money that came or went and did not move its order by itself is told in the 처리 이력 of the order.

What confirms an order to the won is told by 입금확인. Source: payments.md 5.5 (OrderHistory), 5.7.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.events import record
from core.state import Change, Outcome
from payments import events
from payments.models import LedgerEntry, MoneyProblem
from payments.states import EntryKind, ProblemKind

TOLD = {
    EntryKind.DEPOSIT: (events.MONEY_CAME, "{won:,}원이 들어왔습니다."),
    EntryKind.REVERSAL: (events.MONEY_TAKEN_BACK, "{won:,}원의 입금을 은행이 취소했습니다."),
    EntryKind.MANUAL_REVERSAL: (events.BY_HAND_REPLACED, "직접 확인한 {won:,}원을 들어온 돈으로 바꿨습니다."),
    EntryKind.SHORTFALL: (events.SHORTFALL_TAKEN_BACK, "인정한 차액 {won:,}원을 뺐습니다."),
}
"""Kinds of ledger rows that are told, and in which words."""


def note(entries: Sequence[LedgerEntry], *, at: datetime, actor: Any = None, source: str = "") -> None:
    """입금 이력 남기기: rows just booked, each with its sum and the cases that are open by it; one query.

    A deposit after which no case is open has fitted, and the lines of its order say so.
    """
    told = [one for one in entries if one.kind in TOLD and not (one.kind == EntryKind.SHORTFALL and one.amount > 0)]
    if not told:
        return
    open_ones = MoneyProblem.objects.filter(payment__in={one.payment_id for one in told}, resolved_at=None)
    causes: dict[int | None, list[str]] = defaultdict(list)
    for payment_id, kind, amount in open_ones.order_by("pk").values_list("payment_id", "kind", "amount"):
        causes[payment_id].append(f"{ProblemKind(kind).label} {amount:,}원")
    for entry in told:
        mine = causes[entry.payment_id]
        if mine or entry.kind != EntryKind.DEPOSIT:
            kind, words = TOLD[EntryKind(entry.kind)]
            reason = f"{words.format(won=abs(entry.amount))} {', '.join(mine)}".strip()[:200]
            data = {entry.pk: {"amount": entry.amount, "causes": mine}}
            changes = [Change(entry, "", "", 1)]
            record(Outcome(changes=changes), kind, at=at, actor=actor, source=source, reason=reason, data=data)
