"""Faults that only 한진 has: numbers given twice or not at all, lists of the wrong shape, events that lie."""

from collections.abc import Mapping
from typing import Any

from sandbox.courier.faults import fixed
from sandbox.courier.json_faults import DIRTY, changed, each, listed
from sandbox.courier.service import Kind

_EVENTS, _NUMBERS = "wrkList", "address_list"


def _same_number(entries: list[Any]) -> list[Any]:
    return [{**entry, "wbl_num": entries[0]["wbl_num"]} for entry in entries]


HANJIN_KINDS: Mapping[str, Kind] = {
    # Numbers.
    "same_number": listed(_NUMBERS, _same_number),
    "always_number": changed(lambda document: document.update(wbl_num="400000000013")),
    "short_number": changed(lambda document: document.update(wbl_num="40000")),
    "no_number": changed(lambda document: document.update(wbl_num=None)),
    "batch_reversed": listed(_NUMBERS, lambda entries: entries[::-1]),
    "batch_without_last": listed(_NUMBERS, lambda entries: entries[:-1]),
    "batch_odd": listed(_NUMBERS, lambda entries: [None, 7, {"msg_key": "someone"}, *entries]),
    "batch_null": listed(_NUMBERS, lambda entries: None),
    # Bookings.
    "no_code": changed(lambda document: document.pop("resultCode", None)),
    "wrong_contract": fixed({"resultCode": "ERROR-02", "resultMessage": "유효하지 않은 계약번호입니다."}),
    # Scans.
    "other_number": changed(lambda document: document.update(wblNo="999999999999")),
    "events_null": listed(_EVENTS, lambda events: None),
    "events_text": listed(_EVENTS, lambda events: "none"),
    "events_odd": listed(_EVENTS, lambda events: [None, 7, "x", *events]),
    "events_only_odd": listed(_EVENTS, lambda events: [None, 7]),
    "times_null": each(_EVENTS, wrkYmd=None, wrkTime=None),
    "times_odd": each(_EVENTS, wrkTime="------"),
    "times_far": each(_EVENTS, wrkYmd="00010101", wrkTime="9999"),
    "numbers_for_text": each(_EVENTS, statusCode=66, statusName=7, wrkOrgName=5, wrkYmd=20261120, wrkTime=1830),
    "dirty_text": each(_EVENTS, statusName=DIRTY),
    "shuffled": listed(_EVENTS, lambda events: events[::-1]),
    "duplicated": listed(_EVENTS, lambda events: [*events, *events]),
}
