"""When a transition of a line may run, and the Korean sentence when it may not (ux.md 6.4)."""

from typing import Any

from core.state import Condition, condition
from orders.states import LOCK_BIT, LOCK_TEXT, TRACKED, DeliveredBy, LockKind, blocking


class Unlocked(Condition):
    """No open lock of a kind that blocks the transition; says which one does."""

    def __init__(self, transition_name: str) -> None:
        super().__init__("", lambda line: blocking(line.open_locks, transition_name) is None)
        self.transition_name = transition_name
        self.__name__ = f"unlocked_for_{transition_name}"

    def reason(self, row: Any) -> str:
        kind = blocking(row.open_locks, self.transition_name)
        return LOCK_TEXT[kind].format(self=row) if kind else ""


@condition("연결되지 않은 상품입니다. 품목 연결 화면에서 우리 품목을 골라 주세요.")
def is_mapped(line: Any) -> bool:
    return line.variant_id is not None


@condition("입금액이 주문 금액과 {self.missing_text} 다릅니다.")
def is_paid_in_full(line: Any) -> bool:
    return bool(line.order.open_amount <= 0)


@condition("{self.order.paid_amount:,}원이 들어온 주문입니다. 예외 입금에서 들어온 돈을 모두 환불한 뒤 취소하세요.")
def nothing_is_paid(line: Any) -> bool:
    return bool(line.order.paid_amount == 0)


@condition("같은 주문에 이미 배송준비중 이후로 넘어간 품목이 있습니다.")
def nothing_has_left_preparing(line: Any) -> bool:
    return not line.order.steps & (4 | 8 | 16 | 32)


@condition("이미 발주확인한 품목입니다.")
def is_unacknowledged(line: Any) -> bool:
    return line.acknowledged_at is None


@condition("송장번호가 등록되어 있습니다. 송장을 먼저 삭제하세요.")
def has_no_waybill(line: Any) -> bool:
    return line.standby_at is None


@condition("송장번호가 없습니다.")
def has_waybill_if_needed(line: Any) -> bool:
    return line.standby_at is not None or line.delivery_method not in TRACKED


@condition("택배사가 이미 집하했습니다.")
def is_not_picked_up(line: Any) -> bool:
    return line.picked_up_at is None


@condition("배송보류 중인 품목이 아닙니다.")
def is_held(line: Any) -> bool:
    return bool(line.open_locks & LOCK_BIT[LockKind.HOLD])


@condition("이미 배송보류 중입니다. 사유: {self.hold_reason}")
def is_not_held(line: Any) -> bool:
    return not line.open_locks & LOCK_BIT[LockKind.HOLD]


@condition("발송지연 안내는 품목마다 한 번만 할 수 있습니다.")
def is_not_delayed_yet(line: Any) -> bool:
    return line.delay_notified_at is None


@condition("택배사가 확인하지 않은 배송완료입니다. 직접 확인한 뒤 구매확정하세요.")
def delivery_is_proven(line: Any) -> bool:
    return line.delivered_by not in {"", DeliveredBy.DAYS}


@condition("배송완료를 거치지 않은 품목입니다.")
def was_delivered(line: Any) -> bool:
    return line.delivered_at is not None


@condition("배송완료를 거친 품목입니다.")
def was_not_delivered(line: Any) -> bool:
    return line.delivered_at is None
