"""한진 OpenAPI under /hanjin (shipping.md 1.5, 8.10): numbers, bookings and scans of one customer, HMAC checked.

Both real hosts are one here. What the reference does not know is as public implementations have it, or made up.
"""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sandbox.courier.books import Parcel
from sandbox.courier.hanjin_faults import HANJIN_KINDS
from sandbox.courier.lives import begin, happened, life
from sandbox.courier.service import Answer, Kind, Request, Service, Subject, json_answer
from sandbox.courier.timeline import KST, NEVER_FOUND, Scan

CARRIER = "kr.hanjin"
MOST_ADDRESSES = 100
_AUTHORIZATION = re.compile(r"client_id=(\S+) timestamp=([0-9]{14}) signature=([0-9a-f]{64})")
_ORDER = "/parcel-delivery/v1/order"
_UNSCANNED = {"01", "05"}
_REQUIRED = (
    "custOrdNo", "wblNo", "svcCatCd", "cntractNo", "pickupAskDt", "sndrZip", "sndrBaseAddr", "sndrNm", "sndrTelNo",
    "rcvrZip", "rcvrBaseAddr", "rcvrDtlAddr", "rcvrNm", "rcvrTelNo", "comodityNm", "payTypCd", "boxTypCd",
)  # fmt: skip
# What an address must hold for a refusal; real ones are known to 한진 alone.
_NO_ADDRESS, _NO_DELIVERY = "없는주소", "배송불가"
Values = dict[str, Any]


class Hanjin(Service):
    """One customer (EDI code) with its contract."""

    name = "hanjin"
    prefix = "hanjin"
    options = {
        "client_id": "SANDBOX",
        "api_key": "sandbox-hanjin-api-key",
        "secret_key": "sandbox-hanjin-secret-key",
        "contract": "9000001",
        # How far a signature's time may be off, in seconds.
        "window_seconds": 300,
        # Numbers of one Korean day.
        "daily_limit": 100_000,
        # "reference": times as shipping.md 8.10 has them; "guide": as public implementations read them.
        "style": "reference",
    }

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Numbers that are wrong, lists of the wrong shape, events that lie."""
        return HANJIN_KINDS

    def hear(self, request: Request) -> Subject | Answer:
        """The call, whoever signed it, and the number or our key it is about."""
        operations: Mapping[str, str] = {
            f"/v1/wbl/{self.option('client_id')}/print-wbl": "print-wbl",
            f"/v1/wbl/{self.option('client_id')}/print-wbls": "print-wbls",
            f"{_ORDER}/insert-order": "insert-order",
            f"{_ORDER}/cancel-order": "cancel-order",
            "/parcel-delivery/v1/tracking/tracking-wbl": "track",
        }
        operation = operations.get(request.path)
        if operation is None or request.method != "POST":
            return json_answer(404, {"message": "no Route matched"})
        try:
            values = json.loads(request.body)
        except (ValueError, RecursionError):
            return json_answer(400, {"resultCode": "ERROR-99", "resultMessage": "JSON 형식 오류"})
        if not isinstance(values, dict):
            return json_answer(400, {"resultCode": "ERROR-99", "resultMessage": "JSON 형식 오류"})
        return Subject(operation, CARRIER, str(values.get("wblNo", values.get("msg_key", ""))), values)

    def answer(self, request: Request, subject: Subject) -> Answer:
        """Check the signature, then carry it out."""
        problem = self._signature_problem(request)
        if problem:
            return json_answer(401, {"error_code": "UNAUTHORIZED", "message": problem}, "UNAUTHORIZED")
        answers: Mapping[str, Callable[[Values], Values]] = {
            "print-wbl": self._number,
            "print-wbls": self._numbers,
            "insert-order": self._book,
            "cancel-order": self._cancel,
            "track": self._track,
        }
        found = answers[subject.operation](subject.content)
        return json_answer(200, found, str(found.get("resultCode", found.get("result_code", "OK"))))

    def _signature_problem(self, request: Request) -> str:
        found = _AUTHORIZATION.fullmatch(request.headers.get("Authorization") or "")
        if found is None or request.headers.get("x-api-key") != self.option("api_key"):
            return "Authorization or x-api-key is missing or wrong"
        client, timestamp, signature = found.groups()
        try:
            moment = datetime.strptime(timestamp, "%Y%m%d%H%M%S").replace(tzinfo=KST).timestamp()
        except ValueError:
            return "timestamp is no time"
        # The caller's clock may follow the sandbox's virtual one or the true one.
        if min(abs(self.books.now() - moment), abs(time.time() - moment)) > self.option("window_seconds"):
            return "timestamp is out of the window"
        secret = self.option("secret_key")
        message = f"{timestamp}{request.method}{request.raw_query}{secret}"
        expected = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
        is_right = client == self.option("client_id") and hmac.compare_digest(expected, signature)
        return "" if is_right else "signature does not match"

    def _numbers(self, values: Values) -> Values:
        entries = values.get("address_list")
        if not isinstance(entries, list) or not 0 < len(entries) <= MOST_ADDRESSES:
            return {"result_code": "ERROR-02", "result_message": f"주소는 1건 이상 {MOST_ADDRESSES}건 이하여야 합니다."}
        given = [self._number(entry if isinstance(entry, dict) else {}) for entry in entries]
        failed = sum(entry["result_code"] != "OK" for entry in given)
        return {"total_cnt": len(given), "error_cnt": failed, "address_list": given}

    def _number(self, values: Values) -> Values:
        key, address = str(values.get("msg_key", "")), str(values.get("address", ""))
        told = {"msg_key": key, "wbl_num": None}
        if values.get("csr_num") != self.option("contract"):
            return {**told, "result_code": "ERROR-02", "result_message": "유효하지 않은 계약번호입니다."}
        if not (key and address and values.get("rcv_zip") and values.get("snd_zip")):
            return {**told, "result_code": "ERROR-01", "result_message": "필수값이 없습니다."}
        if _NO_ADDRESS in address:
            return {**told, "result_code": "ERROR-04", "result_message": "유효하지 않은 주소입니다."}
        number = self._next_number()
        if number is None:
            return {**told, "result_code": "ERROR-05", "result_message": "일일 운송장 출력 한도를 초과했습니다."}
        routing = {
            "s_tml_nam": "본사", "s_tml_cod": "000", "zip_cod": values["rcv_zip"], "tml_nam": "중구", "tml_cod": "150",
            "cen_nam": "해운(집)", "cen_cod": "1050", "pd_tim": "", "dom_rgn": "1", "hub_cod": "NX", "dom_mid": "Z",
            "es_cod": "888", "grp_rnk": "A1", "es_nam": "권테스트", "prt_add": address,
        }  # fmt: skip
        return {"msg_key": key, "result_code": "OK", "result_message": "SUCCESS", **routing, "wbl_num": number}

    def _next_number(self) -> str | None:
        day = datetime.fromtimestamp(self.books.now(), KST).strftime("%Y%m%d")
        with self.books.lock:
            today = self.books.record(self.name, "issued", day) or 0
            if today >= self.option("daily_limit"):
                return None
            serial = (self.books.record(self.name, "serial", "last") or 0) + 1
            body = 40_000_000_000 + serial
            number = f"{body}{body % 7}"
            self.books.put(self.name, "issued", {day: today + 1})
            self.books.put(self.name, "serial", {"last": serial})
            self.books.put(self.name, "number", {number: {"order": None}})
        return number

    def _book(self, values: Values) -> Values:
        missing = [name for name in _REQUIRED if not values.get(name)]
        if missing:
            return {"resultCode": "ERROR-01", "resultMessage": f"필수값이 없습니다: {', '.join(missing)}"}
        if values["cntractNo"] != self.option("contract"):
            return {"resultCode": "ERROR-02", "resultMessage": "유효하지 않은 계약번호입니다."}
        if _NO_DELIVERY in str(values["rcvrBaseAddr"]):
            return {"resultCode": "ERROR-06", "resultMessage": "유효하지 않은 수하인 주소입니다."}
        number = str(values["wblNo"])
        with self.books.lock:
            known = self.books.record(self.name, "number", number)
            if known is None:
                return {"resultCode": "ERROR-07", "resultMessage": "출력되지 않은 운송장번호입니다."}
            if known["order"]:
                return {"resultCode": "ERROR-09", "resultMessage": "이미 등록된 운송장번호입니다."}
            self.books.put(self.name, "number", {number: {"order": values["custOrdNo"]}})
            self.books.put(self.name, "order", {number: values})
            begin(self.books, CARRIER, number)
        return {"resultCode": "OK", "resultMessage": "SUCCESS"}

    def _cancel(self, values: Values) -> Values:
        number = str(values.get("wblNo", ""))
        with self.books.lock:
            known = self.books.record(self.name, "number", number)
            parcel = self.books.find(CARRIER, number)
            if not known or known["order"] != values.get("custOrdNo") or parcel is None:
                return {"resultCode": "ERROR-03", "resultMessage": "등록된 주문이 없습니다."}
            if any(scan.codes.hanjin not in _UNSCANNED for scan in happened(self.books, parcel)):
                return {"resultCode": "ERROR-10", "resultMessage": "이미 집하되어 취소할 수 없습니다."}
            now = datetime.fromtimestamp(self.books.now(), KST).isoformat()
            canceled = {"at": now, "code": "EXCEPTION", "name": "접수취소", "description": "예약 취소"}
            self.books.add([Parcel(CARRIER, number, "happy", (canceled,), parcel.seen_at)])
        return {"resultCode": "OK", "resultMessage": "SUCCESS"}

    def _track(self, values: Values) -> Values:
        number = str(values.get("wblNo", ""))
        parcel = life(self.books, CARRIER, number)
        scans = [] if parcel is None or parcel.scenario == NEVER_FOUND else happened(self.books, parcel)
        told = [scan for scan in scans if scan.codes.hanjin]
        # A booking alone is not told: nobody can see whether it arrived (shipping.md 1.5).
        if all(scan.codes.hanjin in _UNSCANNED for scan in told):
            return {"resultCode": "ERROR-01", "resultMessage": "조회 결과가 없습니다."}
        entry = _guide_entry if self.option("style") == "guide" else _entry
        return {"resultCode": "OK", "wblNo": number, "wrkList": [entry(scan) for scan in told]}


def _entry(scan: Scan) -> Values:
    local = None if scan.at is None else datetime.fromtimestamp(scan.at, KST)
    return {
        "statusCode": scan.codes.hanjin,
        "statusName": scan.name,
        "wrkYmd": local.strftime("%Y%m%d") if local else None,
        "wrkTime": local.strftime("%H%M") if local else None,
        "wrkOrgName": scan.place,
    }


def _guide_entry(scan: Scan) -> Values:
    local = None if scan.at is None else datetime.fromtimestamp(scan.at, KST)
    return {
        "statusCode": scan.codes.hanjin,
        "statusName": scan.name,
        "statusDate": local.strftime("%Y-%m-%d %H:%M:%S") if local else None,
        "agencyName": scan.place,
        "description": scan.text,
    }
