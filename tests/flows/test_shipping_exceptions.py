"""배송 예외: what the courier's words do to boxes, lines and cases, told by the real sandbox (A1 to A7, A18, A19)."""

from datetime import datetime, timedelta

import pytest

from core import relay
from core.calendar import KST, set_holiday
from core.invariants import find_violations
from core.models import Message
from orders.models import OrderEvent, OrderLine
from orders.services import locks, progress
from orders.states import DeliveredBy, DeliveryMethod, LineState, LockKind
from products.models import StockLevel
from products.services import stock
from shipping.columns.exceptions import business_age
from shipping.models import Parcel, Shipment, ShippingException, TrackingEvent, TrackingPoll
from shipping.services import shipments
from shipping.services.exceptions import deciding, sweeping
from shipping.services.tracking import asking, voided
from shipping.states import Direction, ExceptionKind, ExceptionOutcome, ParcelState, TrackingAlert, TrackingStage
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.shipments import second_box
from tests.flows.scans import CJ, HAPPY, HEALTHY, HOUR, MOVING, PICKED, VAN, cases, scan

K = ExceptionKind


def test_a1_three_days_deliver_once_with_few_questions(make_sent, tracker, courier_account):
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
def test_a3_no_pickup_waits_for_two_whole_business_days(make_sent, courier_account, at, is_listed):
    set_holiday(day=datetime(2026, 11, 23).date(), name="임시 휴일")
    [shipment] = make_sent(1, at=FRIDAY)
    TrackingPoll.objects.update(last_ok_at=at - HOUR)
    assert sweeping.sweep(at=at) == int(is_listed)
    assert sweeping.sweep(at=at) == 0
    assert cases() == ([K.NO_PICKUP] if is_listed else [])
    # Tuesday and Wednesday have ended; the Thursday that begins counts.
    ages = [business_age(one.evidence_at, at) for one in ShippingException.objects.all()]
    assert ages == (["3영업일"] if is_listed else [])
    assert reloaded(shipment).step == "SHIPPING"


def test_no_box_is_suspected_while_nobody_can_be_asked(make_sent, courier_account):
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
    tracker.control("parcels", carrier=CJ, number=shipment.waybill, timeline=[])
    hear({shipment.waybill: [PICKED, MOVING]}, hours=33)
    parcel = Parcel.objects.get()
    assert (parcel.stage, parcel.regressions) == (TrackingStage.OUT_FOR_DELIVERY, 1)
    text = parcel.last_event_text
    assert text != ""
    tracker.control("faults", kind="not_found", number=shipment.waybill)
    hear(hours=37)
    parcel = Parcel.objects.get()
    assert (parcel.stage, parcel.state) == (TrackingStage.OUT_FOR_DELIVERY, ParcelState.HANDED_OVER)
    assert parcel.last_event_text == text
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


def test_a_line_of_one_box_that_came_back_and_one_that_is_lost_stays_with_a_person(make_numbered, hear, staff):
    [shipment] = make_numbered(1)
    line = OrderLine.objects.get()
    other = second_box(shipment, line_id=line.pk)
    shipments.ship(line_ids=[line.pk], actor=staff, at=NOW)
    home = [PICKED, scan("반송", hours=30), scan("반송완료", hours=50)]
    hear({shipment.waybill: home, other.waybill: [PICKED, scan("분실", hours=30)]}, hours=51)
    [case] = ShippingException.objects.filter(parcel=other, closed_at=None)
    facts = {"exception_ids": [case.pk], "actor": staff, "at": NOW + timedelta(days=3), "reason": "택배사 확인"}
    assert deciding.lose(**facts).refused == {}
    assert "다시 보낼 상품은 주문 직접 등록으로 보내세요." in deciding.resend(**facts).refused[case.pk]
    assert (reloaded(line).state, Shipment.objects.count()) == (LineState.SHIPPING, 1)
    assert case.pk in ShippingException.objects.filter(closed_at=None).values_list("pk", flat=True)


def test_a_claim_stops_the_resending(make_sent, hear, staff):
    came_back(make_sent, hear)
    line, [case] = OrderLine.objects.get(), ShippingException.objects.filter(closed_at=None)
    locks.place_lock(line_ids=[line.pk], kind=LockKind.CLAIM, actor=staff, at=NOW, reason="반품 신청")
    done = deciding.resend(exception_ids=[case.pk], actor=staff, at=NOW + timedelta(days=3), reason="다시")
    assert "신청이 있어" in done.refused[case.pk]
    assert (reloaded(line).state, cases(), Shipment.objects.count()) == (LineState.SHIPPING, [K.RETURNED], 1)


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


def test_a_box_of_a_return_arrives_in_our_house_and_delivers_no_line(make_sent, hear):
    [shipment] = make_sent(1)
    Parcel.objects.update(direction=Direction.RETURN)
    hear({shipment.waybill: HAPPY}, hours=33)
    assert (Parcel.objects.get().state, OrderLine.objects.get().state) == (ParcelState.DELIVERED, LineState.SHIPPING)
