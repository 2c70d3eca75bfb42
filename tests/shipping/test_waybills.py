"""Cleaning and judging waybill numbers (shipping.md 5.1, 5.4, A14; sentences ux.md 6.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipping.couriers import COURIERS
from shipping.states import DeliveryMethod
from shipping.waybills import LONGEST, WaybillLevel, check_digit_fits, check_waybill, normalise, with_check_digit

CJ, HANJIN, LOTTE, EPOST, LOGEN, KDEXP, EMS, OTHER = (
    COURIERS[slug] for slug in ("CJGLS", "HANJIN", "HYUNDAI", "EPOST", "KGB", "KDEXP", "EMS", "CH1")
)
CJ_EXAMPLES = [
    "636826218033",
    "347575800551",
    "568833612760",
    "632976615493",
    "633302546763",
    "577417824035",
    "575029149521",
    "556653816746",
    "630007777700",
    "384091786506",
    "650000000033",
    "566223490280",
    "680000000011",
    "680000000070",
]


@pytest.mark.parametrize(
    ("courier", "number"),
    [(CJ, number) for number in CJ_EXAMPLES]
    + [
        (HANJIN, "506738618960"),
        (HANJIN, "400000000013"),
        (LOTTE, "240000000015"),
        (LOTTE, "309123456784"),
        (LOGEN, "40907308945"),
        (LOGEN, "90000000016"),
        (EPOST, "6892058349240"),
        (EPOST, "6865109394355"),
        (EPOST, "6800000000001"),
        (EMS, "LP257594783SG"),
        (EMS, "RA092357578TW"),
        (EMS, "EG123456785KR"),
        (KDEXP, "1234567890"),
        (OTHER, "A-1234"),
        (CJ, "6218033010"),
    ],
)
def test_the_worked_examples_are_accepted_without_remark(courier, number):
    verdict = check_waybill(number, courier)
    assert (verdict.level, verdict.code, verdict.message) == (WaybillLevel.OK, "", "")
    assert verdict.number == number.replace("-", "")
    assert verdict.is_accepted


@pytest.mark.parametrize(
    ("courier", "text", "code", "message"),
    [
        (CJ, "680000000012", "waybill_check", "CJ대한통운 송장번호 규칙에 맞지 않습니다. 번호를 다시 확인하세요."),
        (CJ, "6218033013", "waybill_check", "CJ대한통운 송장번호 규칙에 맞지 않습니다. 번호를 다시 확인하세요."),
        (CJ, "000000000000", "waybill_check", "CJ대한통운 송장번호 규칙에 맞지 않습니다. 번호를 다시 확인하세요."),
        (HANJIN, "400000000014", "waybill_check", "한진택배 송장번호 규칙에 맞지 않습니다. 번호를 다시 확인하세요."),
        (LOTTE, "240000000016", "waybill_check", "롯데택배 송장번호 규칙에 맞지 않습니다. 번호를 다시 확인하세요."),
        (EMS, "EG123456784KR", "waybill_check", "우체국EMS 송장번호 규칙에 맞지 않습니다. 번호를 다시 확인하세요."),
        (CJ, "68000000001", "waybill_format", "송장번호는 숫자 10 또는 12자리여야 합니다. 지금은 11자리입니다."),
        (LOTTE, "2400000000", "waybill_format", "송장번호는 숫자 12자리여야 합니다. 지금은 10자리입니다."),
        (EPOST, "680000000001", "waybill_format", "송장번호는 숫자 13자리여야 합니다. 지금은 12자리입니다."),
    ],
)
def test_a_rule_of_a_strict_courier_blocks_and_shows_the_number(courier, text, code, message):
    verdict = check_waybill(text, courier)
    assert (verdict.level, verdict.code, verdict.message) == (WaybillLevel.BLOCK, code, message)
    assert (verdict.number, verdict.is_accepted) == (text, False)


@pytest.mark.parametrize(
    ("courier", "text", "code", "message"),
    [
        (CJ, "", "waybill_missing", "송장번호가 없습니다."),
        (CJ, None, "waybill_missing", "송장번호가 없습니다."),
        (CJ, " -\u3000\ufeff", "waybill_missing", "송장번호가 없습니다."),
        (CJ, "6.36826E+11", "waybill_exponent", None),
        (CJ, "6.36826e+11", "waybill_exponent", None),
        (CJ, "６．３６Ｅ＋１１", "waybill_exponent", None),
        (CJ, "636E9", "waybill_exponent", None),
        (CJ, 1e16, "waybill_exponent", None),
        (CJ, 10**400, "waybill_exponent", None),
        (CJ, float("inf"), "waybill_exponent", None),
        (OTHER, "6.3E+11", "waybill_exponent", None),
        (CJ, "오전10시상차", "waybill_chars", "송장번호에 쓸 수 없는 글자가 있습니다. 숫자만 입력하세요."),
        (CJ, "=680000000011", "waybill_chars", "송장번호에 쓸 수 없는 글자가 있습니다. 숫자만 입력하세요."),
        (CJ, "680000000011.0", "waybill_chars", "송장번호에 쓸 수 없는 글자가 있습니다. 숫자만 입력하세요."),
        (CJ, "6800\x0000000011", "waybill_chars", "송장번호에 쓸 수 없는 글자가 있습니다. 숫자만 입력하세요."),
        (CJ, "٦٨٠٠٠٠٠٠٠٠١١", "waybill_chars", "송장번호에 쓸 수 없는 글자가 있습니다. 숫자만 입력하세요."),
        (EPOST, "EG123456785KR", "waybill_chars", "송장번호에 쓸 수 없는 글자가 있습니다. 숫자만 입력하세요."),
        (EPOST, "TESTREGINOAPI", "waybill_chars", "시험용 송장번호입니다. 택배사에서 받은 번호를 입력하세요."),
        (OTHER, "TESTREGINOAPI", "waybill_chars", "시험용 송장번호입니다. 택배사에서 받은 번호를 입력하세요."),
        (OTHER, "A#1234", "waybill_chars", "송장번호에 쓸 수 없는 글자가 있습니다. 숫자와 영문자만 입력하세요."),
        (CJ, True, "waybill_chars", None),
        (CJ, float("nan"), "waybill_chars", None),
        (CJ, -680000000011, "waybill_chars", None),
        (CJ, 680000000011.5, "waybill_chars", None),
        (LOGEN, "12345678", "waybill_format", "송장번호는 숫자 11자리여야 합니다. 지금은 8자리입니다."),
        (KDEXP, "123456789", "waybill_format", "송장번호는 숫자 10~20자리여야 합니다. 지금은 9자리입니다."),
        (KDEXP, "1" * 31, "waybill_format", "송장번호는 숫자 10~20자리여야 합니다. 지금은 31자리입니다."),
    ],
)
def test_a_cell_without_a_number_is_refused(courier, text, code, message):
    verdict = check_waybill(text, courier)
    assert (verdict.number, verdict.level, verdict.code) == ("", WaybillLevel.BLOCK, code)
    assert not verdict.is_accepted
    if code == "waybill_exponent":
        message = "송장번호가 지수 형식입니다. 엑셀에서 셀 서식을 텍스트로 바꿔 주세요."
    assert message is None or verdict.message == message


@pytest.mark.parametrize(
    ("courier", "text", "code", "message"),
    [
        (LOGEN, "90000000015", "waybill_check", "로젠택배 송장번호 규칙에 맞지 않습니다. 번호를 다시 확인하세요."),
        (
            LOGEN,
            "900000000160",
            "waybill_unusual",
            "로젠택배 송장번호는 보통 11자리입니다. 지금은 12자리입니다. 번호를 다시 확인하세요.",
        ),
        (
            HANJIN,
            "50673861896012",
            "waybill_unusual",
            "한진택배 송장번호는 보통 12자리입니다. 지금은 14자리입니다. 번호를 다시 확인하세요.",
        ),
        (
            COURIERS["ILYANG"],
            "1" * 21,
            "waybill_unusual",
            "일양로지스 송장번호는 보통 9~20자리입니다. 지금은 21자리입니다. 번호를 다시 확인하세요.",
        ),
    ],
)
def test_a_doubtful_number_is_accepted_with_a_remark(courier, text, code, message):
    verdict = check_waybill(text, courier)
    assert (verdict.number, verdict.level, verdict.code, verdict.message) == (text, WaybillLevel.WARN, code, message)
    assert verdict.is_accepted


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("직접수령", DeliveryMethod.VISIT),
        (" 방문 ", DeliveryMethod.VISIT),
        ("퀵", DeliveryMethod.QUICK),
        ("차량 배차", DeliveryMethod.DIRECT),
        ("재고소진", None),
        ("안전재고", None),
    ],
)
def test_a_status_word_is_a_proposal_of_its_own_kind(text, method):
    verdict = check_waybill(text, CJ)
    assert (verdict.number, verdict.code, verdict.proposed_method) == ("", "waybill_word", method)


def test_the_sentence_of_a_status_word_says_what_to_do():
    assert check_waybill("직접수령", CJ).message == (
        "송장번호 칸에 '직접수령'이 적혀 있습니다. "
        "택배로 보내지 않으면 배송방법을 방문수령으로 바꾸고, 보내면 송장번호를 입력하세요."
    )
    assert check_waybill("차량배차", CJ).message == (
        "송장번호 칸에 '차량배차'가 적혀 있습니다. "
        "택배로 보내지 않으면 배송방법을 직접전달로 바꾸고, 보내면 송장번호를 입력하세요."
    )
    assert check_waybill("안전재고", CJ).message == (
        "송장번호 칸에 '안전재고'가 적혀 있습니다. 배송을 보류하거나 송장번호를 입력하세요."
    )


@pytest.mark.parametrize(
    "text",
    [
        "６８００００００００１１",
        "6800-0000-0011",
        " 6800 0000 0011\n",
        "6800–0000—0011",
        "6800\u200b00000011\ufeff",
        "'680000000011",
        680000000011,
        680000000011.0,
    ],
)
def test_width_hyphens_spaces_and_number_cells_do_not_matter(text):
    assert check_waybill(text, CJ).number == "680000000011"
    assert check_waybill(text, CJ).level == WaybillLevel.OK


def test_letters_of_an_international_number_become_capitals():
    assert check_waybill("eg 123 456 785 kr", EMS).number == "EG123456785KR"


@given(st.integers(min_value=0, max_value=10**11 - 1), st.sampled_from([CJ, HANJIN, LOTTE]))
def test_exactly_one_last_digit_of_ten_up_to_two_fits(body, courier):
    digits = f"{body:011d}"
    number = with_check_digit(courier, digits)
    assert len(number) == 12
    assert check_digit_fits(courier.check, number)
    fitting = [last for last in "0123456789" if check_digit_fits(courier.check, digits + last)]
    assert fitting == [number[-1]]


@given(st.integers(min_value=1, max_value=10**9 - 1), st.integers(0, 99), st.integers(0, 8), st.integers(1, 9))
def test_a_single_typing_error_in_a_cj_body_is_seen_unless_it_is_seven_off(body, prefix, position, shift):
    number = with_check_digit(CJ, f"{prefix:02d}{body:09d}")
    place = 2 + position
    typed = (int(number[place]) + shift) % 10
    wrong = f"{number[:place]}{typed}{number[place + 1 :]}"
    is_blind = abs(int(number[place]) - typed) == 7
    assert check_digit_fits(CJ.check, wrong) is is_blind


@given(
    st.one_of(st.text(max_size=40), st.integers(), st.floats(), st.none(), st.booleans(), st.binary(max_size=8)),
    st.sampled_from(list(COURIERS.values())),
)
def test_no_cell_whatever_makes_the_check_fail_or_let_dirt_through(value, courier):
    verdict = check_waybill(value, courier)
    assert len(verdict.number) <= LONGEST
    assert verdict.number == "" or (verdict.number.isascii() and verdict.number.isalnum())
    assert bool(verdict.code) == bool(verdict.message)
    assert (verdict.level == WaybillLevel.OK) == (verdict.code == "")
    assert verdict.number or verdict.level == WaybillLevel.BLOCK


@given(st.text(max_size=40))
def test_cleaning_twice_is_cleaning_once(text):
    once = normalise(text)
    assert normalise(once) == once
