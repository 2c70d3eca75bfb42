"""주문으로 묶기: rows of a file become orders, each with one verdict for all of its rows.

An order is taken whole or not at all: a row that cannot be read, or rows that contradict each other, refuse every row
of the order. Only rows that the channel itself has canceled or sent already are left out one by one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from channels.adapters.layouts import BY_KEY, Layout, Pick, Rule, Standing
from channels.adapters.statuses import standing
from channels.services.drafting import line_draft, order_draft, our_sku
from channels.services.limits import draft_problem, line_problem
from channels.services.reading import FileRow, Reading
from core.korean import josa
from orders.services.intake import LineDraft, OrderDraft

NO_NUMBER = "주문번호가 비어 있습니다. 주문번호를 입력하세요."
NO_SHARE = (
    "취소했거나 이미 보낸 품목을 뺀 주문이라 주문 금액을 나눌 수 없습니다. "
    "주문 직접 등록에서 남은 품목을 입력해 주세요."
)
_LEFT_OUT = {
    Standing.UNPAID: "아직 결제하지 않은 주문입니다. 결제한 뒤 다시 올려 주세요.",
    Standing.SHIPPED: "이미 발송한 주문입니다. 새로 등록하지 않습니다.",
    Standing.CANCELED: "취소했거나 취소를 신청한 주문입니다. 등록하지 않습니다.",
    Standing.CLAIMED: "반품이나 교환을 신청한 주문입니다. 등록하지 않습니다.",
}
_WHOLE_ORDER_AMOUNTS = ("coupon_amount", "points_amount", "order_discount", "order_total")
_YES = frozenset({"Y", "YES", "TRUE", "1", "예", "있음"})


@dataclass(slots=True)
class FileOrder:
    """파일의 주문: its rows in the order of the file and what is to become of each.

    `refused` maps row numbers to reasons, `is_part` says that the channel canceled or sent some of it; `draft` is None
    when no row is left; `skus` are our codes by line of the draft; `ask` is a question that a person must answer first.
    """

    number: str
    rows: list[FileRow] = field(default_factory=list)
    taken: list[FileRow] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    draft: OrderDraft | None = None
    skus: list[str] = field(default_factory=list)
    ask: str = ""
    is_part: bool = False


def file_orders(reading: Reading, rows: Iterable[FileRow], *, at: datetime) -> list[FileOrder]:
    """주문으로 묶기: orders in the order of their first row; rows without an order number stand alone, refused."""
    orders: dict[str, FileOrder] = {}
    for row in rows:
        number = row.get("order_number") or ""
        order = orders.setdefault(number or f"\x00{row.number}", FileOrder(number))
        order.rows.append(row)
    for order in orders.values():
        if not order.number:
            order.refused[order.rows[0].number] = order.rows[0].error or NO_NUMBER
        else:
            _judge(order, reading, at=at)
    _refuse_repeated_lines(orders.values())
    return list(orders.values())


def _judge(order: FileOrder, reading: Reading, *, at: datetime) -> None:
    for row in order.rows:
        reason = "" if row.error else _left_out(row, reading.layout)
        if reason:
            order.refused[row.number] = reason
            order.is_part = True
        else:
            order.taken.append(row)
    _drop_twins(order)
    if not order.taken:
        return
    errors = {row.number: row.error for row in order.taken if row.error}
    if errors:
        _refuse_whole(order, errors)
        return
    facts, problem = _facts(order, reading.rules)
    if not problem:
        order.ask = _question(order)
        _draft(order, facts, reading, at=at)
    else:
        _refuse_whole(order, dict.fromkeys((row.number for row in order.taken), problem))


def _left_out(row: FileRow, layout: Layout) -> str:
    for key in ("status_detail", "status"):
        status = row.get(key)
        found = standing(status, layout.statuses) if status else None
        if found == Standing.UNPAID and not layout.prepaid:
            continue
        if found in _LEFT_OUT:
            return f"{_LEFT_OUT[found]} 주문상태: {str(status)[:30]}"
    if row.get("shipped_at"):
        return _LEFT_OUT[Standing.SHIPPED]
    if (row.get("refunded") or 0) > 0:
        return "환불한 주문입니다. 등록하지 않습니다."
    return ""


def _drop_twins(order: FileOrder) -> None:
    """The same line twice: identical rows count once, different ones contradict each other."""
    seen: dict[str, FileRow] = {}
    kept: list[FileRow] = []
    for row in order.taken:
        line = row.get("line_number")
        first = seen.setdefault(line, row) if line else row
        if first is row:
            kept.append(row)
        elif first.values == row.values:
            order.refused[row.number] = f"파일의 {first.number}행과 같은 품목입니다. 한 번만 등록합니다."
        else:
            kept.append(row)
            row.error = row.error or f"파일의 {first.number}행과 품목별 주문번호가 같은데 내용이 다릅니다."
    order.taken = kept


def _refuse_whole(order: FileOrder, errors: Mapping[int, str]) -> None:
    first = next(iter(errors))
    other = f"같은 주문의 {first}행에 오류가 있어 이 주문을 등록하지 않습니다."
    order.refused |= {row.number: errors.get(row.number, other) for row in order.taken}
    order.draft, order.taken, order.ask = None, [], ""


def _facts(order: FileOrder, rules: Mapping[str, Rule]) -> tuple[dict[str, Any], str]:
    """What the rows say about their order, and how they contradict each other."""
    facts: dict[str, Any] = {}
    for key, rule in rules.items():
        if not BY_KEY[key].of_order:
            continue
        said = [(row.number, value) for row in order.taken if (value := row.get(key)) is not None]
        if not said:
            continue
        by_group = key in {"shipping_fee", "shipping_discount"} and "shipping_group" in rules
        other = next((number for number, value in said if value != said[0][1]), None)
        if other is not None and rule.pick == Pick.SAME and not by_group:
            what = josa(BY_KEY[key].label, "이/가")
            return {}, f"{what} {said[0][0]}행과 {other}행에서 다릅니다. 같은 주문이면 값을 맞춰 주세요."
        facts[key] = said[-1][1] if rule.pick == Pick.LAST else said[0][1]
    return facts, ""


def _question(order: FileOrder) -> str:
    """확인할 것 before the order may be taken."""
    if any(row.get("waybill") for row in order.taken):
        return "판매채널에 송장번호가 이미 등록된 주문입니다. 우리가 보낼 주문이 맞는지 확인하세요."
    if any(str(row.get("claimed") or "").upper() in _YES for row in order.taken):
        return "수량을 바꾸거나 취소한 적이 있는 주문입니다. 수량을 확인하세요."
    return ""


def _draft(order: FileOrder, facts: dict[str, Any], reading: Reading, *, at: datetime) -> None:
    lines: list[LineDraft] = []
    errors: dict[int, str] = {}
    for row in order.taken:
        line, problem = line_draft(row, at=at)
        problem = problem or (line_problem(line) if line else "")
        if problem or line is None:
            errors[row.number] = problem
        else:
            lines.append(line)
    if errors:
        _refuse_whole(order, errors)
        return
    if order.is_part and any(facts.get(key) for key in _WHOLE_ORDER_AMOUNTS):
        problem = NO_SHARE
    else:
        order.draft, problem = order_draft(order.number, facts, lines, order.taken, reading)
    if order.draft is not None and not problem:
        problem = draft_problem(order.draft, at=at)
    if problem:
        _refuse_whole(order, dict.fromkeys((row.number for row in order.taken), problem))
    else:
        order.skus = [our_sku(row) for row in order.taken]


def _refuse_repeated_lines(orders: Iterable[FileOrder]) -> None:
    """A line number may stand in one order of the file only."""
    seen: dict[str, tuple[FileOrder, int]] = {}
    for order in orders:
        for row in list(order.taken):
            line = row.get("line_number")
            if not line:
                continue
            first, number = seen.setdefault(line, (order, row.number))
            if first is not order:
                _refuse_whole(order, {row.number: f"파일의 {number}행과 품목별 주문번호가 같습니다."})
                break
