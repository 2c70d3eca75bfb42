"""Refunds: what is to be paid back out of one payment, and the arithmetic behind it."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django_fsm import RETURN_VALUE

from core.models import TimeStamped
from core.sealing import seal, unseal
from core.state import StateField, StateGuard, condition, transition
from core.triggers import append_only, state_triggers, told_triggers
from orders.models import Order
from orders.states import Fault
from payments.models.bank import BankDeposit
from payments.models.payment import LedgerEntry, Payment
from payments.models.problem import MoneyProblem
from payments.states import REFUND_BOOKED, REFUND_FIRST, REFUND_MOVES, REFUND_OPEN, RefundState, RefundWay

PURPOSE = "refund account"
R = RefundState
_OPEN = ", ".join(f"'{state.value}'" for state in REFUND_OPEN)

_CAPPED = f"""
    IF TG_OP = 'UPDATE' AND (NEW.amount, NEW.payment_id, NEW.deposit_id)
       IS DISTINCT FROM (OLD.amount, OLD.payment_id, OLD.deposit_id) THEN
        RAISE EXCEPTION 'refund % may not change its amount or payment', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state NOT IN ({_OPEN}) OR NEW.entry_id IS NOT NULL THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state IN ({_OPEN}) AND OLD.entry_id IS NULL THEN
        RETURN NEW;
    END IF;
    IF NEW.deposit_id IS NOT NULL THEN
        SELECT amount - allocated_amount INTO held FROM payments_bankdeposit WHERE id = NEW.deposit_id
           FOR NO KEY UPDATE;
        IF NEW.amount <> held THEN
            RAISE EXCEPTION 'return of deposit % would be % of %', NEW.deposit_id, NEW.amount, held
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    -- Whoever else opens a refund of this payment waits here and then sees this one.
    SELECT balance - forgiven INTO held FROM payments_payment WHERE id = NEW.payment_id FOR NO KEY UPDATE;
    SELECT COALESCE(sum(amount), 0) INTO asked FROM payments_refund
     WHERE payment_id = NEW.payment_id AND state IN ({_OPEN}) AND entry_id IS NULL AND id IS DISTINCT FROM NEW.id;
    IF asked + NEW.amount > held THEN
        RAISE EXCEPTION 'refunds of payment % would be % of %', NEW.payment_id, asked + NEW.amount, held
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


@dataclass(frozen=True, slots=True)
class RefundAccount:
    """환불계좌: bank code of payments/adapters/banks.py, digits, holder."""

    bank: str
    number: str
    holder: str


@condition("직접 이체하거나 결제한 곳에서 환불하는 건이 아닙니다.")
def is_by_hand(refund: Any) -> bool:
    return refund.way != RefundWay.PG


class RefundCalculation(models.Model):
    """환불 계산: why an act pays back what it pays back; one row for each order and act, never changed."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="refund_calculations")
    at = models.DateTimeField("일시")
    fault = models.CharField("귀책", max_length=8, choices=Fault.choices)
    lines = models.JSONField("품목별 수량", default=dict)
    # Won, all positive but the total.
    goods = models.BigIntegerField("상품금액")
    discount = models.BigIntegerField("할인", default=0)
    coupon = models.BigIntegerField("쿠폰", default=0)
    points = models.BigIntegerField("적립금 복원", default=0)
    shipping_back = models.BigIntegerField("배송비 환불", default=0)
    clawback = models.BigIntegerField("무료배송 취소", default=0)
    return_fee = models.BigIntegerField("반품배송비", default=0)
    forfeit = models.BigIntegerField("쿠폰 회수", default=0)
    shortfall = models.BigIntegerField("받지 않은 차액", default=0, db_default=0)
    total = models.BigIntegerField("환불액")
    restores_coupon = models.BooleanField("쿠폰 복원", default=False)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    batch = models.ForeignKey("core.Job", models.PROTECT, null=True, related_name="+")
    reason = models.CharField("사유", max_length=200, blank=True)

    class Meta:
        verbose_name = "환불 계산"
        triggers = append_only()
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    total=F("goods") - F("discount") - F("coupon") - F("points") + F("shipping_back")
                    - F("clawback") - F("return_fee") - F("forfeit") - F("shortfall")
                ),
                name="refund_total_adds_up",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.order_id} {self.total:,}원"


class Refund(StateGuard, TimeStamped):
    """환불: won to pay back out of one payment; `key` is its number at the PG, the same however often it is sent.

    Or a bank deposit that goes back to its sender, because it is for no order: then `deposit` stands for both.
    """

    event_subject = "refund"

    key = models.UUIDField("환불 번호", unique=True, default=uuid.uuid4)
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="refunds")
    order = models.ForeignKey(Order, models.PROTECT, null=True, related_name="refunds")
    deposit = models.ForeignKey(BankDeposit, models.PROTECT, null=True, related_name="refunds")
    calculation = models.ForeignKey(RefundCalculation, models.PROTECT, null=True, related_name="refunds")
    # The money that did not fit; a refund of late money is prepared before anybody has asked for it.
    problem = models.ForeignKey(MoneyProblem, models.PROTECT, null=True, related_name="refunds")
    way = models.CharField("환불 방법", max_length=8, choices=RefundWay.choices)
    amount = models.PositiveBigIntegerField("환불액")
    reason = models.CharField("사유", max_length=200)
    sealed_account = models.TextField("환불계좌", blank=True)
    # The account of an ended refund goes after a time (payments/services/notices/retaining.py).
    account_wiped_at = models.DateTimeField("환불계좌를 지운 일시", null=True, blank=True)
    needs_second = models.BooleanField("다른 사람의 승인", default=False)
    state = StateField("상태", choices=RefundState.choices, default=RefundState.DRAFT)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    requested_at = models.DateTimeField("신청일시")
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField("승인일시", null=True, blank=True)
    # With the present key; how long a PG remembers it is counted from the first time.
    first_sent_at = models.DateTimeField("처음 보낸 일시", null=True, blank=True)
    sent_at = models.DateTimeField("보낸 일시", null=True, blank=True)
    # A re-query after the last sending that does not show the refund.
    absent_at = models.DateTimeField("PG에 없음 확인", null=True, blank=True)
    accepted_at = models.DateTimeField("접수일시", null=True, blank=True)
    completed_at = models.DateTimeField("완료일시", null=True, blank=True)
    # How often nobody knew, with the present key, whether the PG did it.
    doubts = models.PositiveSmallIntegerField("모르는 결과", default=0)
    attempts = models.PositiveSmallIntegerField("보낸 횟수", default=0)
    reference = models.CharField("PG 환불번호", max_length=80, blank=True, db_collation="C")
    entry = models.OneToOneField(LedgerEntry, models.PROTECT, null=True, related_name="refund")
    last_error = models.CharField("마지막 오류", max_length=300, blank=True)
    due_at = models.DateTimeField("다음 처리", null=True, blank=True)

    class Meta:
        verbose_name = "환불"
        triggers = [
            *state_triggers(pairs=REFUND_MOVES, initial=REFUND_FIRST),
            *told_triggers("refund"),
            pgtrigger.Trigger(
                name="capped",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.Before,
                declare=[("held", "bigint"), ("asked", "bigint")],
                func=_CAPPED,
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=RefundState.values), name="refund_state_known"),
            models.CheckConstraint(condition=Q(amount__gte=1), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=~Q(state__in=REFUND_BOOKED) | Q(entry__isnull=False) | Q(deposit__isnull=False),
                name="refund_done_is_booked",
            ),
            models.CheckConstraint(
                condition=Q(payment__isnull=False, order__isnull=False, deposit=None)
                | Q(payment=None, order=None, deposit__isnull=False, way=RefundWay.BANK),
                name="refund_of_one_thing",
            ),
            models.UniqueConstraint(
                fields=["deposit"], condition=~Q(state=R.WITHDRAWN), name="refund_of_a_deposit_once"
            ),
            models.UniqueConstraint(
                fields=["problem"], condition=~Q(state=R.WITHDRAWN), name="refund_of_a_problem_once"
            ),
            models.CheckConstraint(
                condition=Q(needs_second=False)
                | Q(approved_by=None)
                | Q(requested_by=None)
                | ~Q(approved_by=F("requested_by")),
                name="refund_two_people",
            ),
            # Until the outcome of one is known, the PG's balance is not.
            models.UniqueConstraint(
                fields=["payment"], condition=Q(state__in=[R.SENDING, R.UNKNOWN]), name="refund_one_at_the_pg"
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at", "id"],
                name="refund_due",
                condition=Q(state__in=[R.APPROVED, R.SENDING, R.UNKNOWN, R.ACCEPTED]),
            ),
            models.Index(fields=["-requested_at", "-id"], name="refund_newest"),
            # What waits for a person or a PG, counted with every menu: few among all that are over.
            models.Index(
                fields=["state", "way"],
                name="refund_open",
                condition=Q(state__in=[R.DRAFT, R.APPROVED, R.SENDING, R.UNKNOWN, R.ACCEPTED, R.HELD, R.FAILED]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id or self.deposit_id} {self.amount:,}원"

    @property
    def paid(self) -> Payment:
        """결제 out of which the money goes; only for refunds that have one."""
        if self.payment is None:
            raise ValueError(f"refund {self.pk} is that of a deposit")
        return self.payment

    @property
    def is_prepared(self) -> bool:
        """환불 초안: waits for a person to ask for it; falls away when its money is used otherwise."""
        return self.problem_id is not None and self.requested_by_id is None

    @property
    def account(self) -> RefundAccount | None:
        """환불계좌 in the clear; None where the money goes back the way it came."""
        return (
            RefundAccount(**json.loads(unseal(self.sealed_account, purpose=PURPOSE))) if self.sealed_account else None
        )

    @classmethod
    def after_move(cls, rows: Sequence[Any], *, at: datetime) -> None:
        """Nothing is summed up of refunds; the ledger follows by the services."""

    @transition(state, source=R.DRAFT, target=R.DRAFT, custom={"label": "환불 신청"})
    def ask(self, *, at: datetime, by_id: int | None, sealed_account: str, needs_second: bool, reason: str) -> None:
        self.requested_by_id, self.requested_at, self.needs_second = by_id, at, needs_second
        self.sealed_account, self.reason = sealed_account, reason

    @transition(state, source=R.DRAFT, target=R.APPROVED, custom={"label": "환불 승인"})
    def approve(self, *, at: datetime, by_id: int | None) -> None:
        self.approved_at, self.approved_by_id, self.due_at = at, by_id, at

    @transition(state, source=[R.DRAFT, R.APPROVED], target=R.HELD, custom={"label": "환불보류"})
    def hold(self, *, at: datetime) -> None:
        self.due_at = None

    @transition(state, source=R.HELD, target=RETURN_VALUE(R.DRAFT, R.APPROVED), custom={"label": "환불보류 해제"})
    def release(self, *, at: datetime) -> RefundState:
        self.due_at = at if self.approved_at else None
        return R.APPROVED if self.approved_at else R.DRAFT

    @transition(
        state, source=[R.DRAFT, R.HELD, R.APPROVED, R.FAILED], target=R.WITHDRAWN, custom={"label": "환불 철회"}
    )
    def withdraw(self, *, at: datetime) -> None:
        self.due_at = None

    @transition(state, source=[R.APPROVED, R.UNKNOWN], target=R.SENDING, custom={"label": "환불 전송"})
    def send(self, *, at: datetime, lease: datetime) -> None:
        self.first_sent_at, self.sent_at, self.absent_at = self.first_sent_at or at, at, None
        self.attempts, self.due_at = self.attempts + 1, lease

    @transition(state, source=R.SENDING, target=R.APPROVED, custom={"label": "환불 다시 대기"})
    def postpone(self, *, at: datetime, due_at: datetime, error: str) -> None:
        self.due_at, self.last_error = due_at, error

    @transition(state, source=R.SENDING, target=R.UNKNOWN, custom={"label": "환불 결과 확인 중"})
    def doubt(self, *, at: datetime, due_at: datetime, error: str) -> None:
        self.doubts, self.due_at, self.last_error = self.doubts + 1, due_at, error

    @transition(state, source=[R.SENDING, R.UNKNOWN], target=R.ACCEPTED, custom={"label": "환불 접수"})
    def accept(self, *, at: datetime, entry_id: int, reference: str, due_at: datetime) -> None:
        self.accepted_at, self.entry_id, self.reference, self.due_at = at, entry_id, reference, due_at
        self.last_error = ""

    @transition(state, source=[R.SENDING, R.UNKNOWN], target=R.COMPLETED, custom={"label": "환불완료"})
    def complete(self, *, at: datetime, entry_id: int, reference: str) -> None:
        self.accepted_at = self.completed_at = at
        self.entry_id, self.reference, self.due_at, self.last_error = entry_id, reference, None, ""

    @transition(state, source=R.ACCEPTED, target=R.COMPLETED, custom={"label": "환불완료"})
    def arrive(self, *, at: datetime) -> None:
        self.completed_at, self.due_at, self.last_error = at, None, ""

    @transition(state, source=R.APPROVED, target=R.COMPLETED, conditions=[is_by_hand], custom={"label": "이체 완료"})
    def pay_out(self, *, at: datetime, entry_id: int | None) -> None:
        self.completed_at, self.entry_id, self.due_at, self.last_error = at, entry_id, None, ""

    @transition(
        state, source=[R.APPROVED, R.SENDING, R.UNKNOWN, R.ACCEPTED], target=R.FAILED, custom={"label": "환불 실패"}
    )
    def fail(self, *, at: datetime, error: str) -> None:
        self.due_at, self.last_error = None, error

    @transition(state, source=R.FAILED, target=R.DRAFT, custom={"label": "환불 다시 신청"})
    def reopen(self, *, at: datetime, way: str, sealed_account: str, by_id: int | None, needs_second: bool) -> None:
        # What a PG refused it refuses for ever under the same key.
        self.key, self.way, self.sealed_account = uuid.uuid4(), way, sealed_account
        self.requested_by_id, self.requested_at, self.needs_second = by_id, at, needs_second
        self.approved_by_id = self.approved_at = None
        self.entry_id, self.reference, self.attempts, self.doubts, self.last_error = None, "", 0, 0, ""
        self.first_sent_at = self.sent_at = self.absent_at = self.accepted_at = self.completed_at = None


def sealed(account: RefundAccount | None) -> str:
    """환불계좌 봉인: one text for the three facts; empty for none."""
    return seal(json.dumps(asdict(account), ensure_ascii=False), purpose=PURPOSE) if account else ""
