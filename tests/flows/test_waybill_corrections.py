"""송장 정정: the number of a box that has left was wrong; from then on another number decides about it."""

from datetime import timedelta

import pytest

from accounts.roles import Role
from core.invariants import find_violations
from orders.models import OrderEvent, OrderLine
from orders.states import LineState
from shipping.adapters.base import RawEvent
from shipping.models import Parcel, ParcelLine, ShippingException, TrackingPoll, WaybillNumber
from shipping.services import shipments
from shipping.services.exceptions import deciding, opening
from shipping.services.exceptions.opening import Opening
from shipping.services.exceptions.rules import Evidence
from shipping.services.issuing import extra, issue
from shipping.services.numbers import correcting, pool, waybills
from shipping.services.numbers.parcels import WaybillEntry
from shipping.services.polling import polls
from shipping.services.tracking import voided
from shipping.states import ExceptionKind
from tests.fixtures.contracts import range_contract
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again, waybill_number
from tests.flows.scans import HAPPY, HEALTHY, HOUR, MOVING, PICKED, cases
from tests.infra.races import race

RIGHT, OTHER = waybill_number(900), waybill_number(901)
WHY = "CJ 프로그램의 번호와 다름"
LATER = NOW + timedelta(hours=20)


def correct(box, number=RIGHT, *, courier="", forced="", actor=None, at=LATER):
    entries = {box.pk: WaybillEntry(courier, number, forced_reason=forced)}
    return correcting.correct_waybills(entries=entries, reason=WHY, actor=actor, at=at)


def live(shipment):
    return Parcel.objects.exclude(state="VOID").get(shipment=shipment)


def facts():
    """Everything that an act on boxes could change."""
    return (
        list(Parcel.objects.order_by("pk").values_list("pk", "version", "state", "waybill", "courier")),
        list(OrderLine.objects.order_by("pk").values_list("pk", "version", "state", "picked_up_at")),
        list(TrackingPoll.objects.order_by("pk").values_list("pk", "is_active", "waybill", "lease_token")),
        list(WaybillNumber.objects.order_by("pk").values_list("pk", "state")),
        OrderEvent.objects.exclude(subject="job").count(),
    )  # fmt: skip


def test_the_box_goes_on_under_the_right_number_and_keeps_what_it_was(make_sent, staff):
    [shipment] = make_sent(lines=2)
    old = live(shipment)
    done = correct(old, actor=staff)
    new = live(shipment)
    assert (done.refused, done.made) == ({}, {old.pk: new})
    old.refresh_from_db()
    assert (old.state, old.voided_at, old.handed_over_at) == ("VOID", LATER, NOW)
    assert (new.state, new.courier, new.waybill, new.seq) == ("HANDED_OVER", "CJGLS", RIGHT, 2)
    assert (new.numbered_at, new.handed_over_at) == (NOW, NOW)
    inside = [list(ParcelLine.objects.filter(parcel=box).values_list("line_id", "quantity")) for box in (old, new)]
    assert inside[0] == inside[1]
    assert len(inside[0]) == 2
    [shown] = again([shipment])
    assert (shown.waybill, shown.parcel_count, shown.step) == (RIGHT, 1, "SHIPPING")
    told = OrderEvent.objects.filter(kind="line.waybill_corrected")
    assert {(e.data["was"], e.data["waybill"], e.reason, e.actor_id) for e in told} == {
        (old.waybill, RIGHT, WHY, staff.pk)
    }
    assert told.count() == 2
    assert find_violations(*HEALTHY) == []


def test_scans_of_the_old_number_decide_nothing_and_those_of_the_new_do(make_sent, hear):
    [shipment] = make_sent()
    old = live(shipment)
    hear({old.waybill: [PICKED, MOVING]}, hours=7)
    assert OrderLine.objects.get().picked_up_at is not None
    correct(old)
    line = OrderLine.objects.get()
    assert (line.state, line.picked_up_at) == (LineState.SHIPPING, None)
    [shown] = again([shipment])
    assert (shown.stage, shown.first_scan_at) == ("", None)
    hear({old.waybill: HAPPY, RIGHT: []}, hours=33)
    assert (OrderLine.objects.get().state, live(shipment).state) == ("SHIPPING", "HANDED_OVER")
    # The label was right all the time: its scans are older than the correction.
    hear({RIGHT: HAPPY}, hours=34)
    assert (OrderLine.objects.get().state, live(shipment).state) == ("DELIVERED", "DELIVERED")
    assert cases() == []
    assert find_violations(*HEALTHY) == []


def test_the_new_number_is_asked_about_at_once_and_the_old_one_never_again(make_sent):
    [shipment] = make_sent()
    old = live(shipment)
    [lease] = polls.claim(at=LATER, courier="CJGLS")
    correct(old)
    asked = {poll.waybill: poll for poll in TrackingPoll.objects.all()}
    assert not asked[old.waybill].is_active
    assert asked[old.waybill].lease_token > lease.token
    assert asked[RIGHT].is_active
    assert asked[RIGHT].next_poll_at <= LATER
    assert voided.watch_numbers(at=LATER + HOUR) == 0


@pytest.fixture
def two_boxes(make_shipments, staff):
    """A shipment that has left in two boxes, one line in each."""
    contract = range_contract()
    [shipment] = make_shipments(lines=2)
    issue.issue_waybills(shipment_ids=[shipment.pk], contract_id=contract.pk, actor=staff, at=NOW)
    lines = shipments.lines_of([shipment.pk])
    extra.add_box(shipment_id=shipment.pk, contents={lines[1]: 1}, contract_id=contract.pk, actor=staff, at=NOW)
    assert shipments.ship(line_ids=lines, actor=staff, at=NOW).refused == {}
    return shipment, lines, list(Parcel.objects.filter(shipment=shipment).order_by("seq"))


def test_of_two_boxes_only_the_corrected_one_loses_what_was_told(two_boxes, hear):
    """The wrong number of the second tells of somebody else's box; 집하 of the first stays."""
    shipment, lines, (first, second) = two_boxes
    hear({second.waybill: [PICKED, MOVING], first.waybill: [PICKED]}, hours=7)
    assert correct(first, second.waybill).refused == {first.pk: correcting.OWN_BOX}
    assert correct(second).refused == {}
    scanned = dict(OrderLine.objects.values_list("pk", "picked_up_at"))
    assert (scanned[lines[0]] is None, scanned[lines[1]]) == (False, None)
    assert [p.waybill for p in correcting.correctable_boxes([shipment.pk])[shipment.pk]] == [first.waybill, RIGHT]
    assert find_violations(*HEALTHY) == []


def test_a_delivery_by_the_wrong_number_is_taken_back_first(make_sent, hear, staff):
    [shipment] = make_sent()
    old = live(shipment)
    hear({old.waybill: HAPPY}, hours=33)
    assert correct(old).refused == {old.pk: "배송중 상태가 아닙니다. 지금 상태: 배송완료"}
    at = NOW + 34 * HOUR
    shipments.undeliver(line_ids=shipments.lines_of([shipment.pk]), actor=staff, at=at, reason="남의 상자")
    assert correct(live(shipment), at=at).refused == {}
    hear({old.waybill: HAPPY, RIGHT: [PICKED]}, hours=35)
    assert OrderLine.objects.get().state == LineState.SHIPPING
    assert find_violations(*HEALTHY) == []


def test_one_box_at_a_time(two_boxes):
    _, _, boxes = two_boxes
    entries = {box.pk: WaybillEntry("", number) for box, number in zip(boxes, (RIGHT, OTHER), strict=True)}
    done = correcting.correct_waybills(entries=entries, reason=WHY, actor=None, at=LATER)
    assert (list(done.made), done.refused) == ([boxes[0].pk], {boxes[1].pk: correcting.ONE_BOX})


def test_exceptions_of_the_old_number_are_settled(make_sent):
    [shipment] = make_sent()
    old = live(shipment)
    opening.open_cases([Opening(old, kind, Evidence(NOW)) for kind in
                        (ExceptionKind.NUMBER_INVALID, ExceptionKind.NO_PICKUP)], at=NOW)  # fmt: skip
    opening.refresh_alerts([old.pk])
    correct(old)
    assert cases() == []
    assert set(ShippingException.objects.values_list("outcome", flat=True)) == {"CORRECTED"}
    assert not again([shipment])[0].tracking_failed


REFUSED = [
    ("same", "지금 등록된 송장번호와 같습니다."),
    ("taken", "에서 쓰고 있는 송장번호입니다."),
    ("680000000012", "CJ대한통운 송장번호 규칙에 맞지 않습니다."),
    ("재고소진", "송장번호 칸에 '재고소진'이 적혀 있습니다."),
    ("6.8E+11", "지수 형식입니다."),
    ("", "송장번호가 없습니다."),
]


@pytest.mark.parametrize(("number", "said"), REFUSED)
def test_what_is_no_better_number_changes_nothing(number, said, make_sent):
    shipment, other = make_sent(2)
    old = live(shipment)
    typed = {"same": old.waybill, "taken": live(other).waybill}.get(number, number)
    before = facts()
    assert said in correct(old, typed).refused[old.pk]
    assert facts() == before


def test_what_has_not_left_or_came_home_is_refused(make_numbered, make_sent, staff):
    [waits], [home] = make_numbered(1), make_sent(1, first=10)
    box = live(home)
    opening.open_cases([Opening(box, ExceptionKind.RETURNING, Evidence(NOW))], at=NOW)
    case = ShippingException.objects.get()
    deciding.come_back(exception_ids=[case.pk], actor=staff, at=NOW, reason="창고에 도착")
    before = facts()
    assert correct(live(waits)).refused == {live(waits).pk: correcting.NOT_LEFT}
    assert "반송 도착을 확인한 상자입니다." in correct(live(home)).refused[box.pk]
    assert facts() == before


def test_a_number_that_only_the_rule_blocks_needs_a_reason(make_sent):
    [shipment] = make_sent()
    old = live(shipment)
    assert correct(old, "680000000012", forced="지점에서 확인").refused == {}
    told = OrderEvent.objects.get(kind="parcel.numbered", subject_id=live(shipment).pk)
    assert told.data["forced"] == "지점에서 확인"


def test_another_courier_is_asked_about_the_new_number(make_sent):
    [shipment] = make_sent()
    assert correct(live(shipment), "506738618960", courier="HANJIN").refused == {}
    box = live(shipment)
    assert (box.courier, again([shipment])[0].courier) == ("HANJIN", "HANJIN")
    assert TrackingPoll.objects.get(parcel=box).courier == "HANJIN"


def test_a_second_press_finds_it_done(make_sent):
    [shipment] = make_sent()
    old = live(shipment)
    correct(old)
    before = facts()
    assert correct(old).refused == {old.pk: correcting.GONE}
    assert correct(live(shipment)).refused == {live(shipment).pk: correcting.SAME}
    assert facts() == before


def test_a_number_of_a_range_comes_back_to_its_shipment_and_to_no_other(make_shipments, staff):
    contract = range_contract()
    mine, other = make_shipments(2)
    issue.issue_waybills(shipment_ids=[mine.pk], contract_id=contract.pk, actor=staff, at=NOW)
    waybills.register_waybills(entries={other.pk: WaybillEntry("CJGLS", OTHER)}, actor=staff, at=NOW)
    shipments.ship(line_ids=shipments.lines_of([mine.pk, other.pk]), actor=staff, at=NOW)
    first = live(mine)
    assert correct(first, actor=staff).refused == {}
    assert WaybillNumber.objects.get(number=first.waybill).state == "VOID"
    before, theirs = facts(), live(other)
    assert correct(theirs, first.waybill).refused == {theirs.pk: pool.GIVEN_UP}
    assert facts() == before
    assert correct(live(mine), first.waybill, actor=staff).refused == {}
    number = WaybillNumber.objects.get(number=first.waybill)
    assert (number.state, number.parcel_id, live(mine).waybill) == ("USED", live(mine).pk, first.waybill)
    assert find_violations(*HEALTHY, "INV-08") == []


def test_a_feed_that_tells_of_the_slip_opens_a_case_only_where_our_label_bears_it(make_sent):
    typed, printed = make_sent(2)
    Parcel.objects.filter(shipment=printed).update(printed_at=NOW, printed_count=1)
    slips = [live(typed), live(printed)]
    for box, number in zip(slips, (RIGHT, OTHER), strict=True):
        correct(box, number)
    told = {box.pk: [RawEvent(code="41", name="간선상차", place="옥천", at=NOW + 21 * HOUR)] for box in slips}
    assert voided.tell_voided(source="cj", told=told, at=NOW + 22 * HOUR) == set(told)
    assert list(ShippingException.objects.values_list("parcel_id", "kind")) == [
        (slips[1].pk, ExceptionKind.CANCELLED_BUT_SCANNED)
    ]


@pytest.mark.django_db(transaction=True)
def test_two_clerks_at_once_make_one_box(make_sent):
    shipment, other = make_sent(2)
    box, another = live(shipment), live(other)

    def clerk(one, number):
        def job():
            return dict(correct(one, number).refused)

        return job

    answers = race([clerk(box, RIGHT), clerk(box, OTHER)])
    assert sorted(answers, key=len) == [{}, {box.pk: correcting.GONE}]
    assert Parcel.objects.filter(shipment=shipment).count() == 2
    taken = live(shipment).waybill
    left = OTHER if taken == RIGHT else RIGHT
    answers = race([clerk(another, left), clerk(live(shipment), left)])
    assert sorted(map(len, answers)) == [0, 1]
    assert Parcel.objects.filter(waybill=left, state="HANDED_OVER").count() == 1
    assert find_violations(*HEALTHY, "INV-08") == []


# --- over HTTP ---


def rows(*made):
    return [(one.pk, one.version) for one in again(made)]


def test_the_act_on_the_list(press, sign_in, make_sent):
    one, other = make_sent(2)
    logistics, fields = sign_in(Role.LOGISTICS), {"waybill": RIGHT, "reason": WHY, "courier": ""}
    before = facts()
    refused, _ = press(sign_in(Role.CS), "correct-waybill", "shipping", rows(one), **fields)
    assert refused.status_code == 403
    for wrong, said in (
        ({"reason": ""}, "사유를 입력하세요."), ({"waybill": ""}, "바른 송장번호"),
        ({"waybill": live(other).waybill}, "에서 쓰고 있는 송장번호입니다."),
        ({"waybill": "680000000012"}, "CJ대한통운 송장번호 규칙에 맞지 않습니다."),
        ({"was": OTHER}, "이 배송건의 송장번호가 아닙니다."),
    ):  # fmt: skip
        _, answer = press(logistics, "correct-waybill", "shipping", rows(one), **fields | wrong)
        assert (answer.status_code, said in answer.content.decode()) == (422, True), said
    _, several = press(logistics, "correct-waybill", "shipping", rows(one, other), **fields)
    assert "배송건을 하나만 고르세요." in several.content.decode()
    _, forced = press(
        logistics, "correct-waybill", "shipping", rows(one), **fields | {"waybill": "680000000012", "forced": "on"}
    )
    assert "권한이 없습니다." in forced.content.decode()
    assert facts() == before
    stale = rows(one)
    _, done = press(logistics, "correct-waybill", "shipping", stale, **fields)
    text = done.content.decode()
    assert done.status_code == 200
    assert "송장번호를 정정했습니다" in text
    assert "고객 안내" in text
    assert live(one).waybill == RIGHT
    press(logistics, "correct-waybill", "shipping", stale, **fields | {"waybill": OTHER})
    assert live(one).waybill == RIGHT


def test_of_several_boxes_the_wrong_number_is_asked_for(press, sign_in, two_boxes):
    shipment, _, (first, second) = two_boxes
    fields = {"waybill": RIGHT, "reason": WHY, "courier": ""}
    owner = sign_in(Role.OWNER)
    _, asked = press(owner, "correct-waybill", "shipping", rows(shipment), **fields)
    assert f"{first.waybill}, {second.waybill}" in asked.content.decode()
    _, done = press(owner, "correct-waybill", "shipping", rows(shipment), **fields | {"was": second.waybill})
    assert done.status_code == 200
    assert {one.waybill for one in correcting.correctable_boxes([shipment.pk])[shipment.pk]} == {first.waybill, RIGHT}


def test_the_number_error_is_mended_where_it_stands(press, sign_in, make_sent):
    [shipment] = make_sent()
    box = live(shipment)
    opening.open_cases([Opening(box, ExceptionKind.NUMBER_INVALID, Evidence(NOW))], at=NOW)
    case = ShippingException.objects.get()
    client = sign_in(Role.LOGISTICS)
    page = client.get(f"/shipping/exceptions/{case.pk}/").content.decode()
    assert page.index("correct-case") < page.index("ask-courier-again")
    _, done = press(client, "correct-case", "exceptions", [(case.pk, 0)], waybill=RIGHT, courier="", reason=WHY)
    assert done.status_code == 200
    case.refresh_from_db()
    assert (case.outcome, case.reason, case.closed_by is not None) == ("CORRECTED", WHY, True)
    assert live(shipment).waybill == RIGHT
    assert OrderEvent.objects.filter(kind="exception.closed").count() == 1
    shown = client.get(f"/orders/{shipment.order.number}/").content.decode()
    assert f"송장 {box.waybill} → {RIGHT}" in shown
