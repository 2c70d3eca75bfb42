"""NICEPAY notices of both generations: golden files F3 and F4, and the cases A12 to A46 of payments.md 6."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from payments.adapters.base import Answer, Kind, Notice, Rejected
from payments.adapters.nicepay import NICEPAY
from payments.adapters.nicepay_form import NICEPAY_FORM
from tests.payments.pg.golden import F3, F4, KST, NICE, NICE_FORM, inbound, nobody

JSON = "application/json;charset=utf-8"


def read(body: bytes, account=NICE) -> Notice:
    return NICEPAY.read(inbound(body, media_type=JSON), account=account, secret_of=nobody)


def read_form(body: bytes, account=NICE_FORM) -> Notice:
    return NICEPAY_FORM.read(inbound(body), account=account, secret_of=nobody)


def signed(**changes: Any) -> bytes:
    """F3 with changes, signed anew."""
    values = {**json.loads(F3), **changes}
    text = f"{values['tid']}{values['amount']}{values['ediDate']}{NICE.secrets[0]}"
    values["signature"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(values, ensure_ascii=False).encode()


def refusal(body: bytes, account=NICE) -> tuple[Answer, str]:
    with pytest.raises(Rejected) as caught:
        read(body, account)
    return caught.value.answer, caught.value.reason


def test_f3_is_read_to_the_last_fact():
    notice = read(F3)
    assert notice.kind is Kind.DEPOSITED
    assert notice.is_proven
    assert notice.parked == ""
    assert (notice.order_ref, notice.payment_ref) == ("20261121-0000122-1", "OMSTEST00m03012611211159570001")
    assert (notice.amount, notice.currency) == (33000, "KRW")
    assert notice.occurred_at == datetime(2026, 11, 21, 11, 59, 56, tzinfo=KST)
    assert notice.event_key == "OMSTEST00m03012611211159570001:paid::33000:2026-11-21T11:59:57.000+0900"
    assert notice.fields["buyerName"] == "홍길동"


def test_a_signature_in_capitals_counts():
    values = json.loads(F3)
    assert read(json.dumps(values | {"signature": values["signature"].upper()}).encode()).is_proven


def test_the_previous_secret_counts_during_a_rotation_and_not_after_it():
    rotated = replace(NICE, secrets=("new-secret", NICE.secrets[0]))
    assert read(F3, rotated).is_proven
    assert refusal(F3, replace(NICE, secrets=("new-secret",))) == (Answer.UNAUTHORIZED, "bad_signature")


def test_a12_a_wrong_signature_is_refused():
    assert refusal(F3.replace(b"1ffe731e", b"1ffe731f")) == (Answer.UNAUTHORIZED, "bad_signature")


@pytest.mark.parametrize("missing", [None, ""])
def test_a13_paid_without_a_signature_is_refused(missing):
    body = json.dumps(json.loads(F3) | {"signature": missing}).encode()
    assert refusal(body) == (Answer.UNAUTHORIZED, "no_signature")


def test_a14_a_changed_amount_breaks_the_signature():
    assert refusal(F3.replace(b'"amount":33000', b'"amount":3300')) == (Answer.UNAUTHORIZED, "bad_signature")


def test_a15_ready_edited_to_paid_keeps_its_signature_so_only_the_re_query_can_tell():
    assert read(signed(status="ready").replace(b'"status": "ready"', b'"status": "paid"')).kind is Kind.DEPOSITED


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (F3.replace(b'"amount":33000,', b'"amount":33000,"amount":33000,'), "duplicate_key"),
        (F3.replace(b'"vbankCode":"004"', b'"vbankCode":"004","vbankCode":"004"'), "duplicate_key"),
        (F3.replace(b'"balanceAmt":33000', b'"balanceAmt":NaN'), "not_a_number"),
        (F3.replace(b'"balanceAmt":33000', b'"balanceAmt":-Infinity'), "not_a_number"),
        (F3.replace(b'"amount":33000', b'"amount":33000.5'), "bad_amount"),
        (F3.replace(b'"amount":33000', b'"amount":33000.0'), "bad_amount"),
        (F3.replace(b'"amount":33000', b'"amount":3.3e4'), "bad_amount"),
        (F3.replace(b'"amount":33000', b'"amount":true'), "bad_amount"),
        (F3.replace(b'"amount":33000', b'"amount":null'), "bad_amount"),
        (b"\xef\xbb\xbf" + F3, "bom"),
        (b"[" + F3 + b"]", "not_an_object"),
        (b"", "not_json"),
        (F3.replace(b'"tid":"OMSTEST00m03012611211159570001"', b'"tid":7'), "bad_field"),
        (F3.replace(b'"signature":"1ffe731e', b'"signature":["1ffe731e"],"x":"'), "bad_field"),
        (F3.replace("홍길동".encode(), "홍길동".encode("cp949")), "not_utf8"),
    ],
)
def test_a30_a33_a35_a39_a42_what_cannot_be_read_is_malformed(body, reason):
    assert refusal(body) == (Answer.MALFORMED, reason)


@pytest.mark.parametrize("amount", ["0", "33,000", "+33000", "-1", " 33000", "１００", "1000000000000"])
def test_amounts_of_odd_text_are_malformed_even_when_signed(amount):
    assert refusal(signed(amount=amount)) == (Answer.MALFORMED, "bad_amount")


def test_an_amount_as_digits_is_an_amount():
    assert read(signed(amount="0033000")).amount == 33000


def test_a36_a37_nul_and_lone_surrogates_are_taken_out_of_values():
    body = F3.replace("홍길동".encode(), "홍\\u0000길동".encode()).replace("면 ".encode(), b"\\ud83d ")
    notice = read(body)
    assert notice.fields["buyerName"] == "홍길동"
    assert "\ud83d" not in notice.fields["goodsName"]


def test_a46_another_currency_is_parked():
    notice = read(signed(currency="USD"))
    assert (notice.parked, notice.currency, notice.amount) == ("CURRENCY", "USD", 33000)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"status": "ready", "paidAt": "0"}, Kind.ISSUED),
        ({"status": "cancelled", "cancelledAt": "2026-11-21T12:30:00.000+0900"}, Kind.REFUNDED),
        ({"status": "cancelled", "paidAt": 0}, Kind.CANCELED_BEFORE_DEPOSIT),
        ({"status": "partialCancelled", "balanceAmt": 20000, "cancelledTid": "T2"}, Kind.PART_REFUNDED),
        ({"status": "expired", "paidAt": "0"}, Kind.EXPIRED),
        ({"status": "brandNew"}, Kind.OTHER),
    ],
)
def test_each_status_has_its_kind(changes, kind):
    assert read(signed(**changes)).kind is kind


def test_a_failed_payment_without_a_signature_is_kept_unproven():
    body = json.dumps(json.loads(F3) | {"status": "failed", "signature": None}).encode()
    notice = read(body)
    assert notice.kind is Kind.FAILED
    assert not notice.is_proven


def test_a_decimal_in_a_field_nobody_reads_can_still_be_stored():
    assert json.dumps(dict(read(F3.replace(b'"channel":"pc"', b'"channel":1.5')).fields))


# The older form


def test_f4_is_read_to_the_last_fact():
    notice = read_form(F4)
    assert notice.kind is Kind.DEPOSITED
    assert notice.amount == 33000
    assert (notice.order_ref, notice.payment_ref) == ("20261121-0000126-1", "OMSTEST00m03012611211159570002")
    assert notice.depositor == "홍길동"
    assert notice.occurred_at == datetime(2026, 11, 21, 11, 59, 57, tzinfo=KST)
    assert notice.event_key == "OMSTEST00m03012611211159570002:4110:261121115957"
    assert notice.fields["FnName"] == "국민은행"
    assert notice.fields["GoodsName"] == "면 티셔츠 외 1건"


def test_a28_a_wrong_charset_of_the_account_costs_nothing():
    assert read_form(F4, replace(NICE_FORM, charset="utf-8")) == read_form(F4)
    utf8 = F4.replace(b"%C8%AB%B1%E6%B5%BF", b"%ED%99%8D%EA%B8%B8%EB%8F%99")
    assert read_form(utf8, NICE_FORM).depositor == "홍길동"


def test_raw_bytes_of_cp949_are_read_like_encoded_ones():
    raw = F4.replace(b"%C8%AB%B1%E6%B5%BF", "홍길동".encode("cp949"))
    assert read_form(raw).depositor == "홍길동"


def test_another_merchant_is_refused():
    with pytest.raises(Rejected) as caught:
        read_form(F4.replace(b"MID=OMSTEST00m", b"MID=OMSTEST99m"))
    assert (caught.value.answer, caught.value.reason) == (Answer.UNAUTHORIZED, "account_mismatch")


@pytest.mark.parametrize("amount", [b"", b"33,000", b"%2B33000", b"+33000", b"33_000", b"0", b"-33000", b"1e4"])
def test_a40_a41_odd_amounts_are_malformed(amount):
    with pytest.raises(Rejected) as caught:
        read_form(F4.replace(b"Amt=33000", b"Amt=" + amount))
    assert (caught.value.answer, caught.value.reason) == (Answer.MALFORMED, "bad_amount")


def test_other_methods_and_codes_are_stored_and_ignored():
    assert read_form(F4.replace(b"PayMethod=VBANK", b"PayMethod=CARD")).kind is Kind.OTHER
    assert (
        read_form(F4.replace(b"ResultCode=4110", b"ResultCode=4117").replace(b"Amt=33000", b"Amt=")).kind is Kind.OTHER
    )


# What we answer


@pytest.mark.parametrize("adapter", [NICEPAY, NICEPAY_FORM])
def test_only_success_contains_ok(adapter):
    said = {answer: adapter.speak(answer) for answer in Answer}
    assert (said[Answer.ACK].status, said[Answer.ACK].body) == (200, b"OK")
    assert {spoken.content_type for spoken in said.values()} == {"text/html;charset=utf-8"}
    statuses = {answer.value: spoken.status for answer, spoken in said.items()}
    assert statuses == {
        "ACK": 200,
        "UNAUTHORIZED": 401,
        "FORBIDDEN": 403,
        "MALFORMED": 400,
        "TOO_LARGE": 413,
        "UNSUPPORTED_MEDIA": 415,
        "UNAVAILABLE": 503,
    }
    assert all(spoken.body == b"FAIL" for answer, spoken in said.items() if answer is not Answer.ACK)
