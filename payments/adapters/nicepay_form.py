"""NICEPAY's older interface: deposits told by form post in CP949, nothing in them proves the sender (payments.md 2.5).

Calls go to the REST interface, for which the account's options must hold `client_key` and `rest_secret` of the same
shop. Without them every call is unsupported: the older interface has no inquiry that we could confirm, and a refund
whose outcome nobody can ask for must not be sent.
"""

import hmac
from dataclasses import replace
from typing import Final

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
from payments.adapters.form_body import MEDIA_TYPE, korean_time, person, read_form, won, word
from payments.adapters.nicepay import CONTENT_TYPE

DEPOSITED_CODE: Final = "4110"
ISSUED_CODE: Final = "4100"
QUERY_KEYS: Final = frozenset({"client_key", "rest_secret"})
_KINDS: Final = {DEPOSITED_CODE: Kind.DEPOSITED, ISSUED_CODE: Kind.ISSUED}


class NicepayForm:
    """나이스페이 (구 연동)."""

    name = "nicepay_form"
    label = "나이스페이 (구 연동)"
    media_types = frozenset({MEDIA_TYPE})
    capabilities = Capabilities(
        is_signed=False,
        has_event_id=False,
        has_amount=True,
        tells_reversals=False,
        is_exact_amount=False,
        can_issue=False,
        can_close=True,
        can_refund_part=True,
        repeats_refund_key=False,
        tells_payouts=False,
        needs_ip=True,
        query_keys=QUERY_KEYS,
        shares_references=True,
    )
    default_ips = ("121.133.126.10", "121.133.126.11", "211.33.136.39")
    live_url = nicepay_api.LIVE_URL

    def read(self, request: Inbound, *, account: Account, secret_of: SecretOf) -> Notice:
        """알림 읽기: the merchant id must be the account's; who sent it, the address list has checked before.

        Raises Rejected, nothing else.
        """
        fields = read_form(request.body, charset=account.charset)
        merchant_id = word(fields, "MID", most=10)
        if not hmac.compare_digest(merchant_id.encode(), account.merchant_id.encode()):
            raise Rejected(Answer.UNAUTHORIZED, "account_mismatch")
        tid, order_id, code = (
            word(fields, "TID", most=30),
            word(fields, "MOID", most=64),
            word(fields, "ResultCode", most=4),
        )
        is_ours = fields.get("PayMethod") == "VBANK"
        kind = _KINDS.get(code, Kind.OTHER) if is_ours else Kind.OTHER
        auth_date = fields.get("AuthDate", "")[:14]
        return Notice(
            event_key=f"{tid}:{code}:{auth_date}",
            kind=kind,
            order_ref=order_id,
            payment_ref=tid,
            reference=tid,
            amount=None if kind == Kind.OTHER else won(fields, "Amt"),
            occurred_at=korean_time(auth_date),
            depositor=person(fields.get("VbankInputName", "")),
            fields=fields,
        )

    def speak(self, answer: Answer) -> Spoken:
        """응답 말하기: like the REST interface."""
        return Spoken(STATUS[answer], CONTENT_TYPE, b"OK" if answer == Answer.ACK else b"FAIL")

    def fetch(self, client: Client, *, account: Account, ref: Ref) -> Snapshot:
        """결제 조회 over the REST interface. Raises Unsupported without its keys."""
        return nicepay_api.fetch(client, account=_rest(account), ref=ref)

    def issue(self, client: Client, *, account: Account, ask: IssueAsk) -> Snapshot:
        """가상계좌 발급: only the buyer's payment window does it."""
        raise Unsupported("NICEPAY issues accounts in its payment window only")

    def close(self, client: Client, *, account: Account, ref: Ref, reason: str) -> None:
        """입금 전 계좌 닫기 over the REST interface. Raises Unsupported without its keys."""
        nicepay_api.close(client, account=_rest(account), ref=ref, reason=reason)

    def refund(self, client: Client, *, account: Account, ask: RefundAsk) -> RefundAnswer:
        """환불 over the REST interface. Raises Unsupported without its keys."""
        return nicepay_api.refund(client, account=_rest(account), ask=ask)


def _rest(account: Account) -> Account:
    if not all(account.options.get(name) for name in QUERY_KEYS):
        raise Unsupported("the account has no keys of the REST interface")
    return replace(account, secrets=(account.options["rest_secret"],), charset="utf-8")


NICEPAY_FORM: Final = NicepayForm()
