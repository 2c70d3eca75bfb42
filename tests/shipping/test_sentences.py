"""What couriers say of a scan is kept without their drivers and without telephone numbers (shipping.md 11)."""

import pytest

from core.http import Client
from shipping.adapters.tracker_delivery import TrackerDelivery
from shipping.adapters.wire import sentence
from tests.shipping.tracker_samples import CJ, NOW, NUMBER, ask, projected


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("상품이 배송완료 되었습니다.(담당사원:홍길동 010-1234-5678)", "상품이 배송완료 되었습니다.(담당사원:*** ***)"),
        ("배송할 예정입니다. (배송담당: 김하나님 01012345678)", "배송할 예정입니다. (배송담당: *** ***)"),
        ("담당 기사 홍길동 010-1234-5678 에게 문의하세요", "담당 기사 *** *** 에게 문의하세요"),
        ("집배원:김*동 / 02-123-4567", "집배원:*** / ***"),
        ("배송완료 010-1234-5678", "배송완료 ***"),
        ("담당자: 미배정", "담당자: 미배정"),
        ("인수자: 본인", "인수자: 본인"),
        ("인수자등록", "인수자등록"),
        ("담당 집배점 도착", "담당 집배점 도착"),
        ("배송기사 부재로 미배송", "배송기사 부재로 미배송"),
        ("고객센터 1588-1255", "고객센터 1588-1255"),
        ("송장 680000000011 접수", "송장 680000000011 접수"),
    ],
)  # fmt: skip
def test_a_sentence_keeps_its_words_and_loses_its_people(told, kept):
    assert sentence(told) == kept


def test_no_driver_comes_with_a_scan_and_its_meaning_stays(tracker):
    at, driver = NOW.isoformat(), "배송완료 (담당사원:홍길동 010-1234-5678)"
    scan = {"at": at, "code": "DELIVERED", "name": driver, "description": driver}
    tracker.control("config", is_demo=False)
    tracker.control("clock", now=at)
    tracker.control("parcels", carrier=CJ, number=NUMBER, timeline=[scan])
    result = ask(TrackerDelivery(Client(tracker.base_url, allow_loopback=True)))
    [event] = result.events
    assert (event.name, event.text) == ("배송완료 (담당사원:*** ***)",) * 2
    assert projected(result).stage == "DELIVERED"
