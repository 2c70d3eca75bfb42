"""INIAPI of KG Inicis: inquiry and refund (version 2, JSON), issue and closing of accounts (version 1, form).

payments.md 2.6, Inicis' own samples for both versions. `Account.secrets[0]` is the INIAPI key, option `iv` its
initialisation vector, option `client_ip` the address that the shop registered.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from core.cutting import cut, digits_of
from core.http import Client, Response
from payments.adapters.base import (
    WRONG_ACCOUNT,
    Account,
    BankAccount,
    Denied,
    IssueAsk,
    KnownAtPg,
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
from payments.adapters.form_body import korean_time
from payments.adapters.inicis_snapshot import full_refund_reference, snapshot_of
from payments.adapters.json_body import BadJson, amount_of_answer, text_of
from payments.adapters.wire import call, lost, object_of_answer

LIVE_URL: Final = "https://iniapi.inicis.com"
ALREADY: Final = "500626"
"""Cancelled already; whether it was us, only the inquiry can tell."""
_SEOUL = ZoneInfo("Asia/Seoul")
_BLOCK_BITS: Final = 128
_KEY_BYTES: Final = 16
# Inicis publishes no list of codes for these; its messages say it. Nothing was done in any of these cases.
_KEY_TROUBLE: Final = re.compile(
    r"hash|signature|INIAPI ?key|허용되지 ?않은 ?IP|(?:MID|상점아이디).*(?:불일치|없|미등록)", re.I
)
_UNKNOWN_PAYMENT: Final = re.compile(
    r"(?:거래|TID|내역).*(?:존재하지 ?않|찾을 ?수 ?없)|(?:거래|TID|내역)(?:정보|번호)?[이가은는]? ?없", re.I
)
"""It says that there is no such payment; that something cannot be done ("할 수 없") says nothing of the kind."""
_USED: Final = re.compile(r"중복.*(?:주문|거래|oid)|(?:주문|거래|oid).*중복", re.I)
_DOUBTFUL: Final = re.compile(r"통신|시간 ?초과|타임 ?아웃|time ?out|시스템|지연|처리 ?중|점검|장애|일시|잠시", re.I)
"""Failures behind Inicis' own door: the money may have moved, and what else the words say is not to be relied on."""


def encrypted(text: str, *, key: str, iv: str) -> str:
    """AES-128-CBC with PKCS7, base64; key and iv are 16 characters each. Raises Denied for others."""
    if len(key.encode()) != _KEY_BYTES or len(iv.encode()) != _KEY_BYTES:
        raise Denied("INIAPI key and iv must have 16 characters each")
    padder = PKCS7(_BLOCK_BITS).padder()
    encryptor = Cipher(algorithms.AES(key.encode()), modes.CBC(iv.encode())).encryptor()
    padded = padder.update(text.encode()) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def hashed(*parts: str) -> str:
    """SHA-512 over the parts in a row, hexadecimal."""
    return hashlib.sha512("".join(parts).encode()).hexdigest()


def compact(data: Mapping[str, Any]) -> str:
    """The data as it enters the hash and the body: no spaces, Hangul and slashes as they are."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def fetch(client: Client, *, account: Account, ref: Ref) -> Snapshot:
    """결제 조회: by tid; without one by order id, which Inicis allows to shops whose order ids are unique."""
    data = {"tid": ref.payment_ref} if ref.payment_ref else {"oid": ref.order_ref}
    document = _second(client, "/v2/pg/inquiry", "inquiry", data, account=account, at=_now(), moves_money=False)
    found = snapshot_of(document, merchant_id=account.merchant_id)
    if (ref.payment_ref or found.payment_ref) != found.payment_ref:
        raise Unavailable("the answer is about another payment")
    if not ref.payment_ref and found.order_ref != ref.order_ref:
        raise Unavailable("the answer is about another order")
    return found


def refund(client: Client, *, account: Account, ask: RefundAsk) -> RefundAnswer:
    """환불: whole, or a part with the balance that must be left, so that one asked for twice is refused."""
    if not ask.ref.payment_ref:
        raise Unavailable("the payment has no tid yet")
    is_whole = ask.amount == ask.balance and _is_untouched(client, account=account, ask=ask)
    data = {"tid": ask.ref.payment_ref, "msg": _plain(ask.reason, most=100) or "환불"}
    if not is_whole:
        data |= {"price": str(ask.amount), "confirmPrice": str(ask.balance - ask.amount)}
    if ask.account:
        data |= _refund_account(ask.account, account)
    elif not is_whole:
        data |= {"currency": "WON", "tax": "0", "taxfree": "0"}
    kind = "refund" if is_whole else "partialRefund"
    path = f"/v2/pg/{kind}/vacct" if ask.account else f"/v2/pg/{kind}"
    ip = account.options.get("client_ip") or ask.client_ip
    document = _second(client, path, kind, data, account=account, at=ask.at, moves_money=True, client_ip=ip)
    # A part is answered with a tid of its own (prtcTid is that of the payment), the whole with none.
    reference = full_refund_reference(ask.ref.payment_ref) if is_whole else text_of(document, "tid")
    return RefundAnswer(reference=reference, is_final=ask.account is None)


def _is_untouched(client: Client, *, account: Account, ask: RefundAsk) -> bool:
    """Is nothing of the payment refunded yet? What is left of one that was refunded in part must go as a part.

    Only the PG knows: somebody may have refunded a part in its own console.
    """
    return not fetch(client, account=account, ref=ask.ref).refunds


def close(client: Client, *, account: Account, ref: Ref, reason: str) -> None:
    """입금 전 계좌 닫기: cancel of an account that nobody has paid into (paymethod GVacct)."""
    if not ref.payment_ref:
        raise Unavailable("the payment has no tid yet")
    fields = _first(account, kind="Refund", method="GVacct", at=_now())
    fields |= {"tid": ref.payment_ref, "msg": _plain(reason, most=100) or "취소"}
    fields["hashData"] = _hash_of_first(account, fields, ref.payment_ref)
    response = call(client, "POST", "/api/v1/refund", moves_money=True, fields=fields)
    try:
        _checked(response, "00", moves_money=True)
    except OutcomeUnknown as problem:
        if problem.code != ALREADY:
            raise


def issue(client: Client, *, account: Account, ask: IssueAsk) -> Snapshot:
    """가상계좌 발급 (폼 페이, paymethod Vacct); money must come before `due_at`, counted in minutes."""
    due_at = ask.due_at.astimezone(_SEOUL)
    fields = _first(account, kind="Pay", method="Vacct", at=_now())
    fields |= {
        "url": account.options.get("site_url") or ask.notice_url,
        "moid": ask.order_ref,
        "goodName": _plain(ask.title, most=40) or "주문 상품",
        "buyerName": _plain(ask.buyer, most=30) or "구매자",
        "buyerEmail": ask.buyer_email,
        "buyerTel": digits_of(ask.buyer_phone),
        "price": str(ask.amount),
        "bankCode": ask.bank,
        "dtInput": due_at.strftime("%Y%m%d"),
        "tmInput": due_at.strftime("%H%M"),
        "nmInput": _plain(ask.buyer, most=20) or "구매자",
    }
    fields["hashData"] = _hash_of_first(account, fields, ask.order_ref, str(ask.amount))
    response = call(client, "POST", "/api/v1/formpay", moves_money=True, fields=fields)
    return _issued(_checked(response, "00", moves_money=True), ask)


def _issued(document: Mapping[str, Any], ask: IssueAsk) -> Snapshot:
    tid, number = text_of(document, "tid", most=40), text_of(document, "vacct", most=20)
    try:
        amount = amount_of_answer(document.get("price", ask.amount))
    except BadJson:
        amount = 0
    if not tid or not number or amount != ask.amount:
        raise OutcomeUnknown("the answer names no account for the sum asked for")
    date, time = text_of(document, "validDate", most=8), text_of(document, "validTime", most=6)
    holder = text_of(document, "vacctName", most=40)
    return Snapshot(
        order_ref=ask.order_ref,
        payment_ref=tid,
        state=PgState.WAITING,
        amount=amount,
        account=BankAccount(bank=text_of(document, "vacctBankCode", most=4) or ask.bank, number=number, holder=holder),
        due_at=korean_time(date + time.ljust(6, "0")) or ask.due_at,
        raw=dict(document),
    )


def _second(
    client: Client,
    path: str,
    kind: str,
    data: Mapping[str, Any],
    *,
    account: Account,
    at: datetime,
    moves_money: bool,
    client_ip: str = "",
) -> dict[str, Any]:
    """One call of version 2; the data go out as exactly the bytes that were hashed."""
    text, stamp = compact(data), _stamp(at)
    hash_data = hashed(_key(account), account.merchant_id, kind, stamp, text)
    envelope = {
        "mid": account.merchant_id,
        "type": kind,
        "timestamp": stamp,
        "clientIp": client_ip or account.options.get("client_ip", "127.0.0.1"),
        "hashData": hash_data,
    }
    body = f'{compact(envelope)[:-1]},"data":{text}}}'.encode()
    headers = {"Content-Type": "application/json;charset=utf-8"}
    response = call(client, "POST", path, moves_money=moves_money, headers=headers, body=body)
    return _checked(response, "00" if moves_money else "SUCCESS", moves_money=moves_money)


def _first(account: Account, *, kind: str, method: str, at: datetime) -> dict[str, str]:
    """The fields that every call of version 1 begins with."""
    ip = account.options.get("client_ip", "127.0.0.1")
    return {
        "type": kind,
        "paymethod": method,
        "timestamp": _stamp(at),
        "clientIp": ip,
        "mid": account.merchant_id,
    }


def _hash_of_first(account: Account, fields: Mapping[str, str], *more: str) -> str:
    return hashed(
        _key(account), *(fields[name] for name in ("type", "paymethod", "timestamp", "clientIp", "mid")), *more
    )


def _checked(response: Response, fine: str, *, moves_money: bool) -> dict[str, Any]:
    """The document of an answer that says it went well; raises what any other one means."""
    document = object_of_answer(response, moves_money=moves_money)
    code, message = text_of(document, "resultCode", most=20), text_of(document, "resultMsg", most=200)
    if code == fine:
        return document
    if not code:
        raise lost("the answer has no result code", moves_money=moves_money)
    if moves_money and code == ALREADY or _DOUBTFUL.search(message):
        raise lost("it may have been done", moves_money=moves_money, code=code, message=message)
    if _KEY_TROUBLE.search(message):
        raise Denied("refused by key or account", code=code, message=message)
    if _UNKNOWN_PAYMENT.search(message):
        raise NotAtPg("unknown payment", code=code, message=message)
    if not moves_money:
        raise Unavailable("the payment cannot be shown", code=code, message=message)
    if _USED.search(message):
        raise KnownAtPg("the order id is used", code=code, message=message)
    raise RefusedByPg("not done", code=code, message=message)


def _refund_account(bank: BankAccount, account: Account) -> dict[str, str]:
    number, holder = digits_of(bank.number), _plain(bank.holder, most=20)
    if not number or not holder or not bank.bank:
        raise RefusedByPg("Inicis takes a bank code, digits and a holder", code="ACCOUNT", message=WRONG_ACCOUNT)
    secret = encrypted(number, key=_key(account), iv=account.options.get("iv", ""))
    return {"refundAcctNum": secret, "refundBankCode": bank.bank, "refundAcctName": holder}


def _plain(text: str, *, most: int) -> str:
    """Without quotes and backslashes: Inicis strips backslashes before it hashes, and would get another hash."""
    return cut(text.translate({ord('"'): " ", ord("\\"): " "}), most=most)


def _key(account: Account) -> str:
    if not account.secrets or not account.secrets[0]:
        raise Denied("the account has no INIAPI key")
    return account.secrets[0]


def _stamp(at: datetime) -> str:
    return at.astimezone(_SEOUL).strftime("%Y%m%d%H%M%S")


def _now() -> datetime:
    # The stamp of a call is when it is sent, whatever moment the caller works on.
    return datetime.now(_SEOUL)
