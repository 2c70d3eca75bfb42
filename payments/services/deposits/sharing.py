"""나누기: how one deposit is shared out among the orders that staff chose; pure, integer won."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.exceptions import DomainError

TOO_MANY = "입금액이 모자라 받지 못하는 주문이 있습니다. 주문을 줄여 고르세요."


@dataclass(frozen=True, slots=True)
class Need:
    """필요한 금액 of an order; `is_fixed` where exactly this much was confirmed by hand and must not become less."""

    order_id: int
    amount: int
    is_fixed: bool = False


def shares_of(amount: int, needs: Sequence[Need]) -> dict[int, int]:
    """몫: every order in turn gets what it needs, the last one what is left, which may be less or more.

    The shares are positive and add up to the amount. Raises DomainError when an order would get nothing, or one that
    was confirmed by hand less than that.
    """
    left, shares = amount, {}
    for place, need in enumerate(needs, start=1):
        share = left if place == len(needs) else min(left, need.amount)
        if share <= 0:
            raise DomainError(TOO_MANY, code="too_many_orders")
        if need.is_fixed and share < need.amount:
            raise DomainError(
                f"직접 입금확인한 {need.amount:,}원보다 입금액이 적어 연결할 수 없습니다.", code="less_than_confirmed"
            )
        shares[need.order_id] = share
        left -= share
    return shares
