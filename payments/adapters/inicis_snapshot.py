"""A payment as KG Inicis' inquiry (version 2) shows it, in our words.

The inquiry names the refunds of a part one by one, the refund of all that is left without a tid, and a deposit without
one as well: its reference stays empty, the notice knows it. An account whose time is over is still "not deposited".
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from payments.adapters.base import Movement, PgState, RefundState, Snapshot, Unavailable
from payments.adapters.form_body import korean_time
from payments.adapters.json_body import BadJson, amount_of_answer, object_of, objects_of, storable, text_of

_STATES: Final = {
    "NON_DEPOSIT": PgState.WAITING,
    "APPROVAL": PgState.PAID,
    "DEPOSIT_COMPLETED": PgState.PAID,
    "PART_CANCEL": PgState.PART_REFUNDED,
    "WAITING_FOR_REFUND": PgState.CANCELED,
    "REFUND_COMPLETED": PgState.CANCELED,
    "CANCEL": PgState.CANCELED,
    "DEPOSIT_CANCELED": PgState.CANCELED,
}
_REFUND_STATES: Final = {"WAITING_FOR_REFUND": RefundState.PENDING, "REFUND_COMPLETED": RefundState.COMPLETED}
_WON: Final = frozenset({"", "WON", "KRW", "410"})


def full_refund_reference(tid: str) -> str:
    """The reference of the refund of all that is left, for which Inicis has none; a payment has one at most."""
    return f"{tid}-full"


def snapshot_of(document: Mapping[str, Any], *, merchant_id: str) -> Snapshot:
    """결제. Raises Unavailable for a document that makes no sense or is about another shop."""
    if text_of(document, "mid") != merchant_id:
        raise Unavailable("the answer is about another shop")
    if not text_of(document, "tid") or not text_of(document, "oid"):
        raise Unavailable("the answer shows no payment")
    status = text_of(document, "transactionStatus", most=40)
    state = _STATES.get(status)
    if state is None:
        raise Unavailable("the state of the payment is not known", code=status)
    try:
        return _snapshot(document, status, state)
    except BadJson as problem:
        raise Unavailable(f"the answer is not readable: {problem}") from None


def _snapshot(document: Mapping[str, Any], status: str, state: PgState) -> Snapshot:
    tid, price = text_of(document, "tid"), amount_of_answer(document.get("price"))
    vacct = object_of(document, "vacctInfo")
    paid_at = _moment(vacct, "deposit") or (None if vacct else _moment(document, "approved"))
    if status == "DEPOSIT_CANCELED" and not _moment(document, "cancel"):
        # Not closed, but taken back by the bank: the account may be paid into again.
        state = PgState.WAITING
    was_paid = _was_paid(status, paid_at, is_account=bool(vacct))
    currency = text_of(object_of(document, "cardInfo"), "currencyCode", most=3)
    return Snapshot(
        order_ref=text_of(document, "oid"),
        payment_ref=tid,
        state=state,
        amount=price,
        currency="KRW" if currency in _WON else currency,
        deposits=(Movement(reference="", amount=price, at=paid_at),) if was_paid else (),
        refunds=_refunds(document, tid, price, state) if was_paid else (),
        refund_state=_REFUND_STATES.get(status, RefundState.NONE),
        due_at=korean_time(text_of(vacct, "validDate", most=8) + text_of(vacct, "validTime", most=6).ljust(6, "0")),
        raw=storable(document),
    )


def _was_paid(status: str, paid_at: datetime | None, *, is_account: bool) -> bool:
    """Did money come in and stay until a refund? An account may be cancelled before anybody paid."""
    if status in {"NON_DEPOSIT", "DEPOSIT_CANCELED"}:
        return False
    return status != "CANCEL" or not is_account or paid_at is not None


def _refunds(document: Mapping[str, Any], tid: str, price: int, state: PgState) -> tuple[Movement, ...]:
    parts = [
        Movement(
            reference=text_of(item, "tid"),
            amount=amount_of_answer(item.get("requestPrice")),
            at=_moment(item, "request"),
        )
        for item in objects_of(document, "partCancelTransInfo")
    ]
    rest = price - sum(part.amount for part in parts)
    if rest < 0:
        raise BadJson("refunds above the price")
    if state == PgState.PART_REFUNDED and not parts:
        raise BadJson("no refunds named")
    if state == PgState.CANCELED and rest:
        at = _moment(document, "refund") or _moment(document, "cancel")
        parts.append(Movement(reference=full_refund_reference(tid), amount=rest, at=at))
    return tuple(parts)


def _moment(values: Mapping[str, Any], name: str) -> datetime | None:
    """Korean time of the fields <name>Date and <name>Time."""
    return korean_time(text_of(values, f"{name}Date", most=8) + text_of(values, f"{name}Time", most=6))
