"""왜 여기 있나: one sentence on why a line stands where it is, from the conditions that guard its transitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.calendar import KST
from core.korean import josa
from core.state import explain
from orders.models import OrderLine
from orders.states import TRAVEL, DeliveryMethod, LineState, StockVerdict

S = LineState
NEXT = {
    S.AWAITING_PAYMENT: OrderLine.confirm_payment,
    S.PREPARING: OrderLine.make_ready,
    S.READY: OrderLine.ship,
    S.DELIVERED: OrderLine.confirm_after_days,
    S.CONFIRMED: OrderLine.revoke_confirmation,
}


@dataclass(frozen=True, slots=True)
class Why:
    """이유: the sentence, whether something stops the line, and the line it is about."""

    sentence: str
    is_stopped: bool
    line: Any


def why_line(line: Any, *, at: datetime) -> Why:
    """이유 of one line; the line carries its order. Reads only loaded fields."""
    state = LineState(line.state)
    reason = explain(line, NEXT[state]) if state in NEXT and state is not S.CONFIRMED else None
    if state is S.AWAITING_PAYMENT:
        return Why(_waiting_for_money(line), line.order.paid_amount > 0, line)
    if reason is not None:
        return Why(reason, is_stopped=True, line=line)
    return Why(_ready_sentence(state, line, at), is_stopped=False, line=line)


def why_order(lines: Sequence[Any], *, at: datetime) -> Why | None:
    """이유 of an order: its slowest active line speaks, a stopped one first."""
    active = [line for line in lines if line.state in TRAVEL]
    if not active:
        return None
    slowest = min(TRAVEL.index(LineState(line.state)) for line in active)
    candidates = [why_line(line, at=at) for line in active if TRAVEL.index(LineState(line.state)) == slowest]
    return next((why for why in candidates if why.is_stopped), candidates[0])


def _waiting_for_money(line: Any) -> str:
    order = line.order
    if order.paid_amount:
        return explain(line, OrderLine.confirm_payment) or "입금액이 주문 금액과 같습니다. 입금확인을 할 수 있습니다."
    limit = f" 입금기한은 {_moment(order.deposit_by)}입니다." if order.deposit_by else ""
    return f"{order.open_amount:,}원의 입금을 기다립니다.{limit}"


def _ready_sentence(state: LineState, line: Any, at: datetime) -> str:
    if state is S.PREPARING:
        if line.stock_verdict in {StockVerdict.NONE, StockVerdict.PARTLY}:
            return "결제가 끝났지만 재고가 부족합니다. 입고한 뒤 배송준비중 처리를 하세요."
        return "결제가 끝났습니다. 재고를 확인하고 배송준비중 처리를 하세요."
    if state is S.READY:
        return "출고할 준비가 되었습니다. 배송중 처리를 할 수 있습니다."
    if state is S.SHIPPING:
        if line.delivery_method != DeliveryMethod.PARCEL:
            method = DeliveryMethod(line.delivery_method).label
            return f"{josa(method, '으로/로')} 보냈습니다. 전달을 확인하면 배송완료 처리를 하세요."
        if line.picked_up_at is None:
            return "출고했지만 택배사가 아직 집하하지 않았습니다."
        return "택배사가 배송하고 있습니다. 배송이 끝나면 자동으로 배송완료가 됩니다."
    if state is S.DELIVERED:
        return f"배송이 끝났습니다. {_moment(line.confirm_by)}에 자동으로 구매확정됩니다."
    return "구매확정이 끝난 품목입니다."


def _moment(value: datetime | None) -> str:
    return (
        value.astimezone(KST).strftime("%m월 %d일 %H:%M").replace("월 0", "월 ").lstrip("0") if value else "기한 없음"
    )
