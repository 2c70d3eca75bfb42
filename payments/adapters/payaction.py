"""PayAction: a service that watches our bank account and posts back (payments.md 2.10); it only tells, we ask nothing.

Two kinds of news: money that came into the account, and an order that it has matched itself. Neither is signed: the
key of the header is all the proof there is, so only its hash is kept with the request. What is matched is decided here.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from core.calendar import KST
from core.http import Client
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
from payments.adapters.json_body import MOST_AMOUNT, amount_of_notice, parse_notice

MATCHED: Final = "매칭완료"
DEPOSITED: Final = frozenset({"deposited", "입금"})
_TRACE: Final = re.compile(r"[A-Za-z0-9_\-.:]{1,120}")
_ORDER: Final = re.compile(r"[A-Za-z0-9\-]{1,22}")


class PayAction:
    """페이액션."""

    name = "payaction"
    label = "페이액션"
    media_types = frozenset({"application/json"})
    capabilities = Capabilities(
        is_signed=True, has_event_id=True, has_amount=True, tells_reversals=False, is_exact_amount=False,
        can_issue=False, can_close=False, can_refund_part=False, repeats_refund_key=False,
        tells_payouts=False, needs_ip=False,
    )  # fmt: skip
    default_ips: tuple[str, ...] = ()
    live_url = "https://api.payaction.app"

    def read(self, request: Inbound, *, account: Account, secret_of: SecretOf) -> Notice:
        """알림 읽기. Raises Rejected."""
        self._authenticate(request, account)
        trace = request.headers.get("x-trace-id", "")
        if not _TRACE.fullmatch(trace):
            raise Rejected(Answer.MALFORMED, "trace_id")
        body = parse_notice(request.body)
        if "order_number" in body:
            return _matched(body, trace)
        return _moved(body, trace)

    def speak(self, answer: Answer) -> Spoken:
        """응답 말하기: success as it expects, anything else without that word."""
        text = b'{"status":"success"}' if answer is Answer.ACK else b'{"status":"fail"}'
        return Spoken(STATUS[answer], "application/json", text)

    def fetch(self, client: Client, *, account: Account, ref: Ref) -> Snapshot:
        """It keeps no payments of ours."""
        raise Unsupported("no payments here")

    def issue(self, client: Client, *, account: Account, ask: IssueAsk) -> Snapshot:
        """It opens no accounts."""
        raise Unsupported("no accounts here")

    def close(self, client: Client, *, account: Account, ref: Ref, reason: str) -> None:
        """It closes none."""
        raise Unsupported("no accounts here")

    def refund(self, client: Client, *, account: Account, ask: RefundAsk) -> RefundAnswer:
        """It moves no money."""
        raise Unsupported("no refunds here")

    def _authenticate(self, request: Inbound, account: Account) -> None:
        told = request.headers.get("x-webhook-key", "").encode()
        hashes = [hashlib.sha256(secret.encode()).hexdigest().encode() for secret in account.secrets]
        if not told or not sum(hmac.compare_digest(told, one) for one in hashes):
            raise Rejected(Answer.UNAUTHORIZED, "webhook_key")
        mall = request.headers.get("x-mall-id", "")
        if mall and mall != account.merchant_id:
            raise Rejected(Answer.UNAUTHORIZED, "account_mismatch")


def _matched(body: Mapping[str, Any], trace: str) -> Notice:
    number, status = _text(body, "order_number"), _text(body, "order_status")
    if not _ORDER.fullmatch(number):
        raise Rejected(Answer.MALFORMED, "order_number")
    return Notice(
        event_key=trace,
        kind=Kind.BANK if status == MATCHED else Kind.OTHER,
        order_ref=number,
        occurred_at=_moment(body, "processing_date"),
        fields={"order_status": status[:40]},
    )


def _moved(body: Mapping[str, Any], trace: str) -> Notice:
    kind = _text(body, "transaction_type")
    if not kind:
        raise Rejected(Answer.MALFORMED, "transaction_type")
    return Notice(
        event_key=trace,
        kind=Kind.BANK if kind in DEPOSITED else Kind.OTHER,
        order_ref="",
        amount=amount_of_notice(body.get("amount")),
        occurred_at=_moment(body, "transaction_date"),
        depositor=_text(body, "transaction_name")[:60],
        fields={
            "transaction_type": kind[:40], "balance": _balance(body.get("balance")), "memo": _text(body, "memo")[:200]
        },
    )  # fmt: skip


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise Rejected(Answer.MALFORMED, name)
    return " ".join(value.split())


def _balance(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MOST_AMOUNT:
        raise Rejected(Answer.MALFORMED, "balance")
    return value


def _moment(body: Mapping[str, Any], name: str) -> datetime:
    try:
        found = datetime.fromisoformat(_text(body, name))
        aware = found if found.tzinfo is not None else found.replace(tzinfo=KST)
        moment = aware.astimezone(KST)
    except (ValueError, OverflowError):
        raise Rejected(Answer.MALFORMED, name) from None
    if not 2000 <= moment.year < 2100:
        raise Rejected(Answer.MALFORMED, name)
    return moment


PAYACTION: Final = PayAction()
