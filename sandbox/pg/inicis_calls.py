"""What INIAPI checks before it does anything: merchant id, hash, encrypted account, sums."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from sandbox.pg.bank import Bank
from sandbox.pg.model import KST, Shop

MESSAGES = {
    "500600": "요청 전문 형식 오류입니다.",
    "500601": "필수 파라미터가 누락되었거나 잘못되었습니다.",
    "500602": "중복된 주문번호입니다.",
    "500603": "상점아이디(MID) 정보가 없습니다.",
    "500604": "거래가 존재하지 않습니다.",
    "500605": "hashData 검증에 실패하였습니다.",
    "500607": "환불계좌번호 복호화에 실패하였습니다.",
    "500610": "취소 금액과 취소 후 잔액(confirmPrice)이 맞지 않습니다.",
    "500611": "부분취소된 거래는 전체취소할 수 없습니다.",
    "500612": "취소할 수 있는 상태가 아닙니다.",
    "500613": "가상계좌 환불은 환불계좌 정보가 필요합니다.",
    "500626": "이미 취소된 거래입니다.",
}
_WON = re.compile(r"[0-9]{1,12}")
_BLOCK_BITS = 128


class InicisFailure(Exception):
    """An error of INIAPI; the codes besides 500626 are ours, Inicis publishes none."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def shop_of(merchant_id: Any, bank: Bank) -> Shop:
    """The shop of a merchant id."""
    shop = bank.books.shop("inicis", str(merchant_id or ""))
    if shop is None:
        raise InicisFailure("500603")
    return shop


def check_second(values: Mapping[str, Any], shop: Shop, kind: str) -> dict[str, Any]:
    """The data of a call of version 2 whose hash is right."""
    data = values.get("data")
    if not isinstance(data, dict) or values.get("type") != kind or not values.get("clientIp"):
        raise InicisFailure("500601")
    # Inicis' samples strip backslashes before they hash.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("\\", "")
    parts = (shop.merchant_id, kind, str(values.get("timestamp", "")), text)
    _check(str(values.get("hashData", "")), shop, *parts)
    return data


def check_first(fields: Mapping[str, str], shop: Shop, *more: str) -> None:
    """Is the hash of a call of version 1 right?"""
    names = ("type", "paymethod", "timestamp", "clientIp", "mid")
    _check(fields.get("hashData", ""), shop, *(fields.get(name, "") for name in names), *more)


def _check(given: str, shop: Shop, *parts: str) -> None:
    stamp = next((part for part in parts if re.fullmatch(r"[0-9]{14}", part)), "")
    right = [hashlib.sha512("".join((key, *parts)).encode()).hexdigest() for key in shop.secrets]
    if given not in right or not stamp:
        raise InicisFailure("500605")


def refund_account(data: Mapping[str, Any], shop: Shop) -> dict[str, str]:
    """Where a refund goes, decrypted."""
    bank, holder = data.get("refundBankCode"), data.get("refundAcctName")
    if not bank or not holder:
        raise InicisFailure("500613")
    number = _decrypted(str(data.get("refundAcctNum", "")), shop)
    return {"bank": str(bank), "number": number, "holder": str(holder)}


def _decrypted(text: str, shop: Shop) -> str:
    iv = str(shop.options.get("iv", "")).encode()
    for key in shop.secrets:
        try:
            decryptor = Cipher(algorithms.AES(key.encode()), modes.CBC(iv)).decryptor()
            padded = decryptor.update(base64.b64decode(text, validate=True)) + decryptor.finalize()
            unpadder = PKCS7(_BLOCK_BITS).unpadder()
            number = (unpadder.update(padded) + unpadder.finalize()).decode("ascii")
        except ValueError:
            continue
        if re.fullmatch(r"[0-9]{1,20}", number):
            return number
    raise InicisFailure("500607")


def won(value: Any) -> int:
    """A sum above 0."""
    text = str(value)
    if not _WON.fullmatch(text) or int(text) == 0:
        raise InicisFailure("500601")
    return int(text)


def due_of(fields: Mapping[str, str]) -> float:
    """dtInput and tmInput: until when money must come."""
    try:
        moment = datetime.strptime(fields.get("dtInput", "") + fields.get("tmInput", "2359"), "%Y%m%d%H%M")
    except ValueError:
        raise InicisFailure("500601") from None
    return moment.replace(tzinfo=KST).timestamp()
