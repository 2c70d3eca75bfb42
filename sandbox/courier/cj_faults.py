"""Faults that only CJ has: numbers that are wrong, errors of its database, answers of the wrong shape."""

from collections.abc import Mapping
from typing import Any

from sandbox.courier.fault import Fault
from sandbox.courier.faults import fixed
from sandbox.courier.json_faults import DIRTY, changed, each
from sandbox.courier.service import Answer, Kind

_JUNK: list[Any] = [None, 7, "x", [], {}, {"INVC_NO": None, "CRG_ST": None}]


class _SameNumber:
    """Whoever asks for a number gets the one that was issued first."""

    def __init__(self) -> None:
        self._first: bytes | None = None

    def __call__(self, fault: Fault, plain: Answer) -> Answer:
        if fault.hits <= 1 or self._first is None:
            self._first = plain.body
        return Answer(body=self._first, word=plain.word)


def _ora(code: str) -> Kind:
    return fixed({"RESULT_CD": "E", "RESULT_DETAIL": code})


def _with_junk(document: dict[str, Any]) -> None:
    document["DATA"] = [*_JUNK, *document["DATA"]] if isinstance(document.get("DATA"), list) else _JUNK


def _wrong_digit(document: dict[str, Any]) -> None:
    number = document["DATA"]["INVC_NO"]
    document["DATA"]["INVC_NO"] = f"{number[:-1]}{(int(number[-1]) + 1) % 7}"


def cj_kinds() -> Mapping[str, Kind]:
    """The kinds by name; one of them remembers what it answered."""
    return {
        "same_number": Kind(_SameNumber()),
        "wrong_digit": changed(_wrong_digit),
        "ora_down": _ora("ORA-12170: TNS:Connect timeout occurred"),
        "ora_null": _ora('ORA-01400: cannot insert NULL into ("X")'),
        "quota": _ora("일일 발급 한도를 초과하였습니다."),
        "result_odd": changed(lambda document: document.update(RESULT_CD=None)),
        "result_number": changed(lambda document: document.update(RESULT_CD=0, RESULT_DETAIL=["?"])),
        "data_null": changed(lambda document: document.update(DATA=None)),
        "data_text": changed(lambda document: document.update(DATA="none")),
        "data_junk": changed(_with_junk),
        "other_number": each("DATA", INVC_NO="999999999999"),
        "numbers_for_text": each("DATA", CRG_ST_NM=7, DEALT_BRAN_NM=5, DETAIL_RSN=[1]),
        "times_odd": each("DATA", SCAN_YMD="------", SCAN_HOUR="------"),
        "dirty_text": each("DATA", CRG_ST_NM=DIRTY, DEALT_BRAN_NM=DIRTY),
    }
