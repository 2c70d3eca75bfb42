"""Calls to Toss Payments: ask, open, close, refund (payments.md 2.1)."""

import base64
from collections.abc import Mapping
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
)
from payments.adapters.json_api import SEOUL, Answered, call_json, line, moment
from payments.adapters.json_body import BadJson, amount_of_answer, object_of, objects_of, storable, text_of
from payments.adapters.wire import code_of, lost

LIVE_URL: Final = "https://api.tosspayments.com"

_STATES: Final = {
    "READY": PgState.READY,
    "IN_PROGRESS": PgState.READY,
    "WAITING_FOR_DEPOSIT": PgState.WAITING,
    "DONE": PgState.PAID,
    "PARTIAL_CANCELED": PgState.PART_REFUNDED,
    "CANCELED": PgState.CANCELED,
    "EXPIRED": PgState.EXPIRED,
    "ABORTED": PgState.FAILED,
}
_PAID: Final = frozenset({PgState.PAID, PgState.PART_REFUNDED, PgState.CANCELED})
_REFUND_STATES: Final = {
    "PENDING": RefundState.PENDING,
    "FAILED": RefundState.FAILED,
    "PARTIAL_FAILED": RefundState.PART_FAILED,
    "COMPLETED": RefundState.COMPLETED,
}
_PURPOSES: Final = {"소득공제": "income", "지출증빙": "expense"}
_KEY_CODES: Final = frozenset(
    {"UNAUTHORIZED_KEY", "INVALID_API_KEY", "INVALID_CLIENT_KEY", "INCORRECT_BASIC_AUTH_FORMAT", "FORBIDDEN_REQUEST"}
)
_UNKNOWN_CODES: Final = frozenset({"NOT_FOUND_PAYMENT", "NOT_FOUND_PAYMENT_SESSION"})
_USED_CODES: Final = frozenset({"DUPLICATED_ORDER_ID"})
_BUSY_CODES: Final = frozenset({"IDEMPOTENT_REQUEST_PROCESSING"})
_LONGEST_REASON: Final = 200
_LONGEST_NAME: Final = 100
_LONGEST_HOLDER: Final = 60


def fetch(client: Client, *, account: Account, ref: Ref) -> Snapshot:
    """결제 조회: by paymentKey where we know it, else by order. The key may be that of another order's payment."""
    path = (
        f"/v1/payments/{_part(ref.payment_ref)}" if ref.payment_ref else f"/v1/payments/orders/{_part(ref.order_ref)}"
    )
    answered = call_json(client, "GET", path, moves_money=False, headers=_headers(account))
    values = _checked(answered, moves_money=False)
    return _snapshot(values, order_ref=_of_key(values, ref) or ref.order_ref, moves_money=False)


def issue(client: Client, *, account: Account, ask: IssueAsk) -> Snapshot:
    """가상계좌 발급: the order reference is the idempotency key, so asking again gives the same account."""
    values: dict[str, Any] = {
        "amount": ask.amount,
        "orderId": ask.order_ref,
        "orderName": line(ask.title, most=_LONGEST_NAME) or ask.order_ref,
        "customerName": line(ask.buyer, most=_LONGEST_NAME) or "구매자",
        "bank": ask.bank,
        "dueDate": ask.due_at.astimezone(SEOUL).strftime("%Y-%m-%dT%H:%M:%S"),
    }
    if ask.buyer_phone:
        values["customerMobilePhone"] = "".join(char for char in ask.buyer_phone if char in "0123456789")
    if ask.buyer_email:
        values["customerEmail"] = line(ask.buyer_email, most=_LONGEST_NAME)
    answered = _post(client, "/v1/virtual-accounts", account=account, key=f"issue-{ask.order_ref}", values=values)
    return _snapshot(_checked(answered, moves_money=True), order_ref=ask.order_ref, moves_money=True)


def close(client: Client, *, account: Account, ref: Ref, reason: str) -> None:
    """입금 전 계좌 닫기. Toss closes and refunds by one call, so we look first and never send a refund account."""
    found = fetch(client, account=account, ref=ref)
    if found.order_ref != ref.order_ref:
        raise RefusedByPg("the key is that of another order's payment", code="OTHER_ORDER")
    if found.state in (PgState.CANCELED, PgState.EXPIRED, PgState.FAILED) and not found.deposits:
        return
    if found.state not in (PgState.READY, PgState.WAITING):
        raise RefusedByPg("the payment holds money", code="ALREADY_PAID", message="이미 입금된 결제입니다.")
    path = f"/v1/payments/{_part(found.payment_ref)}/cancel"
    values = {"cancelReason": line(reason, most=_LONGEST_REASON) or "주문 취소"}
    # No idempotency key: a refusal would be repeated for 15 days, and closing twice harms nobody.
    _checked(_post(client, path, account=account, key="", values=values), moves_money=True)


def refund(client: Client, *, account: Account, ask: RefundAsk) -> RefundAnswer:
    """환불: always with the amount; `ask.account` only for a virtual account."""
    payment_ref = ask.ref.payment_ref or fetch(client, account=account, ref=ask.ref).payment_ref
    values: dict[str, Any] = {
        "cancelReason": line(ask.reason, most=_LONGEST_REASON) or "환불",
        "cancelAmount": ask.amount,
    }
    if ask.account:
        values["refundReceiveAccount"] = {
            "bank": ask.account.bank,
            "accountNumber": "".join(char for char in ask.account.number if char in "0123456789"),
            "holderName": line(ask.account.holder, most=_LONGEST_HOLDER),
        }
    path = f"/v1/payments/{_part(payment_ref)}/cancel"
    answer = _checked(_post(client, path, account=account, key=ask.key, values=values), moves_money=True)
    found = _snapshot(answer, order_ref=ask.ref.order_ref, moves_money=True)
    own = [movement for movement in found.refunds if movement.amount == ask.amount]
    if not own:
        raise OutcomeUnknown("the answer does not show the refund", code="NO_CANCEL")
    last = text_of(answer, "lastTransactionKey", most=64)
    reference = next((movement.reference for movement in own if movement.reference == last), own[-1].reference)
    # The word about transfers is that about the last one; so soon it may still be that about the one before.
    is_final = ask.account is None or (found.refund_state == RefundState.COMPLETED and len(found.refunds) == 1)
    return RefundAnswer(reference=reference, is_final=is_final)


def _headers(account: Account, key: str = "") -> dict[str, str]:
    secret = account.secrets[0] if account.secrets else ""
    # The colon belongs to it: the key is the user, the password is empty.
    headers = {"Authorization": "Basic " + base64.b64encode(f"{secret}:".encode()).decode()}
    return {**headers, "Idempotency-Key": key} if key else headers


def _post(client: Client, path: str, *, account: Account, key: str, values: Mapping[str, Any]) -> Answered:
    return call_json(client, "POST", path, moves_money=True, headers=_headers(account, key), json=values)


def _part(text: str) -> str:
    return quote(text, safe="")


def _checked(answered: Answered, *, moves_money: bool) -> Mapping[str, Any]:
    """The object of a success; raises what a refusal means."""
    if answered.is_done:
        return answered.values
    code, message = code_of(answered.values), text_of(answered.values, "message")
    problem: type[PgProblem] = RefusedByPg if moves_money else Unavailable
    if answered.status == 401 or code in _KEY_CODES:
        problem = Denied
    elif code in _UNKNOWN_CODES:
        problem = NotAtPg
    elif not code or code in _BUSY_CODES or answered.status == 404:
        # No word of Toss, or the same key is being worked on right now.
        raise lost(f"HTTP {answered.status}", moves_money=moves_money, code=code, message=message)
    elif moves_money and code in _USED_CODES:
        problem = KnownAtPg
    raise problem(f"HTTP {answered.status}", code=code, message=message)


def _of_key(values: Mapping[str, Any], ref: Ref) -> str:
    """Whose payment the key that we asked by is: whoever compares it must read that it is another order's."""
    is_asked = bool(ref.payment_ref) and text_of(values, "paymentKey") == ref.payment_ref
    return text_of(values, "orderId", most=64) if is_asked else ""


def _snapshot(values: Mapping[str, Any], *, order_ref: str, moves_money: bool) -> Snapshot:
    try:
        return _read(values, order_ref)
    except BadJson as problem:
        raise lost(f"the payment cannot be read: {problem}", moves_money=moves_money) from None


def _read(values: Mapping[str, Any], order_ref: str) -> Snapshot:
    """The Payment object; a failed refund stays in `refunds` (Toss counts it) and shows in `refund_state`."""
    if values.get("orderId") != order_ref:
        raise BadJson("other_order")
    state = _STATES.get(text_of(values, "status"))
    if state is None:
        raise BadJson("unknown_status")
    account = object_of(values, "virtualAccount")
    total, approved_at = amount_of_answer(values.get("totalAmount")), moment(values.get("approvedAt"))
    # A deposit that was taken back falls to WAITING; an account that was closed unpaid is never approved.
    is_paid = state in _PAID and approved_at is not None
    refunds = _refunds(values) if is_paid else ()
    if is_paid and amount_of_answer(values.get("balanceAmount")) != total - sum(item.amount for item in refunds):
        raise BadJson("sums_disagree")
    # lastTransactionKey is the deposit's only while nothing was refunded; afterwards it is the refund's.
    reference = "" if refunds else text_of(values, "lastTransactionKey", most=64)
    return Snapshot(
        order_ref=order_ref,
        payment_ref=text_of(values, "paymentKey"),
        state=state,
        amount=total,
        currency=text_of(values, "currency", most=3) or "KRW",
        deposits=(Movement(reference=reference, amount=total, at=approved_at),) if is_paid else (),
        refunds=refunds,
        refund_state=_REFUND_STATES.get(text_of(account, "refundStatus"), RefundState.NONE),
        account=_account(account),
        due_at=moment(account.get("dueDate")),
        depositor=text_of(account, "depositorName", most=60) if is_paid else "",
        secret=text_of(values, "secret", most=50),
        receipts=tuple(_receipts(values)),
        raw=storable(values),
    )


def _refunds(values: Mapping[str, Any]) -> tuple[Movement, ...]:
    """Cancels that are done, oldest first; Toss promises no order."""
    found = [
        Movement(
            reference=text_of(cancel, "transactionKey", most=64),
            amount=amount_of_answer(cancel.get("cancelAmount")),
            at=moment(cancel.get("canceledAt")),
        )
        for cancel in objects_of(values, "cancels")
        if cancel.get("cancelStatus", "DONE") == "DONE"
    ]
    return tuple(sorted(found, key=lambda item: (item.at is not None and item.at.timestamp()) or 0))


def _account(account: Mapping[str, Any]) -> BankAccount | None:
    number = text_of(account, "accountNumber", most=40)
    if not number:
        return None
    return BankAccount(
        bank=text_of(account, "bankCode", most=24), number=number, holder=text_of(account, "customerName", most=60)
    )


def _receipts(values: Mapping[str, Any]) -> list[CashReceiptFacts]:
    """현금영수증 by receipt key: the list where there is one, else the single object."""
    issued = [item for item in objects_of(values, "cashReceipts") if item.get("transactionType") != "CANCEL"]
    found = {}
    for receipt in issued or [object_of(values, "cashReceipt")]:
        key = text_of(receipt, "receiptKey")
        if key:
            found[key] = CashReceiptFacts(
                reference=key,
                purpose=_PURPOSES.get(text_of(receipt, "type"), "income"),
                amount=amount_of_answer(receipt.get("amount")),
                number=text_of(receipt, "issueNumber", most=40),
                url=text_of(receipt, "receiptUrl", most=300),
            )
    return list(found.values())
