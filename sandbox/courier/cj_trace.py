"""Scans as CJ tells them: of one number, and of the whole contract page by page until they are acknowledged."""

import math
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
        # Parcels of which all has been told: nothing is new before a moment, at this speed of life.
        self._quiet: dict[str, tuple[Parcel, float, float]] = {}
        self._generation = books.generation

    def page(self, day: str, customer: str, *, is_received: bool) -> list[dict[str, Any]]:
        """Up to 500 scans of a day that were not acknowledged; `is_received` acknowledges them at once."""
        found: list[dict[str, Any]] = []
        flags: dict[str, dict[str, str]] = {}
        with self._books.lock:
            for parcel in self._books.of_carrier(CARRIER):
                unsent = self._unsent(parcel, day)[: PAGE - len(found)]
                if unsent:
                    state = "received" if is_received else "sent"
                    flags[parcel.number] = self._flags(parcel) | {str(position): state for position, _ in unsent}
                    found += [self._entry(scan, parcel.number, customer) for _, scan in unsent]
                if len(found) == PAGE:
                    break
            self._books.put("cj", "told", flags)
        return found

    def receive(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """Acknowledge what was sent under these (INVC_NO, CRG_ST); False for more than 500, and nothing is done."""
        pairs = set(pairs)
        if len(pairs) > PAGE:
            return False
        flags: dict[str, dict[str, str]] = {}
        with self._books.lock:
            for number in {number for number, _ in pairs}:
                parcel = self._books.find(CARRIER, number)
                if parcel is None:
                    continue
                told, scans = self._flags(parcel), happened(self._books, parcel, until=math.inf)
                named = {
                    str(position): "received"
                    for position, scan in enumerate(scans)
                    if told.get(str(position)) == "sent" and (number, scan.codes.cj) in pairs
                }
                flags[number] = told | named
            self._books.put("cj", "told", flags)
        return True

    def _flags(self, parcel: Parcel) -> dict[str, str]:
        return self._books.record("cj", "told", parcel.number) or {}

    def _unsent(self, parcel: Parcel, day: str) -> list[tuple[int, Scan]]:
        """Places and scans of this day that the customer does not have."""
        if self._generation != self._books.generation:
            self._quiet, self._generation = {}, self._books.generation
        now, speed = self._books.now(), self._books.settings.speed
        quiet = self._quiet.get(parcel.number)
        if quiet is not None and quiet[0] is parcel and quiet[1] == speed and now < quiet[2]:
            return []
        told = self._flags(parcel)
        known = [
            (position, scan)
            for position, scan in enumerate(happened(self._books, parcel, until=math.inf))
            if scan.codes.cj and scan.at is not None and told.get(str(position)) != "received"
        ]
        visible = [(position, scan) for position, scan in known if scan.at is not None and scan.at <= now]
        if not visible:
            next_at = min((scan.at for _, scan in known if scan.at is not None), default=math.inf)
            self._quiet[parcel.number] = (parcel, speed, next_at)
        return [(position, scan) for position, scan in visible if _clock(scan, "%Y%m%d") == day]

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
