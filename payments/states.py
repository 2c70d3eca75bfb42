"""States of payments and kinds of ledger rows."""

from django.db import models


class PaymentState(models.TextChoices):
    """결제 상태: a stored function of the ledger (domain.md 3.7)."""

    PENDING = "PENDING", "입금대기"
    PARTIAL = "PARTIAL", "부분입금"
    PAID = "PAID", "입금완료"
    OVERPAID = "OVERPAID", "초과입금"
    CANCELED = "CANCELED", "취소"


class EntryKind(models.TextChoices):
    """원장 구분: why money was credited or taken back."""

    MANUAL = "MANUAL", "수동 입금확인"
    MANUAL_REVERSAL = "MANUAL_REVERSAL", "입금확인 취소"
    PREPAID = "PREPAID", "채널 결제"
    DEPOSIT = "DEPOSIT", "입금"


PAYMENT_MOVES = tuple((a, b) for a in PaymentState for b in PaymentState if a != b)
