"""The sandbox twins of NICEPAY and KG Inicis refuse what the real ones refuse; spoken to without our adapters."""

import base64
import hashlib
import json
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY, IV, MID = "OMSFIXTUREINIKEY", "OMSFIXTUREINIV==", "OMSTESTMID"
STAMP, IP = "20261121120000", "192.0.2.1"
BASIC = {
    "Authorization": "Basic " + base64.b64encode(b"S2_omsfixtureclient01:omsfixturenicesecret000000000001").decode()
}
ACCOUNT = {"refundAccount": "123456789", "refundBankCode": "004", "refundHolder": "홍길동"}


def encrypted(number: str) -> str:
    room = 16 - len(number) % 16
    encryptor = Cipher(algorithms.AES(KEY.encode()), modes.CBC(IV.encode())).encryptor()
    return base64.b64encode(encryptor.update(number.encode() + bytes([room]) * room) + encryptor.finalize()).decode()


@pytest.fixture
def first(pgs):
    """A call of INIAPI version 1, hashed as Inicis' samples do it."""

    def send(service, kind, method, *hashed, key=KEY, **more):
        parts = (kind, method, STAMP, IP, MID, *hashed)
        digest = hashlib.sha512("".join((key, *parts)).encode()).hexdigest()
        fields = {"type": kind, "paymethod": method, "timestamp": STAMP, "clientIp": IP, "mid": MID, "hashData": digest}
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        status, body = pgs.request("POST", f"/inicis/api/v1/{service}", urlencode(fields | more).encode(), headers)
        assert status == 200
        return json.loads(body)

    return send


@pytest.fixture
def tid(pgs):
    """A virtual account of KG Inicis over 33,000 won."""
    return pgs.control("payments", pg="inicis", order_ref="A-1", amount=33000)["payment_ref"]


def pay(pgs, pg="inicis"):
    pgs.control("payments/deposit", pg=pg, order_ref="A-1")


def test_the_old_inquiry_of_inicis_knows_an_account_in_all_its_states(pgs, first, tid):
    def status(**more):
        return first("extra", "Extra", "Inquiry", **more)["status"]

    assert status(originalTid=tid) == "N"
    assert status(originalTid="StdpayVBNKnobody") == "9"
    pay(pgs)
    assert status(oid="A-1") == "Y"
    pgs.control("payments/reverse", pg="inicis", order_ref="A-1")
    assert status(originalTid=tid) == "N"
    assert first("refund", "Refund", "GVacct", tid, tid=tid, msg="x")["resultCode"] == "00"
    assert status(originalTid=tid) == "C"


def test_the_old_refund_of_inicis_takes_the_encrypted_account_into_the_hash(pgs, first, tid):
    pay(pgs)
    secret = encrypted("123456789")
    account = {"refundAcctNum": secret, "refundBankCode": "88", "refundAcctName": "홍길동"}
    part = {"tid": tid, "msg": "x", "price": "10000", "confirmPrice": "23000"}
    wrong = first("refund", "PartialRefund", "Vacct", tid, "10000", "23000", **part, **account)
    assert wrong["resultCode"] == "500605"
    right = first("refund", "PartialRefund", "Vacct", tid, "10000", "23000", secret, **part, **account)
    assert (right["prtcTid"], right["prtcPrice"], right["prtcRemains"]) == (tid, "10000", "23000")
    assert pgs.payment("inicis", "A-1")["balance"] == 23000


def test_inicis_refuses_a_part_whose_balance_is_another(pgs, first):
    card = pgs.control("payments", pg="inicis", order_ref="C-1", amount=33000, method="CARD")["payment_ref"]
    part = {"tid": card, "msg": "x", "price": "10000", "confirmPrice": "20000"}
    assert first("refund", "PartialRefund", "Card", card, "10000", "20000", **part)["resultCode"] == "500610"
    assert pgs.payment("inicis", "C-1")["balance"] == 33000


def test_inicis_refuses_a_wrong_hash_a_wrong_key_and_a_wrong_address(pgs, first, tid):
    assert first("extra", "Extra", "Inquiry", key="WRONG", originalTid=tid)["resultCode"] == "500605"
    status, body = pgs.request("POST", "/inicis/api/v1/nowhere", b"")
    assert (status, body[:6]) == (200, b"<html>")
    for odd in (b"", b"[]", b"{", b'{"mid":"OMSTESTMID","type":"inquiry"}', b'{"mid":7}'):
        status, body = pgs.request("POST", "/inicis/v2/pg/inquiry", odd)
        assert json.loads(body)["resultCode"] not in {"00", "SUCCESS"}


def cancel(pgs, tid, **values):
    status, body = pgs.request("POST", f"/nicepay/v1/payments/{tid}/cancel", values, BASIC)
    return status, json.loads(body)


@pytest.fixture
def nice(pgs):
    """A paid virtual account of NICEPAY over 33,000 won."""
    made = pgs.control("payments", pg="nicepay", order_ref="A-1", amount=33000)["payment_ref"]
    pay(pgs, "nicepay")
    return made


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"orderId": "R1", **ACCOUNT}, "U100"),
        ({"reason": "x", **ACCOUNT}, "U100"),
        ({"reason": "가" * 51, "orderId": "R1", **ACCOUNT}, "U105"),
        ({"reason": "x", "orderId": "R" * 65, **ACCOUNT}, "U105"),
        ({"reason": "x", "orderId": "R1", **ACCOUNT, "refundHolder": "여섯글자이름"}, "U105"),
        ({"reason": "x", "orderId": "R1", **ACCOUNT, "refundAccount": "12-34"}, "U105"),
        ({"reason": "x", "orderId": "R1"}, "2003"),
        ({"reason": "x", "orderId": "R1", **ACCOUNT, "cancelAmt": 0}, "U127"),
        ({"reason": "x", "orderId": "R1", **ACCOUNT, "cancelAmt": "1000"}, "U127"),
        ({"reason": "x", "orderId": "R1", **ACCOUNT, "cancelAmt": 33001}, "2026"),
        ({"reason": "x", "orderId": "R1", **ACCOUNT, "ediDate": "x", "signData": "0" * 64}, "U312"),
    ],
)
def test_nicepay_refuses_cancels_that_break_its_rules_and_nothing_moves(pgs, nice, values, code):
    assert cancel(pgs, nice, **values)[1]["resultCode"] == code
    assert pgs.payment("nicepay", "A-1")["balance"] == 33000


def test_nicepay_takes_an_order_id_of_a_part_once(pgs, nice):
    values = {"reason": "x", "orderId": "R1", "cancelAmt": 1000, **ACCOUNT}
    assert cancel(pgs, nice, **values)[1]["resultCode"] == "2211"
    assert cancel(pgs, nice, **values)[1]["resultCode"] == "U112"
    assert pgs.payment("nicepay", "A-1")["balance"] == 32000


def test_nicepay_without_an_amount_cancels_all(pgs, nice):
    answer = cancel(pgs, nice, reason="x", orderId="R1", **ACCOUNT)[1]
    assert (answer["status"], answer["balanceAmt"], answer["cancelledAt"] != "0") == ("cancelled", 0, True)


def test_the_test_shop_of_nicepay_cancels_no_parts(pgs, nice):
    known = pgs.read("shops", pg="nicepay")[0]["options"]
    pgs.shop("nicepay", options={**known, "no_part_cancel": True})
    answer = cancel(pgs, nice, reason="x", orderId="R1", cancelAmt=1000, **ACCOUNT)[1]
    assert answer["resultCode"] == "U128"
    assert pgs.payment("nicepay", "A-1")["balance"] == 33000


def test_nicepay_asks_for_the_key_and_knows_its_own_payments_only(pgs, nice):
    status, body = pgs.request("GET", f"/nicepay/v1/payments/{nice}", headers={"Authorization": "Basic eDp5"})
    assert (status, json.loads(body)["resultCode"]) == (401, "U104")
    pgs.control("shops", pg="nicepay", merchant_id="OTHERSHOPm", secrets=["other"], options={"client_key": "S2_other"})
    other = {"Authorization": "Basic " + base64.b64encode(b"S2_other:other").decode()}
    assert pgs.request("GET", f"/nicepay/v1/payments/{nice}", headers=other)[0] == 404
    assert pgs.request("GET", f"/nicepay/v1/payments/{nice}", headers=BASIC)[0] == 200


def test_the_answer_of_nicepay_is_signed_with_the_sum_it_shows(pgs, nice):
    answer = json.loads(pgs.request("GET", f"/nicepay/v1/payments/{nice}", headers=BASIC)[1])
    text = f"{answer['tid']}{answer['amount']}{answer['ediDate']}omsfixturenicesecret000000000001"
    assert answer["signature"] == hashlib.sha256(text.encode()).hexdigest()


def test_tids_of_one_moment_differ(pgs):
    pgs.control("clock", now="2026-11-21T11:00:00")
    for pg in ("nicepay", "inicis"):
        made = {pgs.control("payments", pg=pg, order_ref=f"T-{n}", amount=1000)["payment_ref"] for n in range(30)}
        assert len(made) == 30
        assert {len(one) for one in made} <= {30, 40}
