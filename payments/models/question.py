"""Questions to PGs: who asks about which payment just now."""

from django.db import models

from payments.models.account import PgAccount
from payments.models.payment import Payment


class PgQuestion(models.Model):
    """PG 조회 중: at most one question about a payment is on its way, whichever process asks (payments.md 5.5).

    The row goes when the answer is there; that of a process that died holds nobody up after `until`.
    """

    payment = models.OneToOneField(Payment, models.CASCADE, primary_key=True, related_name="question")
    holder = models.UUIDField("묻는 쪽")
    until = models.DateTimeField("기한")

    class Meta:
        verbose_name = "PG 조회"

    def __str__(self) -> str:
        return f"{self.payment_id} {self.holder}"


class PgBudget(models.Model):
    """조회 예산: until then the questions are given away that the unproven notices of an account may cause.

    A row of its own: that of the account is held by every receipt, and who remembers it must see no change.
    """

    account = models.OneToOneField(PgAccount, models.CASCADE, primary_key=True, related_name="budget")
    until = models.DateTimeField("나눠 준 때")

    class Meta:
        verbose_name = "PG 조회 예산"

    def __str__(self) -> str:
        return f"{self.account_id} {self.until:%Y-%m-%d %H:%M:%S}"
