"""Payments and the append-only ledger that decides what is paid."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django_fsm import RETURN_VALUE

from core.models import TimeStamped
from core.state import StateField, StateGuard, transition
from core.triggers import append_only, state_triggers, told_triggers
from orders.models import Order
from orders.states import PaymentMethod
from payments.states import PAYMENT_MOVES, EntryKind, PaymentState


class Payment(StateGuard, TimeStamped):
    """결제: one way in which an order is to be paid; its state follows the ledger."""

    event_subject = "payment"

    order = models.ForeignKey(Order, models.PROTECT, related_name="payments")
    method = models.CharField("결제수단", max_length=16, choices=PaymentMethod.choices)
    amount = models.PositiveBigIntegerField("결제예정액")
    balance = models.BigIntegerField("원장 잔액", default=0)
    refunded = models.BigIntegerField("환불액", default=0, db_default=0)
    # Won that count as paid and never came (SHORTFALL); they are part of the balance and never go back to anybody.
    forgiven = models.PositiveBigIntegerField("인정한 차액", default=0, db_default=0)
    # Only for what goes through a PG of our own: our reference there, its own number, and what proves its notices.
    # No index of its own: before the first statistics of a new account it was taken instead of payment_ref_once.
    account = models.ForeignKey(
        "payments.PgAccount", models.PROTECT, null=True, related_name="payments", db_index=False
    )
    order_ref = models.CharField("PG 주문번호", max_length=64, null=True, db_collation="C")  # noqa: DJ001 - unique
    payment_ref = models.CharField("PG 거래번호", max_length=200, blank=True, db_collation="C")
    sealed_secret = models.TextField("알림 비밀값", blank=True)
    # When the fetch began whose answer was applied last: the PG knew no more of this payment than the ledger then.
    asked_at = models.DateTimeField("PG 조회 일시", null=True, blank=True)
    # Answers of before are not applied any more: that moment, or when a refund of our own was answered after it.
    synced_at = models.DateTimeField("PG 대조 일시", null=True, blank=True)
    state = StateField("상태", choices=PaymentState.choices, default=PaymentState.PENDING)
    # When the money that was enough came in: by the clock of the PG or the bank, not when we heard of it.
    paid_at = models.DateTimeField("입금일시", null=True, blank=True)

    class Meta:
        verbose_name = "결제"
        triggers = [*state_triggers(pairs=PAYMENT_MOVES, initial=[PaymentState.PENDING]), *told_triggers("payment")]
        constraints = [
            models.CheckConstraint(condition=models.Q(balance__gte=0), name="payment_balance_not_negative"),
            models.CheckConstraint(condition=models.Q(refunded__gte=0), name="payment_refunded_not_negative"),
            models.CheckConstraint(
                condition=models.Q(forgiven__gte=0, balance__gte=models.F("forgiven")),
                name="payment_forgiven_in_balance",
            ),
            models.CheckConstraint(condition=models.Q(state__in=PaymentState.values), name="payment_state_known"),
            models.UniqueConstraint(fields=["account", "order_ref"], name="payment_ref_once"),
            models.CheckConstraint(
                condition=models.Q(account=None, order_ref=None)
                | models.Q(account__isnull=False, order_ref__isnull=False),
                name="payment_ref_with_account",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.method} {self.amount:,}원"

    @transition(state, source=tuple(PaymentState), target=RETURN_VALUE(*PaymentState), custom={"label": "원장 반영"})
    def settle(
        self,
        *,
        at: datetime,
        balance: int,
        refunded: int,
        forgiven: int = 0,
        came_at: datetime | None = None,
        replaces: bool = False,
        keeps_moment: bool = False,
    ) -> PaymentState:
        self.balance, self.refunded, self.forgiven = balance, refunded, forgiven
        found = state_of(balance, self.amount, refunded)
        if keeps_moment:
            return found
        if found in {PaymentState.PENDING, PaymentState.PARTIAL}:
            self.paid_at = None
        elif self.paid_at is None or (replaces and came_at):
            self.paid_at = min(came_at or at, at)
        return found

    @property
    def refundable(self) -> int:
        """환불 가능 금액: won of the balance that really came in, refunds under way not taken off."""
        return self.balance - self.forgiven

    @classmethod
    def after_move(cls, rows: Sequence[Any], *, at: datetime) -> None:
        """The order's paid amount is written by the service, under the order's lock."""


def state_of(balance: int, amount: int, refunded: int) -> PaymentState:
    """결제 상태 that a ledger stands for; won. `refunded` is what has gone back of all that came in.

    Too little that nobody sent back is 부분입금; a surplus that went back leaves 입금완료.
    """
    if balance == amount:
        return PaymentState.PAID
    if balance > amount:
        return PaymentState.OVERPAID
    if balance == 0:
        return PaymentState.REFUNDED if refunded else PaymentState.PENDING
    return PaymentState.PART_REFUNDED if refunded and balance + refunded >= amount else PaymentState.PARTIAL


class LedgerEntry(models.Model):
    """원장: one signed movement of money with its single cause; never changed, never deleted."""

    event_subject = "ledger"

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="entries", db_index=False)  # ledger_cause_once
    kind = models.CharField("구분", max_length=16, choices=EntryKind.choices)
    # The provider's transaction, or what stands for it, so that the same cause is never booked twice.
    reference = models.CharField("거래 번호", max_length=80)
    amount = models.BigIntegerField("금액")
    at = models.DateTimeField("일시")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    batch = models.ForeignKey("core.Job", models.PROTECT, null=True, related_name="+")
    reason = models.CharField("사유", max_length=200, blank=True)

    class Meta:
        verbose_name = "원장"
        triggers = append_only()
        constraints = [
            models.UniqueConstraint(fields=["payment", "kind", "reference"], name="ledger_cause_once"),
            models.CheckConstraint(condition=~models.Q(amount=0), name="ledger_amount_not_zero"),
        ]
        indexes = [
            models.Index(fields=["amount", "at"], name="ledger_by_hand", condition=models.Q(kind="MANUAL")),
            models.Index(fields=["at"], name="ledger_taken_back", condition=models.Q(kind="REVERSAL")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+,}원"

    @property
    def event_order_id(self) -> int:
        """주문 of the events of a row that did not fit it."""
        return self.payment.order_id
