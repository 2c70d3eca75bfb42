"""What happens to a parcel and when: scenarios, the scans that are visible at a moment, and their codes everywhere."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

KST = timezone(timedelta(hours=9))


@dataclass(frozen=True)
class Codes:
    """One status word in the words of every service (shipping.md 1.1 to 1.5, 3.1).

    An empty code: that courier has no such scan as far as we know, its twin leaves it out. Where a source tells a thing
    by words alone, its code is made up ("99", "98") and stands for "a code that nobody has mapped".
    """

    tracker: str
    cj: str = "99"
    hanjin: str = "98"
    epost: str = ""
    """우체국 has no codes, only words."""
    level: int = 3
    """SweetTracker; failures have none of their own, they show the level before."""
    cj_reason: str = ""
    """NO_CLDV_RSN_CD."""


CODES: Mapping[str, Codes] = {
    "운송장 등록": Codes("INFORMATION_RECEIVED", "01", "01", "접수", 1),
    "집화처리": Codes("AT_PICKUP", "11", "11", "집하완료", 2),
    "간선상차": Codes("IN_TRANSIT", "41", "07", "발송", 3),
    "간선하차": Codes("IN_TRANSIT", "42", "31", "도착", 4),
    "선적": Codes("IN_TRANSIT", "41", "32", "발송", 3),
    "하선": Codes("IN_TRANSIT", "42", "63", "도착", 4),
    # 한진 tells nothing of the van that we know of.
    "배송출발": Codes("OUT_FOR_DELIVERY", "82", "", "배달준비", 5),
    "배송완료": Codes("DELIVERED", "91", "66", "배달완료", 6),
    "미집화": Codes("UNKNOWN", "12", "98", "", 1, cj_reason="02"),
    "미배송": Codes("UNKNOWN", "84", "92", "미배달", 5, cj_reason="02"),
    "주소불명": Codes("UNKNOWN", "84", "92", "미배달(주소불명)", 5, cj_reason="01"),
    "수취거부": Codes("UNKNOWN", "84", "92", "미배달(수취거절)", 5, cj_reason="09"),
    "반송": Codes("UNKNOWN", "99", "98", "반송", 3),
    "반송완료": Codes("UNKNOWN", "99", "98", "반송완료", 3),
    "분실": Codes("UNKNOWN", "84", "98", "분실", 3, cj_reason="21"),
    "파손": Codes("UNKNOWN", "84", "98", "파손", 3, cj_reason="21"),
    "오배송": Codes("UNKNOWN", "99", "98", "오배송", 6),
    "점포도착": Codes("AVAILABLE_FOR_PICKUP", "99", "98", "보관", 4),
    "접수취소": Codes("EXCEPTION", "99", "03", "접수취소", 1),
}
# For scans with a word of their own (explicit timelines): by the code of tracker.delivery.
_GENERIC: Mapping[str, Codes] = {
    codes.tracker: codes
    for word, codes in CODES.items()
    if word in {"운송장 등록", "집화처리", "간선상차", "배송출발", "배송완료", "점포도착"}
} | {"ATTEMPT_FAIL": CODES["미배송"]}


@dataclass(frozen=True)
class Scan:
    """Something that has happened to a parcel; each service tells it in its own words."""

    at: float | None
    """Epoch seconds; None where nobody knows the time."""
    code: str
    """Of tracker.delivery."""
    name: str
    text: str
    place: str
    codes: Codes


@dataclass(frozen=True)
class Step:
    """One scan, `hours` after the parcel was first seen."""

    hours: float
    code: str
    name: str
    description: str
    place: str = ""

    @property
    def codes(self) -> Codes:
        """The same in the words of every service."""
        return CODES[self.name]


def _step(hours: float, name: str, description: str, place: str = "서울중구") -> Step:
    return Step(hours, CODES[name].tracker, name, description, place)


_REGISTERED = _step(0, "운송장 등록", "운송장 정보를 등록했습니다.", "테스트상점")
_PICKED_UP = _step(4, "집화처리", "보내는 분에게서 상품을 인수했습니다.", "경기테스트")
_HUB = (
    _step(8, "간선상차", "배송지역으로 이동 중입니다.", "경기테스트"),
    _step(14, "간선하차", "배송지역에 도착했습니다.", "옥천HUB"),
)
_START = (_REGISTERED, _PICKED_UP, *_HUB)


def _on_the_van(hours: float) -> Step:
    return _step(hours, "배송출발", "오늘 배송할 예정입니다.")


def _delivered(hours: float) -> Step:
    return _step(hours, "배송완료", "상품을 전달했습니다.")


SCENARIOS: dict[str, tuple[Step, ...]] = {
    "happy": (*_START, _on_the_van(24), _delivered(29)),
    "next_day": (*_START, _on_the_van(20), _delivered(24)),
    "remote_3days": (
        *_START,
        _step(30, "선적", "제주행 배에 실었습니다.", "목포항"),
        _step(44, "하선", "제주에 도착했습니다.", "제주항"),
        _on_the_van(66),
        _delivered(72),
    ),
    "no_pickup": (_REGISTERED,),
    "pickup_failed": (_REGISTERED, _step(6, "미집화", "업체 미출고", "경기테스트")),
    "attempt_fail_then_ok": (
        *_START,
        _on_the_van(24),
        _step(30, "미배송", "고객 부재로 미배송"),
        _on_the_van(48),
        _delivered(52),
    ),
    "refused_return": (
        *_START,
        _on_the_van(24),
        _step(29, "수취거부", "받는 분이 수취를 거절했습니다."),
        _step(34, "반송", "보내는 분에게 반송합니다."),
        _step(44, "간선하차", "발송지역에 도착했습니다.", "경기테스트"),
        _step(54, "반송완료", "보내는 분에게 돌려드렸습니다.", "경기테스트"),
    ),
    "delivered_before_ofd": (*_START, _delivered(27), _on_the_van(27.1)),
    "lost": (*_START, _step(60, "분실", "상품을 분실했습니다.", "옥천HUB")),
    "damaged": (*_START, _step(26, "파손", "상품이 파손되었습니다.", "옥천HUB")),
    "misdelivered": (*_START, _on_the_van(24), _delivered(28), _step(40, "오배송", "다른 집에 배송했습니다.")),
    "cvs_pickup": (
        *_START,
        _step(22, "점포도착", "편의점에서 보관하고 있습니다.", "서울중구점"),
        _delivered(40),
    ),
    # Nothing moves from the eve of a long holiday to the first working day after it.
    "holiday_gap": (*_START, _on_the_van(14 + 5 * 24), _delivered(19 + 5 * 24)),
    "unknown": (),
    "error": (),
    "million": (),
}
NEVER_FOUND, ALWAYS_BROKEN, BY_HASH = "unknown", "error", "million"

# The two digits before the last one choose a demo parcel's fate, so that a person can pick a number for a story.
_DEMO_TAILS = {
    "90": "no_pickup",
    "91": "attempt_fail_then_ok",
    "92": "refused_return",
    "93": "delivered_before_ofd",
    "94": "next_day",
    "95": NEVER_FOUND,
    "96": ALWAYS_BROKEN,
}
# What becomes of a million parcels, in parts of 256.
_FATES = (
    (140, "happy"), (80, "next_day"), (14, "remote_3days"), (12, "attempt_fail_then_ok"), (4, "delivered_before_ofd"),
    (2, "no_pickup"), (2, "refused_return"), (1, "lost"), (1, "pickup_failed"),
)  # fmt: skip
_BY_BYTE = [fate for share, fate in _FATES for _ in range(share)]
MILLION_HOURS = 24.0
"""The parcels of `million` were registered within so many hours before it began."""


def demo_scenario(number: str) -> str:
    """The fate of a demo number: digits 90 to 96 before the last digit tell a special story, all others go well."""
    return _DEMO_TAILS.get(number[-3:-1], "happy")


def hashed_life(number: str) -> tuple[str, float]:
    """Scenario of a number nobody needs to remember, and the hours (0 to 24) by which its life began earlier."""
    mixed = hashlib.blake2b(number.encode("utf-8", "replace"), digest_size=5).digest()
    return _BY_BYTE[mixed[0]], int.from_bytes(mixed[1:]) / 2**32 * MILLION_HOURS


def scans(
    *, scenario: str, timeline: Sequence[dict[str, Any]] | None, seen_at: float, now: float, speed: float
) -> list[Scan]:
    """What has happened by `now` (epoch seconds), oldest first."""
    if timeline is not None:
        return list(_from_timeline(timeline, seen_at, now, speed))
    return [
        Scan(at, step.code, step.name, step.description, step.place, step.codes)
        for step in SCENARIOS[scenario]
        if (at := seen_at + step.hours * 3600 / speed) <= now
    ]


def _from_timeline(timeline: Sequence[dict[str, Any]], seen_at: float, now: float, speed: float) -> Iterator[Scan]:
    """An explicit timeline: `at` (ISO 8601), `after` (seconds, sped up) or neither: visible at once, without a time.

    An item may say its codes itself: cj, cj_reason, hanjin, epost, level.
    """
    for item in timeline:
        moment = None
        if item.get("at") is not None:
            moment = parse_time(item["at"])
        elif "after" in item:
            moment = seen_at + float(item["after"]) / speed
        if moment is None or moment <= now:
            code, name, text, place = (str(item.get(key, "")) for key in ("code", "name", "description", "place"))
            yield Scan(moment, code or "UNKNOWN", name, text, place, _codes(item, code, name))


def _codes(item: Mapping[str, Any], code: str, name: str) -> Codes:
    found = CODES.get(name) or _GENERIC.get(code) or Codes(code or "UNKNOWN")
    said = {key: item[key] for key in ("cj", "cj_reason", "hanjin", "epost", "level") if key in item}
    return replace(found, **said) if said else found


def node(scan: Scan) -> dict[str, Any]:
    """The scan in the shape of the tracker's TrackEvent."""
    return {
        "status": {"code": scan.code, "name": scan.name or None},
        "time": None if scan.at is None else iso(scan.at),
        "location": {"countryCode": "KR", "postalCode": None, "name": scan.place} if scan.place else None,
        "contact": None,
        "description": scan.text or None,
    }


def iso(moment: float) -> str:
    """ISO 8601 in Korean time of epoch seconds."""
    return datetime.fromtimestamp(moment, KST).isoformat(timespec="milliseconds")


def parse_time(text: str) -> float:
    """Epoch seconds of an ISO 8601 time; without an offset it is Korean time. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=KST)).astimezone(UTC).timestamp()
