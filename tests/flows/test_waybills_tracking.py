"""A17: fifty parcels on their way, asked about at the real sandbox over a socket; and what may not deliver anything."""

from collections import Counter
from datetime import timedelta

import pytest

from core import relay
from core.invariants import find_violations
from core.lists import lists
from core.models import Message
from orders.models import Delivery, OrderEvent, OrderLine
from orders.services import progress
from orders.states import ConfirmedBy, DeliveredBy, LineState
from shipping import handlers
from shipping.models import (
    AccountState,
    Parcel,
    Shipment,
    TrackingAccount,
    TrackingEvent,
    TrackingLane,
    TrackingPoll,
)
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.services.polling import polls
from shipping.services.tracking import asking
from shipping.services.tracking.answers import write_answers
from shipping.services.tracking.asking import poll_due
from shipping.states import Direction, ParcelState, TrackingAlert, TrackingStage
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.shipments import again, second_box, waybill_number

CJ = "kr.cjlogistics"
LATER = NOW + timedelta(days=1)


def scans(*codes, hours=4):
    """A timeline that begins four hours after the parcel left."""
    names = {
        "AT_PICKUP": "집화처리", "IN_TRANSIT": "간선상차", "OUT_FOR_DELIVERY": "배송출발", "DELIVERED": "배송완료",
        "UNKNOWN": "반송", "INFORMATION_RECEIVED": "접수",
    }  # fmt: skip
    return [
        {
            "at": (NOW + timedelta(hours=hours + i)).isoformat(),
            "code": code,
            "name": names[code],
            "place": f"{i}번 집배점",
        }
        for i, code in enumerate(codes)
    ]


DELIVERED = scans("AT_PICKUP", "IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED")
MOVING = scans("AT_PICKUP", "IN_TRANSIT")


def tell(tracker, timelines):
    for number, timeline in timelines.items():
        tracker.control("parcels", carrier=CJ, number=number, timeline=timeline)


def moves():
    return Counter(OrderEvent.objects.filter(subject="line").values_list("to_state", flat=True))


def test_a17_fifty_parcels(make_sent, tracker, account):
    sent = make_sent(50)
    numbers = [one.waybill for one in sent]
    tell(tracker, dict.fromkeys(numbers[:40], DELIVERED) | dict.fromkeys(numbers[40:45], MOVING))
    for number in numbers[45:48]:
        tracker.control("faults", kind="http_500", number=number)
    for number in numbers[48:]:
        tracker.control("faults", kind="bad_number", number=number)
    assert poll_due(at=NOW + timedelta(hours=1)) == 0
    before = moves()

    at = LATER
    for _ in range(3):
        poll_due(at=at)
        at += timedelta(minutes=10)

    lines = OrderLine.objects.order_by("pk")
    assert Counter(lines.values_list("state", "delivered_by")) == {
        (LineState.DELIVERED, DeliveredBy.TRACKER): 40,
        (LineState.SHIPPING, ""): 10,
    }
    assert moves()[LineState.DELIVERED] - before[LineState.DELIVERED] == 40
    assert set(lines.filter(state="DELIVERED").values_list("delivered_at", flat=True)) == {NOW + timedelta(hours=7)}
    errors = TrackingPoll.objects.filter(waybill__in=numbers[45:48])
    assert {poll.fail_count for poll in errors} >= {2}
    assert all(poll.is_active and poll.next_poll_at > at - timedelta(minutes=10) for poll in errors)
    unknown = again(sent)[48:]
    assert {one.step for one in unknown} == {"SHIPPING"}
    assert not TrackingPoll.objects.filter(waybill__in=numbers[48:], is_active=True).exists()
    page = lists.page("shipping").query("tab=error", user=None, at=at)
    assert sorted(group.record.waybill for group in page.rows()) == sorted(numbers[48:])

    relay.run_once(at=at)
    sent_messages = Message.objects.filter(template="order_delivered")
    assert sent_messages.count() == 40
    relay.run_once(at=at)
    assert sent_messages.count() == 40
    assert find_violations("INV-01", "INV-08", "INV-09", "INV-06") == []


def test_the_same_answer_twice_writes_nothing_but_the_next_date(make_sent, tracker, account):
    [shipment] = make_sent(1)
    tell(tracker, {shipment.waybill: MOVING})
    asking.poll_due(at=LATER)
    first, events = reloaded(shipment), OrderEvent.objects.count()
    assert (first.stage, first.last_event_text) == (TrackingStage.IN_TRANSIT, "1번 집배점 간선상차")
    again_at = TrackingPoll.objects.get().next_poll_at
    assert asking.poll_due(at=again_at) == 1
    assert TrackingEvent.objects.count() == 2
    assert OrderEvent.objects.count() == events
    assert reloaded(shipment).version == first.version
    assert TrackingPoll.objects.get().next_poll_at > again_at


def test_scans_alone_leave_the_version_for_the_people_at_the_screen(make_sent, tracker, account):
    [shipment] = make_sent(1)
    tell(tracker, {shipment.waybill: scans("INFORMATION_RECEIVED")})
    asking.poll_due(at=LATER)
    assert reloaded(shipment).stage == TrackingStage.REGISTERED
    assert reloaded(shipment).version == shipment.version


def test_a_line_in_two_boxes_is_delivered_with_the_second(make_numbered, tracker, account, staff):
    [shipment] = make_numbered(1)
    line = OrderLine.objects.get()
    second = second_box(shipment, line_id=line.pk)
    shipments.ship(line_ids=[line.pk], actor=staff, at=NOW)
    tell(tracker, {shipment.waybill: DELIVERED, second.waybill: MOVING})
    asking.poll_due(at=LATER)
    assert reloaded(line).state == LineState.SHIPPING
    assert reloaded(second).state == ParcelState.HANDED_OVER
    late = scans("AT_PICKUP", "DELIVERED", hours=20)
    tell(tracker, {second.waybill: late})
    asking.poll_due(at=LATER + timedelta(hours=8))
    assert reloaded(line).state == LineState.DELIVERED
    assert reloaded(line).delivered_at == NOW + timedelta(hours=21)


def test_a_delivery_told_before_the_parcel_left_counts_when_it_is_told_again(make_sent, tracker, account):
    [shipment] = make_sent(1)
    tell(tracker, {shipment.waybill: DELIVERED})
    parcel = Parcel.objects.get()
    asking.poll_due(at=LATER)
    poll = TrackingPoll.objects.get()
    assert (reloaded(parcel).state, poll.is_active) == (ParcelState.DELIVERED, False)

    [other] = make_sent(1, first=1)
    tell(tracker, {other.waybill: DELIVERED})
    known = TrackingPoll.objects.get(parcel__shipment=other)
    known.last_hash = poll.last_hash
    known.save()
    Parcel.objects.filter(shipment=other).update(stage=TrackingStage.DELIVERED)
    asking.poll_due(at=LATER)
    assert reloaded(other).step == "DELIVERED"


def test_a_delivery_after_a_return_delivers_nothing_and_is_shown_to_a_person(make_sent, tracker, account):
    [shipment] = make_sent(1)
    tell(tracker, {shipment.waybill: scans("AT_PICKUP", "UNKNOWN", "DELIVERED")})
    asking.poll_due(at=LATER)
    assert Parcel.objects.get().alert == TrackingAlert.DELIVERED_AFTER_RETURN
    assert (reloaded(shipment).step, reloaded(shipment).tracking_failed) == ("SHIPPING", True)
    assert OrderLine.objects.get().state == LineState.SHIPPING


def test_what_staff_took_back_is_not_delivered_again_by_the_same_scan(make_sent, tracker, account, staff):
    [shipment] = make_sent(1)
    tell(tracker, {shipment.waybill: DELIVERED})
    asking.poll_due(at=LATER)
    ids = shipments.lines_of([shipment.pk])
    shipments.undeliver(line_ids=ids, actor=staff, at=LATER, reason="고객이 받지 못함")
    due = TrackingPoll.objects.get().next_poll_at
    assert asking.poll_due(at=due) == 1
    assert reloaded(shipment).step == "SHIPPING"
    assert TrackingPoll.objects.get().is_active
    again_told = [*DELIVERED, *scans("OUT_FOR_DELIVERY", "UNKNOWN", hours=30)[:1], *scans("DELIVERED", hours=32)]
    tell(tracker, {shipment.waybill: again_told})
    tracker.control("clock", now=(NOW + timedelta(days=3)).isoformat())
    assert asking.poll_due(at=NOW + timedelta(days=3)) == 1
    line = OrderLine.objects.get()
    assert (line.state, line.delivered_at) == (LineState.DELIVERED, NOW + timedelta(hours=32))
    assert not TrackingPoll.objects.get().is_active


def test_nothing_is_written_for_a_parcel_that_came_back_meanwhile(make_sent, tracker, account, staff):
    [shipment] = make_sent(1)
    tell(tracker, {shipment.waybill: DELIVERED})
    [lease] = polls.claim(at=LATER, courier="CJGLS")
    with asking.open_source(account) as source:
        result = source.track(carrier="kr.cjlogistics", number=lease.waybill)
    ids = shipments.lines_of([shipment.pk])
    shipments.unship(line_ids=ids, actor=staff, at=LATER, reason="출고 취소")
    assert write_answers(answers=[(lease, result)], at=LATER) == 0
    assert (reloaded(shipment).step, reloaded(shipment).stage) == ("READY", "")
    shipments.ship(line_ids=ids, actor=staff, at=LATER)
    assert write_answers(answers=[(lease, result)], at=LATER) == 0
    assert not TrackingEvent.objects.exists()


def test_a_lease_that_ran_out_writes_nothing(make_sent, tracker, account):
    [shipment] = make_sent(1)
    tell(tracker, {shipment.waybill: DELIVERED})
    [lease] = polls.claim(at=LATER, courier="CJGLS")
    assert polls.claim(at=LATER, courier="CJGLS") == []
    [newer] = polls.claim(at=LATER + timedelta(minutes=11), courier="CJGLS")
    with asking.open_source(account) as source:
        result = source.track(carrier="kr.cjlogistics", number=lease.waybill)
    assert write_answers(answers=[(lease, result)], at=LATER) == 0
    assert write_answers(answers=[(newer, result)], at=LATER) == 1


def test_a_box_that_comes_back_to_us_delivers_no_line(make_sent, tracker, account):
    [shipment] = make_sent(1)
    Parcel.objects.update(direction=Direction.RETURN)
    tell(tracker, {shipment.waybill: DELIVERED})
    asking.poll_due(at=LATER)
    assert OrderLine.objects.get().state == LineState.SHIPPING


@pytest.mark.parametrize("kind", ["http_500", "html_200", "empty", "truncated", "refused", "other_number", "internal"])
def test_a_fault_of_the_source_changes_no_order_and_backs_off(kind, make_sent, tracker, account):
    sent = make_sent(6)
    tell(tracker, {one.waybill: DELIVERED for one in sent})
    tracker.control("faults", kind=kind)
    before = moves()
    assert asking.poll_due(at=LATER) == 6
    assert moves() == before
    assert not TrackingEvent.objects.exists()
    lane = TrackingLane.objects.get(courier="CJGLS")
    assert (lane.failed_in_a_row, lane.opened_until) == (6, None)
    assert {poll.fail_count for poll in TrackingPoll.objects.all()} == {1}
    # So few failures open the breaker when they go on for two minutes: nobody is asked, then one.
    TrackingPoll.objects.filter(waybill=sent[0].waybill).update(next_poll_at=LATER)
    assert asking.poll_due(at=LATER + timedelta(minutes=3)) == 1
    lane.refresh_from_db()
    assert (lane.failing_since, lane.opened_seconds) == (lane.first_failed_at, 60)
    assert asking.poll_due(at=LATER + timedelta(minutes=3, seconds=30)) == 0
    tracker.control("faults", method="DELETE")
    assert asking.poll_due(at=LATER + timedelta(minutes=5)) == 1
    lane.refresh_from_db()
    assert (lane.failing_since, lane.failed_in_a_row, lane.opened_until) == (None, 0, None)
    # The one that was asked twice in vain waits a quarter of an hour.
    assert asking.poll_due(at=LATER + timedelta(minutes=25)) == 5
    assert {one.step for one in again(sent)} == {"DELIVERED"}


def test_refused_keys_block_the_account_and_a_good_answer_frees_it(make_sent, tracker, account):
    sent = make_sent(3)
    tell(tracker, {one.waybill: MOVING for one in sent})
    tracker.control("config", api_key="client:secret")
    asking.poll_due(at=LATER)
    account.refresh_from_db()
    assert account.state == AccountState.BLOCKED
    assert {poll.fail_count for poll in TrackingPoll.objects.all()} == {0}
    assert asking.poll_due(at=LATER + timedelta(minutes=1)) == 0
    account.set_options({"api_key": "client:secret"})
    account.save()
    assert asking.poll_due(at=LATER + timedelta(minutes=6)) == 1
    account.refresh_from_db()
    assert account.state == AccountState.OK


def test_a_rate_limit_is_obeyed_and_counts_against_nobody(make_sent, tracker, account):
    make_sent(2)
    tracker.control("faults", kind="http_429", retry_after=120)
    asking.poll_due(at=LATER)
    assert {poll.fail_count for poll in TrackingPoll.objects.all()} == {0}
    assert {poll.next_poll_at for poll in TrackingPoll.objects.all()} == {LATER + timedelta(seconds=120)}
    assert asking.poll_due(at=LATER + timedelta(seconds=60)) == 0


def test_one_courier_with_a_backlog_leaves_room_for_the_others(make_sent, tracker, account):
    make_sent(30)
    TrackingPoll.objects.update(next_poll_at=NOW)
    mine = TrackingPoll.objects.order_by("pk").values_list("pk", flat=True)[25:]
    TrackingPoll.objects.filter(pk__in=list(mine)).update(courier="HANJIN", next_poll_at=NOW + timedelta(hours=1))
    assert asking.poll_due(at=LATER, limit=10) == 10 + 5
    assert not TrackingPoll.objects.filter(courier="HANJIN", next_poll_at__lte=LATER).exists()


def test_thirty_days_without_a_delivery_end_the_questions(make_sent, tracker, account):
    [shipment] = make_sent(1)
    tell(tracker, {shipment.waybill: MOVING})
    at = NOW + timedelta(days=31)
    tracker.control("clock", now=at.isoformat())
    asking.poll_due(at=at)
    assert not TrackingPoll.objects.get().is_active
    assert (Parcel.objects.get().alert, reloaded(shipment).tracking_failed) == (TrackingAlert.EXPIRED, True)


def test_a_shipped_message_names_the_number_once_and_not_after_the_return(make_numbered, staff):
    kept, back = make_numbered(2)
    shipments.ship(line_ids=shipments.lines_of([kept.pk, back.pk]), actor=staff, at=NOW)
    shipments.unship(line_ids=shipments.lines_of([back.pk]), actor=staff, at=NOW, reason="출고 취소")
    relay.run_once(at=NOW + timedelta(hours=1))
    [message] = Message.objects.filter(template="order_shipped")
    assert kept.order.number in message.body
    assert f"CJ대한통운 송장번호 {kept.waybill}" in message.body


def test_a_confirmed_shipment_stays_confirmed_when_the_courier_speaks_late(make_sent, tracker, account, staff):
    [shipment] = make_sent(1)
    ids = shipments.lines_of([shipment.pk])
    progress.confirm_purchase(line_ids=ids, by="BUYER", actor=None, at=NOW)
    tell(tracker, {shipment.waybill: DELIVERED})
    asking.poll_due(at=LATER)
    assert OrderLine.objects.get().state == LineState.CONFIRMED
    assert Parcel.objects.get().state == ParcelState.DELIVERED


def test_a_new_number_after_a_void_one_is_asked_about_alone(make_sent, tracker, account, staff):
    [shipment] = make_sent(1)
    ids = shipments.lines_of([shipment.pk])
    shipments.unship(line_ids=ids, actor=staff, at=NOW, reason="송장 바꿈")
    entries = {shipment.pk: WaybillEntry("CJGLS", waybill_number(9), replaces=True)}
    assert waybills.register_waybills(entries=entries, actor=staff, at=NOW).refused == {}
    shipments.ship(line_ids=ids, actor=staff, at=NOW)
    assert [poll.waybill for poll in TrackingPoll.objects.filter(is_active=True)] == [waybill_number(9)]
    assert Shipment.objects.get().waybill == waybill_number(9)


@pytest.mark.parametrize(("days", "is_given_up"), [(0.5, False), (29.9, False), (30.1, True)])
def test_a_fast_sandbox_gives_parcels_up_by_the_time_of_the_shop(make_sent, tracker, account, days, is_given_up):
    [shipment] = make_sent(1)
    TrackingAccount.objects.update(speed=300)
    tell(tracker, {shipment.waybill: MOVING})
    assert asking.poll_due(at=NOW + timedelta(days=days)) == 1
    assert TrackingPoll.objects.get().is_active is not is_given_up
    assert Parcel.objects.get().alert == (TrackingAlert.EXPIRED if is_given_up else "")


def confirmed_on_the_way(shipment, staff):
    line = OrderLine.objects.get(order=shipment.order)
    outcome = progress.confirm_purchase(line_ids=[line.pk], by=ConfirmedBy.STAFF, actor=staff, at=NOW)
    assert outcome.refused == {}
    return line


def test_a_line_whose_box_arrived_while_it_was_confirmed_is_delivered_after_the_revocation(
    make_sent, tracker, account, staff
):
    [shipment] = make_sent(1)
    line = confirmed_on_the_way(shipment, staff)
    tell(tracker, {shipment.waybill: DELIVERED})
    asking.poll_due(at=LATER)
    assert (Parcel.objects.get().state, reloaded(line).state) == (ParcelState.DELIVERED, LineState.CONFIRMED)
    progress.revoke_confirmation(line_ids=[line.pk], actor=staff, at=LATER, reason="고객 요청")
    assert reloaded(line).state == LineState.SHIPPING
    relay.run_once(at=LATER)
    seen = reloaded(line)
    assert (seen.state, seen.delivered_by, seen.delivered_at) == (
        LineState.DELIVERED, DeliveredBy.TRACKER, NOW + timedelta(hours=7),
    )  # fmt: skip
    assert reloaded(shipment).step == "DELIVERED"
    version = seen.version
    delivery = Delivery.objects.get(subscriber__endswith="handlers.deliver_arrived")
    handlers.deliver_arrived(delivery)
    assert reloaded(line).version == version
    assert find_violations("INV-01", "INV-07", "INV-09") == []


def test_a_revoked_line_that_is_still_on_the_way_stays_there(make_sent, tracker, account, staff):
    [shipment] = make_sent(1)
    line = confirmed_on_the_way(shipment, staff)
    tell(tracker, {shipment.waybill: MOVING})
    asking.poll_due(at=LATER)
    progress.revoke_confirmation(line_ids=[line.pk], actor=staff, at=LATER, reason="고객 요청")
    relay.run_once(at=LATER)
    assert (reloaded(line).state, reloaded(shipment).step) == (LineState.SHIPPING, "SHIPPING")
