"""환불계좌 of a refund: masked in every page, whole for who gives a reason (reliability.md 4.1)."""

from typing import Any

from core.exceptions import NotFound
from core.masking import mask_account, mask_name
from payments.adapters.banks import bank_name
from payments.columns.refunds import WIPED
from payments.models import Refund, RefundAccount

REVEAL = "payments.reveal_account"
NOT_FOUND = "환불계좌를 찾을 수 없습니다. 화면을 새로고침하세요."


def account_row(refund: Refund) -> dict[str, Any] | None:
    """환불계좌 한 줄 with the last digits and a masked holder; None for money that goes back the way it came."""
    if refund.account_wiped_at is not None:
        return {"pk": refund.pk, "amount": refund.amount, "words": WIPED, "holder": ""}
    account = refund.account
    if account is None:
        return None
    words = f"{bank_name(account.bank)} {mask_account(account.number)}"
    return {"pk": refund.pk, "amount": refund.amount, "words": words, "holder": mask_name(account.holder)}


def find_account(pk: int) -> tuple[Refund, RefundAccount]:
    """환불계좌 in the clear. Raises NotFound for a refund that has none, or none any more."""
    refund = Refund.objects.select_related("order").filter(pk=pk, account_wiped_at=None).first()
    account = refund.account if refund is not None else None
    if refund is None or account is None:
        raise NotFound(NOT_FOUND)
    return refund, account
