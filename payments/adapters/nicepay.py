"""NICEPAY, the REST interface: signed notices, everything else by call (payments.md 2.4).

The signature covers tid, amount and time of a notice, not its status: whatever moves money is asked for again.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from core.http import Client
from payments.adapters import nicepay_api
from payments.adapters.base import (
    STATUS,
    Account,
    Answer,
    Capabilities,
    Inbound,
    IssueAsk,
    Kind,
    Notice,
    Ref,
    RefundAnswer,
    RefundAsk,
    Rejected,
    SecretOf,
    Snapshot,
    Spoken,
    Unsupported,
)
from payments.adapters.json_api import moment
from payments.adapters.json_body import amount_of_notice, parse_notice, storable, text_of

CONTENT_TYPE: Final = "text/html;charset=utf-8"
_KINDS: Final = {
    "ready": Kind.ISSUED,
    "paid": Kind.DEPOSITED,
    "cancelled": Kind.REFUNDED,
    "partialCancelled": Kind.PART_REFUNDED,
    "expired": Kind.EXPIRED,
    "failed": Kind.FAILED,
}


class Nicepay:
    """나이스페이 (REST)."""

    name = "nicepay"
    label = "나이스페이"
    media_types = frozenset({"application/json"})
    capabilities = Capabilities(
        is_signed=True,
        has_event_id=False,
        has_amount=True,
        tells_reversals=False,
        is_exact_amount=False,
        can_issue=False,
        can_close=True,
        can_refund_part=True,
        repeats_refund_key=False,
        tells_payouts=False,
        needs_ip=False,
        shares_references=True,
    )
    default_ips = ("121.133.126.86", "121.133.126.87")
    live_url = nicepay_api.LIVE_URL

    def read(self, request: Inbound, *, account: Account, secret_of: SecretOf) -> Notice:
        """알림 읽기: signature over tid, amount, ediDate and secret. Raises Rejected, nothing else.

        A failed payment may come without a signature; it moves nothing and is marked unproven.
        """
        document = parse_notice(request.body)
        tid, order_id = _word(document, "tid", 30), _word(document, "orderId", 64)
        edi_date, status = _word(document, "ediDate", 64), _word(document, "status", 20)
        is_proven = _is_signed(document, account, tid=tid, edi_date=edi_date)
        if not is_proven and status != "failed":
            raise Rejected(Answer.UNAUTHORIZED, "no_signature")
        amount = amount_of_notice(document.get("amount"))
        currency = text_of(document, "currency", most=3) or "KRW"
        cancelled_tid, balance = text_of(document, "cancelledTid", most=30), document.get("balanceAmt")
        balance_text = str(balance)[:13] if isinstance(balance, int | str) else ""
        was_paid = moment(document.get("paidAt")) is not None
        return Notice(
            event_key=f"{tid}:{status}:{cancelled_tid}:{balance_text}:{edi_date}",
            kind=_kind(status, was_paid=was_paid),
            order_ref=order_id,
            payment_ref=tid,
            reference=cancelled_tid or tid,
            amount=amount,
            currency=currency,
            occurred_at=_moment_of(document, status),
            is_proven=is_proven,
            parked="" if currency == "KRW" else "CURRENCY",
            fields=storable(document),
        )

    def speak(self, answer: Answer) -> Spoken:
        """응답 말하기: NICEPAY looks for OK anywhere in the body."""
        return Spoken(STATUS[answer], CONTENT_TYPE, b"OK" if answer == Answer.ACK else b"FAIL")

    def fetch(self, client: Client, *, account: Account, ref: Ref) -> Snapshot:
        """결제 조회."""
        return nicepay_api.fetch(client, account=account, ref=ref)

    def issue(self, client: Client, *, account: Account, ask: IssueAsk) -> Snapshot:
        """가상계좌 발급: only the buyer's payment window does it."""
        raise Unsupported("NICEPAY issues accounts in its payment window only")

    def close(self, client: Client, *, account: Account, ref: Ref, reason: str) -> None:
        """입금 전 계좌 닫기."""
        nicepay_api.close(client, account=account, ref=ref, reason=reason)

    def refund(self, client: Client, *, account: Account, ask: RefundAsk) -> RefundAnswer:
        """환불."""
        return nicepay_api.refund(client, account=account, ask=ask)


def _is_signed(document: Mapping[str, Any], account: Account, *, tid: str, edi_date: str) -> bool:
    """False without a signature; raises Rejected for a wrong one."""
    signature, amount = document.get("signature"), document.get("amount")
    if signature is None or signature == "":
        return False
    if not isinstance(signature, str) or isinstance(amount, bool) or not isinstance(amount, int | str):
        raise Rejected(Answer.MALFORMED, "bad_amount" if isinstance(signature, str) else "bad_field")
    given = signature.lower().encode("utf-8", "replace")
    right = [
        hmac.compare_digest(given, hashlib.sha256(f"{tid}{amount}{edi_date}{secret}".encode()).hexdigest().encode())
        for secret in account.secrets
    ]
    if not any(right):
        raise Rejected(Answer.UNAUTHORIZED, "bad_signature")
    return True


def _kind(status: str, *, was_paid: bool) -> Kind:
    kind = _KINDS.get(status, Kind.OTHER)
    return Kind.CANCELED_BEFORE_DEPOSIT if kind == Kind.REFUNDED and not was_paid else kind


def _moment_of(document: Mapping[str, Any], status: str) -> datetime | None:
    names = {"paid": "paidAt", "failed": "failedAt", "cancelled": "cancelledAt", "partialCancelled": "cancelledAt"}
    return moment(document.get(names.get(status, "ediDate"))) or moment(document.get("ediDate"))


def _word(document: Mapping[str, Any], name: str, most: int) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= most or not value.isprintable():
        raise Rejected(Answer.MALFORMED, "bad_field")
    return value


NICEPAY: Final = Nicepay()
