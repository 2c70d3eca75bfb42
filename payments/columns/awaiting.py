"""Columns of the list of unpaid orders. Names are masked in cells and whole in files (reliability.md R-10)."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Exists, OuterRef, Q

from core import cells
from core.calendar import kst_date
from core.excel.columns import Kind
from core.lists import Group, ListColumn
from core.masking import mask_account, mask_name
from orders.columns import DANGER, LATE, TODAY, in_file, order_tags
from orders.states import LineState, PaymentMethod
from payments.banks import bank_at
from payments.models import MoneyProblem, Payment, VirtualAccount
from payments.services.gateway.windows import DIFFERS, NOT_OPENED
from payments.services.pg_accounts import KEY_REFUSED
from payments.states import VirtualState

TO_CASES = "예외 입금 확인"
_METHOD = dict(PaymentMethod.choices)


def deposit_tags(group: Group) -> list[cells.Tag]:
    """표시: what is wrong with the money first, then what every list shows."""
    order, found = group.record, []
    if group.fetched.get("tags"):
        found.append(cells.Tag("예외", DANGER))
    if order.paid_amount and order.paid_amount != order.due_amount:
        found.append(cells.Tag("금액 다름", DANGER))
    is_waited_for = order.deposit_by is not None and order.stage == LineState.AWAITING_PAYMENT
    if is_waited_for and order.deposit_by <= group.now:
        found.append(cells.Tag("기한 지남", LATE))
    elif is_waited_for and kst_date(order.deposit_by) == kst_date(group.now):
        found.append(cells.Tag("기한 오늘", TODAY))
    return [*found, *order_tags(group)]


def _paid_cell(group: Group, line: Any) -> str:
    order = group.record
    if order.paid_amount in {0, order.due_amount}:
        return cells.won(order.paid_amount)
    gap = order.due_amount - order.paid_amount
    return cells.two_lines(cells.won(order.paid_amount), f"{abs(gap):,}원 {'부족' if gap > 0 else '초과'}")


def _deposit_by_cell(group: Group, line: Any) -> str:
    order = group.record
    if order.stage == LineState.AWAITING_PAYMENT:
        return cells.deadline(order.deposit_by, group.now)
    # An order that a colleague or the bank has moved on has no time left to run out.
    return cells.text(cells.short_time(order.deposit_by, group.now))


def at_pgs(ids: Sequence[int]) -> dict[int, Payment]:
    """PG 결제 of orders, the newest one each, with its virtual account, card check and `has_case`; one query."""
    rows = Payment.objects.filter(Q(virtual__isnull=False) | Q(card_check__isnull=False), order__in=ids)
    cases = MoneyProblem.objects.filter(payment=OuterRef("pk"), resolved_at=None)
    rows = rows.select_related("account", "virtual", "card_check").annotate(has_case=Exists(cases.order_by()))
    return {one.order_id: one for one in rows.order_by("pk")}


def _virtual_of(group: Group) -> VirtualAccount | None:
    return getattr(group.fetched.get("virtual"), "virtual", None)


def _virtual_cell(group: Group, line: Any) -> str:
    virtual = _virtual_of(group)
    if virtual is None:
        return _card_cell(group)
    if not virtual.number:
        return _not_opened(virtual, has_case=group.fetched["virtual"].has_case)
    return cells.two_lines(_bank(virtual), mask_account(virtual.number))


def _card_cell(group: Group) -> str:
    """A card payment waits here for its PG; with a case, for a person, even while the PG is asked on."""
    check = getattr(group.fetched.get("virtual"), "card_check", None)
    if check is None or group.record.stage != LineState.AWAITING_PAYMENT:
        return cells.EMPTY
    if group.fetched["virtual"].has_case:
        return cells.two_lines("확인 필요", TO_CASES)
    if check.next_try_at:
        return cells.text("PG 확인 중")
    return cells.text("PG 확인 못 함") if check.last_error else cells.EMPTY


def _not_opened(virtual: VirtualAccount, *, has_case: bool) -> str:
    """Why an account is not there: who can do something about it reads so in the list."""
    act = "확인" if virtual.is_from_window else "발급"
    if virtual.state == VirtualState.FAILED:
        return cells.text(f"{act} 실패")
    if virtual.last_error.startswith(KEY_REFUSED):
        return cells.two_lines(f"{act} 못 함", "PG 계정의 키 확인")
    if has_case or virtual.last_error == DIFFERS:
        return cells.two_lines("확인 필요", TO_CASES)
    if virtual.last_error == NOT_OPENED:
        return cells.text("고객이 열기 전")
    return cells.text("PG 확인 중" if virtual.is_from_window else "발급 중")


def _virtual_text(group: Group) -> str:
    virtual = _virtual_of(group)
    return f"{_bank(virtual)} {mask_account(virtual.number)}" if virtual is not None and virtual.number else ""


def _bank(virtual: VirtualAccount) -> str:
    account = virtual.payment.account
    return bank_at(account.provider, virtual.bank) if account is not None else virtual.bank


def open_problems(ids: Sequence[int]) -> dict[int, bool]:
    """예외 입금이 있는 주문; one query."""
    rows = MoneyProblem.objects.filter(order__in=ids, resolved_at=None)
    return dict.fromkeys(rows.values_list("order_id", flat=True), True)


DEPOSITOR = ListColumn(
    "depositor", "입금자명", lambda g, _: cells.text(mask_name(g.record.depositor_name)),
    lambda g, _: g.record.depositor_name, personal=True, masked=lambda g, _: mask_name(g.record.depositor_name),
    css="who",
)  # fmt: skip
DUE = ListColumn(
    "due", "결제예정액", lambda g, _: cells.won_and(g.record.due_amount, _METHOD[g.record.payment_method]),
    lambda g, _: g.record.due_amount, kind=Kind.WON, css="num nowrap", sort="due_amount",
    more=(in_file("method", "결제수단", lambda g, _: _METHOD[g.record.payment_method]),),
)  # fmt: skip
PAID = ListColumn(
    "paid", "입금액", _paid_cell, lambda g, _: g.record.paid_amount, kind=Kind.WON, css="num nowrap"
)  # fmt: skip
VIRTUAL = ListColumn(
    "virtual", "가상계좌", _virtual_cell, lambda g, _: _virtual_text(g), personal=True,
    masked=lambda g, _: _virtual_text(g), fetch=at_pgs, width=24,
)  # fmt: skip
DEPOSIT_BY = ListColumn(
    "deposit_by", "입금기한", _deposit_by_cell, lambda g, _: g.record.deposit_by,
    kind=Kind.DATETIME, css="nowrap", sort="deposit_by", width=19,
)  # fmt: skip
TAGS = ListColumn(
    "tags", "표시", lambda g, _: cells.tags(deposit_tags(g)),
    lambda g, _: ", ".join(tag.label for tag in deposit_tags(g)), fetch=open_problems,
)  # fmt: skip
