"""Columns of the list of refunds. Names and accounts are masked in cells, whole in files (reliability.md R-10)."""

import json
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from core import cells
from core.excel.columns import Kind
from core.lists import Group, ListColumn
from core.masking import mask_account, mask_name
from core.sealing import unseal
from orders.columns import order_url
from orders.states import PaymentMethod
from payments.adapters.banks import bank_name
from payments.columns.deposits import deposit_url
from payments.columns.problems import problem_url
from payments.models.refund import PURPOSE, RefundAccount
from payments.services.refunds.listing import listings
from payments.states import RefundState, RefundWay

CSS = {
    RefundState.DRAFT: "s-awaiting",
    RefundState.HELD: "s-awaiting",
    RefundState.APPROVED: "s-preparing",
    RefundState.SENDING: "s-ready",
    RefundState.UNKNOWN: "s-ready",
    RefundState.ACCEPTED: "s-shipping",
    RefundState.COMPLETED: "s-delivered",
    RefundState.FAILED: "s-awaiting",
    RefundState.WITHDRAWN: "s-closed",
}
RETURN = "입금 반환"
WIPED = "보관 기간이 지나 지움"
_WAY, _METHOD = dict(RefundWay.choices), dict(PaymentMethod.choices)


class RefundRecord(NamedTuple):
    """환불 한 줄: the columns of a row."""

    id: int
    version: int
    requested_at: datetime
    order_number: str | None
    deposit_id: int | None
    payer: str | None
    buyer: str | None
    method: str | None
    amount: int
    way: str
    state: str
    reason: str
    sealed_account: str
    account_wiped_at: datetime | None
    needs_second: bool
    requester: str | None
    approver: str | None
    completed_at: datetime | None
    reference: str
    key: UUID
    last_error: str
    problem_id: int | None


PATHS = {
    "order_number": "order__number",
    "payer": "deposit__depositor",
    "buyer": "order__buyer_name",
    "method": "payment__method",
    "requester": "requested_by__display_name",
    "approver": "approved_by__display_name",
}


def refund_name(order_number: str | None, deposit_id: int | None) -> str:
    """환불 이름: what staff call a refund, in its list and on the page of a job."""
    return order_number or f"{RETURN} {deposit_id}"


def refund_url(key: Any) -> str:
    """환불 한 건 in the list of refunds."""
    return f"/payments/refunds/?{urlencode({'tab': 'all', 'q': key})}"


def account_of(record: RefundRecord) -> RefundAccount | None:
    """환불계좌 in the clear."""
    text = unseal(record.sealed_account, purpose=PURPOSE)
    return RefundAccount(**json.loads(text)) if text else None


def _account_cell(group: Group, _: Any) -> str:
    account, row = account_of(group.record), group.record
    if row.account_wiped_at is not None:
        return cells.two_lines(WIPED, cells.full_time(row.account_wiped_at))
    if account is None:
        waits = row.problem_id and row.requester is None and row.state == RefundState.DRAFT
        return cells.link(problem_url(row.problem_id), "환불계좌 입력") if waits and _to_account(row) else cells.EMPTY
    return cells.two_lines(f"{bank_name(account.bank)} {mask_account(account.number)}", mask_name(account.holder))


def _to_account(row: RefundRecord) -> bool:
    return row.way == RefundWay.BANK or row.method == PaymentMethod.VIRTUAL_ACCOUNT


def _masked_account(group: Group, _: Any) -> str:
    account = account_of(group.record)
    if account is None:
        return WIPED if group.record.account_wiped_at else ""
    return f"{bank_name(account.bank)} {mask_account(account.number)}"


def _fact(name: str) -> Any:
    """One fact of the account for the file that goes to the bank."""

    def plain(group: Group, _: Any) -> str:
        account = account_of(group.record)
        return str(getattr(account, name)) if account else ""

    return plain


def _bank_plain(group: Group, _: Any) -> str:
    account = account_of(group.record)
    if account is None:
        return WIPED if group.record.account_wiped_at else ""
    return bank_name(account.bank)


def _state(group: Group, _: Any) -> str:
    row = group.record
    waits = row.state == RefundState.DRAFT and row.needs_second
    badge = cells.badge(CSS[RefundState(row.state)], RefundState(row.state).label)
    return cells.joined([badge, " ", cells.tags([cells.Tag("다른 직원 승인", "t-hold")])]) if waits else badge


def _subject(record: RefundRecord) -> str:
    """주문, or the deposit that goes back because it is for no order."""
    if record.order_number:
        return cells.link(order_url(record.order_number), record.order_number, css="number")
    return cells.link(deposit_url(record.deposit_id or 0), RETURN)


def _buyer(record: RefundRecord) -> str:
    return record.buyer or record.payer or ""


def _listed_cell(group: Group, _: Any) -> str:
    found = group.fetched.get("listed")
    if found is None:
        return cells.EMPTY
    again = f" · {found.times:,}번" if found.times > 1 else ""
    return cells.two_lines(cells.short_time(found.at, group.now), f"{found.who}{again}")


def _listed_text(group: Group, _: Any) -> str:
    found = group.fetched.get("listed")
    return f"이미 내려받음 {cells.full_time(found.at)} {found.who} ({found.times:,}번)" if found else ""


def _people(record: RefundRecord) -> str:
    return f"{record.requester} 님" if record.requester else "시스템"


def _approver(record: RefundRecord) -> str:
    return f"{record.approver} 님" if record.approver else ""


COLUMNS = (
    ListColumn(
        "order", "주문번호",
        lambda g, _: _subject(g.record), lambda g, _: g.record.order_number or RETURN, css="nowrap", width=18,
    ),
    ListColumn(
        "amount", "환불액", lambda g, _: cells.won_and(g.record.amount, _METHOD.get(g.record.method or "", RETURN)),
        lambda g, _: g.record.amount, kind=Kind.WON, css="num nowrap", sort="amount",
    ),
    ListColumn("state", "상태", _state, lambda g, _: RefundState(g.record.state).label),
    ListColumn("way", "환불 방법", lambda g, _: cells.text(_WAY[g.record.way]), lambda g, _: _WAY[g.record.way]),
    ListColumn(
        "account", "환불계좌", _account_cell, _bank_plain, personal=True, masked=_masked_account, width=14,
        more=(
            ListColumn("bank_code", "은행코드", lambda g, _: "", _fact("bank"), width=9, personal=True),
            ListColumn("number", "계좌번호", lambda g, _: "", _fact("number"), width=20, personal=True),
            ListColumn("holder", "예금주", lambda g, _: "", _fact("holder"), width=12, personal=True),
        ),
    ),
    ListColumn("listed", "은행 목록", _listed_cell, _listed_text, css="nowrap", fetch=listings, width=36),
    ListColumn(
        "buyer", "주문자", lambda g, _: cells.text(mask_name(_buyer(g.record))), lambda g, _: _buyer(g.record),
        personal=True, masked=lambda g, _: mask_name(_buyer(g.record)), css="nowrap",
    ),
    ListColumn(
        "reason", "사유", lambda g, _: cells.brief(g.record.reason), lambda g, _: g.record.reason, css="brief",
        width=30,
    ),
    ListColumn(
        "error", "실패 이유", lambda g, _: cells.brief(g.record.last_error), lambda g, _: g.record.last_error,
        css="brief", width=30,
    ),
    ListColumn(
        "requested", "신청",
        lambda g, _: cells.two_lines(cells.short_time(g.record.requested_at, g.now), _people(g.record)),
        lambda g, _: g.record.requested_at, kind=Kind.DATETIME, css="nowrap", sort="requested_at", width=19,
        more=(ListColumn("requester", "신청한 직원", lambda g, _: "", lambda g, _: _people(g.record)),),
    ),
    ListColumn(
        "approver", "승인", lambda g, _: cells.text(_approver(g.record)), lambda g, _: _approver(g.record),
    ),
    ListColumn(
        "completed", "완료일시", lambda g, _: cells.text(cells.full_time(g.record.completed_at)),
        lambda g, _: g.record.completed_at, kind=Kind.DATETIME, css="nowrap", width=19, visible=False,
    ),
    ListColumn(
        "reference", "PG 환불번호", lambda g, _: cells.text(g.record.reference), lambda g, _: g.record.reference,
        visible=False, width=24,
    ),
    ListColumn(
        "key", "환불 번호", lambda g, _: cells.text(g.record.key), lambda g, _: str(g.record.key), visible=False,
        width=38,
    ),
)  # fmt: skip
