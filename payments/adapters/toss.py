"""Toss Payments: what it tells us (payments.md 2.1); the calls are in toss_api.

A deposit notice repeats the secret that was given with the account; nothing else in it is signed. Amounts are never
told, so every notice only makes us ask.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final

from core.http import Client
from payments.adapters import toss_api
from payments.adapters.base import (
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
)
from payments.adapters.json_api import moment, spoken
from payments.adapters.json_body import object_of, parse_notice, storable, text_of

_ORDER_ID: Final = re.compile(r"[A-Za-z0-9_\-=]{1,64}")
_WORD: Final = re.compile(r"[A-Za-z0-9_\-=.:+]{1,200}")
_LONGEST_KEY: Final = 200

_DEPOSIT_KINDS: Final = {
    "DONE": Kind.DEPOSITED,
    "WAITING_FOR_DEPOSIT": Kind.REVERSED,
    "CANCELED": Kind.CANCELED_BEFORE_DEPOSIT,
    "PARTIAL_CANCELED": Kind.PART_REFUNDED,
    "EXPIRED": Kind.EXPIRED,
}
_STATUS_KINDS: Final = {
    "WAITING_FOR_DEPOSIT": Kind.ISSUED,
    "DONE": Kind.DEPOSITED,
    "CANCELED": Kind.REFUNDED,
    "PARTIAL_CANCELED": Kind.PART_REFUNDED,
    "EXPIRED": Kind.EXPIRED,
    "ABORTED": Kind.FAILED,
}


class Toss:
    """토스페이먼츠."""

    name = "toss"
    label = "토스페이먼츠"
    media_types = frozenset({"application/json"})
    capabilities = Capabilities(
        is_signed=False,
        has_event_id=False,
        has_amount=False,
        tells_reversals=True,
        is_exact_amount=True,
        can_issue=True,
        can_close=True,
        can_refund_part=True,
        repeats_refund_key=True,
        tells_payouts=True,
        needs_ip=False,
    )
    default_ips = ("13.124.18.147", "13.124.108.35", "3.36.173.151", "3.38.81.32")
    live_url = toss_api.LIVE_URL

    def read(self, request: Inbound, *, account: Account, secret_of: SecretOf) -> Notice:
        """알림 읽기: DEPOSIT_CALLBACK by the payment's secret; every other event is for the re-query to judge.

        A deposit notice of an order that we do not know is unproven; without a secret it is refused all the same.
        Raises Rejected, nothing else.
        """
        document = parse_notice(request.body)
        if "eventType" in document:
            return _status_changed(document, request.body)
        secret = document.get("secret")
        if secret is None or secret == "":
            raise Rejected(Answer.UNAUTHORIZED, "no_secret")
        if not isinstance(secret, str):
            raise Rejected(Answer.MALFORMED, "bad_secret")
        order_ref, status = _order_ref(document), _word(document, "status")
        created_at = _word(document, "createdAt")
        known = secret_of(order_ref)
        if known and not hmac.compare_digest(known.encode("utf-8", "replace"), secret.encode("utf-8", "replace")):
            raise Rejected(Answer.UNAUTHORIZED, "bad_secret")
        transaction = _word(document, "transactionKey")[:80] if document.get("transactionKey") is not None else ""
        return Notice(
            event_key=_event_key("DEP", order_ref, status, transaction, created_at),
            kind=_DEPOSIT_KINDS.get(status, Kind.OTHER),
            order_ref=order_ref,
            reference=transaction,
            occurred_at=moment(created_at),
            is_proven=bool(known),
            fields=storable({**document, "secret": "…"}),
        )

    def speak(self, answer: Answer) -> Spoken:
        """응답 말하기: Toss looks at the status alone."""
        return spoken(answer, success=b"OK")

    def fetch(self, client: Client, *, account: Account, ref: Ref) -> Snapshot:
        """결제 조회. Raises NotAtPg, Denied, Unavailable."""
        return toss_api.fetch(client, account=account, ref=ref)

    def issue(self, client: Client, *, account: Account, ask: IssueAsk) -> Snapshot:
        """가상계좌 발급. Raises RefusedByPg, Denied, Unavailable, OutcomeUnknown."""
        return toss_api.issue(client, account=account, ask=ask)

    def close(self, client: Client, *, account: Account, ref: Ref, reason: str) -> None:
        """입금 전 계좌 닫기: done for a closed one, refused for a paid one. Raises like `issue`, and NotAtPg."""
        toss_api.close(client, account=account, ref=ref, reason=reason)

    def refund(self, client: Client, *, account: Account, ask: RefundAsk) -> RefundAnswer:
        """환불: the same `key` may be sent again within 15 days. Raises like `issue`, and NotAtPg."""
        return toss_api.refund(client, account=account, ask=ask)


def _status_changed(document: Mapping[str, Any], body: bytes) -> Notice:
    """An event in the envelope; whoever knows an order number could have written it."""
    event, data = _word(document, "eventType"), object_of(document, "data")
    if event != "PAYMENT_STATUS_CHANGED":
        order_ref = text_of(data, "orderId", most=64)
        digest = hashlib.sha256(body).hexdigest()
        key = _event_key("EVT", event, digest)
        return Notice(event_key=key, kind=Kind.OTHER, order_ref=order_ref, is_proven=False, fields=storable(document))
    payment_ref, order_ref = _word(data, "paymentKey"), _order_ref(data)
    status, created_at = _word(data, "status"), _word(document, "createdAt")
    kind = _STATUS_KINDS.get(status, Kind.OTHER)
    if status == "CANCELED" and "approvedAt" in data and data["approvedAt"] is None:
        kind = Kind.CANCELED_BEFORE_DEPOSIT
    return Notice(
        event_key=_event_key("PSC", payment_ref, status, created_at),
        kind=kind,
        order_ref=order_ref,
        payment_ref=payment_ref,
        reference=text_of(data, "lastTransactionKey", most=64),
        occurred_at=moment(created_at),
        is_proven=False,
        fields=storable({**document, "data": {name: value for name, value in data.items() if name != "secret"}}),
    )


def _order_ref(values: Mapping[str, Any]) -> str:
    value = values.get("orderId")
    if not isinstance(value, str) or not _ORDER_ID.fullmatch(value):
        raise Rejected(Answer.MALFORMED, "bad_orderId")
    return value


def _word(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise Rejected(Answer.MALFORMED, f"bad_{name}")
    return value


def _event_key(*parts: str) -> str:
    """What makes an event one, joined; a hash where that is longer than the inbox keeps."""
    key = ":".join(parts)
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{parts[0]}:{hashlib.sha256(key.encode()).hexdigest()}"


TOSS: Final = Toss()
