"""What a person may let happen to a parcel of the courier sandbox: one word, one or more scans at this moment."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.courier.timeline import CODES, Scan, iso

_APART = 1.0
"""Seconds between the scans of one story, so that their order is plain."""
_NOT_PHYSICAL = {"운송장 등록", "미집화", "접수취소"}


@dataclass(frozen=True)
class Story:
    """One thing that happens; each scan is a status word of `timeline.CODES` with the sentence beside it."""

    label: str
    scans: Sequence[tuple[str, str]]
    place: str = "서울중구"
    is_after_pickup: bool = True
    """A parcel that nobody has scanned yet is picked up first."""


STORIES: Mapping[str, Story] = {
    "lost": Story("분실", [("분실", "상품을 분실했습니다.")], "옥천HUB"),
    "damaged": Story("파손", [("파손", "상품이 파손되었습니다.")], "옥천HUB"),
    "misdelivered": Story("오배송", [("배송완료", "상품을 전달했습니다."), ("오배송", "다른 집에 배송했습니다.")]),
    "address": Story("주소 문제", [("주소불명", "주소불명으로 배송하지 못했습니다.")]),
    "absent": Story("미배달 (부재)", [("미배송", "고객 부재로 미배송")]),
    "refused": Story("수취 거부", [("수취거부", "받는 분이 수취를 거절했습니다.")]),
    "returning": Story("반송 시작", [("반송", "보내는 분에게 반송합니다.")]),
    "returned": Story("반송 도착", [("반송", "반송합니다."), ("반송완료", "돌려드렸습니다.")], "경기테스트"),
    "pickup_failed": Story("미집화", [("미집화", "업체 미출고")], "경기테스트", is_after_pickup=False),
    "canceled": Story("접수 취소", [("접수취소", "접수를 취소했습니다.")], "경기테스트", is_after_pickup=False),
    "kept": Story("편의점 보관", [("점포도착", "편의점에서 보관하고 있습니다.")], "서울중구점"),
    "odd": Story("모르는 말", [("경비실 위탁", "경비실에 맡겼습니다.")]),
    "silent": Story("소식 없음 (멈춤)", ()),
    "picked_up": Story("집하", [("집화처리", "상품을 인수했습니다.")], "경기테스트", is_after_pickup=False),
    "delivered": Story("배송완료", [("배송출발", "오늘 배송할 예정입니다."), ("배송완료", "상품을 전달했습니다.")]),
}


def told(before: Sequence[Scan], story: Story, *, now: float) -> tuple[dict[str, Any], ...]:
    """The timeline of a parcel to which the story happens at `now` (epoch seconds); nothing comes after it."""
    words = list(story.scans)
    if words and story.is_after_pickup and not any(scan.name not in _NOT_PHYSICAL for scan in before):
        words.insert(0, ("집화처리", "상품을 인수했습니다."))
    # Scans of a demo that runs fast may carry a moment just ahead of the last question.
    first = max([now - _APART * (len(words) - 1), *(scan.at + _APART for scan in before if scan.at is not None)])
    fresh = [
        {"at": iso(first + place * _APART), "name": name, "description": text, "place": story.place}
        | ({"code": CODES[name].tracker} if name in CODES else {})
        for place, (name, text) in enumerate(words)
    ]
    return (*map(_kept, before), *fresh)


def _kept(scan: Scan) -> dict[str, Any]:
    """A scan that has happened, as an item of a timeline, in the words and codes of every service."""
    codes = {name: value for name, value in asdict(scan.codes).items() if name != "tracker"}
    item = {"code": scan.code, "name": scan.name, "description": scan.text, "place": scan.place, **codes}
    return item if scan.at is None else {"at": iso(scan.at), **item}
