"""PortOne V2: what it tells us (payments.md 2.2), signed by the Standard Webhooks rule; the calls are in portone_api.

The public verifiers raise on odd signature lists or sign a rounded time, hence our own: bytes in, odd items skipped.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final

from core.http import Client
from payments.adapters import portone_api
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

TOLERANCE: Final = 300
"""Seconds that the time of sending may differ from ours, either way."""
_PREFIX: Final = "whsec_"
_MOST_ITEMS: Final = 32
_ID: Final = re.compile(r"[!-~]{1,200}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_ORDER_REF: Final = re.compile(r"[!-~]{1,64}")

_KINDS: Final = {
    "Transaction.VirtualAccountIssued": Kind.ISSUED,
    "Transaction.Paid": Kind.DEPOSITED,
    "Transaction.PartialCancelled": Kind.PART_REFUNDED,
    "Transaction.Cancelled": Kind.REFUNDED,
    "Transaction.Failed": Kind.FAILED,
}


class PortOne:
    """포트원 V2."""

    name = "portone"
    label = "포트원"
    media_types = frozenset({"application/json"})
    capabilities = Capabilities(
        is_signed=True,
        has_event_id=True,
        has_amount=False,
        tells_reversals=False,
        is_exact_amount=True,
        can_issue=True,
        can_close=True,
        can_refund_part=True,
        repeats_refund_key=False,
        tells_payouts=True,
        needs_ip=False,
    )
    default_ips = ("52.78.5.241",)
    live_url = portone_api.LIVE_URL

    def read(self, request: Inbound, *, account: Account, secret_of: SecretOf) -> Notice:
        """알림 읽기: signature over id, time and raw body with a present or previous secret, then the store.

        Unknown types are OTHER, as PortOne demands. Raises Rejected, nothing else.
        """
        event_id = _verified(request, account)
        document = parse_notice(request.body)
        kind = document.get("type")
        if not isinstance(kind, str) or not kind:
            raise Rejected(Answer.MALFORMED, "no_type")
        data = object_of(document, "data")
        store = text_of(data, "storeId")
        if account.merchant_id and store and store != account.merchant_id:
            raise Rejected(Answer.UNAUTHORIZED, "account_mismatch")
        return Notice(
            event_key=event_id,
            kind=_KINDS.get(kind, Kind.OTHER),
            order_ref=_order_ref(data, is_needed=kind in _KINDS),
            payment_ref=text_of(data, "transactionId"),
            reference=text_of(data, "cancellationId", most=80) or text_of(data, "transactionId", most=80),
            occurred_at=moment(document.get("timestamp")),
            fields=storable(document),
        )

    def speak(self, answer: Answer) -> Spoken:
        """응답 말하기: PortOne looks at the status alone."""
        return spoken(answer, success=b"")

    def fetch(self, client: Client, *, account: Account, ref: Ref) -> Snapshot:
        """결제 조회. Raises NotAtPg, Denied, Unavailable."""
        return portone_api.fetch(client, account=account, ref=ref)

    def issue(self, client: Client, *, account: Account, ask: IssueAsk) -> Snapshot:
        """가상계좌 발급. Raises RefusedByPg, Denied, Unavailable, OutcomeUnknown, Unsupported without a channel key."""
        return portone_api.issue(client, account=account, ask=ask)

    def close(self, client: Client, *, account: Account, ref: Ref, reason: str) -> None:
        """입금 전 계좌 닫기: PortOne refuses it for a paid or closed one. Raises like `issue`, and NotAtPg."""
        portone_api.close(client, account=account, ref=ref)

    def refund(self, client: Client, *, account: Account, ask: RefundAsk) -> RefundAnswer:
        """환불: refused when the balance at PortOne is not the one we know. Raises like `issue`, and NotAtPg."""
        return portone_api.refund(client, account=account, ask=ask)


def _verified(request: Inbound, account: Account) -> str:
    """The webhook-id of an authentic request."""
    event_id, timestamp, signatures = (
        request.headers.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    if not event_id or not timestamp or not signatures:
        raise Rejected(Answer.UNAUTHORIZED, "no_signature")
    if not _ID.fullmatch(event_id) or not _TIMESTAMP.fullmatch(timestamp):
        raise Rejected(Answer.UNAUTHORIZED, "bad_signature")
    given = _signatures(signatures)
    text = b".".join((event_id.encode(), timestamp.encode(), request.body))
    keys = [key for key in map(_key, account.secrets) if key]
    wanted = [hmac.new(key, text, hashlib.sha256).digest() for key in keys]
    if not any(hmac.compare_digest(own, other) for own in wanted for other in given):
        raise Rejected(Answer.UNAUTHORIZED, "bad_signature")
    age = int(request.at.timestamp()) - int(timestamp)
    if age > TOLERANCE:
        raise Rejected(Answer.UNAUTHORIZED, "stale")
    if age < -TOLERANCE:
        raise Rejected(Answer.UNAUTHORIZED, "future")
    return event_id


def _signatures(header: str) -> list[bytes]:
    """The v1 signatures of a list; items that are none are passed over."""
    found = []
    for item in header.split(" ")[:_MOST_ITEMS]:
        version, comma, value = item.partition(",")
        if version == "v1" and comma:
            decoded = _decoded(value)
            if len(decoded) == hashlib.sha256().digest_size:
                found.append(decoded)
    return found


def _key(secret: str) -> bytes:
    """The signing key in a webhook secret; empty for one that is none."""
    return _decoded(secret.removeprefix(_PREFIX))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _order_ref(data: Mapping[str, Any], *, is_needed: bool) -> str:
    value = data.get("paymentId")
    if isinstance(value, str) and _ORDER_REF.fullmatch(value):
        return value
    if is_needed:
        raise Rejected(Answer.MALFORMED, "bad_paymentId")
    return ""


PORTONE: Final = PortOne()
