"""SweetTracker under /sweettracker (shipping.md 1.2, 8.6): one key, many couriers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from sandbox.courier.carriers import CARRIERS, number_error
from sandbox.courier.faults import fixed
from sandbox.courier.json_faults import DIRTY, changed, each, listed
from sandbox.courier.lives import happened, life
from sandbox.courier.service import Answer, Kind, Request, Service, Subject, json_answer
from sandbox.courier.timeline import KST, NEVER_FOUND, Scan

# Codes of the couriers whose number is known (shipping.md 2).
_CODES = {
    "04": "kr.cjlogistics",
    "05": "kr.hanjin",
    "08": "kr.lotte",
    "01": "kr.epost",
    "06": "kr.logen",
    "23": "kr.kdexp",
    "22": "kr.daesin",
    "46": "kr.cupost",
}
_FOREIGN = {"13": "DHL"}
# The numbers of these errors were seen once or made up; nobody published a list.
_NO_KEY = ("유효하지 않은 key 입니다.", "101")
_NO_QUOTA = ("조회 건수 한도를 모두 사용했습니다.", "102")
_NO_NUMBER = ("유효하지 않은 운송장번호 이거나 택배사 코드 입니다.", "104")
_PATHS = {"/api/v1/trackingInfo": "track", "/api/v1/companylist": "companies", "/api/v1/recommend": "recommend"}


class SweetTracker(Service):
    """One account."""

    name = "sweettracker"
    prefix = "sweettracker"
    options = {
        "key": "sandbox-sweettracker-key",
        # Trackings left; null: no limit.
        "quota": None,
    }

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Odd shapes and lies."""
        return _KINDS

    def hear(self, request: Request) -> Subject | Answer:
        """Query or form alike."""
        operation = _PATHS.get(request.path)
        if operation is None:
            return json_answer(404, {"error": "Not Found"})
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"))) if request.method == "POST" else {}
        values = {**request.query, **form}
        number = values.get("t_invoice", "")
        return Subject(operation, _CODES.get(values.get("t_code", ""), ""), number, values)

    def answer(self, request: Request, subject: Subject) -> Answer:
        """Look it up."""
        if subject.content.get("t_key") != self.option("key"):
            return _refused(*_NO_KEY)
        if subject.operation == "companies":
            return json_answer(200, {"Company": _companies()}, "OK")
        if subject.operation == "recommend":
            return json_answer(200, {"Recommend": _recommended(subject.number)}, "OK")
        if not self._is_within_quota():
            return _refused(*_NO_QUOTA)
        parcel = life(self.books, subject.carrier, subject.number) if subject.carrier else None
        if parcel is None or parcel.scenario == NEVER_FOUND:
            return _refused(*_NO_NUMBER)
        return json_answer(200, _tracking(subject.number, happened(self.books, parcel)), "OK")

    def _is_within_quota(self) -> bool:
        with self.books.lock:
            left = self.option("quota")
            if left is None:
                return True
            if left > 0:
                self.books.put(self.name, "option", {"quota": {"value": left - 1}})
            return bool(left > 0)


def _refused(message: str, code: str) -> Answer:
    return json_answer(200, {"status": False, "msg": message, "code": code}, code)


def _companies() -> list[dict[str, str]]:
    names = {code: (CARRIERS[carrier], "false") for code, carrier in _CODES.items()}
    names |= {code: (name, "true") for code, name in _FOREIGN.items()}
    return [{"International": foreign, "Code": code, "Name": name} for code, (name, foreign) in names.items()]


def _recommended(number: str) -> list[dict[str, str]]:
    return [
        {"Code": code, "Name": CARRIERS[carrier]}
        for code, carrier in _CODES.items()
        if not number_error(carrier, number)
    ]


def _tracking(number: str, scans: list[Scan]) -> dict[str, Any]:
    details = [_detail(scan) for scan in scans]
    level = max((scan.codes.level for scan in scans), default=1)
    is_complete = any(scan.codes.level == 6 for scan in scans)
    return {
        "result": "Y",
        "senderName": "테스트상점",
        "receiverName": "",
        "recipient": "",
        "receiverAddr": "서울 중구",
        "itemName": "면 티셔츠",
        "itemImage": "",
        "invoiceNo": number,
        "estimate": "15:00~17:00" if level == 5 else None,
        "level": level,
        "complete": is_complete,
        "completeYN": "Y" if is_complete else "N",
        "adUrl": "",
        "zipCode": None,
        "orderNumber": None,
        "productInfo": None,
        "firstDetail": None,
        "lastDetail": details[-1] if details else None,
        "lastStateDetail": details[-1] if details else None,
        "trackingDetails": details,
    }


def _detail(scan: Scan) -> dict[str, Any]:
    local = None if scan.at is None else datetime.fromtimestamp(scan.at, KST)
    return {
        "time": None if scan.at is None else round(scan.at * 1000),
        "timeString": local.strftime("%Y-%m-%d %H:%M:%S") if local else None,
        "where": scan.place,
        "kind": scan.name,
        "level": scan.codes.level,
        "code": None,
        "manName": "김기사" if scan.codes.level == 5 else "",
        "manPic": "",
        "telno": "15881255",
        "telno2": "01012345678" if scan.codes.level == 5 else "",
        "remark": f"받는 분 홍길동 {scan.text}" if scan.codes.level == 6 else None,
    }


_EVENTS = "trackingDetails"
_KINDS: Mapping[str, Kind] = {
    "no_key": fixed({"status": False, "msg": _NO_KEY[0], "code": _NO_KEY[1]}),
    "key_echoed": Kind(
        lambda fault, plain: json_answer(200, {"status": False, "msg": "system error t_key=sandbox-sweettracker-key"})
    ),
    "system_error": fixed({"status": False, "msg": "시스템 오류", "code": "999"}),
    "code_without_status": fixed({"msg": _NO_NUMBER[0], "code": "104"}),
    "other_number": changed(lambda document: document.update(invoiceNo="999999999999")),
    "other_recipient": changed(lambda document: document.update(receiverName="선우*람")),
    "details_null": listed(_EVENTS, lambda details: None),
    "details_text": listed(_EVENTS, lambda details: "none"),
    "details_odd": listed(_EVENTS, lambda details: [None, 7, "x", *details]),
    "details_only_odd": listed(_EVENTS, lambda details: [None, 7]),
    "undelivered_details": listed(_EVENTS, lambda details: [detail for detail in details if detail["level"] != 6]),
    "times_null": each(_EVENTS, time=None, timeString=None),
    "times_text": each(_EVENTS, time=None),
    "times_far": each(_EVENTS, time=10**30, timeString="0001-01-01 00:00:00"),
    "levels_odd": each(_EVENTS, level="많음"),
    "numbers_for_text": each(_EVENTS, kind=7, where=5, level="6"),
    "dirty_text": each(_EVENTS, kind=DIRTY),
    "extra_fields": each(_EVENTS, surprise={"a": [1]}),
    "shuffled": listed(_EVENTS, lambda details: details[::-1]),
    "duplicated": listed(_EVENTS, lambda details: [*details, *details]),
}
