"""Numbers and bookings at CJ, against its twin over a socket (shipping.md 1.3, 5.1, 5.3, 6.3, A16)."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from shipping.adapters.cj_issue import NOT_USABLE, NUMBERED, WRONG_NUMBER, CjIssuer
from shipping.adapters.cj_text import line
from shipping.adapters.issuing import FeePayer, Issued, IssueOutcome, Routing
from shipping.couriers import CheckRule
from shipping.waybills import check_digit_fits
from tests.infra.cj import BOX, CUSTOMER, KST, NOON, RECIPIENT, box_to

OK, ALREADY, REJECTED, UNKNOWN = IssueOutcome.OK, IssueOutcome.ALREADY, IssueOutcome.REJECTED, IssueOutcome.UNKNOWN


def bookings(cj):
    """What CJ was told by RegBook, in order."""
    return cj.tracker.read("record?service=cj&kind=booking")


def sent(cj, box=BOX, **values):
    """The fields of the booking of a new number."""
    issuer = CjIssuer(cj.wire, **values)
    (given,) = issuer.allocate(boxes=[box])
    answer = issuer.register(box=box, number=given.number)
    assert answer.outcome == OK, answer
    (booking,) = bookings(cj).values()
    return booking["data"]


# ---- numbers ----


def test_every_box_gets_a_number_of_its_own_with_a_right_check_digit_by_a_call_of_its_own(cj):
    given = cj.issuer.allocate(boxes=[BOX] * 9)
    numbers = [one.number for one in given]
    assert {one.outcome for one in given} == {OK}
    assert len(set(numbers)) == 9
    assert all(len(number) == 12 and check_digit_fits(CheckRule.CJ_BODY, number) for number in numbers)
    assert (cj.asked("ReqInvcNo"), cj.asked("ReqOneDayToken")) == (9, 1)
    assert bookings(cj) == {}


def test_a_number_that_breaks_the_check_digit_is_never_ok(cj):
    cj.fault("wrong_digit", "ReqInvcNo")
    (given,) = cj.issuer.allocate(boxes=[BOX])
    assert (given.outcome, given.number, given.message) == (UNKNOWN, "", NOT_USABLE)
    assert "is no number of CJ" in given.detail


def test_the_same_number_twice_is_never_ok(cj):
    cj.fault("same_number", "ReqInvcNo")
    first, second = cj.issuer.allocate(boxes=[BOX] * 2)
    assert first.outcome == OK
    assert (second.outcome, second.number) == (UNKNOWN, "")
    assert second.detail == f"{first.number} was given before"


@pytest.mark.parametrize("number", ["", "000000000000", "680000000012", "68000000001", "6800-0000-0011", "直接"])
def test_a_wrong_number_is_not_registered(cj, number):
    assert cj.issuer.register(box=BOX, number=number) == Issued(outcome=REJECTED, message=WRONG_NUMBER)
    assert (cj.asked("RegBook"), bookings(cj)) == (0, {})


def test_a_limit_stops_the_rest_of_the_boxes(cj):
    cj.set(unused_limit=2)
    outcomes = [one.outcome for one in cj.issuer.allocate(boxes=[BOX] * 5)]
    assert outcomes == [OK, OK, *[IssueOutcome.LIMITED] * 3]
    assert cj.asked("ReqInvcNo") == 3
    cj.fault("quota", "ReqInvcNo")
    (given,) = cj.issuer.allocate(boxes=[BOX])
    assert (given.outcome, given.message) == (IssueOutcome.LIMITED, "일일 발급 한도를 초과하였습니다.")


# ---- bookings ----


def test_a_booking_names_key_day_and_number_and_splits_phones(cj):
    data = sent(cj)
    assert data.pop("TOKEN_NUM") == cj.tokens.load().number
    (number,) = [data["INVC_NO"]]
    assert data == {
        "CUST_ID": CUSTOMER, "RCPT_YMD": "20261120", "CUST_USE_NO": BOX.key, "RCPT_DV": "01", "WORK_DV_CD": "01",
        "REQ_DV_CD": "01", "MPCK_KEY": f"20261120_{CUSTOMER}_{BOX.key}", "MPCK_SEQ": "1", "CAL_DV_CD": "01",
        "FRT_DV_CD": "03", "FRT": "", "CNTR_ITEM_CD": "01", "BOX_TYPE_CD": "01", "BOX_QTY": "1",
        "CUST_MGMT_DLCM_CD": CUSTOMER,
        "SENDR_NM": "테스트상점", "SENDR_ZIP_NO": "04524", "SENDR_ADDR": "서울 중구 세종대로 1",
        "SENDR_DETAIL_ADDR": "1층",
        "SENDR_TEL_NO1": "02", "SENDR_TEL_NO2": "1234", "SENDR_TEL_NO3": "5678",
        "SENDR_CELL_NO1": "", "SENDR_CELL_NO2": "", "SENDR_CELL_NO3": "",
        "SENDR_SAFE_NO1": "", "SENDR_SAFE_NO2": "", "SENDR_SAFE_NO3": "",
        "RCVR_NM": "홍길동", "RCVR_ZIP_NO": "04524", "RCVR_ADDR": "서울 중구 세종대로 9길 53",
        "RCVR_DETAIL_ADDR": "12층",
        "RCVR_TEL_NO1": "010", "RCVR_TEL_NO2": "1234", "RCVR_TEL_NO3": "5678",
        "RCVR_CELL_NO1": "", "RCVR_CELL_NO2": "", "RCVR_CELL_NO3": "",
        "RCVR_SAFE_NO1": "", "RCVR_SAFE_NO2": "", "RCVR_SAFE_NO3": "",
        "INVC_NO": number, "PRT_ST": "02", "REMARK_1": "", "COD_YN": "N", "DLV_DV": "01",
        "ARRAY": [{"MPCK_SEQ": "1", "GDS_NM": "면 티셔츠", "GDS_QTY": "1", "UNIT_CD": "1"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("phone", "parts", "safe"),
    [
        ("05071234567", ("0507", "123", "4567"), ("0507", "123", "4567")),
        ("050712345678", ("0507", "1234", "5678"), ("0507", "1234", "5678")),
        ("15880000", ("000", "1588", "0000"), ("", "", "")),
        ("021234567", ("02", "123", "4567"), ("", "", "")),
        ("0311234567", ("031", "123", "4567"), ("", "", "")),
        ("010-1234-5678", ("010", "1234", "5678"), ("", "", "")),
    ],
)
def test_phones_come_in_three_parts(cj, phone, parts, safe):
    data = sent(cj, box_to(phone=phone, phone2=phone))
    assert tuple(data[f"RCVR_TEL_NO{part}"] for part in (1, 2, 3)) == parts
    assert tuple(data[f"RCVR_CELL_NO{part}"] for part in (1, 2, 3)) == parts
    assert tuple(data[f"RCVR_SAFE_NO{part}"] for part in (1, 2, 3)) == safe


@pytest.mark.parametrize(("text", "zip_no"), [("", "000000"), ("123456", "000000"), ("63-000", "63000")])
def test_an_unknown_zip_is_six_zeros_and_an_empty_detail_a_dash(cj, text, zip_no):
    data = sent(cj, box_to(zip_code=text, address2=" "))
    assert (data["RCVR_ZIP_NO"], data["RCVR_DETAIL_ADDR"]) == (zip_no, "-")


def test_texts_are_cut_by_bytes_and_lose_emoji_and_control_characters(cj):
    box = replace(
        box_to(name="홍\u200b길동🚚👍🏽", address2="한\x00옥\r\n㈜별★"), note="가" * 400 + "끝", goods="a" + "나" * 200
    )
    data = sent(cj, box)
    assert (data["RCVR_NM"], data["RCVR_DETAIL_ADDR"]) == ("홍길동", "한옥 ㈜별★")
    assert data["REMARK_1"] == "가" * 333
    assert data["ARRAY"][0]["GDS_NM"] == "a" + "나" * 166
    # Letters typed on a Mac come in pieces; half a letter must not remain.
    assert line("\u1112\u1161\u11ab", most=3) == "한"
    assert line("1️⃣ 👨‍👩‍👧 ✅ ①", most=100) == "1 ①"


def test_goods_without_a_readable_word_have_one(cj):
    assert sent(cj, replace(BOX, goods="🚚\n"))["ARRAY"][0]["GDS_NM"] == "상품"


def test_fees_sizes_partner_and_state_of_the_label_are_the_contracts_words(cj):
    box = replace(BOX, fee=FeePayer.COLLECT, fee_amount=3500, box_type="03", quantity=4)
    data = sent(cj, box, partner="30000002", print_state=NUMBERED)
    fields = ("FRT_DV_CD", "CAL_DV_CD", "FRT", "BOX_TYPE_CD", "CUST_MGMT_DLCM_CD", "PRT_ST")
    assert [data[field] for field in fields] == ["02", "02", "3500", "03", "30000002", "03"]
    assert data["ARRAY"][0]["GDS_QTY"] == "4"


def test_a_return_is_booked_without_a_number(cj):
    box = replace(BOX, is_return=True)
    assert cj.issuer.register(box=box, number="") == Issued(outcome=OK)
    (booking,) = bookings(cj).values()
    assert [booking["data"][field] for field in ("RCPT_DV", "INVC_NO", "PRT_ST")] == ["02", "", "01"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"phone": ""}, "받는 분 전화번호가 없거나 잘못되었습니다. 전화번호를 확인하세요."),
        ({"phone": "12345"}, "받는 분 전화번호가 없거나 잘못되었습니다. 전화번호를 확인하세요."),
        ({"name": "🚚"}, "받는 분 이름이 없습니다. 이름을 입력하세요."),
        ({"address1": "\u200b"}, "받는 분 주소가 없습니다. 주소를 입력하세요."),
    ],
)
def test_what_cj_must_know_is_asked_for_in_korean_before_any_call(cj, values, message):
    answer = cj.issuer.register(box=box_to(**values), number="680000000011")
    assert answer == Issued(outcome=REJECTED, message=message)
    assert cj.tracker.read("counters")["requests"] == 0


@pytest.mark.parametrize("key", ["", "가" * 17, "a\x00b", "a" * 51])
def test_a_key_that_does_not_fit_is_no_key(cj, key):
    answer = cj.issuer.register(box=replace(BOX, key=key), number="680000000011")
    assert answer.outcome == REJECTED
    assert cj.tracker.read("counters")["requests"] == 0


# ---- the same box again (A16) ----


def test_the_same_box_again_is_already_booked_with_the_same_number(cj):
    number = cj.booked()
    again = cj.issuer.register(box=BOX, number=number)
    assert (again.outcome, again.number) == (ALREADY, number)
    assert len(bookings(cj)) == 1


@pytest.mark.parametrize("kind", ["hang", "http_500", "html_200", "close", "truncated", "empty"])
def test_a_lost_answer_of_a_booking_that_was_done_is_unknown_and_already_afterwards(cj, kind):
    (given,) = cj.issuer.allocate(boxes=[BOX])
    cj.fault(kind, "RegBook", after_work=True, seconds=30, times=1)
    lost = cj.issuer.register(box=BOX, number=given.number)
    assert (lost.outcome, lost.number) == (UNKNOWN, "")
    # Another process, after a restart, knows nothing but the number.
    again = CjIssuer(cj.new_wire()).register(box=BOX, number=given.number)
    assert (again.outcome, again.number) == (ALREADY, given.number)
    assert [booking["number"] for booking in bookings(cj).values()] == [given.number]
    assert cj.asked("ReqInvcNo") == 1


@pytest.mark.parametrize("kind", ["refused", "http_500", "ora_down"])
def test_a_lost_answer_of_a_booking_that_was_not_done_is_unknown_and_ok_afterwards(cj, kind):
    (given,) = cj.issuer.allocate(boxes=[BOX])
    cj.fault(kind, "RegBook", times=1)
    assert cj.issuer.register(box=BOX, number=given.number).outcome == UNKNOWN
    again = cj.issuer.register(box=BOX, number=given.number)
    assert (again.outcome, again.number) == (OK, given.number)


def test_a_box_of_yesterday_is_the_same_box_after_midnight_and_another_one_without_its_day(cj):
    number = cj.booked()
    cj.advance(hours=13)
    assert cj.issuer.register(box=BOX, number=number).outcome == ALREADY
    assert cj.now().astimezone(KST).date() == date(2026, 11, 21)
    other = cj.issuer.register(box=replace(BOX, day=None), number=number)
    assert (other.outcome, other.message) == (REJECTED, "이미 사용된 운송장번호입니다.")
    assert len(bookings(cj)) == 1


def test_a_number_of_yesterday_is_refused_where_the_contract_says_so(cj):
    cj.set(is_same_day=True)
    (given,) = cj.issuer.allocate(boxes=[BOX])
    cj.advance(hours=13)
    late = cj.issuer.register(box=BOX, number=given.number)
    assert (late.outcome, late.message) == (REJECTED, "당일 발급된 운송장번호가 아닙니다.")
    assert bookings(cj) == {}


def test_wrong_values_are_rejected_and_say_which(cj):
    cj.fault("ora_null", "RegBook")
    answer = cj.issuer.register(box=BOX, number="680000000011")
    assert (answer.outcome, answer.detail) == (REJECTED, "ORA-01400")
    assert answer.message.startswith("CJ대한통운이 접수하지 않은 값이 있습니다: ORA-01400")


# ---- looking up and cancelling ----


def test_a_booking_can_be_seen_only_after_its_first_scan(cj):
    number = cj.booked()
    unseen = cj.issuer.look_up(box=BOX, number=number)
    assert unseen.outcome == UNKNOWN
    assert cj.issuer.look_up(box=BOX, number="").outcome == UNKNOWN
    cj.advance(hours=5)
    assert cj.issuer.look_up(box=BOX, number=number) == Issued(outcome=OK, number=number)
    assert len(bookings(cj)) == 1


def test_scans_from_before_the_day_of_the_box_are_another_parcel(cj):
    old = [{"at": "2026-08-20T18:00:00+09:00", "name": "집화처리"}]
    cj.tracker.control("parcels", carrier="kr.cjlogistics", number="680000000011", timeline=old)
    assert cj.issuer.look_up(box=BOX, number="680000000011").outcome == UNKNOWN
    ours = replace(BOX, day=NOON.date() - timedelta(days=120))
    assert cj.issuer.look_up(box=ours, number="680000000011").outcome == OK


def test_a_booking_is_cancelled_once_and_not_after_the_scan(cj):
    number = cj.booked()
    assert cj.issuer.cancel(box=BOX, number=number) == Issued(outcome=OK, number=number)
    again = cj.issuer.cancel(box=BOX, number=number)
    assert (again.outcome, again.number) == (ALREADY, number)
    (booking,) = bookings(cj).values()
    assert booking["is_canceled"] is True
    other = replace(BOX, key="20261120-00002-1")
    scanned = cj.booked(other)
    cj.advance(hours=5)
    late = cj.issuer.cancel(box=other, number=scanned)
    assert (late.outcome, late.message) == (REJECTED, "운송장 스캔이 완료되어 취소할 수 없습니다.")
    assert [booking["is_canceled"] for booking in bookings(cj).values()] == [True, False]


def test_what_was_never_booked_or_printed_by_ourselves_cannot_be_cancelled(cj):
    never = cj.issuer.cancel(box=BOX, number="680000000011")
    assert (never.outcome, never.message) == (REJECTED, "예약 정보가 존재하지 않습니다.")
    cj.set(is_self_printing=True)
    number = cj.booked()
    assert cj.issuer.cancel(box=BOX, number=number).outcome == REJECTED
    (booking,) = bookings(cj).values()
    assert booking["is_canceled"] is False


def test_a_lost_answer_of_a_cancel_is_unknown_and_already_afterwards(cj):
    number = cj.booked()
    cj.fault("hang", "CnclBook", after_work=True, times=1)
    assert cj.issuer.cancel(box=BOX, number=number).outcome == UNKNOWN
    assert cj.issuer.cancel(box=BOX, number=number).outcome == ALREADY


# ---- addresses ----


def test_an_address_is_refined_to_what_the_label_needs(cj):
    answer = cj.issuer.refine(recipient=RECIPIENT)
    assert answer.outcome == OK
    routing = answer.routing
    assert isinstance(routing, Routing)
    assert (routing.nickname, routing.branch, routing.more) == ("세종대로 9길 53", "테스트집배점", {"RSPSDIV": "01"})
    assert len(routing.sort_code) == 4
    assert routing.sub_code
    assert routing.driver.startswith("G")


@pytest.mark.parametrize(
    ("address", "outcome", "message", "has_routing"),
    [
        ("서울 배송불가 1", IssueOutcome.UNDELIVERABLE, "입력 주소에 대해 배송이 불가능한 경우", False),
        ("없는 주소", REJECTED, "입력 주소 분석 실패", False),
        ("인천 옹진군 배송지연 1", OK, "배송지연 발생가능 지역", True),
        (" ", REJECTED, "받는 분 주소가 없습니다. 주소를 입력하세요.", False),
    ],
)
def test_addresses_that_cj_doubts_are_told_apart(cj, address, outcome, message, has_routing):
    cj.set(is_euc_kr=True)
    answer = cj.issuer.refine(recipient=replace(RECIPIENT, address1=address, address2=""))
    assert (answer.outcome, answer.message, answer.routing is not None) == (outcome, message, has_routing)


def test_a_long_address_is_cut_to_the_bytes_of_its_field(cj):
    long = replace(RECIPIENT, address1="서울특별시 " + "가나다라마바사" * 20)
    assert cj.issuer.refine(recipient=long).outcome == OK


def test_an_answer_without_a_sort_code_is_no_routing(cj):
    cj.fault("data_null", "ReqAddrRfnSm")
    answer = cj.issuer.refine(recipient=RECIPIENT)
    assert (answer.outcome, answer.routing) == (UNKNOWN, None)


def test_a_customer_that_cj_does_not_know_is_refused(cj):
    cj.issuer.allocate(boxes=[BOX])
    cj.set(customer="39999999")
    assert cj.issuer.refine(recipient=RECIPIENT).outcome == IssueOutcome.AUTH
