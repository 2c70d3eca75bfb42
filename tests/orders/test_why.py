"""왜 여기 있나: a sentence for every state and every lock, the same that the guards refuse with."""

from datetime import datetime, timedelta

import pytest

from core.calendar import KST
from core.state import explain
from orders.models import Order, OrderLine
from orders.states import (
    LOCK_BIT,
    LOCK_TEXT,
    CanceledBy,
    ConfirmedBy,
    DeliveredBy,
    DeliveryMethod,
    LineState,
    LockKind,
    StockVerdict,
)
from orders.why import NEXT, why_line, why_order

S = LineState
AT = datetime(2026, 9, 8, 10, 0, tzinfo=KST)


def line(state, *, paid=0, due=10_000, deposit_by=None, locks=(), **facts):
    """A line in memory: nothing of this may ask the database."""
    order = Order(pk=1, number="20260901-0000001", due_amount=due, paid_amount=paid, deposit_by=deposit_by)
    bits = sum(LOCK_BIT[kind] for kind in locks)
    values = {"pk": 1, "number": "20260901-0000001-01", "variant_id": 7, "open_locks": bits}
    return OrderLine(state=state, order=order, **values | facts)


SENTENCES = [
    (line(S.AWAITING_PAYMENT), "10,000원의 입금을 기다립니다.", False),
    (
        line(S.AWAITING_PAYMENT, deposit_by=AT + timedelta(days=1)),
        "10,000원의 입금을 기다립니다. 입금기한은 9월 9일 10:00입니다.",
        False,
    ),
    (
        line(S.AWAITING_PAYMENT, deposit_by=AT),
        "10,000원의 입금을 기다립니다. 입금기한(9월 8일 10:00)이 지났습니다.",
        True,
    ),
    (line(S.AWAITING_PAYMENT, paid=7_000), "입금액이 주문 금액과 3,000원 다릅니다.", True),
    (
        line(S.AWAITING_PAYMENT, paid=12_000),
        "입금액이 주문 금액보다 2,000원 많습니다. 입금 내역을 확인하세요.",
        False,
    ),
    (line(S.AWAITING_PAYMENT, paid=10_000), "입금액이 주문 금액과 같습니다. 입금확인을 할 수 있습니다.", False),
    (line(S.PREPARING), "결제가 끝났습니다. 재고를 확인하고 배송준비중 처리를 하세요.", False),
    (
        line(S.PREPARING, stock_verdict=StockVerdict.NONE),
        "결제가 끝났지만 재고가 부족합니다. 입고한 뒤 배송준비중 처리를 하세요.",
        False,
    ),
    (
        line(S.PREPARING, variant_id=None),
        "연결되지 않은 상품입니다. 품목 연결 화면에서 우리 품목을 골라 주세요.",
        True,
    ),
    (line(S.READY), "송장번호가 없습니다.", True),
    (line(S.READY, standby_at=AT), "출고할 준비가 되었습니다. 배송중 처리를 할 수 있습니다.", False),
    (
        line(S.READY, delivery_method=DeliveryMethod.VISIT),
        "출고할 준비가 되었습니다. 배송중 처리를 할 수 있습니다.",
        False,
    ),
    (line(S.SHIPPING), "출고했지만 택배사가 아직 집하하지 않았습니다.", False),
    (
        line(S.SHIPPING, picked_up_at=AT),
        "택배사가 배송하고 있습니다. 배송이 끝나면 자동으로 배송완료가 됩니다.",
        False,
    ),
    (
        line(S.SHIPPING, delivery_method=DeliveryMethod.QUICK),
        "퀵서비스로 보냈습니다. 전달을 확인하면 전달 완료를 누르세요.",
        False,
    ),
    (
        line(S.DELIVERED, delivered_by=DeliveredBy.TRACKER, confirm_by=AT + timedelta(days=7)),
        "배송이 끝났습니다. 9월 15일 10:00에 자동으로 구매확정합니다.",
        False,
    ),
    (
        line(S.DELIVERED, delivered_by=DeliveredBy.STAFF),
        "배송이 끝났습니다. 고객이 구매확정하기를 기다립니다.",
        False,
    ),
    (
        line(S.DELIVERED, delivered_by=DeliveredBy.DAYS),
        "택배사가 확인하지 않은 배송완료입니다. 직접 확인한 뒤 구매확정하세요.",
        True,
    ),
    (line(S.CONFIRMED, confirmed_by=ConfirmedBy.BUYER), "고객이 구매확정했습니다.", False),
    (
        line(S.CONFIRMED, confirmed_by=ConfirmedBy.DAYS),
        "배송완료 뒤 기간이 지나 자동으로 구매확정했습니다.",
        False,
    ),
    (line(S.CANCELED_UNPAID, canceled_by=CanceledBy.DEADLINE), "입금기한이 지나 자동으로 취소했습니다.", False),
    (line(S.CANCELED_UNPAID, canceled_by=CanceledBy.BUYER), "고객이 입금 전에 취소했습니다.", False),
    (line(S.CANCELED), "취소를 마친 품목입니다.", False),
    (line(S.RETURNED), "반품을 마친 품목입니다.", False),
    (line(S.EXCHANGED), "교환을 마친 품목입니다.", False),
    (line(S.MOVED), "다른 주문으로 나눈 품목입니다.", False),
]


@pytest.mark.parametrize(("one", "sentence", "is_stopped"), SENTENCES, ids=lambda value: getattr(value, "state", None))
def test_the_sentence_of_a_line(one, sentence, is_stopped):
    why = why_line(one, at=AT)
    assert (why.sentence, why.is_stopped) == (sentence, is_stopped)


def test_every_state_has_a_sentence():
    assert {one.state for one, *_ in SENTENCES} == set(S)


def stopped(kind):
    """States in which an open lock of the kind speaks."""
    return {
        LockKind.CLAIM: {S.PREPARING, S.READY, S.SHIPPING, S.DELIVERED},
        LockKind.HOLD: {S.PREPARING, S.READY},
        LockKind.PAYMENT: {S.PREPARING, S.READY, S.DELIVERED},
        LockKind.MAPPING: {S.PREPARING},
        LockKind.ADDRESS: {S.READY},
        LockKind.DEPOSIT_PENDING: {S.AWAITING_PAYMENT},
        LockKind.DELIVERY: {S.DELIVERED},
    }[kind]


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("kind", list(LockKind))
def test_a_lock_speaks_where_it_stops_the_line_and_nowhere_else(kind, state):
    facts = {"standby_at": AT, "delivered_by": DeliveredBy.TRACKER, "hold_reason": "고객 부재", "picked_up_at": AT}
    locked = line(state, locks=[kind], **facts)
    said, free = why_line(locked, at=AT), why_line(line(state, **facts), at=AT)
    if state in stopped(kind):
        assert (said.sentence, said.is_stopped) == (LOCK_TEXT[kind].format(self=locked), True)
    else:
        assert (said.sentence, said.is_stopped) == (free.sentence, free.is_stopped)


@pytest.mark.parametrize("kind", list(LockKind))
@pytest.mark.parametrize("state", list(NEXT))
def test_the_sentence_is_the_one_the_guard_refuses_with(state, kind):
    one = line(state, locks=[kind], hold_reason="고객 부재", standby_at=AT, delivered_by=DeliveredBy.TRACKER)
    reason = explain(one, NEXT[state])
    assert reason is None or why_line(one, at=AT).sentence == reason


def test_the_slowest_line_speaks_and_a_stopped_one_first():
    fast = line(S.SHIPPING, picked_up_at=AT)
    slow = line(S.PREPARING)
    held = line(S.PREPARING, locks=[LockKind.HOLD], hold_reason="색상 확인")
    assert why_order([fast, slow], at=AT).line is slow
    assert why_order([fast, slow, held], at=AT).sentence == "배송보류 중입니다. 사유: 색상 확인"
    assert why_order([line(S.CANCELED), fast], at=AT).line is fast
    assert why_order([line(S.CANCELED_UNPAID, canceled_by=CanceledBy.STAFF)], at=AT).sentence == (
        "입금 전에 관리자가 취소했습니다."
    )
    assert why_order([], at=AT) is None
