"""A12: a courier id that the source does not know stops that courier with one alert, not one for every parcel."""

import logging
from datetime import timedelta

from accounts.roles import Role
from shipping.couriers import COURIERS, TABLE
from shipping.models import Courier, CourierCode, Parcel, TrackingAccount, TrackingPoll
from shipping.services.couriers import codes_of, save_courier
from shipping.services.tracking.asking import poll_due
from tests.fixtures.orders import NOW

LATER = NOW + timedelta(days=1)


def test_a12_an_unknown_carrier_id(make_sent, make_staff, sign_in, tracker, db, caplog):
    tracker.control("config", is_demo=False)
    tracker.control("clock", now=LATER.isoformat())
    TrackingAccount.objects.create(code="tracker_delivery", name="조회", base_url=tracker.base_url, is_sandbox=True)
    make_sent(30)
    CourierCode.objects.filter(courier="CJGLS", system="tracker_delivery").update(code="kr.nobody")
    TABLE.forget()
    with caplog.at_level(logging.ERROR, logger="oms.tracking"):
        poll_due(at=LATER)
        calls = tracker.read("counters")["requests"]
        poll_due(at=LATER + timedelta(hours=3))
    assert tracker.read("counters")["requests"] == calls  # nothing is asked any more
    assert [one.message for one in caplog.records] == ["a courier code was refused"]
    assert COURIERS["CJGLS"].refused == {"tracker_delivery"}
    assert set(Parcel.objects.values_list("alert", "stage")) == {("", "")}
    assert TrackingPoll.objects.filter(is_active=True, fail_count=0).count() == 30

    owner = sign_in(Role.OWNER)
    assert "코드 오류" in owner.get("/settings/couriers/list/").content.decode()
    said = "tracker.delivery에 코드 &#x27;kr.nobody&#x27;인 택배사가 없어 조회를 멈췄습니다."
    assert said in owner.get("/settings/couriers/list/CJGLS/").content.decode()

    row = Courier.objects.get(pk="CJGLS")
    codes = codes_of(row) | {("tracker_delivery", ""): "kr.cjlogistics"}
    save_courier(slug="CJGLS", seen_version=row.version, facts={}, codes=codes, actor=make_staff(), at=LATER)
    assert COURIERS["CJGLS"].refused == frozenset()
    assert poll_due(at=LATER + timedelta(hours=4)) == 30
    assert set(Parcel.objects.values_list("stage", flat=True)) == {"NO_INFO"}
