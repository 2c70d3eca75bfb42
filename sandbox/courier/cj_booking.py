"""Bookings at CJ: what must be filled in, what makes one the same, when it can no longer be cancelled."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sandbox.courier.cj_refusal import Refusal
from sandbox.courier.cj_trace import CARRIER, is_physical
from sandbox.courier.lives import begin, happened
from sandbox.courier.service import Service
from sandbox.courier.timeline import KST

_KEY = ("CUST_ID", "RCPT_YMD", "CUST_USE_NO", "RCPT_DV", "WORK_DV_CD", "MPCK_KEY", "MPCK_SEQ")
"""With REQ_DV_CD the primary key of a booking."""
_PERSON = ("NM", "TEL_NO1", "TEL_NO2", "TEL_NO3", "ZIP_NO", "ADDR", "DETAIL_ADDR")
_REQUIRED = (
    *_KEY,
    *("REQ_DV_CD", "CAL_DV_CD", "FRT_DV_CD", "CNTR_ITEM_CD", "BOX_TYPE_CD", "BOX_QTY", "CUST_MGMT_DLCM_CD"),
    *("DLV_DV", "PRT_ST"),
    *(f"{side}_{field}" for side in ("SENDR", "RCVR") for field in _PERSON),
)
_LONGEST = {"CUST_USE_NO": 50, "MPCK_KEY": 100, "REMARK_1": 1000, "SENDR_ZIP_NO": 6, "RCVR_ZIP_NO": 6, "INVC_NO": 20}
_LONGEST_GOODS = 500


def book(service: Service, data: dict[str, Any], *, new_number: Callable[[], str]) -> dict[str, Any]:
    """RegBook: the parcel begins to live; the same key a second time is an error of the database."""
    _check(data, request="01")
    number, is_return = str(data.get("INVC_NO") or ""), data["RCPT_DV"] == "02"
    if not is_return and not _is_number(number):
        raise Refusal("운송장번호가 올바르지 않습니다.")
    books = service.books
    with books.lock:
        key = _key(data)
        if books.record("cj", "booking", key) is not None:
            raise Refusal("ORA-00001")
        if number and books.record("cj", "by_number", number) is not None:
            raise Refusal("이미 사용된 운송장번호입니다.")
        issued = books.record("cj", "number", number)
        if service.option("is_same_day") and issued is not None and _day(issued) != _day(books.now()):
            raise Refusal("당일 발급된 운송장번호가 아닙니다.")
        # The label of a return is CJ's, and so is its number; the customer hears of it by the feed.
        number = new_number() if is_return else number
        booking = {"number": number, "use": data["CUST_USE_NO"], "is_return": is_return, "is_canceled": False}
        books.put("cj", "booking", {key: {**booking, "data": data}})
        books.put("cj", "by_number", {number: key})
        begin(books, CARRIER, number)
    return {}


def cancel(service: Service, data: dict[str, Any]) -> dict[str, Any]:
    """CnclBook: the same data again with REQ_DV_CD 02, before the driver's scan."""
    _check(data, request="02")
    books = service.books
    with books.lock:
        key = _key(data)
        booking = books.record("cj", "booking", key)
        if booking is None:
            raise Refusal("예약 정보가 존재하지 않습니다.")
        if booking["is_canceled"]:
            raise Refusal("ORA-00001")
        if service.option("is_self_printing"):
            raise Refusal("운송장 자체 출력 고객사는 취소할 수 없습니다.")
        parcel = books.find(CARRIER, booking["number"])
        if parcel is not None:
            if any(is_physical(scan) for scan in happened(books, parcel)):
                raise Refusal("운송장 스캔이 완료되어 취소할 수 없습니다.")
            books.add([replace(parcel, scenario="no_pickup", timeline=None)])
        books.put("cj", "booking", {key: {**booking, "is_canceled": True}})
    return {}


def _check(data: dict[str, Any], *, request: str) -> None:
    goods = data.get("ARRAY")
    for field in _REQUIRED:
        if not str(data.get(field) or ""):  # to Oracle an empty text is no text
            raise Refusal(f'ORA-01400: cannot insert NULL into ("{field}")')
    for field, longest in _LONGEST.items():
        if len(str(data.get(field) or "").encode()) > longest:
            raise Refusal(f'ORA-12899: value too large for column "{field}" (maximum: {longest})')
    if not isinstance(goods, list) or not goods or not all(isinstance(item, dict) for item in goods):
        raise Refusal('ORA-01400: cannot insert NULL into ("ARRAY")')
    for item in goods:
        if not item.get("GDS_NM"):
            raise Refusal('ORA-01400: cannot insert NULL into ("GDS_NM")')
        if len(str(item["GDS_NM"]).encode()) > _LONGEST_GOODS:
            raise Refusal(f'ORA-12899: value too large for column "GDS_NM" (maximum: {_LONGEST_GOODS})')
    if data["REQ_DV_CD"] != request:
        raise Refusal("요청구분코드가 올바르지 않습니다.")


def _key(data: dict[str, Any]) -> str:
    return "|".join(str(data[field]) for field in _KEY)


def _is_number(number: str) -> bool:
    is_digits = number.isascii() and number.isdigit() and len(number) in {10, 12}
    return is_digits and int(number[-10:-1]) % 7 == int(number[-1])


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, KST).strftime("%Y%m%d")
