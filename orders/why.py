"""왜 여기 있나: one sentence on why a line stands where it is, from the conditions that guard its transitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.calendar import KST
from core.korean import josa
from core.state import explain
from orders.models import OrderLine
from orders.states import (
    LOCK_TEXT,
    TRACKED,
    TRAVEL,
    CanceledBy,
    ConfirmedBy,
    DeliveryMethod,
    LineState,
    StockVerdict,
    blocking,
)

S = LineState
NEXT = {
    S.PREPARING: OrderLine.make_ready,
    S.READY: OrderLine.ship,
    S.SHIPPING: OrderLine.confirm_purchase,
    S.DELIVERED: OrderLine.confirm_after_days,
}
"""What a line waits for; when its guards refuse that, their sentence is the reason."""
CANCELED = {
    CanceledBy.BUYER: "고객이 입금 전에 취소했습니다.",
    CanceledBy.DEADLINE: "입금기한이 지나 자동으로 취소했습니다.",
    CanceledBy.STAFF: "입금 전에 관리자가 취소했습니다.",
}
CONFIRMED = {
    ConfirmedBy.BUYER: "고객이 구매확정했습니다.",
    ConfirmedBy.STAFF: "관리자가 구매확정했습니다.",
    ConfirmedBy.DAYS: "배송완료 뒤 기간이 지나 자동으로 구매확정했습니다.",
}
CLOSED = {
    S.CANCELED: "취소를 마친 품목입니다.",
    S.RETURNED: "반품을 마친 품목입니다.",
    S.EXCHANGED: "교환을 마친 품목입니다.",
    S.MOVED: "다른 주문으로 나눈 품목입니다.",
}


@dataclass(frozen=True, slots=True)
class Why:
    """이유: the sentence, whether something stops the line, the line it is about, and the way to what is to be done."""

    sentence: str
    is_stopped: bool
    line: Any
    way: Mapping[str, str] | None = None
    """`url` and `label` of a link beside the sentence."""


def why_line(line: Any, *, at: datetime) -> Why:
    """이유 of one line; the line carries its order. Reads only loaded fields."""
    state = LineState(line.state)
    if state is S.AWAITING_PAYMENT:
        return _waiting_for_money(line, at)
    reason = explain(line, NEXT[state]) if state in NEXT else None
    if reason is not None:
        return Why(reason, is_stopped=True, line=line)
    return Why(_SENTENCES[state](line) if state in _SENTENCES else CLOSED[state], is_stopped=False, line=line)


def why_order(lines: Sequence[Any], *, at: datetime) -> Why | None:
    """이유 of an order: its slowest active line speaks, a stopped one first; a closed order says how it ended."""
    active = [line for line in lines if line.state in TRAVEL]
    if not active:
        return why_line(lines[0], at=at) if lines else None
    slowest = min(TRAVEL.index(LineState(line.state)) for line in active)
    candidates = [why_line(line, at=at) for line in active if TRAVEL.index(LineState(line.state)) == slowest]
    return next((why for why in candidates if why.is_stopped), candidates[0])


def _waiting_for_money(line: Any, at: datetime) -> Why:
    order = line.order
    kind = blocking(line.open_locks, "cancel_unpaid")
    if kind is not None:
        return Why(LOCK_TEXT[kind].format(self=line), is_stopped=True, line=line)
    reason = explain(line, OrderLine.confirm_payment)
    if reason is None and order.open_amount < 0:
        text = f"입금액이 주문 금액보다 {-order.open_amount:,}원 많습니다. 입금 내역을 확인하세요."
        return Why(text, is_stopped=False, line=line)
    if reason is None:
        return Why("입금액이 주문 금액과 같습니다. 입금확인을 할 수 있습니다.", is_stopped=False, line=line)
    if order.paid_amount:
        return Why(reason, is_stopped=True, line=line)
    waits = f"{order.open_amount:,}원의 입금을 기다립니다."
    if order.deposit_by is None:
        return Why(waits, is_stopped=False, line=line)
    if order.deposit_by <= at:
        return Why(f"{waits} 입금기한({_moment(order.deposit_by)})이 지났습니다.", is_stopped=True, line=line)
    return Why(f"{waits} 입금기한은 {_moment(order.deposit_by)}입니다.", is_stopped=False, line=line)


def _preparing(line: Any) -> str:
    if line.stock_verdict in {StockVerdict.NONE, StockVerdict.PARTLY}:
        return "결제가 끝났지만 재고가 부족합니다. 입고한 뒤 배송준비중 처리를 하세요."
    return "결제가 끝났습니다. 재고를 확인하고 배송준비중 처리를 하세요."


def _ready(line: Any) -> str:
    return "출고할 준비가 되었습니다. 배송중 처리를 할 수 있습니다."


def _shipping(line: Any) -> str:
    if line.delivery_method == DeliveryMethod.VISIT:
        return "고객이 찾으러 오기를 기다립니다. 수령 코드나 이름을 확인하고 수령 확인을 하세요."
    if line.delivery_method not in TRACKED:
        method = DeliveryMethod(line.delivery_method).label
        return f"{josa(method, '으로/로')} 보냈습니다. 전달을 확인하면 전달 완료를 누르세요."
    if line.picked_up_at is None:
        return "출고했지만 택배사가 아직 집하하지 않았습니다."
    return "택배사가 배송하고 있습니다. 배송이 끝나면 자동으로 배송완료가 됩니다."


def _delivered(line: Any) -> str:
    if line.confirm_by is None:
        return "배송이 끝났습니다. 고객이 구매확정하기를 기다립니다."
    return f"배송이 끝났습니다. {_moment(line.confirm_by)}에 자동으로 구매확정합니다."


def _confirmed(line: Any) -> str:
    return CONFIRMED.get(line.confirmed_by, "구매확정을 마친 품목입니다.")


def _canceled_unpaid(line: Any) -> str:
    return CANCELED.get(line.canceled_by, "입금 전에 취소한 품목입니다.")


_SENTENCES = {
    S.PREPARING: _preparing,
    S.READY: _ready,
    S.SHIPPING: _shipping,
    S.DELIVERED: _delivered,
    S.CONFIRMED: _confirmed,
    S.CANCELED_UNPAID: _canceled_unpaid,
}


def _moment(value: datetime) -> str:
    local = value.astimezone(KST)
    return f"{local.month}월 {local.day}일 {local:%H:%M}"
