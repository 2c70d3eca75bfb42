"""KG Inicis notices in both formats, CP949 forms at one address (payments.md 2.6).

A: PC, told apart by `no_tid`. B: mobile and INIpay PRO, told apart by `P_TID`. Only B can carry proof of its sender:
our own P_NOTI, which Inicis gives back. It proves the sum that was asked for, not the one that was paid.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from payments.adapters.base import Account, Answer, Inbound, Kind, Notice, Rejected
from payments.adapters.form_body import (
    korean_time,
    malformed,
    optional_word,
    person,
    read_form,
    won,
    won_or_zero,
    word,
)

MARK: Final = "OMS"
_FORM: Final = re.compile(MARK + "[0-9a-f]{64}")
_MESSAGES: Final = {"": Kind.DEPOSITED, "0200": Kind.DEPOSITED, "0400": Kind.REVERSED}
"""type_msg; whether 0400 is a deposit taken back, only the inquiry can tell (payments.md 7)."""


def proof_of(key: str, *, merchant_id: str, order_ref: str, amount: int) -> str:
    """P_NOTI: letters and digits that only the holder of the key can make (payments.md 2.6)."""
    text = f"{merchant_id}|{order_ref}|{amount}"
    return MARK + hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def read(request: Inbound, *, account: Account) -> Notice:
    """알림 읽기 of either format. Raises Rejected, nothing else."""
    fields = read_form(request.body, charset=account.charset)
    has_pc, has_mobile = bool(fields.get("no_tid")), bool(fields.get("P_TID"))
    if has_pc == has_mobile:
        raise malformed("unknown_format")
    return _pc(fields, account) if has_pc else _mobile(fields, account)


def _same_shop(merchant_id: str, account: Account) -> None:
    if not hmac.compare_digest(merchant_id.encode(), account.merchant_id.encode()):
        raise Rejected(Answer.UNAUTHORIZED, "account_mismatch")


def _pc(fields: Mapping[str, str], account: Account) -> Notice:
    _same_shop(word(fields, "id_merchant", most=10), account)
    tid, order_id = word(fields, "no_tid", most=40), word(fields, "no_oid", most=64)
    message = optional_word(fields, "type_msg", most=4)
    date, time = optional_word(fields, "dt_trans", most=8), optional_word(fields, "tm_trans", most=6)
    amount = won(fields, "amt_input")
    cheques = won_or_zero(fields, "amt_check") if fields.get("amt_check") else 0
    kind = _MESSAGES.get(message, Kind.OTHER)
    return Notice(
        event_key=f"{tid}:{message}:{date}{time}:{amount}",
        kind=kind,
        order_ref=order_id,
        payment_ref=optional_word(fields, "no_req_tid", most=40),
        reference=tid,
        amount=amount,
        occurred_at=korean_time(date + time),
        depositor=person(fields.get("nm_input", "")),
        parked="UNCLEARED_CHEQUE" if cheques and kind == Kind.DEPOSITED else "",
        fields=fields,
    )


def _mobile(fields: Mapping[str, str], account: Account) -> Notice:
    _same_shop(word(fields, "P_MID", most=10), account)
    tid, order_id = word(fields, "P_TID", most=40), word(fields, "P_OID", most=64)
    status, method = word(fields, "P_STATUS", most=4), word(fields, "P_TYPE", most=20).upper()
    deposit_tid, date = optional_word(fields, "P_IN_TID", most=40), optional_word(fields, "P_AUTH_DT", most=14)
    kind = _mobile_kind(status, method)
    amount = None if kind in {Kind.FAILED, Kind.OTHER} else won(fields, "P_AMT")
    return Notice(
        event_key=f"{tid}:{status}:{deposit_tid}:{date}",
        kind=kind,
        order_ref=order_id,
        payment_ref=tid,
        reference=deposit_tid or tid,
        amount=amount,
        occurred_at=korean_time(date),
        depositor=person(fields.get("P_UNAME", "")),
        is_proven=_is_proven(fields.get("P_NOTI", ""), account, order_id, amount),
        fields=fields,
    )


def _mobile_kind(status: str, method: str) -> Kind:
    """00 of a virtual account is its issue, of anything else the payment itself; 02 is the deposit."""
    if status == "02":
        return Kind.DEPOSITED if method == "VBANK" else Kind.OTHER
    if status == "00":
        return Kind.ISSUED if method == "VBANK" else Kind.DEPOSITED
    return Kind.FAILED if status == "01" else Kind.OTHER


def _is_proven(noti: str, account: Account, order_ref: str, amount: int | None) -> bool:
    """Is P_NOTI ours? Without a key address and merchant id are all there is; what we would never write is refused.

    It is made when the account is opened, over the sum asked for. Where an account takes any sum, one that does not fit
    the sum paid may be a genuine one of another sum or a forged one: only the inquiry can tell (A43 to A45).
    """
    keys = [account.options[name] for name in ("notice_key", "previous_notice_key") if account.options.get(name)]
    if not keys:
        return True
    if not noti.startswith(MARK) or amount is None:
        return False
    if not _FORM.fullmatch(noti):
        raise Rejected(Answer.UNAUTHORIZED, "bad_signature")
    made = [proof_of(key, merchant_id=account.merchant_id, order_ref=order_ref, amount=amount) for key in keys]
    return any(hmac.compare_digest(noti.encode(), proof.encode()) for proof in made)
