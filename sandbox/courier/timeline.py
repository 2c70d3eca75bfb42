"""What happens to a parcel and when: scenarios, and the events that are visible at a moment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

KST = timezone(timedelta(hours=9))


@dataclass(frozen=True)
class Step:
    """One scan, `hours` after the parcel was first seen."""

    hours: float
    code: str
    name: str
    description: str
    place: str = ""


_REGISTERED = Step(0, "INFORMATION_RECEIVED", "운송장 등록", "운송장 정보를 등록했습니다.", "테스트상점")
_PICKED_UP = Step(4, "AT_PICKUP", "집화처리", "보내는 분에게서 상품을 인수했습니다.", "경기테스트")
_HUB = (
    Step(8, "IN_TRANSIT", "간선상차", "배송지역으로 이동 중입니다.", "경기테스트"),
    Step(14, "IN_TRANSIT", "간선하차", "배송지역에 도착했습니다.", "옥천HUB"),
)
_START = (_REGISTERED, _PICKED_UP, *_HUB)


def _on_the_van(hours: float) -> Step:
    return Step(hours, "OUT_FOR_DELIVERY", "배송출발", "오늘 배송할 예정입니다.", "서울중구")


def _delivered(hours: float) -> Step:
    return Step(hours, "DELIVERED", "배송완료", "상품을 전달했습니다.", "서울중구")


def _unknown(hours: float, name: str, description: str, place: str = "서울중구") -> Step:
    return Step(hours, "UNKNOWN", name, description, place)


SCENARIOS: dict[str, tuple[Step, ...]] = {
    "happy": (*_START, _on_the_van(24), _delivered(29)),
    "next_day": (*_START, _on_the_van(20), _delivered(24)),
    "remote_3days": (
        *_START,
        Step(30, "IN_TRANSIT", "선적", "제주행 배에 실었습니다.", "목포항"),
        Step(44, "IN_TRANSIT", "하선", "제주에 도착했습니다.", "제주항"),
        _on_the_van(66),
        _delivered(72),
    ),
    "no_pickup": (_REGISTERED,),
    "pickup_failed": (_REGISTERED, _unknown(6, "미집화", "업체 미출고", "경기테스트")),
    "attempt_fail_then_ok": (
        *_START,
        _on_the_van(24),
        _unknown(30, "미배송", "고객 부재로 미배송"),
        _on_the_van(48),
        _delivered(52),
    ),
    "refused_return": (
        *_START,
        _on_the_van(24),
        _unknown(29, "수취거부", "받는 분이 수취를 거절했습니다."),
        _unknown(34, "반송", "보내는 분에게 반송합니다."),
        Step(44, "IN_TRANSIT", "간선하차", "발송지역에 도착했습니다.", "경기테스트"),
        _unknown(54, "반송완료", "보내는 분에게 돌려드렸습니다.", "경기테스트"),
    ),
    "delivered_before_ofd": (*_START, _delivered(27), _on_the_van(27.1)),
    "lost": (*_START, _unknown(60, "분실", "상품을 분실했습니다.", "옥천HUB")),
    "damaged": (*_START, _unknown(26, "파손", "상품이 파손되었습니다.", "옥천HUB")),
    "misdelivered": (*_START, _on_the_van(24), _delivered(28), _unknown(40, "오배송", "다른 집에 배송했습니다.")),
    "cvs_pickup": (
        *_START,
        Step(22, "AVAILABLE_FOR_PICKUP", "점포도착", "편의점에서 보관하고 있습니다.", "서울중구점"),
        _delivered(40),
    ),
    "unknown": (),
    "error": (),
}
NEVER_FOUND, ALWAYS_BROKEN = "unknown", "error"

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


def demo_scenario(number: str) -> str:
    """The fate of a demo number: digits 90 to 96 before the last digit tell a special story, all others go well."""
    return _DEMO_TAILS.get(number[-3:-1], "happy")


def visible_events(
    *, scenario: str, timeline: Sequence[dict[str, Any]] | None, seen_at: float, now: float, speed: float
) -> list[dict[str, Any]]:
    """The events that have happened by `now` (epoch seconds), oldest first, as nodes of the tracker's schema."""
    if timeline is not None:
        return list(_from_timeline(timeline, seen_at, now, speed))
    return [
        node(seen_at + step.hours * 3600 / speed, step.code, step.name, step.description, step.place)
        for step in SCENARIOS[scenario]
        if seen_at + step.hours * 3600 / speed <= now
    ]


def _from_timeline(
    timeline: Sequence[dict[str, Any]], seen_at: float, now: float, speed: float
) -> Iterator[dict[str, Any]]:
    """An explicit timeline: `at` (ISO 8601), `after` (seconds, sped up) or neither: visible at once, without a time."""
    for item in timeline:
        moment = None
        if item.get("at") is not None:
            moment = parse_time(item["at"])
        elif "after" in item:
            moment = seen_at + float(item["after"]) / speed
        if moment is None or moment <= now:
            fields = (str(item.get(key, "")) for key in ("code", "name", "description", "place"))
            yield node(moment, *fields)


def node(moment: float | None, code: str, name: str, description: str, place: str) -> dict[str, Any]:
    """One event in the shape of the tracker's TrackEvent."""
    return {
        "status": {"code": code or "UNKNOWN", "name": name or None},
        "time": None if moment is None else _iso(moment),
        "location": {"countryCode": "KR", "postalCode": None, "name": place} if place else None,
        "contact": None,
        "description": description or None,
    }


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, KST).isoformat(timespec="milliseconds")


def parse_time(text: str) -> float:
    """Epoch seconds of an ISO 8601 time; without an offset it is Korean time. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=KST)).astimezone(UTC).timestamp()
