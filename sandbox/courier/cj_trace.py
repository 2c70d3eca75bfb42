"""Scans as CJ tells them: of one number, and of the whole contract page by page until they are acknowledged."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sandbox.courier.books import Books, Parcel
from sandbox.courier.cj_refusal import Refusal
from sandbox.courier.lives import happened, life
from sandbox.courier.timeline import ALWAYS_BROKEN, KST, NEVER_FOUND, Scan

CARRIER = "kr.cjlogistics"
PAGE = 500
"""Most scans of one page, and of one acknowledgement."""
_BOOKED = "01"


def is_physical(scan: Scan) -> bool:
    """Did somebody have the parcel in his hands?"""
    return scan.codes.cj not in {_BOOKED, "", "12"}


def one(books: Books, number: str) -> list[dict[str, Any]]:
    """ReqOneGdsTrc: nothing before the first scan of the parcel itself."""
    parcel = life(books, CARRIER, number)
    if parcel is None or parcel.scenario == NEVER_FOUND:
        return []
    if parcel.scenario == ALWAYS_BROKEN:
        raise Refusal("ORA-12170: TNS:Connect timeout occurred")
    found = [scan for scan in happened(books, parcel) if scan.codes.cj]
    return [_single(scan, number) for scan in found if scan.codes.cj != _BOOKED]


class Feed:
    """ReqMssGdsTrc and RcvMssGdsTrcCnfrm: each scan has a flag of its own, whether the customer has it."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._done: tuple[int, set[str]] = (-1, set())

    def page(self, day: str, customer: str, *, is_received: bool) -> list[dict[str, Any]]:
        """Up to 500 scans of a day that were not acknowledged; `is_received` acknowledges them at once."""
        found: list[dict[str, Any]] = []
        with self._books.lock:
            for parcel in self._unfinished():
                told = self._books.record("cj", "told", parcel.number) or {}
                for position, scan in self._unsent(parcel, day):
                    if len(found) == PAGE:
                        return found
                    found.append(self._entry(scan, parcel.number, customer))
                    told = {**told, str(position): "received" if is_received else "sent"}
                    self._books.put("cj", "told", {parcel.number: told})
        return found

    def receive(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """Acknowledge what was sent under these (INVC_NO, CRG_ST); False for more than 500, and nothing is done."""
        pairs = set(pairs)
        if len(pairs) > PAGE:
            return False
        with self._books.lock:
            for number in {number for number, _ in pairs}:
                parcel = self._books.find(CARRIER, number)
                told = self._books.record("cj", "told", number)
                if parcel is None or told is None:
                    continue
                scans = happened(self._books, parcel)
                for position, state in told.items():
                    index = int(position)
                    if state == "sent" and index < len(scans) and (number, scans[index].codes.cj) in pairs:
                        told = {**told, position: "received"}
                self._books.put("cj", "told", {number: told})
        return True

    def _unfinished(self) -> list[Parcel]:
        """Every parcel of ours but those of which all has been told: their last scan is a delivery."""
        if self._done[0] != self._books.generation:
            self._done = (self._books.generation, set())
        return [parcel for parcel in self._books.of_carrier(CARRIER) if parcel.number not in self._done[1]]

    def _unsent(self, parcel: Parcel, day: str) -> list[tuple[int, Scan]]:
        if parcel.scenario == NEVER_FOUND:
            return []
        told = self._books.record("cj", "told", parcel.number) or {}
        scans = happened(self._books, parcel)
        open_ones = [
            (position, scan)
            for position, scan in enumerate(scans)
            if scan.codes.cj and scan.at is not None and told.get(str(position)) != "received"
        ]
        if not open_ones and scans and parcel.scenario in {"happy", "next_day"} and scans[-1].codes.cj == "91":
            self._done[1].add(parcel.number)
        return [(position, scan) for position, scan in open_ones if _clock(scan, "%Y%m%d") == day]

    def _entry(self, scan: Scan, number: str, customer: str) -> dict[str, Any]:
        key = self._books.record("cj", "by_number", number)
        booking = self._books.record("cj", "booking", key) if key else None
        return {
            "CUST_ID": customer,
            "RCPT_DV": "02" if booking and booking["is_return"] else "01",
            "INVC_NO": number,
            "CUST_USE_NO": booking["use"] if booking else None,
            "CRG_ST": scan.codes.cj,
            "CRG_ST_NM": _name(scan),
            "SCAN_YMD": _clock(scan, "%Y%m%d"),
            "SCAN_HOUR": _clock(scan, "%H%M%S"),
            "DEALT_BRAN_NM": scan.place,
            "DEALEMP_NM": "김**",
            "ACPTR_NM": "본인" if scan.codes.cj == "91" else None,
            "NO_CLDV_RSN_CD": scan.codes.cj_reason or None,
            "DETAIL_RSN": scan.name if scan.codes.cj_reason == "21" else None,
        }


def _single(scan: Scan, number: str) -> dict[str, Any]:
    return {
        "CRG_ST": scan.codes.cj,
        "CRG_ST_NM": _name(scan),
        "SCAN_YMD": _clock(scan, "%Y-%m-%d"),
        "SCAN_HOUR": _clock(scan, "%H:%M:%S"),
        "DEALT_BRAN_NM": scan.place,
        "DEALT_BRAN_TEL": "070-0000-0000",
        "DEALT_EMP_NM": "김**",
        "DEALT_EMP_TEL": "010-0000-0000",
        "INVC_NO": number,
        "ACPTR_NM": "본인" if scan.codes.cj == "91" else None,
    }


def _name(scan: Scan) -> str:
    """CJ's own word for a booking that waits for its driver."""
    return "집화지시" if scan.name == "운송장 등록" else scan.name


def _clock(scan: Scan, form: str) -> str | None:
    return None if scan.at is None else datetime.fromtimestamp(scan.at, KST).strftime(form)
