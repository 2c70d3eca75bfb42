"""Bank deposits: rows of our own accounts' statements, the orders they may belong to, and where they went."""

from datetime import datetime
from typing import Any

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from core.models import TimeStamped
from core.sealing import seal, unseal
from core.state import StateField, StateGuard, transition
from core.triggers import state_triggers, told_triggers
from orders.models import Order
from payments.models.account import PgAccount
from payments.models.payment import Payment
from payments.states import DEPOSIT_MOVES, DepositReason, DepositSource, DepositState, MatchGrade

PURPOSE = "bank account"
S = DepositState
SETTLED = (S.MATCHED, S.ALLOCATED)


class BankAccount(TimeStamped):
    """입금계좌: an account of the shop to which buyers transfer; its number is sealed."""

    code = models.SlugField("코드", max_length=20, unique=True)
    bank = models.CharField("은행", max_length=20)
    sealed_number = models.TextField("계좌번호", blank=True)
    holder = models.CharField("예금주", max_length=60)
    is_active = models.BooleanField("사용", default=True)
    # Whose notices tell of this account, where a service watches it for us.
    feed = models.OneToOneField(PgAccount, models.PROTECT, null=True, blank=True, related_name="bank_account")

    class Meta:
        verbose_name = "입금계좌"

    def __str__(self) -> str:
        return f"{self.bank} {self.code}"

    def number(self) -> str:
        """계좌번호 in the clear; never logged."""
        return unseal(self.sealed_number, purpose=PURPOSE)

    def set_number(self, text: str) -> None:
        """계좌번호 저장, sealed."""
        self.sealed_number = seal(text, purpose=PURPOSE)


class BankDeposit(StateGuard, TimeStamped):
    """입금내역: one row of a statement; money that came in, whatever it was meant for."""

    event_subject = "deposit"

    # deposit_same_money has its index.
    account = models.ForeignKey(BankAccount, models.PROTECT, related_name="deposits", db_index=False)
    at = models.DateTimeField("거래일시")
    amount = models.PositiveBigIntegerField("입금액")
    depositor = models.CharField("입금자", max_length=60, blank=True)
    # The depositor as names are compared (payments/matching.py).
    name_key = models.CharField("입금자 비교값", max_length=120, blank=True)
    memo = models.CharField("메모", max_length=200, blank=True)
    balance = models.BigIntegerField("거래 후 잔액", null=True)
    source = models.CharField("출처", max_length=4, choices=DepositSource.choices)
    fingerprint = models.CharField("지문", max_length=64, db_collation="C")
    state = StateField("상태", choices=DepositState.choices, default=S.NEW, max_length=9)
    reason = models.CharField("까닭", max_length=20, choices=DepositReason.choices, blank=True)
    # The best candidate in a sentence, for the list.
    explained = models.CharField("설명", max_length=200, blank=True)
    note = models.CharField("사유", max_length=200, blank=True)
    # Kept by a trigger on the allocations: their sum can never exceed the amount.
    allocated_amount = models.BigIntegerField("연결한 금액", default=0, db_default=0)
    batch = models.ForeignKey("core.Job", models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField("처리일시", null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = "입금내역"
        triggers = [*state_triggers(pairs=DEPOSIT_MOVES, initial=[S.NEW]), *told_triggers("deposit")]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=1), name="deposit_amount_positive"),
            models.CheckConstraint(condition=Q(state__in=S.values), name="deposit_state_known"),
            models.UniqueConstraint(fields=["fingerprint"], name="deposit_once"),
            models.CheckConstraint(
                condition=Q(allocated_amount__gte=0, allocated_amount__lte=F("amount")), name="deposit_not_overspent"
            ),
            # What goes back to its sender is no order's money.
            models.CheckConstraint(
                condition=~Q(state__in=[S.RETURNING, S.REFUNDED]) | Q(allocated_amount=0), name="deposit_returned_whole"
            ),
        ]
        indexes = [
            models.Index(fields=["-at", "-id"], name="deposit_newest"),
            models.Index(fields=["at", "id"], name="deposit_new", condition=Q(state="NEW")),
            models.Index(fields=["-at", "-id"], name="deposit_queued", condition=Q(state="QUEUED")),
            models.Index(fields=["account", "amount", "balance"], name="deposit_same_money"),
            models.Index(fields=["amount", "at"], name="deposit_claims", condition=Q(source="FEED", balance=None)),
        ]

    def __str__(self) -> str:
        return f"{self.at:%m-%d %H:%M} {self.amount:,}원"

    @property
    def event_order_id(self) -> None:
        """A deposit belongs to no one order's history; its bookings do."""
        return

    @transition(state, source=[S.NEW, S.QUEUED], target=S.MATCHED, custom={"label": "자동입금확인"})
    def match(self, *, at: datetime, explained: str) -> None:
        self.reason, self.explained, self.decided_at, self.decided_by = "", explained, at, None

    @transition(state, source=[S.NEW, S.QUEUED], target=S.QUEUED, custom={"label": "확인 필요"})
    def queue(self, *, at: datetime, reason: str, explained: str) -> None:
        self.reason, self.explained, self.decided_at = reason, explained, None

    @transition(state, source=S.QUEUED, target=S.ALLOCATED, custom={"label": "연결"})
    def allocate(self, *, at: datetime, actor: Any) -> None:
        self.decided_at, self.decided_by = at, actor

    @transition(state, source=S.QUEUED, target=S.IGNORED, custom={"label": "무시"})
    def ignore(self, *, at: datetime, actor: Any, note: str) -> None:
        self.decided_at, self.decided_by, self.note = at, actor, note

    @transition(state, source=S.QUEUED, target=S.RETURNING, custom={"label": "반환 신청"})
    def give_back(self, *, at: datetime, actor: Any, note: str) -> None:
        self.decided_at, self.decided_by, self.note = at, actor, note[:200]

    @transition(state, source=S.RETURNING, target=S.REFUNDED, custom={"label": "반환"})
    def returned(self, *, at: datetime, actor: Any) -> None:
        self.decided_at, self.decided_by = at, actor

    @transition(state, source=S.RETURNING, target=S.QUEUED, custom={"label": "반환 철회"})
    def keep(self, *, at: datetime, note: str) -> None:
        self.decided_at, self.decided_by, self.note = None, None, note[:200]

    @transition(state, source=[S.MATCHED, S.ALLOCATED, S.IGNORED], target=S.QUEUED, custom={"label": "다시 확인"})
    def reopen(self, *, at: datetime, note: str) -> None:
        self.decided_at, self.decided_by, self.note = None, None, note
        self.reason = DepositReason.UNDONE


class DepositCandidate(models.Model):
    """후보 주문: an order that a waiting deposit may belong to, with its score in words.

    `holds` protects the order against 입금전취소 while the deposit waits.
    """

    # candidate_once has its index.
    deposit = models.ForeignKey(BankDeposit, models.CASCADE, related_name="candidates", db_index=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="+")
    rank = models.PositiveSmallIntegerField("순위")
    score = models.PositiveSmallIntegerField("점수")
    grade = models.CharField("일치 정도", max_length=8, choices=MatchGrade.choices)
    words = models.CharField("설명", max_length=200)
    holds = models.BooleanField("취소 막음")
    is_summand = models.BooleanField("합계 제안", default=False)

    class Meta:
        verbose_name = "후보 주문"
        constraints = [models.UniqueConstraint(fields=["deposit", "order"], name="candidate_once")]

    def __str__(self) -> str:
        return f"{self.deposit_id} {self.order_id} {self.score}"


def _summing(name: str, operation: Any, **signs: int) -> pgtrigger.Trigger:
    """Once for a statement and not for each row: a thousand deposits are connected at a time."""
    parts = " UNION ALL ".join(
        f"SELECT deposit_id, {sign} * amount AS won FROM {side}_rows WHERE voided_at IS NULL"
        for side, sign in signs.items()
    )
    return pgtrigger.Trigger(
        name=f"sum_{name}",
        operation=operation,
        when=pgtrigger.After,
        level=pgtrigger.Statement,
        referencing=pgtrigger.Referencing(**{side: f"{side}_rows" for side in signs}),
        func=f"""
            UPDATE payments_bankdeposit d SET allocated_amount = d.allocated_amount + s.won
            FROM (SELECT deposit_id, sum(won) AS won FROM ({parts}) p GROUP BY deposit_id) s
            WHERE d.id = s.deposit_id AND s.won <> 0;
            RETURN NULL;
        """,
    )


class DepositAllocation(models.Model):
    """입금 연결: how many won of a deposit went to which payment; voided when it is taken back."""

    deposit = models.ForeignKey(BankDeposit, models.PROTECT, related_name="allocations")
    # allocation_reference_once has its index.
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="allocations", db_index=False)
    amount = models.PositiveBigIntegerField("금액")
    # That of the ledger row: "bank-<fingerprint>", with a number behind it when it is connected again.
    reference = models.CharField("거래 번호", max_length=80)
    # Won of a booking by hand that this money stands in for.
    replaced_amount = models.PositiveBigIntegerField("대신한 수동 입금", default=0)
    at = models.DateTimeField("연결일시")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    voided_at = models.DateTimeField("취소일시", null=True)
    voided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = "입금 연결"
        constraints = [
            models.UniqueConstraint(fields=["payment", "reference"], name="allocation_reference_once"),
            models.UniqueConstraint(
                fields=["deposit", "payment"], name="allocation_open_once", condition=Q(voided_at=None)
            ),
            models.CheckConstraint(condition=Q(amount__gte=1), name="allocation_amount_positive"),
        ]
        triggers = [
            _summing("added", pgtrigger.Insert, new=1),
            _summing("changed", pgtrigger.Update, new=1, old=-1),
            _summing("removed", pgtrigger.Delete, old=-1),
        ]

    def __str__(self) -> str:
        return f"{self.deposit_id} {self.payment_id} {self.amount:,}원"
