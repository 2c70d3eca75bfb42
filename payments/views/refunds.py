"""환불계좌 보기: number and holder of a refund for who transfers it or is asked about it, for a reason and logged."""

from typing import Any

from django.http import HttpRequest

from orders.views.reveal import Clear, Reveal
from payments.adapters.banks import bank_name
from payments.details.refund_account import REVEAL, find_account


class RefundAccountReveal(Reveal):
    """환불계좌 보기."""

    permission = REVEAL
    template = "payments/_refund_account_revealed.html"
    what = "계좌번호와 예금주를"

    def clear(self, request: HttpRequest, **where: Any) -> Clear:
        refund, account = find_account(where["pk"])
        return Clear(
            f"refund-account-{refund.pk}",
            [refund.order.number] if refund.order else [],
            {"fields": ["refund_account"], "refund": refund.pk},
            {"account": account, "bank": bank_name(account.bank)},
        )
