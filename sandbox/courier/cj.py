"""CJ대한통운 택배 표준 API under /cj (shipping.md 1.3): one contract, its day token, numbers, bookings, scans."""

import hashlib
import json
import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.courier.books import Books
from sandbox.courier.cj_booking import book, cancel
from sandbox.courier.cj_faults import cj_kinds
from sandbox.courier.cj_refusal import Refusal
from sandbox.courier.cj_trace import CARRIER, Feed, one
from sandbox.courier.service import JSON_TYPE, Answer, Kind, Request, Service, Subject
from sandbox.courier.timeline import KST

_SECONDS_A_DAY = 86_400

# What an address must hold for an answer other than a good one; real ones are known to CJ alone.
_ADDRESSES = (
    ("배송불가", "-20009", "입력 주소에 대해 배송이 불가능한 경우"),
    ("없는주소", "-20002", "입력 주소 분석 실패"),
    ("배송지연", "-20010", "배송지연 발생가능 지역"),
)
_ADDRESS_LIMIT = 100


@dataclass
class _Pace:
    """When the token was last asked for, in seconds of the true clock."""

    generation: int
    asked_at: float = -math.inf
    blocked_until: float = -math.inf


class Cj(Service):
    """One contract customer of CJ."""

    name = "cj"
    prefix = "cj"
    options = {
        "customer": "30000001",
        "business": "1234567890",
        "prefix": "69",
        "token_seconds": _SECONDS_A_DAY,
        "token_gap": 1.0,
        # Seconds for which token calls are blocked after two within the gap.
        "token_block": 0,
        # A number may be registered on the day of its issue only.
        "is_same_day": False,
        # No more numbers while so many are unused; null: no limit.
        "unused_limit": None,
        # A customer who prints the labels himself cannot cancel.
        "is_self_printing": False,
        # Acknowledgements are taken with thanks and forgotten.
        "is_deaf": False,
        # Texts of errors in EUC-KR, as they have been seen.
        "is_euc_kr": False,
    }

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self._feed = Feed(books)
        self._pace = _Pace(-1)
        self._operations: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "ReqInvcNo": self._number,
            "ReqAddrRfnSm": self._refine,
            "RegBook": lambda data: book(self, data, new_number=self._new_number),
            "CnclBook": lambda data: cancel(self, data),
            "ReqOneGdsTrc": lambda data: {"DATA": one(self.books, str(data.get("INVC_NO", "")))},
            "ReqMssGdsTrc": self._scans,
            "RcvMssGdsTrcCnfrm": self._receive,
        }
        self._kinds = cj_kinds()

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Numbers that are wrong, errors of the database, answers of the wrong shape."""
        return self._kinds

    def hear(self, request: Request) -> Subject | Answer:
        """The call, and the number it is about where it names one."""
        operation = request.path.strip("/")
        if operation != "ReqOneDayToken" and operation not in self._operations:
            return self._said(404, {"message": "no Route matched with those values"})
        if request.method != "POST":
            return self._said(405, {"message": "Method Not Allowed"})
        try:
            document = json.loads(request.body)
        except (ValueError, RecursionError):
            document = None
        data = document.get("DATA") if isinstance(document, dict) else None
        if not isinstance(data, dict):
            return self._said(400, {"RESULT_CD": "E", "RESULT_DETAIL": "Bad Request"})
        return Subject(operation, CARRIER, str(data.get("INVC_NO") or ""), data)

    def answer(self, request: Request, subject: Subject) -> Answer:
        """Token and customer first, then the call."""
        data: dict[str, Any] = subject.content
        if subject.operation == "ReqOneDayToken":
            return self._day_token(data)
        header = request.headers.get("CJ-Gateway-APIKey") or ""
        if not self._is_valid(header) or data.get("TOKEN_NUM") != header:
            return self._said(401, {"message": "Authentication failed"}, "NO_TOKEN")
        try:
            self._check_customer(subject.operation, data)
            result = self._operations[subject.operation](data)
        except Refusal as refusal:
            return self._said(200, refusal.document, refusal.code)
        return self._said(200, {"RESULT_CD": "S", "RESULT_DETAIL": "Success.", **result}, "S")

    def _said(self, status: int, document: dict[str, Any], word: str = "") -> Answer:
        text = json.dumps(document, ensure_ascii=False)
        is_error = not str(document.get("RESULT_CD", "")).startswith("S")
        charset = "cp949" if is_error and self.option("is_euc_kr") else "utf-8"
        return Answer(status, text.encode(charset, "replace"), JSON_TYPE, word=word)

    # ---- token ----

    def _day_token(self, data: dict[str, Any]) -> Answer:
        if self._is_too_fast():
            return self._said(429, {"message": "API rate limit exceeded"}, "TOO_FAST")
        if data.get("CUST_ID") != self.option("customer") or data.get("BIZ_REG_NUM") != self.option("business"):
            return self._said(200, {"RESULT_CD": "E", "RESULT_DETAIL": "등록되지 않은 고객 ID입니다."}, "E")
        with self.books.lock:
            kept = self.books.record("cj", "token", "now")
            if kept is None or kept["until"] <= self.books.now():
                token = f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-{secrets.token_hex(10)}"
                kept = {"number": token, "until": int(self.books.now()) + self.option("token_seconds")}
                self.books.put("cj", "token", {"now": kept})
        until = datetime.fromtimestamp(kept["until"], KST).strftime("%Y%m%d%H%M%S")
        found = {"TOKEN_NUM": kept["number"], "TOKEN_EXPRTN_DTM": until}
        return self._said(200, {"RESULT_CD": "S", "RESULT_DETAIL": "Success", "DATA": found}, "S")

    def _is_too_fast(self) -> bool:
        """By the true clock: a frozen one would block for ever."""
        with self.books.lock:
            if self._pace.generation != self.books.generation:
                self._pace = _Pace(self.books.generation)
            pace, now = self._pace, time.monotonic()
            if now < pace.blocked_until:
                return True
            if now - pace.asked_at < self.option("token_gap"):
                pace.blocked_until = now + self.option("token_block")
                return True
            pace.asked_at = now
            return False

    def _is_valid(self, token: str) -> bool:
        kept = self.books.record("cj", "token", "now")
        return kept is not None and kept["number"] == token and kept["until"] > self.books.now()

    def _check_customer(self, operation: str, data: dict[str, Any]) -> None:
        """Booking and bulk say CUST_ID, all others CLNTNUM: the trap of section 1.3."""
        field = "CUST_ID" if operation in {"RegBook", "CnclBook", "ReqMssGdsTrc"} else "CLNTNUM"
        if not data.get(field):
            raise Refusal(f'ORA-01400: cannot insert NULL into ("{field}")')
        if data[field] != self.option("customer"):
            code = "-20001" if operation == "ReqAddrRfnSm" else "E"
            raise Refusal("CJ 대한통운에 등록되지 않은 고객 ID", code)

    # ---- numbers and addresses ----

    def _number(self, data: dict[str, Any]) -> dict[str, Any]:
        """The next number of the contract; exactly one."""
        with self.books.lock:
            limit = self.option("unused_limit")
            if limit is not None and self.unused() >= limit:
                raise Refusal("미사용 운송장 번호가 많아 발급이 제한되었습니다.")
            return {"DATA": {"INVC_NO": self._new_number()}}

    def _new_number(self) -> str:
        """The next one; the caller holds the lock."""
        serial = (self.books.record("cj", "counter", "number") or 0) + 1
        number = f"{self.option('prefix')}{serial:09d}{serial % 7}"
        self.books.put("cj", "counter", {"number": serial})
        self.books.put("cj", "number", {number: self.books.now()})
        return number

    def unused(self) -> int:
        """How many numbers were issued and not booked."""
        booked = self.books.records("cj", "by_number")
        return sum(number not in booked for number in self.books.records("cj", "number"))

    def _refine(self, data: dict[str, Any]) -> dict[str, Any]:
        address = str(data.get("ADDRESS") or "")
        if not address.strip():
            raise Refusal("입력 주소 분석 실패", "-20002")
        if len(address.encode()) > _ADDRESS_LIMIT:
            raise Refusal(f'ORA-12899: value too large for column "ADDRESS" (maximum: {_ADDRESS_LIMIT})')
        routing = _routing(address)
        for word, code, text in _ADDRESSES:
            if word in address.replace(" ", ""):
                raise Refusal(text, code, data=routing if code == "-20010" else None)
        return {"DATA": routing}

    # ---- scans ----

    def _scans(self, data: dict[str, Any]) -> dict[str, Any]:
        day = str(data.get("REQ_DT") or "")
        if len(day) != 8 or not day.isdigit():
            raise Refusal("ORA-01861: literal does not match format string")
        return {"DATA": self._feed.page(day, self.option("customer"), is_received=data.get("SND_YN") == "Y")}

    def _receive(self, data: dict[str, Any]) -> dict[str, Any]:
        array = data.get("ARRAY")
        if not isinstance(array, list) or not all(isinstance(item, dict) for item in array):
            raise Refusal("ORA-06531: ARRAY")
        if self.option("is_deaf"):
            return {}
        if not self._feed.receive([(str(item.get("INVC_NO")), str(item.get("CRG_ST"))) for item in array]):
            raise Refusal("1회 최대 500건까지 처리할 수 있습니다.")
        return {}


def _routing(address: str) -> dict[str, Any]:
    """Made up from the address: the same address is always sorted the same way."""
    mixed = hashlib.blake2b(address.encode(), digest_size=4).digest()
    return {
        "CLSFCD": f"{mixed[0] % 9 + 1}{'ABCDEFGH'[mixed[1] % 8]}{mixed[2] % 90 + 10}",
        "SUBCLSFCD": f"{mixed[3] % 9 + 1}{'abcdefgh'[mixed[0] % 8]}",
        "CLSFADDR": " ".join(address.split()[2:5])[:20],
        "CLLDLVBRANNM": "테스트집배점",
        "CLLDLVEMPNM": "##",
        "CLLDLVEMPNICKNM": f"G{mixed[1] % 90 + 10}-{mixed[2] % 90 + 10}",
        "RSPSDIV": "01",
        "P2PCD": f"P{mixed[3] % 900 + 100}" if mixed[1] % 3 == 0 else None,
    }
