"""Columns of the list of bank deposits. Names are masked (reliability.md R-10)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from core import cells
from core.excel.columns import Kind
from core.lists import Group, ListColumn
from core.masking import mask_name, mask_text
from orders.columns import order_url
from payments.matching import reason_words
from payments.models import DepositAllocation
from payments.states import DepositSource, DepositState

CSS = {
    DepositState.NEW: "s-closed",
    DepositState.MATCHED: "s-shipping",
    DepositState.QUEUED: "s-awaiting",
    DepositState.ALLOCATED: "s-delivered",
    DepositState.IGNORED: "s-closed",
    DepositState.RETURNING: "s-ready",
    DepositState.REFUNDED: "s-closed",
}
_SOURCE = dict(DepositSource.choices)
NOTED = frozenset({DepositState.IGNORED, DepositState.RETURNING, DepositState.REFUNDED})


class DepositRecord(NamedTuple):
    """입금 한 줄: the columns of a row."""

    id: int
    version: int
    at: datetime
    bank: str
    amount: int
    depositor: str
    memo: str
    balance: int | None
    source: str
    state: str
    reason: str
    explained: str
    note: str


PATHS = {"bank": "account__bank"}


def deposit_url(pk: int) -> str:
    """입금 상세 주소."""
    return f"/payments/deposits/{pk}/"


def _orders_of(ids: Sequence[int]) -> Mapping[int, list[str]]:
    """연결한 주문 numbers of deposits; one query."""
    rows = DepositAllocation.objects.filter(deposit__in=ids, voided_at=None).order_by("pk")
    found: dict[int, list[str]] = defaultdict(list)
    for pk, number in rows.values_list("deposit_id", "payment__order__number"):
        found[pk].append(number)
    return found


def _state(group: Group, _: Any) -> str:
    row = group.record
    return cells.badge(CSS[DepositState(row.state)], DepositState(row.state).label)


def _why(group: Group, _: Any) -> str:
    row = group.record
    if row.reason:
        return cells.two_lines(reason_words(row.reason, row.explained), row.explained)
    return cells.text(row.note if row.state in NOTED else row.explained)


def _why_text(row: DepositRecord) -> str:
    return " ".join(filter(None, (reason_words(row.reason, row.explained), row.explained)))


def _linked(group: Group, _: Any) -> str:
    return cells.stacked(
        [cells.link(order_url(number), number, css="number") for number in group.fetched.get("orders", ())]
    )


COLUMNS = (
    ListColumn(
        "at", "거래일시", lambda g, _: cells.opener(deposit_url(g.record.id), cells.full_time(g.record.at)[:16]),
        lambda g, _: g.record.at, kind=Kind.DATETIME, width=19, css="nowrap", sort="at",
    ),
    ListColumn(
        "amount", "입금액", lambda g, _: cells.won_and(g.record.amount, g.record.bank), lambda g, _: g.record.amount,
        kind=Kind.WON, css="num nowrap", sort="amount",
    ),
    ListColumn(
        "depositor", "입금자", lambda g, _: cells.two_lines(mask_name(g.record.depositor), mask_text(g.record.memo)),
        lambda g, _: g.record.depositor, personal=True, masked=lambda g, _: mask_name(g.record.depositor),
    ),
    ListColumn("state", "상태", _state, lambda g, _: DepositState(g.record.state).label),
    ListColumn("why", "확인 결과", _why, lambda g, _: _why_text(g.record), width=40),
    ListColumn(
        "orders", "연결한 주문", _linked, lambda g, _: ", ".join(g.fetched.get("orders", ())), fetch=_orders_of,
        width=20,
    ),
    ListColumn(
        "balance", "거래 후 잔액", lambda g, _: cells.won(g.record.balance), lambda g, _: g.record.balance,
        kind=Kind.WON, css="num nowrap", visible=False,
    ),
    ListColumn(
        "source", "출처", lambda g, _: cells.text(_SOURCE[g.record.source]), lambda g, _: _SOURCE[g.record.source],
        visible=False,
    ),
)  # fmt: skip
