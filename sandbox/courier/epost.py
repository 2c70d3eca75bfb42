"""우체국 under /epost (shipping.md 1.4, 8.8): contract parcels with regData really decrypted, and both trace APIs.

The three real hosts are one here. Error codes beyond those of the reference are made up, except ERR-211 and ERR-225.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from cryptography.hazmat.decrepit.ciphers.algorithms import SEED
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from sandbox.courier.books import Parcel
from sandbox.courier.epost_faults import EPOST_KINDS
from sandbox.courier.lives import begin, happened, life
from sandbox.courier.service import XML_TYPE, Answer, Kind, Request, Service, Subject
from sandbox.courier.timeline import KST, NEVER_FOUND, Scan

CARRIER, EMS = "kr.epost", "kr.epost.ems"
TEST_NUMBER = "TESTREGINOAPI"
_OPEN_PATH = (
    "/trace/retrieveLongitudinalCombinedService/retrieveLongitudinalCombinedService/getLongitudinalCombinedList"
)
_CALLS = {
    "/api.InsertOrder.jparcel": "InsertOrder",
    "/api.GetResInfo.jparcel": "GetResInfo",
    "/api.GetResCancelCmd.jparcel": "GetResCancelCmd",
    "/KpostPortal/openapi": "track",
    _OPEN_PATH: "track_open",
}
_REQUIRED = (
    "custNo", "apprNo", "payType", "reqType", "officeSer", "weight", "volume", "orderNo", "recNm", "recZip", "recAddr1",
    "recAddr2", "contCd", "goodsNm",
)  # fmt: skip
_STOPPED_ZIP = "00000"
_UNHANDED = {"접수", "접수취소"}
Leaves = list[tuple[str, Any]]


class Refusal(Exception):
    """An error answer: code and message."""


class Epost(Service):
    """One contract, and two keys for tracking."""

    name = "epost"
    prefix = "epost"
    options = {
        "key": "sandbox-epost-key-000000000000",
        "security_key": "sandbox-epost-security-key",
        "customer": "0000000001",
        "approval": "0000000001",
        "office": "260000001",
        "trace_key": "sandbox-epost-trace-key",
        "open_key": "sandbox-epost-open-key==",
        # Questions of one Korean day to the data portal.
        "open_quota": 10_000,
    }

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """XML that is none, numbers that are none, events that lie."""
        return EPOST_KINDS

    def hear(self, request: Request) -> Subject | Answer:
        """The call; for bookings what regData says, or the error of a regData that cannot be opened."""
        operation = _CALLS.get(request.path)
        if operation is None:
            return Answer(404, b"<html><body>Not Found</body></html>", "text/html")
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"))) if request.method == "POST" else {}
        values = {**request.query, **form}
        number = values.get("query", values.get("rgist", ""))
        if operation.startswith("track"):
            carrier = EMS if values.get("target") == "emsTrace" else CARRIER
            return Subject(operation, carrier, number, values)
        try:
            opened = self._opened(values)
        except Refusal as refusal:
            return _error(*refusal.args)
        return Subject(operation, CARRIER, opened.get("regiNo", opened.get("orderNo", "")), opened)

    def answer(self, request: Request, subject: Subject) -> Answer:
        """Carry it out."""
        answers: Mapping[str, Callable[[Subject], Answer]] = {
            "InsertOrder": lambda about: _xml("xsync", self._insert(about.content)),
            "GetResInfo": lambda about: _xml("xsync", self._booked(about.content)),
            "GetResCancelCmd": lambda about: _xml("xsync", self._cancel(about.content)),
            "track": self._trace,
            "track_open": self._trace_open,
        }
        try:
            return answers[subject.operation](subject)
        except Refusal as refusal:
            return _error(*refusal.args)

    def _opened(self, values: Mapping[str, str]) -> dict[str, str]:
        """The values inside regData. Raises Refusal."""
        if values.get("key") != self.option("key"):
            raise Refusal("ERR-123", "등록되지 않은 인증키입니다.")
        decryptor = Cipher(SEED(self.option("security_key").encode()[:16]), modes.ECB()).decryptor()
        try:
            plain = decryptor.update(bytes.fromhex(values.get("regData", ""))) + decryptor.finalize()
            text = plain.rstrip(b"\x00").decode("utf-8")
        except ValueError:
            raise Refusal("ERR-511", "보안키로 regData를 풀 수 없습니다.") from None
        # As theirs does it: whatever stands between two & is a field, whatever follows the first = its value.
        return dict(pair.partition("=")[::2] for pair in text.split("&"))

    def _insert(self, values: dict[str, str]) -> Leaves:
        missing = [name for name in _REQUIRED if not values.get(name, "").strip()]
        if missing or not (values.get("recTel") or values.get("recMob")):
            raise Refusal("ERR-301", f"필수 항목이 없습니다: {', '.join(missing) or 'recTel'}")
        self._check_contract(values)
        if not (values["recZip"].isdecimal() and len(values["recZip"]) == 5):
            raise Refusal("ERR-302", "우편번호(recZip) 값이 유효하지 않습니다.")
        if values["recZip"] == _STOPPED_ZIP:
            raise Refusal("ERR-303", "접수중지 지역입니다.")
        moment = datetime.fromtimestamp(self.books.now(), KST)
        if values.get("testYn") == "Y":
            return self._told(values, {"reqNo": "0", "resNo": "0", "number": TEST_NUMBER}, moment)
        with self.books.lock:
            serial = (self.books.record(self.name, "serial", "last") or 0) + 1
            booking = {
                "reqNo": f"{moment:%Y%m%d}{serial:08d}",
                "resNo": f"{serial:012d}",
                "number": f"68{serial:011d}",
                "order": values["orderNo"],
                "day": f"{moment:%Y%m%d}",
                "at": moment.isoformat(),
            }
            self.books.put(self.name, "serial", {"last": serial})
            # The same orderNo again is another booking: whoever repeats himself sends two vans.
            self.books.put(self.name, "booking", {booking["number"]: booking})
            begin(self.books, CARRIER, booking["number"])
        return self._told(values, booking, moment)

    def _check_contract(self, values: Mapping[str, str]) -> None:
        if values.get("custNo") != self.option("customer"):
            raise Refusal("ERR-211", "고객번호(custNo) 값이 유효하지 않습니다.")
        if "apprNo" in values and values["apprNo"] != self.option("approval"):
            raise Refusal("ERR-212", "계약 승인번호(apprNo) 값이 유효하지 않습니다.")

    def _told(self, values: Mapping[str, str], booking: Mapping[str, str], moment: datetime) -> Leaves:
        return [
            ("reqNo", booking["reqNo"]),
            ("resNo", booking["resNo"]),
            ("regiNo", booking["number"] + " "),
            ("orderNo", values["orderNo"]),
            ("regiPoNm", "테스트우체국 "),
            ("resDate", f"{moment:%Y%m%d%H%M%S}"),
            ("price", "4000"),
            ("vTelNo", ""),
            ("arrCnpoNm", "동서울M"),
            ("delivPoNm", "서울중앙"),
            ("delivAreaCd", "-560-"),
        ]

    def _booked(self, values: dict[str, str]) -> Leaves:
        self._check_contract(values)
        found = self._found(values.get("orderNo", ""), values.get("reqYmd", ""))
        if not found:
            raise Refusal("ERR-225", "예약 정보가 없습니다.")
        return [
            leaf
            for booking in found
            for leaf in self._told({"orderNo": booking["order"]}, booking, datetime.fromisoformat(booking["at"]))
        ]

    def _found(self, order: str, day: str) -> list[dict[str, str]]:
        bookings = self.books.records(self.name, "booking").values()
        return [booking for booking in bookings if (booking["order"], booking["day"]) == (order, day)]

    def _cancel(self, values: dict[str, str]) -> Leaves:
        self._check_contract(values)
        number = values.get("regiNo", "")
        with self.books.lock:
            booking = self.books.record(self.name, "booking", number)
            asked = (values.get("reqNo"), values.get("resNo"), values.get("reqYmd"))
            parcel = self.books.find(CARRIER, number)
            if booking is None or parcel is None or asked != (booking["reqNo"], booking["resNo"], booking["day"]):
                raise Refusal("ERR-225", "예약 정보가 없습니다.")
            now = datetime.fromtimestamp(self.books.now(), KST)
            told: Leaves = [("reqNo", booking["reqNo"]), ("resNo", booking["resNo"]), ("cancelRegiNo", number)]
            if any(scan.codes.epost not in _UNHANDED for scan in happened(self.books, parcel)):
                return [*told, ("canceledYn", "N"), ("notCancelReason", "이미 집하된 소포입니다.")]
            canceled = {"at": now.isoformat(), "code": "EXCEPTION", "name": "접수취소"}
            self.books.add([Parcel(CARRIER, number, "happy", (canceled,), parcel.seen_at)])
            is_deleted = values.get("delYn") == "Y"
            if is_deleted:
                self.books.put(self.name, "booking", {number: None})
            return [*told, ("cancelDate", f"{now:%Y%m%d%H%M%S}"), ("canceledYn", "D" if is_deleted else "Y")]

    def _scans(self, carrier: str, number: str) -> list[Scan] | None:
        parcel = life(self.books, carrier, number)
        if parcel is None or parcel.scenario == NEVER_FOUND:
            return None
        return [scan for scan in happened(self.books, parcel) if scan.codes.epost]

    def _trace(self, subject: Subject) -> Answer:
        values, number = subject.content, subject.number
        if values.get("regkey") != self.option("trace_key"):
            raise Refusal("ERR-123", "등록되지 않은 인증키입니다.")
        if values.get("target") == "trace" and not (number.isdecimal() and len(number) == 13):
            raise Refusal("ERR-321", "등기번호는 13자리입니다.")
        scans = self._scans(subject.carrier, number)
        if scans is None:
            raise Refusal("ERR-001", "조회결과가 없습니다.")
        items = "".join(_leaves([(tag, value) for tag, value in _trace_item(scan)], "item") for scan in scans)
        people = [("tracestatus", scans[-1].codes.epost if scans else ""), ("sendnm", "테스트상점")]
        if values.get("showRec") == "Y":
            people.append(("recevnm", ""))
        head = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in people)
        return _document(f"<trace>{head}<itemlist>{items}</itemlist></trace>")

    def _trace_open(self, subject: Subject) -> Answer:
        values, number = subject.content, subject.number
        if values.get("serviceKey") != self.option("open_key"):
            return _gateway("SERVICE_KEY_IS_NOT_REGISTERED_ERROR", "30")
        if not self._is_within_quota():
            return _gateway("LIMITED_NUMBER_OF_SERVICE_REQUESTS_EXCEEDS_ERROR", "22")
        scans = self._scans(CARRIER, number)
        now = datetime.fromtimestamp(self.books.now(), KST)
        is_found = scans is not None
        head = _leaves(
            [
                ("requestRegiNo", number),
                ("responseTime", f"{now:%Y-%m-%d %H:%M:%S}"),
                ("successYN", "Y" if is_found else "N"),
                ("errorMessage", "" if is_found else "조회결과가 없습니다."),
            ],
            "header",
        )
        if scans is None:
            return _document(f"<response>{head}</response>", "NOT_FOUND")
        people = [("regiNo", number), ("senderName", "테스트"), ("receiveName", ""), ("trackState", "")]
        lists = "".join(_leaves(_open_item(at, scan), "detaileTrackList") for at, scan in enumerate(scans))
        track = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in people)
        return _document(f"<response>{head}<trackInfo>{track}{lists}</trackInfo></response>")

    def _is_within_quota(self) -> bool:
        day = datetime.fromtimestamp(self.books.now(), KST).strftime("%Y%m%d")
        with self.books.lock:
            asked = self.books.record(self.name, "asked", day) or 0
            self.books.put(self.name, "asked", {day: asked + 1})
            return bool(asked < self.option("open_quota"))


def _local(scan: Scan) -> datetime | None:
    return None if scan.at is None else datetime.fromtimestamp(scan.at, KST)


def _trace_item(scan: Scan) -> Leaves:
    local = _local(scan)
    return [
        ("eventymd", f"{local:%Y.%m.%d}" if local else ""),
        ("eventhms", f"{local:%H:%M}" if local else ""),
        ("eventregiponm", scan.place),
        ("eventnm", scan.codes.epost + " "),
    ]


def _open_item(at: int, scan: Scan) -> Leaves:
    local = _local(scan)
    return [
        ("sortNo", str(at)),
        ("date", f"{local:%Y-%m-%d}" if local else ""),
        ("time", f"{local:%H:%M}" if local else ""),
        ("statue", scan.codes.epost + " "),
        ("location", scan.place),
    ]


def _leaves(leaves: Leaves, container: str) -> str:
    inner = "".join(f"<{tag}>{escape(str(text))}</{tag}>" for tag, text in leaves)
    return f"<{container}>{inner}</{container}>"


def _xml(container: str, leaves: Leaves) -> Answer:
    return _document(_leaves(leaves, container))


def _document(text: str, word: str = "OK") -> Answer:
    return Answer(200, f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode(), XML_TYPE, word=word)


def _error(code: str, message: str) -> Answer:
    return _document(f"<error><error_code>{code}</error_code><message>{escape(message)}</message></error>", code)


def _gateway(message: str, code: str) -> Answer:
    """What the data portal's gateway says before the service is asked."""
    inner = f"<errMsg>SERVICE ERROR</errMsg><returnAuthMsg>{message}</returnAuthMsg>"
    inner += f"<returnReasonCode>{code}</returnReasonCode>"
    return _document(
        f"<OpenAPI_ServiceResponse><cmmMsgHeader>{inner}</cmmMsgHeader></OpenAPI_ServiceResponse>", message
    )
