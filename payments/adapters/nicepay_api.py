"""NICEPAY's REST calls and answers (payments.md 2.4), for accounts that get the signed notices and for older ones.

Accounts are issued in the buyer's payment window only; there is no call for it. NICEPAY pays refunds out on the next
business day at 17:00 and does not tell whether the bank took them: `Snapshot.refund_state` stays NONE.
"""

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from core.cutting import cut, digits_of
from core.http import Client, Response
from payments.adapters.base import (
    WRONG_ACCOUNT,
    Account,
    BankAccount,
    CashReceiptFacts,
    Denied,
    Movement,
    NotAtPg,
    OutcomeUnknown,
    PgState,
    Ref,
    RefundAnswer,
    RefundAsk,
    RefusedByPg,
    Snapshot,
    Unavailable,
)
from payments.adapters.json_api import moment
from payments.adapters.json_body import BadJson, amount_of_answer, object_of, objects_of, storable, text_of
from payments.adapters.wire import call, lost, object_of_answer

LIVE_URL: Final = "https://api.nicepay.co.kr"
MOST_ACCOUNT_DIGITS: Final = 16
DAYS_WITHIN: Final = 10.0
"""Seconds in which the question about another day may begin: with two tids, no fetch takes longer than four calls."""
_SEOUL = ZoneInfo("Asia/Seoul")
_DATED = re.compile(r"(20[0-9]{6})[^0-9]", re.ASCII)
_STATES: Final = {
    "ready": PgState.WAITING,
    "paid": PgState.PAID,
    "cancelled": PgState.CANCELED,
    "partialCancelled": PgState.PART_REFUNDED,
    "expired": PgState.EXPIRED,
    "failed": PgState.FAILED,
}
# Codes of nicepay-manual common/code.md.
_FINE: Final = frozenset({"0000", "2001", "2211"})
_UNKNOWN_PAYMENT: Final = frozenset(
    {"2012", "A118", "A214", "A216", "A217", "A251", "U107", "U111", "U120", "U122", "U126"}
)
_DENIED: Final = frozenset(
    {"A101", "A211", "A224", "A301", "P001", "P005", "P014", "P016"}
    | {"U101", "U102", "U103", "U104", "U108", "U109", "U116", "U117", "U118", "U304", "U305", "U312", "U313", "U315"}
)
_ALREADY: Final = frozenset({"2013", "2015"})
"""Cancelled already, asked for already: whether it was us, only the payment itself can tell."""
_DOUBTFUL: Final = _ALREADY | {"2000", "A110", "A226", "A254", "A299", "P026", "P027", "U112", "U303", "2159"}
"""Failures behind NICEPAY's own door, and order ids used before: the money may have moved."""


def fetch(client: Client, *, account: Account, ref: Ref) -> Snapshot:
    """결제 조회: by tid, then by the one that a notice told, then by order id and each day it may have been made (KST).

    The signature of a notice covers its tid, not its order id: what a told tid shows of another order is passed over.
    """
    unknown = NotAtPg("unknown payment")
    for tid in dict.fromkeys(filter(None, (ref.payment_ref, ref.told))):
        try:
            found = _shown(client, account, _in_path(tid))
        except NotAtPg as problem:
            unknown = problem
            continue
        if found.payment_ref != tid:
            raise Unavailable("the answer is about another payment")
        if tid == ref.payment_ref or found.order_ref == ref.order_ref:
            return found
    last = time.monotonic() + DAYS_WITHIN
    for day in _days(ref):
        if time.monotonic() > last:
            raise Unavailable("the days of the payment take too long")
        try:
            found = _shown(client, account, f"find/{_in_path(ref.order_ref)}", {"orderDate": day})
        except NotAtPg as problem:
            unknown = problem
            continue
        if found.order_ref != ref.order_ref:
            raise Unavailable("the answer is about another order")
        return found
    raise unknown


def _shown(client: Client, account: Account, path: str, params: Mapping[str, str] | None = None) -> Snapshot:
    response = call(client, "GET", f"/v1/payments/{path}", moves_money=False, headers=_headers(account), params=params)
    return snapshot_of(_answer(response, moves_money=False))


def close(client: Client, *, account: Account, ref: Ref, reason: str) -> None:
    """입금 전 계좌 닫기: a cancel without a bank account; one that is cancelled already is closed too."""
    at = datetime.now(_SEOUL)
    ask = {"reason": cut(reason, most=100) or "취소", "orderId": f"C{_short(ref)}", **_stamp(account, ref, at)}
    try:
        _cancel(client, account=account, ref=ref, ask=ask)
    except OutcomeUnknown as problem:
        if problem.code != "2013":
            raise


def refund(client: Client, *, account: Account, ask: RefundAsk) -> RefundAnswer:
    """환불: the order id of the cancel is made of the key, so that NICEPAY refuses a second one.

    Paid out on the next business day at 17:00 where an account is given.
    """
    values: dict[str, Any] = {
        "reason": cut(ask.reason, most=100) or "환불",
        "orderId": "R" + "".join(char for char in ask.key if char.isalnum())[:63],
        "cancelAmt": ask.amount,
        **_stamp(account, ask.ref, ask.at),
    }
    if ask.account:
        values |= _refund_account(ask.account)
    document = _cancel(client, account=account, ref=ask.ref, ask=values)
    reference = text_of(document, "cancelledTid") or text_of(document, "tid")
    return RefundAnswer(reference=reference, is_final=ask.account is None)


def _cancel(client: Client, *, account: Account, ref: Ref, ask: Mapping[str, Any]) -> dict[str, Any]:
    path = f"/v1/payments/{_in_path(ref.payment_ref)}/cancel"
    response = call(
        client,
        "POST",
        path,
        moves_money=True,
        headers={**_headers(account), "Content-Type": "application/json;charset=utf-8"},
        body=_json(ask),
    )
    document = _answer(response, moves_money=True)
    if text_of(document, "tid") not in ("", ref.payment_ref):
        raise OutcomeUnknown("the answer is about another payment")
    return document


def snapshot_of(document: Mapping[str, Any]) -> Snapshot:
    """결제 as the PG shows it, in our words. Raises Unavailable for a document that makes no sense."""
    state = _STATES.get(text_of(document, "status"))
    if state is None or not text_of(document, "tid") or not text_of(document, "orderId"):
        raise Unavailable("the answer shows no payment")
    try:
        return _snapshot(document, state)
    except BadJson as problem:
        raise Unavailable(f"the answer is not readable: {problem}") from None


def _snapshot(document: Mapping[str, Any], state: PgState) -> Snapshot:
    tid, amount = text_of(document, "tid"), amount_of_answer(document.get("amount"))
    paid_at = moment(document.get("paidAt"))
    was_paid = state in {PgState.PAID, PgState.PART_REFUNDED} or (state == PgState.CANCELED and paid_at is not None)
    vbank = object_of(document, "vbank")
    number = text_of(vbank, "vbankNumber")
    return Snapshot(
        order_ref=text_of(document, "orderId"),
        payment_ref=tid,
        state=state,
        amount=amount,
        currency=text_of(document, "currency", most=3) or "KRW",
        deposits=(Movement(reference=tid, amount=amount, at=paid_at),) if was_paid else (),
        refunds=_refunds(document, amount, state) if was_paid else (),
        account=BankAccount(bank=text_of(vbank, "vbankCode"), number=number, holder=text_of(vbank, "vbankHolder"))
        if number
        else None,
        due_at=moment(vbank.get("vbankExpDate")),
        receipts=tuple(
            _receipt(item) for item in objects_of(document, "cashReceipts") if item.get("status") == "issued"
        ),
        raw=storable(document),
    )


def _refunds(document: Mapping[str, Any], amount: int, state: PgState) -> tuple[Movement, ...]:
    listed = tuple(
        Movement(
            reference=text_of(item, "tid"),
            amount=amount_of_answer(item.get("amount")),
            at=moment(item.get("cancelledAt")),
        )
        for item in objects_of(document, "cancels")
    )
    if listed or state == PgState.PAID:
        return listed
    rest = amount - amount_of_answer(document.get("balanceAmt"))
    reference = text_of(document, "cancelledTid")
    return (Movement(reference=reference, amount=rest, at=moment(document.get("cancelledAt"))),) if rest > 0 else ()


def _receipt(item: Mapping[str, Any]) -> CashReceiptFacts:
    return CashReceiptFacts(
        reference=text_of(item, "receiptTid"),
        purpose="expense" if item.get("receiptType") == "company" else "income",
        amount=amount_of_answer(item.get("amount")),
        number=text_of(item, "issueNo"),
        url=text_of(item, "receiptUrl"),
    )


def _answer(response: Response, *, moves_money: bool) -> dict[str, Any]:
    """The document of an answer that says it went well; raises what the code of any other one means."""
    document = object_of_answer(response, moves_money=moves_money)
    code, message = text_of(document, "resultCode", most=10), text_of(document, "resultMsg", most=100)
    if code in _FINE:
        return document
    if not code:
        raise lost("the answer has no result code", moves_money=moves_money)
    if code in _UNKNOWN_PAYMENT:
        raise NotAtPg("unknown payment", code=code, message=message)
    if code in _DENIED:
        raise Denied("refused by key or account", code=code, message=message)
    if not moves_money:
        raise Unavailable("the payment cannot be shown", code=code, message=message)
    if code in _DOUBTFUL:
        raise OutcomeUnknown("it may have been done", code=code, message=message)
    raise RefusedByPg("not done", code=code, message=message)


def _headers(account: Account) -> dict[str, str]:
    client_key, secret = account.options.get("client_key", ""), account.secrets[0] if account.secrets else ""
    if not client_key or not secret:
        raise Denied("the account has no client key or no secret key")
    return {"Authorization": "Basic " + base64.b64encode(f"{client_key}:{secret}".encode()).decode()}


def _stamp(account: Account, ref: Ref, at: datetime) -> dict[str, str]:
    """Time and signature of a cancel; the payment's tid must be known."""
    if not ref.payment_ref:
        raise Unavailable("the payment has no tid yet")
    if not account.secrets:
        raise Denied("the account has no secret key")
    edi_date = at.astimezone(_SEOUL).strftime("%Y-%m-%dT%H:%M:%S.000+0900")
    signed = hashlib.sha256(f"{ref.payment_ref}{edi_date}{account.secrets[0]}".encode()).hexdigest()
    return {"ediDate": edi_date, "signData": signed}


def _refund_account(account: BankAccount) -> dict[str, str]:
    number, holder = digits_of(account.number), cut(account.holder, most=10)
    if not 1 <= len(number) <= MOST_ACCOUNT_DIGITS or not holder or not account.bank:
        raise RefusedByPg(
            "NICEPAY takes a bank code, 1 to 16 digits and a holder", code="ACCOUNT", message=WRONG_ACCOUNT
        )
    return {"refundAccount": number, "refundBankCode": account.bank, "refundHolder": holder}


def _in_path(text: str) -> str:
    return quote(text, safe="")


def _days(ref: Ref) -> list[str]:
    """yyyyMMdd of the days under which the payment may be filed; none where its tid is known and nothing else.

    Our order numbers begin with the day they were made.
    """
    if ref.days or ref.payment_ref:
        return [day.strftime("%Y%m%d") for day in ref.days]
    if ref.at:
        return [ref.at.astimezone(_SEOUL).strftime("%Y%m%d")]
    found = _DATED.match(ref.order_ref)
    if not found:
        raise Unavailable("the day of the payment is not known")
    return [found.group(1)]


def _short(ref: Ref) -> str:
    return "".join(char for char in ref.order_ref if char.isalnum())[:63]


def _json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()
