"""두 사람 원칙: which refunds one person may not both ask for and approve, and how long a request may be approved.

Source: reliability.md 4.1 and 4.2, D8.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from core.calendar import kst_date, kst_day_range
from core.settings_registry import get_settings
from payments.adapters.base import Kind
from payments.models import Payment, PgNotice, Refund, RefundAccount, VirtualAccount
from payments.options import SECOND_A_DAY, SECOND_FROM
from payments.states import RefundState

APPROVE = "payments.approve_refund"
APPROVE_OWN = "payments.approve_own_refund"
SECOND_PERSON = "신청한 사람과 다른 사람이 승인해야 하는 환불입니다."
LIFE = timedelta(hours=72)
"""How long a request may wait for its approval."""


def is_own(refund: Refund, actor: Any) -> bool:
    """자기 환불: asked for by this person, who may not decide about it as well."""
    return refund.requested_by_id == actor.pk and (refund.needs_second or not actor.has_perm(APPROVE_OWN))


def is_expired(refund: Refund, *, at: datetime) -> bool:
    """오래된 신청: what was true when it was asked for need not be now; approval asks for a prepared one."""
    return not refund.is_prepared and refund.requested_at <= at - LIFE


@dataclass
class Watch:
    """두 사람 원칙: how much the requester asked for today; the lock keeps two requests of one person apart."""

    actor: Any
    at: datetime
    today: int = 0
    limits: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.limits = get_settings(SECOND_FROM.key, SECOND_A_DAY.key)
        if self.actor is None:
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('refund requester'), %s)", [self.actor.pk])
        start, end = kst_day_range(kst_date(self.at))
        mine = Refund.objects.filter(requested_by=self.actor, requested_at__gte=start, requested_at__lt=end)
        amounts = mine.exclude(state=RefundState.WITHDRAWN).values_list("amount", flat=True)
        self.today = sum(amounts)

    def needs_second(self, payment: Payment, amount: int, account: RefundAccount | None) -> bool:
        """Large, or too many of them today, or to somebody who did not pay, or asked for by who may not approve it."""
        return self.is_two_peoples(payer_of(payment) if account else "", amount, account)

    def is_two_peoples(self, paid_by: str, amount: int, account: RefundAccount | None) -> bool:
        """The same for money of which only the name of the sender is known."""
        self.today += amount
        is_other = account is not None and not _is_payer(account.holder, paid_by)
        is_large = amount >= self.limits[SECOND_FROM.key] or self.today > self.limits[SECOND_A_DAY.key]
        return is_large or is_other or (self.actor is not None and not self.actor.has_perm(APPROVE_OWN))


def _is_payer(holder: str, paid_by: str) -> bool:
    """A name that was masked for its age is many people's: it shows nobody to be the one who paid."""
    payer = "".join(paid_by.split())
    return "*" not in payer and "".join(holder.split()) == payer


def payer_of(payment: Payment) -> str:
    """입금한 사람: as the PG told, masked by now or not, else as the order did, else the buyer."""
    told = _told(payment) if payment.account_id is not None else ""
    return told or payment.order.depositor_name.strip() or payment.order.buyer_name


def _told(payment: Payment) -> str:
    """A whole name before a masked one: of what the account knows, then of the newest notices."""
    known = VirtualAccount.objects.filter(payment=payment).exclude(depositor="").values_list("depositor", flat=True)
    notices = PgNotice.objects.filter(
        account=payment.account_id, order_ref=payment.order_ref, kind=Kind.DEPOSITED, is_proven=True
    )
    names = [*known, *notices.exclude(depositor="").order_by("-pk").values_list("depositor", flat=True)]
    return next((name for name in names if "*" not in name), names[0] if names else "")
