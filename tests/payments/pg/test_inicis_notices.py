"""KG Inicis notices: golden files F5 and F6, P_NOTI, and the cases A17 to A47 of payments.md 6."""

from dataclasses import replace
from datetime import datetime

import pytest

from payments.adapters.base import Answer, Kind, Notice, Rejected
from payments.adapters.inicis import INICIS as PG
from payments.adapters.inicis_notice import proof_of
from tests.payments.pg.golden import F5, F6, INICIS, KST, NOTICE_KEY, inbound, nobody

KEYED = replace(INICIS, options={**INICIS.options, "notice_key": NOTICE_KEY})
PROOF = proof_of(NOTICE_KEY, merchant_id="OMSTESTMID", order_ref="20261121-0000125-1", amount=33000)
PROVEN = F6.replace(b"P_NOTI=OMS1a2b3c4d", b"P_NOTI=" + PROOF.encode())


def read(body: bytes, account=INICIS) -> Notice:
    return PG.read(inbound(body), account=account, secret_of=nobody)


def refusal(body: bytes, account=INICIS) -> tuple[Answer, str]:
    with pytest.raises(Rejected) as caught:
        read(body, account)
    return caught.value.answer, caught.value.reason


def test_f5_is_read_to_the_last_fact():
    notice = read(F5)
    assert notice.kind is Kind.DEPOSITED
    assert notice.is_proven
    assert notice.parked == ""
    assert (notice.order_ref, notice.amount, notice.depositor) == ("20261121-0000125-1", 33000, "홍길동")
    assert (notice.reference, notice.payment_ref) == ("INIMX_RTR_OMSTESTMID20261121115957000001", "")
    assert notice.occurred_at == datetime(2026, 11, 21, 11, 59, 57, tzinfo=KST)
    assert notice.event_key == "INIMX_RTR_OMSTESTMID20261121115957000001:0200:20261121115957:33000"
    assert notice.fields["nm_inputbank"] == "신한은행"


def test_f6_is_read_to_the_last_fact():
    notice = read(F6)
    assert notice.kind is Kind.DEPOSITED
    assert notice.is_proven
    assert (notice.order_ref, notice.amount, notice.depositor) == ("20261121-0000125-1", 33000, "홍길동")
    assert notice.payment_ref == "INIMX_VBNKOMSTESTMID20261121110000000125"
    assert notice.reference == "INIMX_RTR_OMSTESTMID20261121115957000001"
    assert notice.event_key == (
        "INIMX_VBNKOMSTESTMID20261121110000000125:02:INIMX_RTR_OMSTESTMID20261121115957000001:20261121115957"
    )
    assert notice.occurred_at == datetime(2026, 11, 21, 11, 59, 57, tzinfo=KST)


def test_the_time_may_have_a_year_of_two_digits():
    short = F6.replace(b"P_AUTH_DT=20261121115957", b"P_AUTH_DT=261121115957")
    assert read(short).occurred_at == read(F6).occurred_at


def test_p_noti_is_ours_in_letters_and_digits_and_is_checked():
    assert PROOF == "OMS40733a846d8326d991521cf845d10b5784176787b84f4e54fb1e578a9e0d4ad2"
    assert PROOF.isalnum()
    assert len(PROOF) == 67
    assert read(PROVEN, KEYED).is_proven


@pytest.mark.parametrize(
    "forged",
    [
        F6,
        PROVEN.replace(PROOF.encode(), PROOF[:-1].encode()),
        PROVEN.replace(PROOF.encode(), PROOF.upper().encode()),
        PROVEN.replace(PROOF.encode(), PROOF.encode() + b"%EA%B0%80"),
    ],
)
def test_a_p_noti_of_ours_in_a_form_that_we_never_write_is_refused(forged):
    assert refusal(forged, KEYED) == (Answer.UNAUTHORIZED, "bad_signature")


@pytest.mark.parametrize(
    "doubted",
    [
        PROVEN.replace(b"P_AMT=33000", b"P_AMT=32999"),
        PROVEN.replace(b"P_AMT=33000", b"P_AMT=34000"),
        PROVEN.replace(b"P_OID=20261121-0000125-1", b"P_OID=20261121-0000126-1"),
        PROVEN.replace(PROOF.encode(), b"OMS" + b"0" * 64),
    ],
)
def test_a_p_noti_that_does_not_fit_the_sum_paid_leaves_it_to_the_inquiry(doubted):
    """It proves the sum asked for: that of a genuine deposit of another sum looks like a forged one (A43 to A45)."""
    notice = read(doubted, KEYED)
    assert notice.kind is Kind.DEPOSITED
    assert not notice.is_proven


def test_a_p_noti_in_doubt_does_not_stand_for_the_merchant():
    other = PROVEN.replace(b"P_AMT=33000", b"P_AMT=32999").replace(b"P_MID=OMSTESTMID", b"P_MID=X")
    assert refusal(other, KEYED) == (Answer.UNAUTHORIZED, "account_mismatch")


@pytest.mark.parametrize("foreign", [b"", b"PROW" + b"0" * 64])
def test_a_p_noti_that_is_not_ours_leaves_it_to_the_inquiry(foreign):
    notice = read(F6.replace(b"P_NOTI=OMS1a2b3c4d", b"P_NOTI=" + foreign), KEYED)
    assert notice.kind is Kind.DEPOSITED
    assert not notice.is_proven


def test_the_previous_notice_key_counts_during_a_rotation():
    rotated = replace(INICIS, options={"notice_key": "new", "previous_notice_key": NOTICE_KEY})
    assert read(PROVEN, rotated).is_proven
    assert not read(PROVEN, replace(INICIS, options={"notice_key": "new"})).is_proven


@pytest.mark.parametrize(
    ("body", "kind", "amount"),
    [
        (F6.replace(b"P_STATUS=02", b"P_STATUS=00"), Kind.ISSUED, 33000),
        (F6.replace(b"P_STATUS=02", b"P_STATUS=00").replace(b"VBANK", b"CARD"), Kind.DEPOSITED, 33000),
        (F6.replace(b"P_STATUS=02", b"P_STATUS=01").replace(b"P_AMT=33000", b"P_AMT="), Kind.FAILED, None),
        (F6.replace(b"P_STATUS=02", b"P_STATUS=77").replace(b"P_AMT=33000", b"P_AMT="), Kind.OTHER, None),
        (F5.replace(b"type_msg=0200", b"type_msg=0400"), Kind.REVERSED, 33000),
        (F5.replace(b"type_msg=0200", b"type_msg=9999"), Kind.OTHER, 33000),
        (F5.replace(b"type_msg=0200", b"type_msg="), Kind.DEPOSITED, 33000),
    ],
)
def test_each_message_has_its_kind(body, kind, amount):
    notice = read(body)
    assert (notice.kind, notice.amount) == (kind, amount)


def test_an_empty_deposit_tid_leaves_that_of_the_payment():
    notice = read(F6.replace(b"P_IN_TID=INIMX_RTR_OMSTESTMID20261121115957000001", b"P_IN_TID="))
    assert notice.reference == notice.payment_ref == "INIMX_VBNKOMSTESTMID20261121110000000125"


@pytest.mark.parametrize(
    "body",
    [F5.replace(b"id_merchant=OMSTESTMID", b"id_merchant=OTHERSHOP0"), F6.replace(b"P_MID=OMSTESTMID", b"P_MID=X")],
)
def test_a17_another_merchant_is_refused(body):
    assert refusal(body) == (Answer.UNAUTHORIZED, "account_mismatch")


@pytest.mark.parametrize("body", [F5 + b"&" + F6, b"a=1", b"no_tid=&P_TID=", F5.replace(b"no_tid=", b"tid=")])
def test_a_body_of_neither_or_of_both_formats_is_malformed(body):
    assert refusal(body) == (Answer.MALFORMED, "unknown_format")


def test_a29_five_thousand_fields_are_malformed():
    assert refusal(F5 + b"".join(b"&x%d=1" % number for number in range(5000))) == (Answer.MALFORMED, "too_many_fields")


def test_a_field_told_twice_is_malformed():
    assert refusal(F5 + b"&amt_input=1") == (Answer.MALFORMED, "duplicate_key")
    assert refusal(F5 + b"&amt%5Finput=1") == (Answer.MALFORMED, "duplicate_key")


@pytest.mark.parametrize(
    "amount",
    [
        b"33,000",
        b"%2B33000",
        b"%2033000",
        b"+33000",
        b"33_000",
        b"",
        b"0",
        b"-33000",
        b"33000%00x",
        b"%EF%BC%91",
        b"1" * 14,
    ],
)
def test_a40_a41_odd_amounts_are_malformed(amount):
    assert refusal(F5.replace(b"amt_input=33000", b"amt_input=" + amount)) == (Answer.MALFORMED, "bad_amount")


def test_a47_an_uncleared_cheque_is_parked():
    notice = read(F5.replace(b"amt_check=0", b"amt_check=33000"))
    assert (notice.parked, notice.amount) == ("UNCLEARED_CHEQUE", 33000)
    assert refusal(F5.replace(b"amt_check=0", b"amt_check=-1")) == (Answer.MALFORMED, "bad_amount")


def test_a28_a_wrong_charset_of_the_account_costs_nothing():
    assert read(F5, replace(INICIS, charset="utf-8")) == read(F5)
    assert read(F5.replace(b"%C8%AB%B1%E6%B5%BF", b"%ED%99%8D%EA%B8%B8%EB%8F%99")).depositor == "홍길동"


def test_bytes_of_no_charset_are_shown_as_far_as_they_can_be_read():
    notice = read(F5.replace(b"nm_input=%C8%AB%B1%E6%B5%BF", b"nm_input=%FF%FE%C8"))
    assert "\ufffd" in notice.fields["nm_input"]
    assert notice.amount == 33000


def test_only_success_is_the_two_letters():
    said = {answer: PG.speak(answer) for answer in Answer}
    assert (said[Answer.ACK].status, said[Answer.ACK].content_type, said[Answer.ACK].body) == (200, "text/plain", b"OK")
    assert all(
        spoken.body == b"FAIL" and spoken.status >= 400 for answer, spoken in said.items() if answer != Answer.ACK
    )
