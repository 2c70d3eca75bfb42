"""Calls to PortOne V2: ask, open, close, refund (payments.md 2.2).

The account's options: `api_secret` for every call, `channel_key` to open accounts. The merchant id is the store id.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from core.http import Client
from payments.adapters.base import (
    Account,
    BankAccount,
    CashReceiptFacts,
    Denied,
    IssueAsk,
    KnownAtPg,
    Movement,
    NotAtPg,
    OutcomeUnknown,
    PgProblem,
    PgState,
    Ref,
    RefundAnswer,
    RefundAsk,
    RefundState,
    RefusedByPg,
    Snapshot,
    Unavailable,
    Unsupported,
)
from payments.adapters.json_api import Answered, call_json, line, moment
from payments.adapters.json_body import BadJson, amount_of_answer, object_of, objects_of, storable, text_of
from payments.adapters.wire import code_of, lost

LIVE_URL: Final = "https://api.portone.io"

_STATES: Final = {
    "READY": PgState.READY,
    "PAY_PENDING": PgState.READY,
    "VIRTUAL_ACCOUNT_ISSUED": PgState.WAITING,
    "PAID": PgState.PAID,
    "PARTIAL_CANCELLED": PgState.PART_REFUNDED,
    "CANCELLED": PgState.CANCELED,
    "FAILED": PgState.FAILED,
}
_PAID: Final = frozenset({PgState.PAID, PgState.PART_REFUNDED, PgState.CANCELED})
_REFUND_STATES: Final = {
    "PENDING": RefundState.PENDING,
    "PARTIAL_REFUND_FAILED": RefundState.PART_FAILED,
    "FAILED": RefundState.FAILED,
    "COMPLETED": RefundState.COMPLETED,
}
_VIRTUAL_ACCOUNT: Final = "PaymentMethodVirtualAccount"
_LONGEST_TEXT: Final = 100


def fetch(client: Client, *, account: Account, ref: Ref) -> Snapshot:
    """결제 조회 by our order reference, which is PortOne's payment id."""
    store = {"storeId": account.merchant_id} if account.merchant_id else None
    answered = call_json(
        client, "GET", _path(ref.order_ref), moves_money=False, headers=_headers(account), params=store
    )
    return _snapshot(_checked(answered, moves_money=False), order_ref=ref.order_ref)


def issue(client: Client, *, account: Account, ask: IssueAsk) -> Snapshot:
    """가상계좌 발급: the answer does not name the account, so we ask for it at once.

    Raises OutcomeUnknown when the account was opened and could not be read.
    """
    channel = account.options.get("channel_key", "")
    if not channel:
        raise Unsupported("the account has no channel key to open virtual accounts with")
    values = {
        "channelKey": channel,
        "method": {
            "virtualAccount": {
                "bank": ask.bank,
                "expiry": {"dueDate": ask.due_at.isoformat(timespec="seconds")},
                "option": {"type": "NORMAL"},
            }
        },
        "orderName": line(ask.title, most=_LONGEST_TEXT) or ask.order_ref,
        "customer": _customer(ask),
        "amount": {"total": ask.amount},
        "currency": "KRW",
    }
    if ask.notice_url:
        values["noticeUrls"] = [ask.notice_url]
    _checked(_post(client, f"{_path(ask.order_ref)}/instant", account=account, values=values), moves_money=True)
    try:
        return fetch(client, account=account, ref=Ref(order_ref=ask.order_ref))
    except PgProblem as problem:
        raise OutcomeUnknown("opened, but could not be read", code=problem.code, message=problem.message) from problem


def close(client: Client, *, account: Account, ref: Ref) -> None:
    """입금 전 계좌 닫기: a call of its own, which never touches money."""
    path = f"{_path(ref.order_ref)}/virtual-account/close"
    _checked(_post(client, path, account=account, values={}), moves_money=True)


def refund(client: Client, *, account: Account, ask: RefundAsk) -> RefundAnswer:
    """환불: always with the amount and the balance that we believe in, so that a second one cannot pass."""
    values: dict[str, Any] = {
        "amount": ask.amount,
        "reason": line(ask.reason, most=_LONGEST_TEXT) or "환불",
        "requester": "ADMIN",
        "currentCancellableAmount": ask.balance,
    }
    if ask.account:
        values["refundAccount"] = {
            "bank": ask.account.bank,
            "number": "".join(char for char in ask.account.number if char in "0123456789"),
            "holderName": line(ask.account.holder, most=_LONGEST_TEXT),
        }
        phone = "".join(char for char in ask.phone if char in "0123456789")
        if phone:
            values["refundAccount"]["holderPhoneNumber"] = phone
    answered = _post(client, f"{_path(ask.ref.order_ref)}/cancel", account=account, values=values)
    cancellation = object_of(_checked(answered, moves_money=True), "cancellation")
    reference, status = text_of(cancellation, "id", most=80), text_of(cancellation, "status")
    if status == "FAILED":
        raise RefusedByPg(
            "the cancellation failed", code="CANCELLATION_FAILED", message=text_of(cancellation, "reason")
        )
    if status not in {"SUCCEEDED", "REQUESTED"} or not reference:
        raise OutcomeUnknown("the answer does not show the refund", code="NO_CANCELLATION")
    # A transfer to an account takes a day or two; PortOne calls the cancellation itself done.
    return RefundAnswer(reference=reference, is_final=status == "SUCCEEDED" and ask.account is None)


def _customer(ask: IssueAsk) -> dict[str, Any]:
    customer: dict[str, Any] = {"name": {"full": line(ask.buyer, most=_LONGEST_TEXT) or "구매자"}}
    phone = "".join(char for char in ask.buyer_phone if char in "0123456789")
    if phone:
        customer["phoneNumber"] = phone
    if ask.buyer_email:
        customer["email"] = line(ask.buyer_email, most=_LONGEST_TEXT)
    return customer


def _headers(account: Account) -> dict[str, str]:
    return {"Authorization": f"PortOne {account.options.get('api_secret', '')}"}


def _path(order_ref: str) -> str:
    return f"/payments/{quote(order_ref, safe='')}"


def _post(client: Client, path: str, *, account: Account, values: Mapping[str, Any]) -> Answered:
    store = {"storeId": account.merchant_id} if account.merchant_id else {}
    headers = _headers(account)
    if path.endswith("/virtual-account/close"):
        return call_json(client, "POST", path, moves_money=True, headers=headers, params=store, json=values)
    return call_json(client, "POST", path, moves_money=True, headers=headers, json={**store, **values})


def _checked(answered: Answered, *, moves_money: bool) -> Mapping[str, Any]:
    """The object of a success; raises what a refusal means.

    An error of the PG behind PortOne (502, PG_PROVIDER) counts as unknown: only a re-query tells whether it was done.
    """
    if answered.is_done:
        return answered.values
    code, message = code_of(answered.values), text_of(answered.values, "message")
    problem: type[PgProblem] = RefusedByPg if moves_money else Unavailable
    if answered.status == 401 or code in {"UNAUTHORIZED", "FORBIDDEN"}:
        problem = Denied
    elif code == "PAYMENT_NOT_FOUND":
        problem = NotAtPg
    elif not code or answered.status == 404 or code == "PG_PROVIDER":
        raise lost(f"HTTP {answered.status}", moves_money=moves_money, code=code, message=message)
    elif moves_money and code == "ALREADY_PAID":
        problem = KnownAtPg
    raise problem(f"HTTP {answered.status}", code=code, message=message)


def _snapshot(values: Mapping[str, Any], *, order_ref: str) -> Snapshot:
    try:
        return _read(values, order_ref)
    except BadJson as problem:
        raise lost(f"the payment cannot be read: {problem}", moves_money=False) from None


def _read(values: Mapping[str, Any], order_ref: str) -> Snapshot:
    """The Payment object; a failed refund stays in `refunds` (PortOne counts it) and shows in `refund_state`."""
    if values.get("id") != order_ref:
        raise BadJson("other_order")
    state = _STATES.get(text_of(values, "status"))
    if state is None:
        raise BadJson("unknown_status")
    amount, method = object_of(values, "amount"), object_of(values, "method")
    total, paid_at = amount_of_answer(amount.get("total")), moment(values.get("paidAt"))
    is_paid = state in _PAID and paid_at is not None
    refunds = _refunds(values, "SUCCEEDED") if is_paid else ()
    pending = _refunds(values, "REQUESTED") if is_paid else ()
    if is_paid:
        _check_sums(amount_of_answer(amount.get("cancelled")), refunds, pending)
    account = method if text_of(method, "type") == _VIRTUAL_ACCOUNT else {}
    transaction = text_of(values, "transactionId")
    return Snapshot(
        order_ref=order_ref,
        payment_ref=transaction,
        state=state,
        amount=total,
        currency=text_of(values, "currency", most=3) or "KRW",
        deposits=(Movement(reference=transaction[:80], amount=total, at=paid_at),) if is_paid else (),
        refunds=refunds,
        pending=pending,
        refund_state=_REFUND_STATES.get(text_of(account, "refundStatus"), RefundState.NONE),
        account=_account(account),
        due_at=moment(account.get("expiredAt")),
        depositor=text_of(account, "remitterName", most=60) if is_paid else "",
        receipts=tuple(_receipts(values)),
        raw=storable(values),
    )


def _check_sums(cancelled: int, refunds: Sequence[Movement], pending: Sequence[Movement]) -> None:
    """Whether a cancellation that waits counts as cancelled already is not written down: both are taken."""
    done = sum(item.amount for item in refunds)
    if not done <= cancelled <= done + sum(item.amount for item in pending):
        raise BadJson("sums_disagree")


def _refunds(values: Mapping[str, Any], status: str) -> tuple[Movement, ...]:
    """Cancellations of one status, oldest first."""
    found = [
        Movement(
            reference=text_of(cancellation, "id", most=80),
            amount=amount_of_answer(cancellation.get("totalAmount")),
            at=moment(cancellation.get("cancelledAt")) or moment(cancellation.get("requestedAt")),
        )
        for cancellation in objects_of(values, "cancellations")
        if text_of(cancellation, "status") == status
    ]
    return tuple(sorted(found, key=lambda item: (item.at is not None and item.at.timestamp()) or 0))


def _account(account: Mapping[str, Any]) -> BankAccount | None:
    number = text_of(account, "accountNumber", most=40)
    if not number:
        return None
    holder = text_of(account, "remitteeName", most=60)
    return BankAccount(bank=text_of(account, "bank", most=24), number=number, holder=holder)


def _receipts(values: Mapping[str, Any]) -> list[CashReceiptFacts]:
    """현금영수증, where one is issued."""
    receipt = object_of(values, "cashReceipt")
    if text_of(receipt, "status") != "ISSUED":
        return []
    return [
        CashReceiptFacts(
            reference=text_of(receipt, "pgReceiptId") or text_of(receipt, "issueNumber", most=40),
            purpose="expense" if text_of(receipt, "type") == "CORPORATE" else "income",
            amount=amount_of_answer(receipt.get("totalAmount")),
            number=text_of(receipt, "issueNumber", most=40),
            url=text_of(receipt, "url", most=300),
        )
    ]
