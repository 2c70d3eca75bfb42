"""Filters of the list of unpaid orders."""

from django.db.models import F, Q

from core.lists import Condition
from orders.filters import OrderFilter

DEPOSITS = {
    "none": ("입금 없음", Q(paid_amount=0)),
    "different": ("금액이 다른 입금", ~Q(paid_amount=0) & ~Q(paid_amount=F("due_amount"))),
}


class AwaitingFilter(OrderFilter):
    """입금대기 상세조건: nothing is asked about stock before the money is there."""

    stock = None  # type: ignore[assignment]
    deposit = Condition(label="입금액", conditions=DEPOSITS)
