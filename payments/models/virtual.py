"""Virtual accounts: the bank account that a PG opened for one payment."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from core.models import TimeStamped
from orders.models import Order
from payments.models.payment import Payment
from payments.querysets import VirtualQuerySet
from payments.states import VirtualState

WITHOUT_DEADLINE = timedelta(days=7)
"""How long the account of an order without a 입금기한 takes money."""


def account_due(order: Order, *, at: datetime) -> datetime:
    """계좌 입금기한 of an account that is asked for at `at`."""
    return order.deposit_by or at + WITHOUT_DEADLINE


class VirtualAccount(TimeStamped):
    """가상계좌: asked for when the order comes in; while the PG has not answered it is PENDING and tried again."""

    event_subject = "virtual"

    payment = models.OneToOneField(Payment, models.CASCADE, primary_key=True, related_name="virtual")
    state = models.CharField("발급 상태", max_length=8, choices=VirtualState.choices, default=VirtualState.PENDING)
    # The buyer opens it in the PG's own window and the storefront names it: it is asked about, never opened by us.
    is_from_window = models.BooleanField("결제창에서 연 계좌", default=False, db_default=False)
    # As the PG counts banks: digits, or a word of PortOne; empty while only the PG knows it.
    bank = models.CharField("은행 코드", max_length=40, blank=True)
    number = models.CharField("계좌번호", max_length=40, blank=True, db_collation="C")
    holder = models.CharField("예금주", max_length=60, blank=True)
    # Who paid, as the PG tells; a refund to somebody else takes two people.
    depositor = models.CharField("입금자", max_length=60, blank=True, db_default="")
    due_at = models.DateTimeField("입금기한")
    issued_at = models.DateTimeField("발급일시", null=True, blank=True)
    closed_at = models.DateTimeField("닫은 일시", null=True, blank=True)
    next_try_at = models.DateTimeField("다음 시도", null=True, blank=True)
    attempts = models.PositiveSmallIntegerField("시도", default=0)
    last_error = models.CharField("마지막 오류", max_length=300, blank=True)
    objects = VirtualQuerySet.as_manager()

    class Meta:
        verbose_name = "가상계좌"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=VirtualState.values), name="virtual_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=[VirtualState.PENDING, VirtualState.FAILED]) | ~Q(number=""),
                name="virtual_has_number",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                name="virtual_to_try",
                condition=Q(state__in=[VirtualState.PENDING, VirtualState.CLOSING]),
            ),
            models.Index(fields=["due_at"], name="virtual_open", condition=Q(state=VirtualState.ISSUED)),
        ]

    def __str__(self) -> str:
        return f"{self.bank} {self.number}"

    @property
    def event_order_id(self) -> int:
        """주문 of its events."""
        return self.payment.order_id
