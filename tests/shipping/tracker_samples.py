"""Two events as the courier sandbox is told them and as the adapter must read them (shipping.md 8.1)."""

from datetime import UTC, datetime, timedelta, timezone

from shipping.adapters.base import RawEvent
from shipping.couriers import COURIERS
from shipping.normalise import Rules
from shipping.projection import project
from tests.infra.preset_rules import PRESETS

KST = timezone(timedelta(hours=9))
NOW = datetime(2026, 11, 22, 12, tzinfo=KST)
RULES = Rules(PRESETS, source="tracker_delivery", courier="CJGLS")
CJ, LOTTE = "kr.cjlogistics", "kr.lotte"
NUMBER = "680000000011"
TWO_EVENTS = [
    {
        "at": "2026-11-20T18:05:00+09:00",
        "code": "AT_PICKUP",
        "name": "집화처리",
        "description": "상품 인수",
        "place": "경기테스트",
    },
    {
        "at": "2026-11-20T22:41:10+09:00",
        "code": "IN_TRANSIT",
        "name": "간선상차",
        "description": "배송지역으로 이동 중",
        "place": "옥천HUB",
    },
]
READ_EVENTS = (
    RawEvent(
        code="AT_PICKUP",
        name="집화처리",
        text="상품 인수",
        place="경기테스트",
        at=datetime(2026, 11, 20, 9, 5, tzinfo=UTC),
    ),
    RawEvent(
        code="IN_TRANSIT",
        name="간선상차",
        text="배송지역으로 이동 중",
        place="옥천HUB",
        at=datetime(2026, 11, 20, 13, 41, 10, tzinfo=UTC),
    ),
)


def ask(source, number=NUMBER, courier="CJGLS"):
    known = COURIERS.get(courier)
    return source.track(carrier=known.code(source.name) if known else "", number=number)


def projected(result, previous=None):
    return project(result.events, previous=previous, numbered_at=None, at=NOW, rules=RULES)
