"""What the comparison with the PGs found, and the cash receipts that they issued."""

from django.db import models
from django.db.models import Q

from core.models import TimeStamped
from payments.models.account import PgAccount
from payments.models.payment import Payment
from payments.states import ReceiptPurpose, ReceiptState


class PgReconciliation(TimeStamped):
    """대사: the payments of one account and day as the PG, the ledger and the orders saw them on the day of the run.

    Sums are won: what came in less what went back.
    """

    ran_on = models.DateField("대사일")
    account = models.ForeignKey(PgAccount, models.PROTECT, related_name="reconciliations")
    day = models.DateField("결제 등록일")
    payments = models.PositiveIntegerField("결제 수")
    unanswered = models.PositiveIntegerField("응답 없음")
    changed = models.PositiveIntegerField("새로 반영")
    mismatches = models.PositiveIntegerField("불일치")
    pg_sum = models.BigIntegerField("PG 합계")
    ledger_sum = models.BigIntegerField("원장 합계")
    order_sum = models.BigIntegerField("주문 합계")
    finished_at = models.DateTimeField("끝난 일시")

    class Meta:
        verbose_name = "PG 대사"
        constraints = [
            models.UniqueConstraint(fields=["ran_on", "account", "day"], name="reconciliation_once"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.day}"


class CashReceipt(TimeStamped):
    """현금영수증 that a PG issued by itself with a deposit; the number of the buyer is kept masked only."""

    # cash_receipt_once has its index.
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="cash_receipts", db_index=False)
    reference = models.CharField("승인번호", max_length=80, db_collation="C")
    purpose = models.CharField("용도", max_length=8, choices=ReceiptPurpose.choices)
    masked_number = models.CharField("발급 번호", max_length=40, blank=True)
    amount = models.PositiveBigIntegerField("금액")
    state = models.CharField("상태", max_length=8, choices=ReceiptState.choices, default=ReceiptState.ISSUED)
    url = models.URLField("영수증", max_length=500, blank=True)
    found_at = models.DateTimeField("확인일시")

    class Meta:
        verbose_name = "현금영수증"
        constraints = [
            models.UniqueConstraint(fields=["payment", "reference"], name="cash_receipt_once"),
            models.CheckConstraint(condition=Q(state__in=ReceiptState.values), name="cash_receipt_state_known"),
        ]
        indexes = [models.Index(fields=["-found_at", "-id"], name="cash_receipt_newest")]

    def __str__(self) -> str:
        return f"{self.reference} {self.amount:,}원"
