"""The sample payloads of shipping.md 8, word for word over a socket, to what the shop makes of them (A8 as well)."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.calendar import KST
from orders.models import OrderEvent, OrderLine
from shipping.adapters.cj_wire import DayToken
from shipping.models import Parcel, TrackingAccount, TrackingEvent, TrackingLane, TrackingPoll
from shipping.services.cj_tokens import tokens_of
from shipping.services.polling import lanes
from shipping.services.polling.sources import KIND_OF
from shipping.services.tracking import asking
from shipping.states import TrackingAlert
from tests.flows.scans import scan
from tests.infra.cj import BUSINESS, CANNED_TOKEN, CUSTOMER
from tests.shipping.courier_samples import SAMPLE_HANJIN, SAMPLE_OPEN, SAMPLE_SWEET, SAMPLE_TRACE
from tests.shipping.issuing_samples import HANJIN_KEYS

SENT = datetime(2026, 11, 20, 9, tzinfo=KST)
NUMBER = "680000000011"


def node(clock: str, code: str, name: str, text: str = "", place: str = "") -> dict[str, Any]:
    """An edge of tracker.delivery on 2026-11-21, or on the day before it for evening scans."""
    return {
        "cursor": "x",
        "node": {
            "time": f"2026-11-{clock}:00.000+09:00",
            "status": {"code": code, "name": name},
            "location": {"countryCode": "KR", "postalCode": None, "name": place},
            "description": text,
        },
    }


def track(*edges: dict[str, Any]) -> dict[str, Any]:
    """8.1: the answer of tracker.delivery; `lastEvent` is not asked for, so it may say anything."""
    page = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": "x", "endCursor": "x"}
    info = {"trackingNumber": NUMBER, "lastEvent": None, "events": {"edges": list(edges), "pageInfo": page}}
    return {"data": {"track": info}}


PICKED = node("20T18:05", "AT_PICKUP", "집화처리", "상품 인수", "경기테스트")
MOVING = node("20T22:41", "IN_TRANSIT", "간선상차", "배송지역으로 이동 중", "옥천HUB")
CJ_SINGLE = {
    "RESULT_CD": "S",
    "RESULT_DETAIL": "Success.",
    "DATA": [
        {
            "CRG_ST": "91", "CRG_ST_NM": "배송완료", "SCAN_YMD": "2026-11-21", "SCAN_HOUR": "15:31:07",
            "DEALT_BRAN_NM": "서울중구", "DEALT_BRAN_TEL": "", "DEALT_EMP_NM": "", "DEALT_EMP_TEL": "",
            "INVC_NO": NUMBER, "ACPTR_NM": "본인",
        }
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """One payload: who says it, about which parcel, and what the shop must show afterwards."""

    kind: str
    body: Any
    stage: str
    delivered: datetime | None = None
    courier: str = "CJGLS"
    number: str = NUMBER
    sent: datetime = SENT
    alert: str = ""


def kst(day: int, hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=KST)


def error(message: str, code: str) -> dict[str, Any]:
    return {"errors": [{"message": message, "path": ["track"], "extensions": {"code": code}}], "data": {"track": None}}


def forbidden(message: str) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": "FORBIDDEN"}}], "data": None}


# 8.4: what the source says of itself, not of the parcel: what the lane shows, whether the account is refused, failures
# of the parcel, and minutes until it is asked about again.
REFUSALS = {
    "8.4 carrier not found": (error("Carrier not found", "NOT_FOUND"), lanes.UNKNOWN, "OK", 0, 0),
    "8.4 internal": (error("Internal error", "INTERNAL"), "SERVER: INTERNAL: Internal error", "OK", 1, 5),
    "8.4 rate limit": (forbidden("Rate limit exceeded"), "RATE_LIMITED: HTTP 200", "OK", 0, 1),
    "8.4 credentials": (forbidden("Invalid credentials"), "AUTH: FORBIDDEN", "BLOCKED", 0, 5),
}


SWEET_ERROR = {"status": False, "msg": "유효하지 않은 운송장번호 이거나 택배사 코드 입니다.", "code": "104"}
TRACE_ERROR = "<error><error_code>ERR-001</error_code><message>조회결과가 없습니다.</message></error>"
SAMPLES = {
    "8.1 in transit": Sample("tracker_delivery", track(PICKED, MOVING), "IN_TRANSIT"),
    "8.2 delivered before the van left": Sample(
        "tracker_delivery",
        track(PICKED, node("21T09:57", "DELIVERED", "배송완료"), node("21T10:02", "OUT_FOR_DELIVERY", "배송출발")),
        "DELIVERED",
        kst(21, 9, 57),
    ),
    "8.3 a failed attempt": Sample(
        "tracker_delivery",
        track(PICKED, MOVING, node("21T19:20", "UNKNOWN", "미배송", "고객 부재로 미배송")),
        "ATTEMPT_FAILED",
    ),
    "8.4 not registered": Sample("tracker_delivery", error("운송장 미등록", "NOT_FOUND"), "NO_INFO"),
    "8.4 no such number": Sample(
        "tracker_delivery", error("운송장 번호는 10자리 혹은 12자리입니다.", "BAD_REQUEST"), "",
        alert=TrackingAlert.NUMBER_INVALID,
    ),
    "8.6 SweetTracker": Sample(
        "sweettracker", SAMPLE_SWEET, "OUT_FOR_DELIVERY", sent=datetime(2025, 11, 20, 9, tzinfo=KST)
    ),
    "8.6 an error about the number": Sample("sweettracker", SWEET_ERROR, "NO_INFO"),
    "8.7 CJ, one parcel": Sample("cj", CJ_SINGLE, "DELIVERED", kst(21, 15, 31, 7)),
    "8.8 우체국 by contract": Sample(
        "epost", SAMPLE_TRACE, "DELIVERED", kst(21, 14, 2), courier="EPOST", number="6800000000001"
    ),
    "8.8 우체국 at the data portal": Sample(
        "epost_open", SAMPLE_OPEN, "DELIVERED", kst(21, 14, 2), courier="EPOST", number="6800000000001"
    ),
    "8.8 no result": Sample("epost", TRACE_ERROR, "NO_INFO", courier="EPOST", number="6800000000001"),
    "8.10 한진": Sample(
        "hanjin", SAMPLE_HANJIN, "DELIVERED", kst(21, 16, 12), courier="HANJIN", number="400000000013"
    ),
    "8.10 한진 before the first scan": Sample(
        "hanjin", {"resultCode": "ERROR-01"}, "NO_INFO", courier="HANJIN", number="400000000013"
    ),
}  # fmt: skip
KEYS = {"cj": {"customer": CUSTOMER, "business": BUSINESS}, "hanjin": HANJIN_KEYS, "tracker_delivery": {}}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_goes_from_the_socket_to_the_line(name, make_sent, canned, db):
    one = SAMPLES[name]
    canned.body = (one.body if isinstance(one.body, str) else json.dumps(one.body, ensure_ascii=False)).encode()
    account = TrackingAccount(code=one.kind, kind=one.kind, name=one.kind, base_url=canned.base_url, is_sandbox=True)
    account.set_options(KEYS.get(one.kind, {"api_key": "a-key"}))
    account.save()
    KIND_OF.forget()
    now = datetime.now(UTC)
    token = DayToken(number=CANNED_TOKEN, got_at=now, expires_at=now + timedelta(hours=1))
    tokens_of(canned.base_url, CUSTOMER).save(token)
    make_sent(1, at=one.sent, recipient_name="홍길동")
    at = one.sent + timedelta(days=2)
    Parcel.objects.update(courier=one.courier, waybill=one.number)
    TrackingPoll.objects.update(courier=one.courier, waybill=one.number, next_poll_at=at)
    assert asking.poll_due(at=at) == 1
    parcel, line = Parcel.objects.get(), OrderLine.objects.get()
    assert (parcel.stage, parcel.alert, parcel.delivered_at) == (one.stage, one.alert, one.delivered)
    assert (line.state, line.delivered_at) == ("DELIVERED" if one.delivered else "SHIPPING", one.delivered)
    assert TrackingPoll.objects.get().is_active == (one.delivered is None and not one.alert)
    told = "".join(f"{row.raw_text}{row.place}" for row in TrackingEvent.objects.all())
    assert not [who for who in ("김기사", "홍*동", "15881255", "본인") if who in told]


@pytest.mark.parametrize("name", REFUSALS)
def test_a_sample_of_a_refusal_moves_no_parcel(name, make_sent, canned):
    body, told, state, fails, minutes = REFUSALS[name]
    canned.body = json.dumps(body, ensure_ascii=False).encode()
    TrackingAccount.objects.create(code="tracker_delivery", name="배송조회", base_url=canned.base_url, is_sandbox=True)
    make_sent(1, at=SENT)
    at = SENT + timedelta(days=2)
    TrackingPoll.objects.update(next_poll_at=at)
    events = OrderEvent.objects.count()
    asking.poll_due(at=at)
    assert len(canned.asked) == 1
    parcel, poll = Parcel.objects.get(), TrackingPoll.objects.get()
    assert (parcel.state, parcel.stage, parcel.alert) == ("HANDED_OVER", "", "")
    assert (poll.is_active, poll.fail_count, poll.lease_until) == (True, fails, None)
    assert poll.next_poll_at - at == pytest.approx(timedelta(minutes=minutes), rel=0.11)
    assert (TrackingLane.objects.get(courier="CJGLS").last_error, TrackingAccount.objects.get().state) == (told, state)
    assert (OrderEvent.objects.count(), TrackingEvent.objects.count()) == (events, 0)


def test_a8_forty_five_events_are_stored_once(make_sent, hear):
    [shipment] = make_sent(1)
    scans = [scan("간선하차", hours=4 + n / 10, code="IN_TRANSIT", place=f"{n}번 집배점") for n in range(45)]
    hear({shipment.waybill: scans}, hours=20)
    first = list(TrackingEvent.objects.order_by("at").values_list("pk", "place"))
    assert [place for _, place in first] == [f"{n}번 집배점" for n in range(45)]
    hear(hours=26)
    assert list(TrackingEvent.objects.order_by("at").values_list("pk", "place")) == first
    last = scan("배송출발", hours=27, code="OUT_FOR_DELIVERY")
    hear({shipment.waybill: [*scans, last]}, hours=28)
    assert TrackingEvent.objects.count() == 46
    assert Parcel.objects.get().stage == "OUT_FOR_DELIVERY"
