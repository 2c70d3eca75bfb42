"""배송 예외: what the courier's words do to boxes, lines and cases, told by the real sandbox (A1 to A7, A18, A19)."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from core import relay
from core.calendar import KST, set_holiday
from core.invariants import find_violations
from core.models import Message
from core.settings_registry import set_setting
from orders.models import OrderEvent, OrderLine
from orders.services import locks, progress
from orders.states import DeliveredBy, DeliveryMethod, LineState, LockKind
from products.models import StockLevel
from products.services import stock
from shipping.adapters.base import RawEvent
from shipping.models import Parcel, Shipment, ShippingException, TrackingAccount, TrackingEvent, TrackingPoll
from shipping.services import shipments, waybills
from shipping.services.exceptions import deciding, sweeping
from shipping.services.tracking import asking, polling, voided
from shipping.services.tracking.feeding import reproject, write_events
from shipping.states import Direction, ExceptionKind, ExceptionOutcome, ParcelState, TrackingAlert, TrackingStage
from tests.fixtures.orders import NOW, reloaded

K = ExceptionKind
CJ = "kr.cjlogistics"
HOUR = timedelta(hours=1)
HEALTHY = ("INV-01", "INV-06", "INV-07", "INV-08", "INV-09")


def scan(name, *, hours, code="UNKNOWN", place="강남집배점", text=""):
    at = (NOW + timedelta(hours=hours)).isoformat()
    return {"at": at, "code": code, "name": name, "place": place, "description": text}


PICKED = scan("집화처리", hours=4, code="AT_PICKUP")
MOVING = scan("간선상차", hours=6, code="IN_TRANSIT")
VAN = scan("배송출발", hours=28, code="OUT_FOR_DELIVERY")
DONE = scan("배송완료", hours=32, code="DELIVERED")
HAPPY = [PICKED, MOVING, VAN, DONE]


@pytest.fixture
def account(tracker, db):
    tracker.control("config", is_demo=False)
    return TrackingAccount.objects.create(
        code="tracker_delivery", name="배송조회", base_url=tracker.base_url, is_sandbox=True
    )


@pytest.fixture
def hear(tracker, account):
    """`hear({number: timeline}, hours=30)`: the source knows this by then, and is asked about everything."""

    def poll(timelines=None, *, hours):
        at = NOW + timedelta(hours=hours)
        tracker.control("clock", now=at.isoformat())
        for number, timeline in (timelines or {}).items():
            tracker.control("parcels", carrier=CJ, number=number, timeline=timeline)
        TrackingPoll.objects.filter(is_active=True).update(next_poll_at=at)
        return asking.poll_due(at=at)

    return poll


def cases(**where):
    return list(ShippingException.objects.filter(closed_at=None, **where).order_by("pk").values_list("kind", flat=True))


def test_a1_three_days_deliver_once_with_few_questions(make_sent, tracker, account):
    [shipment] = make_sent(1)
    tracker.control("parcels", carrier=CJ, number=shipment.waybill, timeline=HAPPY)
    asked, at = 0, NOW
    while at < NOW + timedelta(days=3):
        at += timedelta(minutes=30)
        tracker.control("clock", now=at.isoformat())
        asked += asking.poll_due(at=at)
    assert 0 < asked <= 12
    line, parcel = OrderLine.objects.get(), Parcel.objects.get()
    assert (line.state, line.delivered_by, line.delivered_at) == (
        LineState.DELIVERED, DeliveredBy.TRACKER, NOW + timedelta(hours=32),
    )  # fmt: skip
    assert OrderEvent.objects.filter(subject="line", to_state="DELIVERED").count() == 1
    assert (parcel.state, parcel.first_scan_at) == (ParcelState.DELIVERED, NOW + 4 * HOUR)
    assert not TrackingPoll.objects.filter(is_active=True).exists()
    relay.run_once(at=at)
    assert Message.objects.filter(template="order_delivered").count() == 1
    assert cases() == []
    assert find_violations(*HEALTHY) == []


def test_a2_not_found_for_thirty_hours_is_no_failure(make_sent, hear):
    [shipment] = make_sent(1)
    before = OrderEvent.objects.count()
    hear(hours=30)
    assert TrackingPoll.objects.get().fail_count == 0
    assert OrderEvent.objects.count() == before
    assert sweeping.sweep(at=NOW + timedelta(hours=30)) == 0
    hear({shipment.waybill: [scan("집화처리", hours=31, code="AT_PICKUP")]}, hours=32)
    assert reloaded(shipment).first_scan_at == NOW + timedelta(hours=31)


# 2026-11-20 is a Friday; the Monday after it is made a holiday.
FRIDAY = datetime(2026, 11, 20, 18, tzinfo=KST)


@pytest.mark.parametrize(
    ("at", "is_listed"),
    [
        (datetime(2026, 11, 23, 12, tzinfo=KST), False),
        (datetime(2026, 11, 25, 23, 59, 59, tzinfo=KST), False),
        (datetime(2026, 11, 26, 0, 0, tzinfo=KST), True),
    ],
)
def test_a3_no_pickup_waits_for_two_whole_business_days(make_sent, account, at, is_listed):
    set_holiday(day=datetime(2026, 11, 23).date(), name="임시 휴일")
    [shipment] = make_sent(1, at=FRIDAY)
    TrackingPoll.objects.update(last_ok_at=at - HOUR)
    assert sweeping.sweep(at=at) == int(is_listed)
    assert sweeping.sweep(at=at) == 0
    assert cases() == ([K.NO_PICKUP] if is_listed else [])
    assert reloaded(shipment).step == "SHIPPING"


def test_no_box_is_suspected_while_nobody_can_be_asked(make_sent, account):
    make_sent(1, at=FRIDAY)
    late = FRIDAY + timedelta(days=20)
    assert sweeping.sweep(at=late) == 0
    TrackingPoll.objects.update(last_ok_at=late - timedelta(hours=37))
    assert sweeping.sweep(at=late) == 0
    TrackingPoll.objects.update(last_ok_at=late - timedelta(hours=35))
    assert sweeping.sweep(at=late) == 1


def test_a_closed_no_pickup_comes_not_back_and_a_scan_closes_an_open_one(make_sent, hear, staff):
    first, second = make_sent(2)
    at = NOW + timedelta(days=8)
    TrackingPoll.objects.update(last_ok_at=at)
    assert sweeping.sweep(at=at) == 2
    mine = ShippingException.objects.get(shipment=first)
    done = deciding.close(
        exception_ids=[mine.pk], result=ExceptionOutcome.NOTHING, actor=staff, at=at, reason="기사와 통화"
    )
    assert done.moved_ids == [mine.pk]
    assert sweeping.sweep(at=at + HOUR) == 0
    hear({second.waybill: [scan("집화처리", hours=193, code="AT_PICKUP")]}, hours=194)
    other = ShippingException.objects.get(shipment=second)
    assert (other.outcome, other.closed_by) == (ExceptionOutcome.ITSELF, None)


@pytest.mark.parametrize(
    ("hours", "kinds"), [(4 + 71.9, []), (4 + 72.1, [K.STALLED]), (4 + 7 * 24 + 0.1, [K.SUSPECTED_LOST])]
)
def test_silence_becomes_a_case_and_then_a_graver_one(make_sent, hear, hours, kinds):
    [shipment] = make_sent(1)
    hear({shipment.waybill: [PICKED]}, hours=5)
    at = NOW + timedelta(hours=hours)
    TrackingPoll.objects.update(last_ok_at=at)
    sweeping.sweep(at=at)
    assert cases() == kinds


def test_a_stalled_case_goes_on_as_the_graver_one_with_its_person(make_sent, hear, staff):
    [shipment] = make_sent(1)
    hear({shipment.waybill: [PICKED]}, hours=5)
    for days in (4, 8, 9):
        at = NOW + timedelta(days=days)
        TrackingPoll.objects.update(last_ok_at=at)
        sweeping.sweep(at=at)
        if days == 4:
            ids = [ShippingException.objects.get().pk]
            deciding.assign(exception_ids=ids, assignee=staff, actor=staff, at=at)
    assert cases() == [K.SUSPECTED_LOST]
    assert ShippingException.objects.get(closed_at=None).assignee == staff
    hear({shipment.waybill: [PICKED, scan("간선하차", hours=230, code="IN_TRANSIT")]}, hours=231)
    assert cases() == []


def test_a4_a_delivery_before_the_van_left_counts(make_sent, hear):
    [shipment] = make_sent(1)
    early = [PICKED, scan("배송완료", hours=26, code="DELIVERED"), scan("배송출발", hours=27, code="OUT_FOR_DELIVERY")]
    hear({shipment.waybill: early}, hours=30)
    assert OrderLine.objects.get().delivered_at == NOW + timedelta(hours=26)
    assert cases() == []


def test_a5_a_source_that_forgets_moves_nothing_and_is_counted(make_sent, tracker, hear):
    [shipment] = make_sent(1)
    hear({shipment.waybill: [PICKED, MOVING, VAN]}, hours=29)
    text = Parcel.objects.get().last_event_text
    tracker.control("parcels", carrier=CJ, number=shipment.waybill, timeline=[])
    hear({shipment.waybill: [PICKED, MOVING]}, hours=33)
    parcel = Parcel.objects.get()
    assert (parcel.stage, parcel.regressions) == (TrackingStage.OUT_FOR_DELIVERY, 1)
    tracker.control("faults", kind="not_found", number=shipment.waybill)
    hear(hours=37)
    parcel = Parcel.objects.get()
    assert (parcel.stage, parcel.state) == (TrackingStage.OUT_FOR_DELIVERY, ParcelState.HANDED_OVER)
    assert parcel.last_event_text
    assert text
    assert TrackingPoll.objects.get().is_active
    assert (cases(), TrackingEvent.objects.count()) == ([], 3)


def test_a6_a_failed_attempt_then_the_delivery_of_the_next_day(make_sent, hear):
    [shipment] = make_sent(1)
    failed = scan("미배송", hours=33, text="고객 부재로 미배송")
    hear({shipment.waybill: [PICKED, VAN, failed]}, hours=34)
    assert (reloaded(shipment).stage, OrderLine.objects.get().state) == (TrackingStage.ATTEMPT_FAILED, "SHIPPING")
    assert cases() == []
    hear({shipment.waybill: [PICKED, VAN, failed, scan("배송완료", hours=52, code="DELIVERED")]}, hours=53)
    assert OrderLine.objects.get().state == LineState.DELIVERED


@pytest.mark.parametrize(
    ("timeline", "kind"),
    [
        ([PICKED, scan("미배송", hours=30), VAN, scan("미배송", hours=50)], K.ATTEMPT_FAILED),
        ([PICKED, scan("주소불명", hours=30)], K.ADDRESS),
        ([PICKED, scan("수취거부", hours=30)], K.REFUSED),
        ([PICKED, scan("분실", hours=30)], K.LOST),
        ([PICKED, scan("파손", hours=30)], K.DAMAGED),
        ([PICKED, scan("오배송", hours=30)], K.MISDELIVERED),
        ([PICKED, scan("배송사고", hours=30)], K.ACCIDENT),
        ([scan("미집화", hours=6)], K.PICKUP_FAILED),
        ([scan("접수취소", hours=6)], K.CARRIER_CANCELLED),
        ([scan("배송완료", hours=-900, code="DELIVERED")], K.NUMBER_REUSED),
    ],
)
def test_the_courier_s_words_open_a_case_and_move_no_line(make_sent, hear, timeline, kind):
    [shipment] = make_sent(1)
    hear({shipment.waybill: timeline}, hours=60)
    assert cases() == [kind]
    assert (OrderLine.objects.get().state, Parcel.objects.get().state) == ("SHIPPING", "HANDED_OVER")
    hear(hours=66)
    assert ShippingException.objects.count() == 1
    assert find_violations(*HEALTHY) == []


def test_a_reused_number_closes_itself_when_our_own_scans_come(make_sent, hear):
    [shipment] = make_sent(1)
    old = scan("배송완료", hours=-900, code="DELIVERED")
    hear({shipment.waybill: [old]}, hours=10)
    assert (Parcel.objects.get().alert, reloaded(shipment).tracking_failed) == (TrackingAlert.NUMBER_REUSED, True)
    hear({shipment.waybill: [old, scan("집화처리", hours=12, code="AT_PICKUP")]}, hours=13)
    assert (cases(), Parcel.objects.get().alert, reloaded(shipment).tracking_failed) == ([], "", False)
    assert set(TrackingEvent.objects.values_list("raw_name", flat=True)) == {"집화처리"}


def test_a_return_moves_the_box_and_leaves_the_line(make_sent, hear):
    [shipment] = make_sent(1)
    turned = [PICKED, MOVING, scan("반송", hours=30)]
    hear({shipment.waybill: turned}, hours=31)
    assert (Parcel.objects.get().state, OrderLine.objects.get().state) == (ParcelState.RETURNING, "SHIPPING")
    assert cases() == [K.RETURNING]
    hear({shipment.waybill: [*turned, scan("반송완료", hours=50)]}, hours=51)
    assert (Parcel.objects.get().state, OrderLine.objects.get().state) == (ParcelState.RETURNED, "SHIPPING")
    assert cases() == [K.RETURNED]
    assert not TrackingPoll.objects.get().is_active
    assert find_violations(*HEALTHY) == []


def test_what_a_person_sends_on_is_not_turned_back_by_the_same_scan(make_sent, hear, staff):
    [shipment] = make_sent(1)
    turned = [PICKED, scan("반송", hours=30)]
    hear({shipment.waybill: turned}, hours=31)
    ids = list(ShippingException.objects.values_list("pk", flat=True))
    at = NOW + timedelta(hours=32)
    done = deciding.resume(exception_ids=ids, actor=staff, at=at, reason="고객이 받기로 함")
    assert done.refused == {}
    assert (cases(), Parcel.objects.get().state) == ([], ParcelState.HANDED_OVER)
    hear({shipment.waybill: [*turned, scan("간선하차", hours=40, code="IN_TRANSIT")]}, hours=41)
    assert (cases(), Parcel.objects.get().state) == ([], ParcelState.HANDED_OVER)
    hear({shipment.waybill: [*turned, scan("반송", hours=44, place="대전")]}, hours=45)
    assert (cases(), Parcel.objects.get().state) == ([K.RETURNING], ParcelState.RETURNING)
    assert find_violations(*HEALTHY) == []


def came_back(make_sent, hear, **facts):
    [shipment] = make_sent(1, **facts)
    hear({shipment.waybill: [PICKED, scan("반송", hours=30), scan("반송완료", hours=50)]}, hours=51)
    return shipment


def test_what_came_back_leaves_once_more_under_a_new_shipment(make_sent, hear, staff):
    shipment = came_back(make_sent, hear)
    line = OrderLine.objects.get()
    level = StockLevel.objects.get(variant=line.variant_id)
    before = (level.on_hand, level.allocated)
    [case] = ShippingException.objects.filter(closed_at=None)
    done = deciding.resend(exception_ids=[case.pk], actor=staff, at=NOW + timedelta(days=3), reason="주소 다시 확인")
    assert done.refused == {}
    line = reloaded(line)
    assert (line.state, line.shipped_at, line.picked_up_at, line.standby_at) == (LineState.READY, None, None, None)
    new = Shipment.objects.exclude(pk=shipment.pk).get()
    assert (new.step, new.has_waybill, new.number) == ("READY", False, f"{shipment.number[:-2]}01")
    assert reloaded(shipment).step == "CLOSED"
    level.refresh_from_db()
    assert (level.on_hand, level.allocated) == (before[0] + 1, before[1] + 1)
    assert reloaded(case).outcome == ExceptionOutcome.RESENT
    assert OrderEvent.objects.filter(kind="line.resent", subject_id=line.pk).count() == 1
    assert find_violations(*HEALTHY) == []


def test_lost_goods_are_set_aside_anew_or_the_resending_is_refused(make_sent, hear, staff):
    [shipment] = make_sent(1)
    hear({shipment.waybill: [PICKED, scan("분실", hours=30)]}, hours=31)
    line = OrderLine.objects.get()
    at = NOW + timedelta(days=3)
    [case] = ShippingException.objects.filter(closed_at=None)
    early = deciding.resend(exception_ids=[case.pk], actor=staff, at=at, reason="새로 보냄")
    assert list(early.refused.values()) == [deciding.NOT_GONE]
    assert deciding.lose(exception_ids=[case.pk], actor=staff, at=at, reason="택배사 확인").refused == {}
    assert (Parcel.objects.get().state, cases()) == (ParcelState.LOST, [K.LOST])
    level = StockLevel.objects.get(variant=line.variant_id)
    stock.adjust(changes={line.variant_id: level.allocated}, actor=staff, at=at, reason="실사", reference="a" * 32)
    short = deciding.resend(exception_ids=[case.pk], actor=staff, at=at, reason="새로 보냄")
    assert "재고가 1개 부족합니다." in short.refused[case.pk]
    assert (reloaded(line).state, cases(), Shipment.objects.count()) == (LineState.SHIPPING, [K.LOST], 1)
    stock.receive(units={line.variant_id: 1}, actor=staff, at=at, reason="입고", reference="b" * 32)
    done = deciding.resend(exception_ids=[case.pk], actor=staff, at=at, reason="새로 보냄")
    assert done.refused == {}
    level.refresh_from_db()
    assert (reloaded(line).state, level.on_hand, level.allocated) == (LineState.READY, 1, 1)
    assert find_violations(*HEALTHY) == []


def test_a_claim_stops_the_resending(make_sent, hear, staff):
    came_back(make_sent, hear)
    line, [case] = OrderLine.objects.get(), ShippingException.objects.filter(closed_at=None)
    locks.place_lock(line_ids=[line.pk], kind=LockKind.CLAIM, actor=staff, at=NOW, reason="반품 신청")
    done = deciding.resend(exception_ids=[case.pk], actor=staff, at=NOW + timedelta(days=3), reason="다시")
    assert "신청이 있어" in done.refused[case.pk]
    assert (reloaded(line).state, cases(), Shipment.objects.count()) == (LineState.SHIPPING, [K.RETURNED], 1)


def raw(name, *, hours, code="UNKNOWN"):
    return RawEvent(code=code, name=name, place="강남", at=NOW + timedelta(hours=hours))


def test_f18_a_return_after_the_delivery_locks_the_confirmation_and_keeps_the_delivery(make_sent, hear, staff):
    [shipment] = make_sent(1)
    hear({shipment.waybill: HAPPY}, hours=33)
    parcel, line = Parcel.objects.get(), OrderLine.objects.get()
    at = NOW + timedelta(hours=60)
    assert write_events(source="tracker_delivery", told={parcel.pk: [raw("반송", hours=50)]}, at=at) == {parcel.pk}
    assert (cases(), reloaded(line).state, reloaded(parcel).state) == (
        [K.DELIVERY_DISPUTED], LineState.DELIVERED, ParcelState.DELIVERED,
    )  # fmt: skip
    assert reloaded(shipment).tracking_failed
    late = line.confirm_by + timedelta(days=1)
    refused = progress.confirm_after_days(line_ids=[line.pk], at=late)
    assert (refused.moved, reloaded(line).state) == ([], LineState.DELIVERED)
    [case] = ShippingException.objects.filter(closed_at=None)
    deciding.close(exception_ids=[case.pk], result=ExceptionOutcome.AGREED, actor=staff, at=at, reason="고객이 받음")
    assert find_violations(*HEALTHY) == []
    assert progress.confirm_after_days(line_ids=[line.pk], at=late).moved_ids == [line.pk]


def test_a_delivery_taken_back_by_staff_ends_its_doubt(make_sent, hear, staff):
    [shipment] = make_sent(1)
    hear({shipment.waybill: HAPPY}, hours=33)
    parcel, line = Parcel.objects.get(), OrderLine.objects.get()
    at = NOW + timedelta(hours=60)
    write_events(source="tracker_delivery", told={parcel.pk: [raw("반송", hours=50)]}, at=at)
    ids = shipments.lines_of([shipment.pk])
    assert shipments.undeliver(line_ids=ids, actor=staff, at=at, reason="반송됨").refused == {}
    assert (cases(), reloaded(line).open_locks, reloaded(line).state) == ([], 0, LineState.SHIPPING)
    assert find_violations(*HEALTHY) == []


def test_a19_claims_outlive_a_delivery_and_confirmed_lines_stay(make_sent, hear, staff):
    claimed, undone, confirmed = make_sent(3)
    lines = {one.pk: OrderLine.objects.get(order=one.order) for one in (claimed, undone, confirmed)}
    locks.place_lock(line_ids=[lines[claimed.pk].pk], kind=LockKind.CLAIM, actor=staff, at=NOW, reason="반품 신청")
    hear(dict.fromkeys([one.waybill for one in (claimed, undone, confirmed)], HAPPY), hours=33)
    mine = reloaded(lines[claimed.pk])
    assert (mine.state, mine.delivered_at) == (LineState.DELIVERED, NOW + timedelta(hours=32))
    assert mine.open_locks == 1
    at = NOW + timedelta(hours=40)
    back = shipments.undeliver(line_ids=[lines[undone.pk].pk], actor=staff, at=at, reason="고객이 못 받음")
    assert reloaded(lines[undone.pk]).state == LineState.SHIPPING
    assert OrderEvent.objects.get(kind="line.undelivered").reason == "고객이 못 받음"
    assert back.refused == {}
    progress.confirm_purchase(line_ids=[lines[confirmed.pk].pk], by="BUYER", actor=None, at=at)
    done = shipments.undeliver(line_ids=[lines[confirmed.pk].pk], actor=staff, at=at, reason="실수")
    assert "구매확정" in done.refused[lines[confirmed.pk].pk]
    assert reloaded(lines[confirmed.pk]).state == LineState.CONFIRMED


def test_a18_what_goes_without_a_courier_is_never_asked_about(make_shipments, staff):
    for method in (DeliveryMethod.VISIT, DeliveryMethod.QUICK, DeliveryMethod.DIRECT):
        [one] = make_shipments(1, method=method)
        shipments.ship(line_ids=shipments.lines_of([one.pk]), actor=staff, at=NOW)
    assert voided.watch_numbers(at=NOW) == 0
    assert (TrackingPoll.objects.count(), sweeping.sweep(at=NOW + timedelta(days=30))) == (0, 0)


def test_the_first_scan_sends_a_shipment_that_nobody_has_sent(make_numbered, hear):
    [shipment] = make_numbered(1)
    assert voided.watch_numbers(at=NOW) == 1
    assert voided.watch_numbers(at=NOW) == 0
    hear({shipment.waybill: [PICKED]}, hours=5)
    line = OrderLine.objects.get()
    assert (line.state, line.shipped_at, line.picked_up_at) == (
        LineState.SHIPPING, NOW + timedelta(hours=5), NOW + timedelta(hours=5),
    )  # fmt: skip
    parcel = Parcel.objects.get()
    assert (parcel.state, parcel.first_scan_at, parcel.stage) == ("HANDED_OVER", NOW + 4 * HOUR, "PICKED_UP")
    assert TrackingPoll.objects.get().is_active
    relay.run_once(at=NOW + timedelta(hours=6))
    assert Message.objects.filter(template="order_shipped").count() == 1
    assert find_violations(*HEALTHY) == []


def test_a_scan_of_what_is_held_is_a_case_and_nothing_leaves(make_numbered, hear, staff):
    [shipment] = make_numbered(1)
    voided.watch_numbers(at=NOW)
    ids = shipments.lines_of([shipment.pk])
    locks.hold(line_ids=ids, actor=staff, at=NOW, reason="고객 확인 중")
    hear({shipment.waybill: [PICKED]}, hours=5)
    assert (OrderLine.objects.get().state, Parcel.objects.get().state) == ("READY", "NUMBERED")
    [case] = ShippingException.objects.all()
    assert (case.kind, case.detail) == (K.NOT_SHIPPED, "배송보류 중입니다. 사유: 고객 확인 중")
    locks.release_hold(line_ids=ids, actor=staff, at=NOW)
    shipments.ship(line_ids=ids, actor=staff, at=NOW + timedelta(hours=6))
    assert cases() == []


def test_without_the_setting_no_scan_sends_anything(make_numbered, hear, staff):
    set_setting(key="ships_on_scan", value=False, actor=staff, at=NOW)
    [shipment] = make_numbered(1)
    assert voided.watch_numbers(at=NOW) == 0
    polling.start(parcels=[Parcel.objects.get()], at=NOW)
    hear({shipment.waybill: [PICKED]}, hours=5)
    assert (OrderLine.objects.get().state, cases()) == ("READY", [])


def test_a_deleted_number_that_was_printed_is_watched_for_a_week(make_numbered, hear, staff):
    scanned, quiet, unprinted = make_numbered(3)
    Parcel.objects.filter(shipment__in=[scanned, quiet]).update(printed_at=NOW, printed_count=1)
    ids = shipments.lines_of([scanned.pk, quiet.pk, unprinted.pk])
    waybills.void_waybills(line_ids=ids, actor=staff, at=NOW, reason="주문 취소")
    assert voided.watch_numbers(at=NOW + HOUR) == 2
    hear(hours=30)
    assert TrackingPoll.objects.filter(is_active=True).count() == 2
    hear({scanned.waybill: [scan("집화처리", hours=40, code="AT_PICKUP")]}, hours=54)
    assert cases() == [K.CANCELLED_BUT_SCANNED]
    assert {p.state for p in Parcel.objects.all()} == {"VOID"}
    assert Counter(OrderLine.objects.values_list("state", flat=True)) == {"READY": 3}
    hear(hours=24 * 8)
    assert not TrackingPoll.objects.filter(is_active=True).exists()
    assert voided.watch_numbers(at=NOW + timedelta(days=8)) == 0


def test_a_box_of_a_return_arrives_in_our_house_and_delivers_no_line(make_sent, hear):
    [shipment] = make_sent(1)
    Parcel.objects.update(direction=Direction.RETURN)
    hear({shipment.waybill: HAPPY}, hours=33)
    assert (Parcel.objects.get().state, OrderLine.objects.get().state) == (ParcelState.DELIVERED, LineState.SHIPPING)


# ---- feeds ----


def test_a_feed_tells_only_what_is_new_and_both_are_read_together(make_sent, staff):
    [shipment] = make_sent(1)
    parcel = Parcel.objects.get()
    TrackingPoll.objects.update(source="cj_feed")
    first = [raw("집화처리", hours=4, code="AT_PICKUP"), raw("간선상차", hours=6, code="IN_TRANSIT")]
    assert write_events(source="cj_feed", told={parcel.pk: first}, at=NOW + timedelta(hours=7)) == {parcel.pk}
    write_events(source="cj_feed", told={parcel.pk: first[1:]}, at=NOW + timedelta(hours=8))
    write_events(
        source="cj_feed", told={parcel.pk: [raw("배송완료", hours=30, code="DELIVERED")]}, at=NOW + timedelta(hours=31)
    )
    assert OrderLine.objects.get().delivered_at == NOW + timedelta(hours=30)
    assert list(TrackingEvent.objects.order_by("seq").values_list("raw_name", flat=True)) == [
        "집화처리", "간선상차", "배송완료",
    ]  # fmt: skip
    assert reloaded(parcel).first_scan_at == NOW + 4 * HOUR
    assert find_violations(*HEALTHY) == []


def test_another_source_than_the_chosen_one_is_kept_apart_and_moves_nothing(make_sent, hear):
    [shipment] = make_sent(1)
    parcel = Parcel.objects.get()
    hear({shipment.waybill: [PICKED]}, hours=5)
    told = {parcel.pk: [raw("배송완료", hours=20, code="DELIVERED")]}
    assert write_events(source="sweettracker", told=told, at=NOW + timedelta(hours=21)) == {parcel.pk}
    assert (OrderLine.objects.get().state, reloaded(parcel).stage) == ("SHIPPING", TrackingStage.PICKED_UP)
    assert Counter(TrackingEvent.objects.values_list("source", flat=True)) == {"tracker_delivery": 1, "sweettracker": 1}


def test_stored_events_are_read_again_without_being_doubled(make_sent, hear):
    [shipment] = make_sent(1)
    long = scan("간선상차", hours=6, code="IN_TRANSIT", text="가" * 400)
    hear({shipment.waybill: [PICKED, long]}, hours=7)
    parcel = Parcel.objects.get()
    assert reproject(parcel_ids=[parcel.pk], at=NOW + timedelta(hours=8)) == {parcel.pk}
    assert TrackingEvent.objects.count() == 2
    assert reloaded(parcel).stage == TrackingStage.IN_TRANSIT
