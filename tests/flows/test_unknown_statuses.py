"""A7: a status that no rule knows is listed once, mapped by a person, and laid upon every parcel that showed it."""

import logging
from datetime import timedelta

import pytest
from django.db import connection

from core.drains import DRAINS
from core.invariants import find_violations
from orders.models import OrderEvent, OrderLine
from orders.states import LineState
from shipping.adapters.base import RawEvent
from shipping.models import Parcel, StatusRule, TrackingEvent, TrackingPoll, UnknownStatus
from shipping.services.tracking import reproject
from shipping.services.tracking.asking import poll_due
from shipping.services.tracking.rules import BOOK
from shipping.services.tracking.statuses import Meaning, map_unknown
from shipping.services.tracking.stored import raw_event
from shipping.states import ParcelState, Reason, TrackingStage
from tests.fixtures.orders import NOW

CJ = "kr.cjlogistics"
LATER = NOW + timedelta(days=1)
LEFT = "경비실 위탁"


def scan(hour, code, name, **more):
    return {"at": (NOW + timedelta(hours=hour)).isoformat(), "code": code, "name": name, "place": "서울"} | more


PICKED_UP = scan(4, "AT_PICKUP", "집화처리", description="상품 인수")
ODD = scan(6, "UNKNOWN", LEFT, description="경비실에 맡겼습니다.")


def tell(tracker, sent, *timeline):
    for one in sent:
        tracker.control("parcels", carrier=CJ, number=one.waybill, timeline=list(timeline))


def due():
    TrackingPoll.objects.update(next_poll_at=LATER, lease_until=None)


def map_to(stage, actor, **more):
    unknown = UnknownStatus.objects.get(text=LEFT)
    return map_unknown(unknown_id=unknown.pk, meaning=Meaning(stage=stage, **more), actor=actor, at=LATER)


def settled(rule):
    rule.refresh_from_db()
    return rule.updated_at + reproject.SETTLED


def drained(at):
    looked = 0
    while taken := DRAINS["shipping.drains.apply_status_rules"].work(at=at):
        looked += taken
    return looked


def stages():
    return set(Parcel.objects.values_list("stage", flat=True))


def test_a7_an_unknown_status_is_listed_once_and_mapped(make_sent, make_staff, tracker, account, caplog):
    sent = make_sent(6)
    tell(tracker, sent[:5], PICKED_UP, ODD)
    tell(tracker, sent[5:], PICKED_UP)
    with caplog.at_level(logging.WARNING, logger="oms.tracking"):
        assert poll_due(at=LATER) == 6
        due()
        assert poll_due(at=LATER + timedelta(seconds=1)) == 6  # the same answers again
    row = UnknownStatus.objects.get()
    assert (row.source, row.courier, row.code, row.text) == ("tracker_delivery", "CJGLS", "UNKNOWN", LEFT)
    assert (row.count, row.rule, row.first_seen_on, row.last_seen_on) == (5, None, LATER.date(), LATER.date())
    assert row.example.waybill in {one.waybill for one in sent[:5]}
    assert [one.message for one in caplog.records if "no rule knows" in one.message] == ["a status that no rule knows"]
    assert stages() == {"PICKED_UP"}  # the status before is kept

    rule = map_to(TrackingStage.DELIVERED, make_staff())
    assert drained(rule.updated_at + timedelta(seconds=1)) == 0  # other processes may still read by the older rules
    assert drained(settled(rule)) == 5
    assert settled(rule) - rule.updated_at < timedelta(minutes=1)
    assert Parcel.objects.filter(state=ParcelState.DELIVERED, stage="DELIVERED").count() == 5
    assert set(Parcel.objects.exclude(delivered_at=None).values_list("delivered_at", flat=True)) == {
        NOW + timedelta(hours=6)
    }
    assert OrderLine.objects.filter(state=LineState.DELIVERED).count() == 5
    assert not TrackingEvent.objects.filter(stage="UNKNOWN").exists()
    assert TrackingPoll.objects.filter(is_active=True).count() == 1
    assert StatusRule.objects.get(pk=rule.pk).looked_up_to is None
    assert [one for one in find_violations() if one.invariant != "INV-11"] == []  # no relay carries messages here

    events, moves = TrackingEvent.objects.count(), OrderEvent.objects.count()
    StatusRule.objects.filter(pk=rule.pk).update(looked_up_to=0)
    assert drained(settled(rule)) == 0  # a second relay, a second click: nothing more to do
    TrackingPoll.objects.update(is_active=True, next_poll_at=LATER, lease_until=None)
    poll_due(at=LATER + timedelta(minutes=5))  # and the courier telling it again
    assert (TrackingEvent.objects.count(), OrderEvent.objects.count()) == (events, moves)
    assert UnknownStatus.objects.get().count == 5


def test_a_reason_that_staff_chose_is_read_from_the_stored_event(make_sent, make_staff, tracker, account):
    tell(tracker, make_sent(), PICKED_UP, ODD)
    poll_due(at=LATER)
    rule = map_to(TrackingStage.ATTEMPT_FAILED, make_staff(), reason=Reason.ABSENT)
    assert drained(settled(rule)) == 1
    assert (stages(), Parcel.objects.get().state) == ({"ATTEMPT_FAILED"}, ParcelState.HANDED_OVER)
    assert TrackingPoll.objects.get().is_active


def test_a_stored_event_is_read_as_it_was_told(make_sent, tracker, account):
    """Name and sentence, a scan without a time, and rows of before, which hold less."""
    tell(tracker, make_sent(), PICKED_UP, {**ODD, "at": None}, scan(7, "UNKNOWN", "", description="문 앞"))
    poll_due(at=LATER)
    rows = list(TrackingEvent.objects.order_by("at", "seq"))
    told = [raw_event(row) for row in rows]
    assert [(one.name, one.text) for one in told] == [
        ("집화처리", "상품 인수"), (LEFT, "경비실에 맡겼습니다."), ("", "문 앞"),
    ]  # fmt: skip
    assert told[1] == RawEvent(code="UNKNOWN", name=LEFT, text="경비실에 맡겼습니다.", place="서울")
    assert (told[0].at, rows[1].at) == (NOW + timedelta(hours=4), NOW + timedelta(hours=4))
    rows[1].raw_name = rows[1].raw_at = rows[1].is_date_only = None
    old = raw_event(rows[1])
    assert (old.name, old.text, old.is_date_only) == ("", f"{LEFT} 경비실에 맡겼습니다.", True)


def test_a_value_that_is_told_again_without_its_rule_is_listed_again(make_sent, make_staff, tracker, account):
    first, second = make_sent(2)
    tell(tracker, [first], PICKED_UP, ODD)
    poll_due(at=LATER)
    rule = map_to(TrackingStage.AVAILABLE_FOR_PICKUP, make_staff())
    drained(settled(rule))
    assert UnknownStatus.objects.get().rule == rule
    StatusRule.objects.filter(pk=rule.pk).update(is_active=False)
    BOOK.forget()
    tell(tracker, [second], PICKED_UP, ODD)
    TrackingPoll.objects.filter(parcel__waybill=second.waybill).update(next_poll_at=LATER)
    poll_due(at=LATER + timedelta(days=1))
    row = UnknownStatus.objects.get()
    assert (row.rule, row.last_seen_on) == (None, (LATER + timedelta(days=1)).date())


def test_many_parcels_go_in_rounds_and_a_kill_between_them_loses_none(
    make_sent, make_staff, tracker, account, monkeypatch
):
    monkeypatch.setattr(reproject, "LOOKED_AT", 3)
    tell(tracker, make_sent(7), PICKED_UP, ODD)
    poll_due(at=LATER)
    rule = map_to(TrackingStage.RETURNING, make_staff())
    at = settled(rule)
    assert reproject.apply_rules(at=at) == 3
    assert Parcel.objects.filter(stage="RETURNING").count() == 3
    StatusRule.objects.filter(pk=rule.pk).update(looked_up_to=0)  # killed before the place was noted
    assert drained(at) == 4
    assert stages() == {"RETURNING"}
    assert StatusRule.objects.get(pk=rule.pk).looked_up_to is None


@pytest.mark.django_db(transaction=True)
def test_a_parcel_that_somebody_holds_waits_and_the_others_do_not(make_sent, make_staff, tracker, account):
    sent = make_sent(3)
    tell(tracker, sent, PICKED_UP, ODD)
    poll_due(at=LATER)
    rule = map_to(TrackingStage.AVAILABLE_FOR_PICKUP, make_staff())
    somebody = connection.copy()
    somebody.set_autocommit(False)
    with somebody.cursor() as cursor:
        cursor.execute("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", [sent[1].order_id])
    try:
        assert reproject.apply_rules(at=settled(rule)) == 0
        assert Parcel.objects.filter(stage="AVAILABLE_FOR_PICKUP").count() == 2
    finally:
        somebody.rollback()
        somebody.close()
    assert drained(settled(rule)) == 1
    assert stages() == {"AVAILABLE_FOR_PICKUP"}
