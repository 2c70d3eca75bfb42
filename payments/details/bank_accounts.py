"""입금계좌 목록의 내용: the shop's accounts, their numbers masked."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from core import cells
from core.masking import mask_account
from payments.models import BankAccount


@dataclass(frozen=True, slots=True)
class BankAccountRow:
    """계좌 한 줄."""

    pk: int
    code: str
    bank: str
    number: str
    holder: str
    status: str
    feed: str
    last: str


def bank_account_rows(at: datetime) -> list[BankAccountRow]:
    """입금계좌 목록; one query."""
    found = BankAccount.objects.select_related("feed").annotate(last=Max("deposits__at"))
    return [
        BankAccountRow(
            one.pk,
            one.code,
            one.bank,
            mask_account(one.number()),
            one.holder,
            "사용" if one.is_active else "사용 안 함",
            one.feed.name if one.feed else "",
            cells.short_time(one.last, at),
        )
        for one in found.order_by("-is_active", "code", "pk")
    ]
