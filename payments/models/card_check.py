"""Card payments that a storefront says were made, until the PG itself has said so."""

from django.db import models

from core.models import TimeStamped
from payments.models.payment import Payment


class CardCheck(TimeStamped):
    """카드 결제 확인: the PG is asked about the payment again and again until it tells how it ended.

    What a storefront says credits nothing: the row only names when to ask next. `next_try_at` is empty when it is over.
    """

    payment = models.OneToOneField(Payment, models.CASCADE, primary_key=True, related_name="card_check")
    next_try_at = models.DateTimeField("다음 조회", null=True, blank=True)
    attempts = models.PositiveSmallIntegerField("조회 횟수", default=0)
    last_error = models.CharField("마지막 오류", max_length=300, blank=True)

    class Meta:
        verbose_name = "카드 결제 확인"
        indexes = [
            models.Index(fields=["next_try_at"], name="card_to_check", condition=models.Q(next_try_at__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.attempts}"
