"""The twin of CJ speaks its protocol: token, customer, numbers, bookings, scans (shipping.md 1.3, 8.7, 9)."""

import json
import time

import pytest

from tests.infra.tracker import RunningTracker
from tests.sandbox.samples import ask, codes

CJ = "kr.cjlogistics"
PAPERS = {"CUST_ID": "30000001", "BIZ_REG_NUM": "1234567890"}
PERSON = {
    "NM": "홍길동", "TEL_NO1": "010", "TEL_NO2": "1234", "TEL_NO3": "5678", "ZIP_NO": "000000", "ADDR": "서울 중구",
    "DETAIL_ADDR": "1층",
}  # fmt: skip
BOOKING = {
    "CUST_ID": "30000001", "RCPT_YMD": "20261122", "CUST_USE_NO": "S1", "RCPT_DV": "01", "WORK_DV_CD": "01",
    "REQ_DV_CD": "01", "MPCK_KEY": "20261122_30000001_S1", "MPCK_SEQ": "1", "CAL_DV_CD": "01", "FRT_DV_CD": "03",
    "CNTR_ITEM_CD": "01", "BOX_TYPE_CD": "01", "BOX_QTY": "1", "CUST_MGMT_DLCM_CD": "30000001", "DLV_DV": "01",
    "PRT_ST": "02", "INVC_NO": "680000000011", "ARRAY": [{"MPCK_SEQ": "1", "GDS_NM": "티셔츠"}],
    **{f"SENDR_{field}": value for field, value in PERSON.items()},
    **{f"RCVR_{field}": value for field, value in PERSON.items()},
}  # fmt: skip
OK = {"RESULT_CD": "S", "RESULT_DETAIL": "Success."}


@pytest.fixture
def tracker(tracker):
    tracker.control("clock", now="2026-11-22T12:00:00+09:00")
    tracker.control("config", is_demo=False)
    tracker.control("service", name="cj", token_gap=0)
    return tracker


@pytest.fixture
def token(tracker):
    """One that outlives the test."""
    tracker.control("service", name="cj", token_seconds=30 * 86400)
    return post(tracker, "ReqOneDayToken", PAPERS)[1]["DATA"]["TOKEN_NUM"]


def post(tracker, operation, data, token=None):
    headers = {"CJ-Gateway-APIKey": token} if token else {}
    status, body = tracker.request("POST", f"/cj/{operation}", {"DATA": data}, headers)
    return status, json.loads(body)


def say(tracker, token, operation, **data):
    status, answer = post(tracker, operation, {**data, "TOKEN_NUM": token}, token)
    assert status == 200
    return answer


def refused(tracker, token, operation, **data):
    answer = say(tracker, token, operation, **data)
    assert answer["RESULT_CD"] != "S"
    return answer["RESULT_DETAIL"]


def bulk(tracker, token, day="20261122", sent="N"):
    return say(tracker, token, "ReqMssGdsTrc", CUST_ID="30000001", REQ_DT=day, SND_YN=sent)["DATA"]


# ---- token ----


def test_a_token_lives_a_day_and_is_given_again_until_then(tracker):
    first = post(tracker, "ReqOneDayToken", PAPERS)[1]["DATA"]
    assert first["TOKEN_EXPRTN_DTM"] == "20261123120000"
    tracker.control("clock", advance=3600)
    assert post(tracker, "ReqOneDayToken", PAPERS)[1]["DATA"] == first
    tracker.control("clock", advance=23 * 3600)
    assert (
        post(tracker, "ReqInvcNo", {"CLNTNUM": "30000001", "TOKEN_NUM": first["TOKEN_NUM"]}, first["TOKEN_NUM"])[0]
        == 401
    )
    assert post(tracker, "ReqOneDayToken", PAPERS)[1]["DATA"]["TOKEN_NUM"] != first["TOKEN_NUM"]


def test_the_token_stands_in_header_and_body(tracker, token):
    data = {"CLNTNUM": "30000001", "TOKEN_NUM": token}
    assert post(tracker, "ReqInvcNo", data)[0] == 401
    assert post(tracker, "ReqInvcNo", data, "other")[0] == 401
    assert post(tracker, "ReqInvcNo", {"CLNTNUM": "30000001"}, token)[0] == 401
    assert post(tracker, "ReqInvcNo", data, token)[0] == 200
    assert tracker.read("record?service=cj&kind=counter") == {"number": 1}


def test_two_token_calls_within_the_gap_block_for_a_while(tracker):
    tracker.control("service", name="cj", token_gap=0.2, token_block=0.5)
    assert [post(tracker, "ReqOneDayToken", PAPERS)[0] for _ in range(2)] == [200, 429]
    time.sleep(0.3)
    assert post(tracker, "ReqOneDayToken", PAPERS)[0] == 429
    time.sleep(0.3)
    assert post(tracker, "ReqOneDayToken", PAPERS)[0] == 200


@pytest.mark.parametrize("papers", [{}, {"CUST_ID": "30000001"}, {**PAPERS, "BIZ_REG_NUM": "0000000000"}])
def test_wrong_papers_get_no_token(tracker, papers):
    assert post(tracker, "ReqOneDayToken", papers)[1]["RESULT_CD"] == "E"


# ---- the shape of a call ----


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/cj/ReqNothing", b'{"DATA":{}}', 404),
        ("POST", "/cj", b'{"DATA":{}}', 404),
        ("GET", "/cj/ReqInvcNo", None, 405),
        ("POST", "/cj/ReqInvcNo", b"{", 400),
        ("POST", "/cj/ReqInvcNo", b"[" * 100_000, 400),
        ("POST", "/cj/ReqInvcNo", b"[]", 400),
        ("POST", "/cj/ReqInvcNo", b'{"DATA":[]}', 400),
    ],
)
def test_wrong_calls_are_answered_and_change_nothing(tracker, method, path, body, status):
    assert tracker.request(method, path, body)[0] == status
    assert tracker.read("record?service=cj&kind=number") == {}


@pytest.mark.parametrize(
    ("operation", "right", "wrong"),
    [
        ("ReqInvcNo", "CLNTNUM", "CUST_ID"),
        ("ReqOneGdsTrc", "CLNTNUM", "CUST_ID"),
        ("ReqAddrRfnSm", "CLNTNUM", "CUST_ID"),
        ("RcvMssGdsTrcCnfrm", "CLNTNUM", "CUST_ID"),
        ("ReqMssGdsTrc", "CUST_ID", "CLNTNUM"),
        ("RegBook", "CUST_ID", "CLNTNUM"),
        ("CnclBook", "CUST_ID", "CLNTNUM"),
    ],
)
def test_the_customer_has_two_names(tracker, token, operation, right, wrong):
    assert (
        refused(tracker, token, operation, **{wrong: "30000001"}) == f'ORA-01400: cannot insert NULL into ("{right}")'
    )
    assert refused(tracker, token, operation, **{right: "1"}) == "CJ 대한통운에 등록되지 않은 고객 ID"


def test_errors_come_in_the_old_charset_where_asked_for(tracker, token):
    tracker.control("service", name="cj", is_euc_kr=True)
    _, body = tracker.request(
        "POST", "/cj/ReqInvcNo", {"DATA": {"CLNTNUM": "1", "TOKEN_NUM": token}}, {"CJ-Gateway-APIKey": token}
    )
    assert json.loads(body.decode("euc-kr"))["RESULT_DETAIL"] == "CJ 대한통운에 등록되지 않은 고객 ID"


# ---- bookings ----


def test_a_booking_is_known_by_its_key_whatever_its_number(tracker, token):
    assert say(tracker, token, "RegBook", **BOOKING) == OK
    assert refused(tracker, token, "RegBook", **BOOKING) == "ORA-00001"
    assert refused(tracker, token, "RegBook", **{**BOOKING, "INVC_NO": "680000000070"}) == "ORA-00001"
    other = {**BOOKING, "CUST_USE_NO": "S2", "MPCK_KEY": "20261122_30000001_S2"}
    assert refused(tracker, token, "RegBook", **other) == "이미 사용된 운송장번호입니다."
    assert say(tracker, token, "RegBook", **{**other, "INVC_NO": "680000000070"}) == OK
    assert len(tracker.read("record?service=cj&kind=booking")) == 2


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("RCVR_ZIP_NO", "", 'ORA-01400: cannot insert NULL into ("RCVR_ZIP_NO")'),
        ("RCVR_TEL_NO1", None, 'ORA-01400: cannot insert NULL into ("RCVR_TEL_NO1")'),
        ("RCVR_ZIP_NO", "1234567", 'ORA-12899: value too large for column "RCVR_ZIP_NO" (maximum: 6)'),
        ("REMARK_1", "가" * 334, 'ORA-12899: value too large for column "REMARK_1" (maximum: 1000)'),
        ("ARRAY", [], 'ORA-01400: cannot insert NULL into ("ARRAY")'),
        ("ARRAY", [{"GDS_NM": ""}], 'ORA-01400: cannot insert NULL into ("GDS_NM")'),
        ("ARRAY", [{"GDS_NM": "가" * 167}], 'ORA-12899: value too large for column "GDS_NM" (maximum: 500)'),
        ("INVC_NO", "680000000012", "운송장번호가 올바르지 않습니다."),
        ("REQ_DV_CD", "02", "요청구분코드가 올바르지 않습니다."),
    ],
)
def test_a_booking_with_a_wrong_field_is_refused_and_not_kept(tracker, token, field, value, detail):
    assert refused(tracker, token, "RegBook", **{**BOOKING, field: value}) == detail
    assert tracker.read("record?service=cj&kind=booking") == {}
    assert say(tracker, token, "ReqOneGdsTrc", CLNTNUM="30000001", INVC_NO="680000000011")["DATA"] == []


def test_a_cancelled_parcel_does_not_move_any_more(tracker, token):
    say(tracker, token, "RegBook", **BOOKING)
    assert say(tracker, token, "CnclBook", **{**BOOKING, "REQ_DV_CD": "02"}) == OK
    tracker.control("clock", advance=4 * 86400)
    assert codes(ask(tracker, "680000000011")) == ["INFORMATION_RECEIVED"]


# ---- scans ----


def test_payload_8_7_comes_back_letter_by_letter(tracker, token):
    key = {"CUST_USE_NO": "S20261120-000123-1", "MPCK_KEY": "20261120_30000001_S20261120-000123-1"}
    say(tracker, token, "RegBook", **{**BOOKING, **key})
    missed = {"at": "2026-11-21T19:20:04+09:00", "name": "미배송", "place": "서울중구"}
    tracker.control("parcels", carrier=CJ, number="680000000011", timeline=[missed])
    assert say(tracker, token, "ReqMssGdsTrc", CUST_ID="30000001", REQ_DT="20261121", SND_YN="N") == {
        **OK,
        "DATA": [
            {
                "CUST_ID": "30000001", "RCPT_DV": "01", "INVC_NO": "680000000011",
                "CUST_USE_NO": "S20261120-000123-1", "CRG_ST": "84", "CRG_ST_NM": "미배송", "SCAN_YMD": "20261121",
                "SCAN_HOUR": "192004", "DEALT_BRAN_NM": "서울중구", "DEALEMP_NM": "김**", "ACPTR_NM": None,
                "NO_CLDV_RSN_CD": "02", "DETAIL_RSN": None,
            }
        ],
    }  # fmt: skip
    done = {"at": "2026-11-21T15:31:07+09:00", "name": "배송완료", "place": "서울중구"}
    tracker.control("parcels", carrier=CJ, number="680000000011", timeline=[done])
    (scan,) = say(tracker, token, "ReqOneGdsTrc", CLNTNUM="30000001", INVC_NO="680000000011")["DATA"]
    assert [scan[field] for field in ("CRG_ST", "SCAN_YMD", "SCAN_HOUR", "ACPTR_NM")] == [
        "91", "2026-11-21", "15:31:07", "본인",
    ]  # fmt: skip


def test_each_scan_has_a_flag_of_its_own(tracker, token):
    say(tracker, token, "RegBook", **BOOKING)
    tracker.control("clock", advance=9 * 3600)
    assert [scan["CRG_ST"] for scan in bulk(tracker, token)] == ["01", "11", "41"]
    pairs = [{"INVC_NO": "680000000011", "CRG_ST": "11"}, {"INVC_NO": "680000000011", "CRG_ST": "82"}]
    assert say(tracker, token, "RcvMssGdsTrcCnfrm", CLNTNUM="30000001", ARRAY=pairs) == OK
    assert [scan["CRG_ST"] for scan in bulk(tracker, token)] == ["01", "41"]
    assert [scan["CRG_ST"] for scan in bulk(tracker, token, sent="Y")] == ["01", "41"]
    assert bulk(tracker, token) == []
    # What is acknowledged before it was told is told all the same.
    tracker.control("clock", advance=20 * 3600)
    assert [scan["CRG_ST"] for scan in bulk(tracker, token, "20261123")] == ["42", "82", "91"]


def test_flags_stay_with_their_scans_when_the_list_is_out_of_order(tracker, token):
    late = {"at": "2026-11-22T15:00:00+09:00", "name": "배송출발"}
    early = {"at": "2026-11-22T13:00:00+09:00", "name": "집화처리"}
    tracker.control("parcels", carrier=CJ, number="680000000011", timeline=[late, early])
    tracker.control("clock", advance=2 * 3600)
    assert [scan["CRG_ST"] for scan in bulk(tracker, token, sent="Y")] == ["11"]
    assert bulk(tracker, token) == []
    tracker.control("clock", advance=2 * 3600)
    assert [scan["CRG_ST"] for scan in bulk(tracker, token)] == ["82"]
    pairs = [{"INVC_NO": "680000000011", "CRG_ST": "82"}]
    say(tracker, token, "RcvMssGdsTrcCnfrm", CLNTNUM="30000001", ARRAY=pairs)
    assert bulk(tracker, token) == []


def test_more_than_five_hundred_cannot_be_acknowledged_at_once(tracker, token):
    say(tracker, token, "RegBook", **BOOKING)
    bulk(tracker, token)
    pairs = [
        {"INVC_NO": "680000000011", "CRG_ST": "01"},
        *({"INVC_NO": str(one), "CRG_ST": "01"} for one in range(500)),
    ]
    assert refused(tracker, token, "RcvMssGdsTrcCnfrm", CLNTNUM="30000001", ARRAY=pairs).startswith("1회 최대 500건")
    assert len(bulk(tracker, token)) == 1
    assert refused(tracker, token, "RcvMssGdsTrcCnfrm", CLNTNUM="30000001", ARRAY="x") == "ORA-06531: ARRAY"


@pytest.mark.parametrize(
    ("scenario", "fate"),
    [
        ("pickup_failed", ["01", "12"]),
        ("attempt_fail_then_ok", ["01", "11", "41", "42", "82", "84", "82", "91"]),
        ("lost", ["01", "11", "41", "42", "84"]),
        ("holiday_gap", ["01", "11", "41", "42", "82", "91"]),
    ],
)
def test_the_control_api_chooses_the_life_of_what_is_registered_next(tracker, token, scenario, fate):
    tracker.control("config", scenario=scenario)
    say(tracker, token, "RegBook", **BOOKING)
    tracker.control("clock", advance=7 * 86400)
    days = [f"202611{day}" for day in range(22, 30)]
    assert [scan["CRG_ST"] for day in days for scan in bulk(tracker, token, day)] == fate
    assert len(codes(ask(tracker, "680000000011"))) == len(fate)


def test_in_demo_mode_the_digits_choose(tracker, token):
    tracker.control("config", is_demo=True)
    assert say(tracker, token, "RegBook", **{**BOOKING, "INVC_NO": "690000000910"}) == OK
    tracker.control("clock", advance=4 * 86400)
    scans = say(tracker, token, "ReqOneGdsTrc", CLNTNUM="30000001", INVC_NO="690000000910")["DATA"]
    assert [scan["CRG_ST"] for scan in scans] == ["11", "41", "42", "82", "84", "82", "91"]


def test_numbers_that_are_unknown_and_parcels_that_break_are_told_apart(tracker, token):
    tracker.control("scenario", scenario="unknown", carrier=CJ, numbers=["680000000011"])
    tracker.control("scenario", scenario="error", carrier=CJ, numbers=["680000000070"])
    assert say(tracker, token, "ReqOneGdsTrc", CLNTNUM="30000001", INVC_NO="680000000011")["DATA"] == []
    detail = refused(tracker, token, "ReqOneGdsTrc", CLNTNUM="30000001", INVC_NO="680000000070")
    assert detail.startswith("ORA-12170")
    assert bulk(tracker, token) == []


# ---- books ----


def test_token_numbers_bookings_and_flags_survive_a_kill(tmp_path):
    state = tmp_path / "books.sqlite3"
    with RunningTracker.running(state, "--speed", "1") as first:
        first.control("clock", now="2026-11-22T12:00:00+09:00")
        token = post(first, "ReqOneDayToken", PAPERS)[1]["DATA"]["TOKEN_NUM"]
        number = say(first, token, "ReqInvcNo", CLNTNUM="30000001")["DATA"]["INVC_NO"]
        say(first, token, "RegBook", **{**BOOKING, "INVC_NO": number})
        first.control("clock", advance=5 * 3600)
        assert len(bulk(first, token)) == 2
        say(first, token, "RcvMssGdsTrcCnfrm", CLNTNUM="30000001", ARRAY=[{"INVC_NO": number, "CRG_ST": "01"}])
        first.kill()
    with RunningTracker.running(state, "--speed", "1") as second:
        assert say(second, token, "ReqInvcNo", CLNTNUM="30000001")["DATA"]["INVC_NO"] != number
        assert refused(second, token, "RegBook", **{**BOOKING, "INVC_NO": number}) == "ORA-00001"
        assert [scan["CRG_ST"] for scan in bulk(second, token)] == ["11"]
        second.control("reset")
        assert post(second, "ReqInvcNo", {"CLNTNUM": "30000001", "TOKEN_NUM": token}, token)[0] == 401


def test_options_of_a_service_can_be_seen_and_changed_and_only_those_it_has(tracker):
    assert tracker.control("service", name="cj", unused_limit=3)["unused_limit"] == 3
    assert tracker.read("service?name=cj")["unused_limit"] == 3
    for body in (b'{"name":"cj","colour":1}', b'{"name":"nobody"}', b"{}"):
        assert tracker.request("POST", "/__control/service", body)[0] == 400
    tracker.control("reset")
    assert tracker.read("service?name=cj")["unused_limit"] is None
