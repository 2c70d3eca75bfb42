"""Faults that only 우체국 has: XML that lies about itself or is none, numbers that are none, events that lie."""

import re
from collections.abc import Callable, Mapping

from sandbox.courier.fault import Fault
from sandbox.courier.faults import instead
from sandbox.courier.service import XML_TYPE, Answer, Kind

_BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<trace><eventnm>&b;</eventnm></trace>"
)
_FILE = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><trace><eventnm>&a;</eventnm></trace>'
)
_LONG = "\x07" + "가" * 5000
_EVENT = re.compile(r"<(item|detaileTrackList)>.*?</\1>", re.DOTALL)


def _text(change: Callable[[str], str], charset: str = "utf-8") -> Kind:
    """A fault that changes the text of a good answer."""

    def spoil(fault: Fault, plain: Answer) -> Answer:
        return Answer(plain.status, change(plain.body.decode()).encode(charset, "replace"), XML_TYPE, word=plain.word)

    return Kind(spoil)


def _always(body: str) -> Kind:
    return instead(lambda fault: Answer(200, body.encode(), XML_TYPE))


def _in_tags(tags: str, value: str) -> Kind:
    return _text(lambda text: re.sub(rf"<({tags})>[^<]*</", lambda found: f"<{found[1]}>{value}</", text))


def _events(change: Callable[[list[str]], list[str]]) -> Kind:
    def on_text(text: str) -> str:
        found = [match[0] for match in _EVENT.finditer(text)]
        if not found:
            return text
        start, end = text.index(found[0]), text.rindex(found[-1]) + len(found[-1])
        return text[:start] + "".join(change(found)) + text[end:]

    return _text(on_text)


def _error(code: str, message: str) -> Kind:
    return _always(f"<error><error_code>{code}</error_code><message>{message}</message></error>")


EPOST_KINDS: Mapping[str, Kind] = {
    # XML.
    "xml_says_euc_kr": _text(lambda text: text.replace('encoding="UTF-8"', 'encoding="EUC-KR"')),
    "xml_is_euc_kr": _text(lambda text: text, "cp949"),
    "xml_cdata": _text(lambda text: re.sub(r"<(regiNo|eventnm|statue)>([^<]*)</", r"<\1><![CDATA[\2]]></", text)),
    "xml_bomb": _always(_BOMB),
    "xml_file": _always(_FILE),
    "xml_other": _always("<a><b>1</b></a>"),
    "xml_blank": _always("<xsync></xsync>"),
    "xml_deep": _always("<a>" * 60_000 + "</a>" * 60_000),
    # Errors.
    "no_result": _error("ERR-001", "조회결과가 없습니다."),
    "no_key": _error("ERR-123", "등록되지 않은 인증키입니다."),
    "bad_digits": _error("ERR-321", "등기번호는 13자리입니다."),
    "system_error": _error("ERR-999", "시스템 오류가 발생하였습니다. 잠시 후 이용해 주세요."),
    # Bookings.
    "test_number": _in_tags("regiNo", "TESTREGINOAPI"),
    "short_number": _in_tags("regiNo", "680000000001"),
    "no_number": _in_tags("regiNo", ""),
    "other_number": _in_tags("regiNo", "6899999999999"),
    "no_result_flag": _in_tags("canceledYn", ""),
    # Scans.
    "other_recipient": _in_tags("recevnm|receiveName", "선우*람"),
    "times_odd": _in_tags("eventhms|time", "------"),
    "times_null": _in_tags("eventymd|eventhms|date|time", ""),
    "times_far": _in_tags("eventymd|date", "0001.01.01"),
    "dirty_text": _in_tags("eventnm|statue", _LONG),
    "shuffled": _events(lambda events: events[::-1]),
    "duplicated": _events(lambda events: [*events, *events]),
    "no_events": _events(lambda events: []),
}
