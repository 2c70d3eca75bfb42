"""Numbers of couriers' APIs in two phases: stored before registering, never a second one (shipping.md 5.3, A16)."""

import threading
from datetime import timedelta
from functools import partial

import pytest

from core.invariants import find_violations
from core.models import Setting
from orders.models import Order
from orders.services import locks
from shipping.drains import issue_cj
from shipping.models import AccountState, CourierContract, Parcel, WaybillNumber
from shipping.services import shipments
from shipping.services.issuing import giving_up
from shipping.services.issuing.contracts import check_contract
from shipping.services.issuing.extra import add_box
from shipping.services.issuing.issue import CannotIssue, issue_waybills, reserve, undo_issue
from shipping.services.numbers import pool, waybills
from shipping.services.numbers.boxes import BoxRefused
from shipping.states import CancelState, NumberState
from tests.fixtures.contracts import range_contract
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again
from tests.infra.races import race

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)


def ask(rows, contract, actor, **facts):
    return issue_waybills(shipment_ids=[r.pk for r in rows], contract_id=contract.pk, actor=actor, at=NOW, **facts)


def states():
    return sorted(WaybillNumber.objects.values_list("state", flat=True))


def test_numbers_are_allocated_stored_registered_and_written(make_shipments, staff, contract, courier):
    rows = make_shipments(12)
    done = ask(rows, contract, staff)
    assert (done.waiting, done.registered, done.refused) == ([row.pk for row in rows], [], {})
    assert {row.issuing for row in again(rows)} == {"발급 중"}
    assert {row.version for row in again(rows)} == {rows[0].version + 1}
    assert courier.calls == {}
    assert issue_cj(at=NOW) == 12
    assert issue_cj(at=NOW) == 0
    assert courier.calls == {"allocate": 2, "register": 12}
    fresh = again(rows)
    assert {row.issuing for row in fresh} == {""}
    assert courier.bookings == {f"{row.number}-1": row.waybill for row in fresh}
    assert {(p.source, p.state) for p in Parcel.objects.all()} == {("API", "NUMBERED")}
    numbers = WaybillNumber.objects.all()
    assert {(n.state, n.routing["sort_code"], n.requested_by) for n in numbers} == {("USED", "5D32", staff)}
    assert list(find_violations()) == []


def test_asking_twice_asks_once(make_shipments, staff, contract, courier):
    rows = make_shipments(2)
    ask(rows, contract, staff)
    done = ask(rows, contract, staff)
    assert set(done.refused) == {row.pk for row in rows}
    assert "이미 발급하고" in done.refused[rows[0].pk]
    assert ask(rows, range_contract(), staff).registered == []
    issue_cj(at=NOW)
    assert len(courier.bookings) == WaybillNumber.objects.count() == 2


def test_a_lost_answer_to_a_booking_is_asked_again_with_the_same_number(make_shipments, staff, contract, courier):
    rows = make_shipments(1)
    courier.faults = [("register", "lost"), ("look_up", "lost"), ("register", "lost")]
    ask(rows, contract, staff)
    issue_cj(at=NOW)
    [number] = WaybillNumber.objects.all()
    assert (number.state, number.doubts) == (NumberState.RESERVED, 1)
    assert again(rows)[0].issuing.startswith("발급 대기: 택배사의 답을 받지 못했습니다")
    assert issue_cj(at=NOW + timedelta(seconds=5)) == 0
    issue_cj(at=NOW + MINUTE)
    assert WaybillNumber.objects.get().doubts == 2
    issue_cj(at=NOW + 5 * MINUTE)
    assert states() == ["USED"]
    assert again(rows)[0].waybill == number.number
    assert courier.bookings == {number.key: number.number}
    assert courier.given == 1


def test_a_process_that_dies_around_the_booking_leaves_one_number(
    make_shipments, staff, contract, courier, monkeypatch
):
    for point, booked in (("waybill_number_stored", 0), ("waybill_booked", 1), ("waybill_before_parcel", 1)):
        rows = make_shipments(1)
        ask(rows, contract, staff)
        monkeypatch.setenv("OMS_FAILPOINTS", f"{point}=raise")
        with pytest.raises(Exception, match=point):
            issue_cj(at=NOW)
        monkeypatch.delenv("OMS_FAILPOINTS")
        assert Parcel.objects.filter(shipment=rows[0]).count() == 0
        number = WaybillNumber.objects.get(shipment=rows[0])
        assert number.number
        assert len([key for key in courier.bookings if key == number.key]) == booked
        assert issue_cj(at=NOW + MINUTE) == 0  # the lease of the dead one
        assert issue_cj(at=NOW + 5 * MINUTE) == 1
        assert again(rows)[0].waybill == number.number == courier.bookings[number.key]
    assert courier.given == WaybillNumber.objects.count() == 3
    assert list(find_violations()) == []


def test_a_lost_allocation_is_counted_and_asked_again(make_shipments, staff, contract, courier):
    rows = make_shipments(2)
    courier.faults = [("allocate", "lost")]
    ask(rows, contract, staff)
    issue_cj(at=NOW)
    assert states() == ["REQUESTED", "REQUESTED"]
    issue_cj(at=NOW + MINUTE)
    assert (states(), courier.given) == (["USED", "USED"], 4)
    assert CourierContract.objects.get(pk=contract.pk).leaked == 2


def test_a_limit_stops_the_contract_for_a_while(make_shipments, staff, contract, courier):
    rows = make_shipments(1)
    courier.faults = [("allocate", "LIMITED")]
    ask(rows, contract, staff)
    issue_cj(at=NOW)
    paused = CourierContract.objects.get(pk=contract.pk).paused_until
    assert paused == NOW + 10 * MINUTE
    assert issue_cj(at=paused - MINUTE) == 0
    assert issue_cj(at=paused) == 1
    assert states() == ["USED"]


def test_a_refused_key_blocks_the_contract_until_it_is_mended(make_shipments, staff, contract, courier, caplog):
    rows = make_shipments(2)
    courier.faults = [("register", "AUTH"), ("register", "AUTH")]
    ask(rows, contract, staff)
    issue_cj(at=NOW)
    blocked = CourierContract.objects.get(pk=contract.pk)
    assert blocked.state == AccountState.BLOCKED
    assert sum("contract cj-api cannot be used" in record.message for record in caplog.records) == 1
    assert issue_cj(at=NOW + 60 * MINUTE) == 0
    with pytest.raises(CannotIssue, match="인증이 거절"):
        ask(make_shipments(1), contract, staff)
    assert check_contract(blocked, at=NOW) == (True, "연결되었습니다. 번호는 받지 않았습니다.")
    assert issue_cj(at=NOW) == 2
    assert states() == ["USED", "USED"]


def test_an_address_that_the_courier_does_not_serve_holds_the_shipment(make_shipments, staff, contract, courier):
    rows = make_shipments(2)
    courier.faults = [("register", "UNDELIVERABLE")]
    ask(rows, contract, staff)
    issue_cj(at=NOW)
    assert states() == ["USED", "VOID"]
    [held] = [row for row in again(rows) if row.is_held]
    assert held.issuing == "발급 실패: 배송불가 지역 구간 없음"
    assert (held.waybill, len(courier.bookings)) == ("", 1)
    assert WaybillNumber.objects.get(state="VOID").cancel == CancelState.NONE


def test_a_shipment_that_is_held_or_gone_meanwhile_is_not_booked(make_shipments, staff, contract, courier):
    gone, held = make_shipments(2)
    ask([gone, held], contract, staff)
    shipments.return_to_preparing(line_ids=shipments.lines_of([gone.pk]), actor=staff, at=NOW)
    locks.hold(line_ids=shipments.lines_of([held.pk]), actor=staff, at=NOW, reason="고객 부재")
    issue_cj(at=NOW)
    assert (states(), courier.calls) == (["REQUESTED", "VOID"], {})
    assert "보류" in again([held])[0].issuing
    locks.release_hold(line_ids=shipments.lines_of([held.pk]), actor=staff, at=NOW)
    issue_cj(at=NOW + 6 * MINUTE)
    assert states() == ["USED", "VOID"]


def test_a_booking_of_a_shipment_that_went_away_during_the_call_is_canceled(make_shipments, staff, contract, courier):
    [row] = make_shipments(1)
    ask([row], contract, staff)

    def take_away(call, body):
        if call == "register":
            courier.before = None
            shipments.return_to_preparing(line_ids=shipments.lines_of([row.pk]), actor=staff, at=NOW)

    courier.before = take_away
    issue_cj(at=NOW)
    assert (states(), Parcel.objects.count()) == (["REGISTERED"], 0)
    issue_cj(at=NOW + MINUTE)
    issue_cj(at=NOW + MINUTE)
    [number] = WaybillNumber.objects.all()
    assert (number.state, number.cancel) == (NumberState.VOID, CancelState.DONE)
    assert (courier.bookings, courier.canceled) == ({}, [number.key])


def test_another_address_after_a_doubt_is_not_sent_under_the_same_number(make_shipments, staff, contract, courier):
    rows = make_shipments(1)
    courier.faults = [("register", "lost")]
    ask(rows, contract, staff)
    issue_cj(at=NOW)
    Order.objects.update(address1="제주특별자치도 제주시 첨단로 242")
    issue_cj(at=NOW + MINUTE)
    issue_cj(at=NOW + MINUTE)
    assert (states(), Parcel.objects.count(), courier.bookings) == (["VOID"], 0, {})
    assert "배송지가 바뀌어" in again(rows)[0].issuing
    ask(rows, contract, staff)
    issue_cj(at=NOW + 2 * MINUTE)
    [key] = courier.bookings
    assert (key, courier.addresses[key][:2]) == (f"{rows[0].number}-2", "제주")


def test_voiding_and_undoing_tell_the_courier(make_shipments, staff, contract, courier):
    one, other, waiting = make_shipments(3)
    ask([one, other], contract, staff)
    issue_cj(at=NOW)
    ask([waiting], contract, staff)
    waybills.void_waybills(line_ids=shipments.lines_of([one.pk]), actor=staff, at=NOW, reason="주소 오류")
    undone = undo_issue(shipment_ids=[other.pk, waiting.pk], actor=staff, at=NOW, batch=None, reason="되돌리기")
    assert {row.pk for row in undone.possible} == {other.pk, waiting.pk}
    issue_cj(at=NOW)
    assert courier.bookings == {}
    assert states() == ["VOID"] * 3
    assert sorted(WaybillNumber.objects.values_list("cancel", flat=True)) == ["", "DONE", "DONE"]
    assert again([waiting])[0].issuing == ""
    assert list(find_violations()) == []


def test_a_number_whose_booking_is_canceled_is_not_typed_again_on_its_shipment(
    make_shipments, staff, contract, courier
):
    [row] = make_shipments(1)
    ask([row], contract, staff)
    issue_cj(at=NOW)
    number = again([row])[0].waybill
    waybills.void_waybills(line_ids=shipments.lines_of([row.pk]), actor=staff, at=NOW, reason="주소 오류")
    typed = {row.pk: waybills.WaybillEntry("CJGLS", number)}
    for booked in (1, 0):
        assert len(courier.bookings) == booked
        assert waybills.register_waybills(entries=typed, actor=staff, at=NOW).refused == {row.pk: pool.GIVEN_UP}
        issue_cj(at=NOW)
    assert again([row])[0].waybill == ""
    assert ask([row], contract, staff).waiting == [row.pk]


def test_a_cancellation_that_the_courier_refuses_is_flagged(make_shipments, staff, contract, courier):
    rows = make_shipments(1)
    ask(rows, contract, staff)
    issue_cj(at=NOW)
    courier.faults = [("cancel", "lost"), ("cancel", "REJECTED")]
    waybills.void_waybills(line_ids=shipments.lines_of([rows[0].pk]), actor=staff, at=NOW, reason="주소 오류")
    issue_cj(at=NOW)
    assert WaybillNumber.objects.get().cancel == CancelState.DUE
    issue_cj(at=NOW + 5 * MINUTE)
    number = WaybillNumber.objects.get()
    assert (number.cancel, number.next_try_at) == (CancelState.REFUSED, None)
    assert "택배사 프로그램에서 취소하세요" in number.last_error


def test_bookings_are_canceled_side_by_side_so_that_a_slow_courier_costs_no_lease(
    make_shipments, staff, contract, courier
):
    rows = make_shipments(8)
    ask(rows, contract, staff)
    issue_cj(at=NOW)
    lines = shipments.lines_of([row.pk for row in rows])
    waybills.void_waybills(line_ids=lines, actor=staff, at=NOW, reason="주소 오류")
    together = threading.Barrier(8, timeout=10)
    courier.before = lambda call, body: together.wait() if call == "cancel" else None
    assert issue_cj(at=NOW) == 8
    assert (courier.bookings, len(courier.canceled)) == ({}, 8)
    assert set(WaybillNumber.objects.values_list("cancel", flat=True)) == {CancelState.DONE}


def test_an_account_that_the_courier_refuses_is_one_line_in_the_log_whoever_noticed(
    make_shipments, staff, contract, courier, caplog
):
    rows = make_shipments(2)
    ask(rows, contract, staff)
    issue_cj(at=NOW)
    waybills.void_waybills(line_ids=shipments.lines_of([row.pk for row in rows]), actor=staff, at=NOW, reason="오류")
    courier.faults = [("cancel", "AUTH"), ("cancel", "AUTH")]
    issue_cj(at=NOW)
    assert CourierContract.objects.get().state == AccountState.BLOCKED
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        "contract cj-api cannot be used: 택배사가 우리 키를 받지 않았습니다."
    ]


def test_only_a_manager_gives_a_doubtful_number_up_and_it_stays_on_record(make_shipments, staff, contract, courier):
    rows = make_shipments(1)
    courier.faults = [("register", "lost"), ("look_up", "lost")] * 3
    ask(rows, contract, staff)
    for minutes in (0, 1, 2):
        issue_cj(at=NOW + minutes * MINUTE)
    [number] = WaybillNumber.objects.all()
    giving_up.abandon(number_id=number.pk, reason="택배사에 전화로 확인", actor=staff, at=NOW)
    [number] = WaybillNumber.objects.all()
    assert (number.state, number.abandoned_by, number.last_error) == ("ABANDONED", staff, "택배사에 전화로 확인")
    assert issue_cj(at=NOW + 60 * MINUTE) == 0
    ask(rows, contract, staff)
    issue_cj(at=NOW + 60 * MINUTE)
    assert states() == ["ABANDONED", "USED"]
    assert again(rows)[0].waybill != number.number


def test_retrying_does_not_disturb_a_call_that_is_on_its_way(make_shipments, staff, contract, courier):
    rows = make_shipments(1)
    courier.faults = [("register", "lost")]
    ask(rows, contract, staff)
    issue_cj(at=NOW)
    giving_up.retry(number_id=WaybillNumber.objects.get().pk, at=NOW + timedelta(seconds=1))
    assert issue_cj(at=NOW + timedelta(seconds=1)) == 1
    assert states() == ["USED"]


def test_a_day_has_so_many_numbers(make_shipments, staff, contract, courier):
    CourierContract.objects.filter(pk=contract.pk).update(day_limit=2)
    rows = make_shipments(3)
    done = ask(rows, contract, staff)
    assert len(done.waiting) == 2
    assert "2개를 모두 썼습니다" in done.refused[rows[2].pk]
    assert WaybillNumber.objects.count() == 2


def test_two_who_ask_at_once_do_not_pass_the_limit_of_the_day(make_shipments, staff, contract, courier):
    CourierContract.objects.filter(pk=contract.pk).update(day_limit=20)
    rows = make_shipments(80)
    found = race([partial(_waiting, rows[n * 20 : n * 20 + 20], contract, staff) for n in range(4)])
    assert sum(found) == WaybillNumber.objects.count() == 20


def _waiting(rows, contract, actor):
    return len(ask(rows, contract, actor).waiting)


def test_a_number_left_by_a_range_does_not_stand_in_the_way(make_shipments, staff, contract, courier):
    [row] = make_shipments(1)
    reserve(shipment_ids=[row.pk], contract=range_contract(), actor=staff, at=NOW)
    assert ask([row], contract, staff).waiting == [row.pk]
    assert issue_cj(at=NOW) == 1
    assert again([row])[0].waybill == courier.bookings[f"{row.number}-2"]
    assert states() == ["USED", "VOID"]


def test_a_further_box_waits_for_its_number_and_the_shipment_with_it(make_shipments, staff, contract, courier):
    [row] = make_shipments(1, lines=2)
    ask([row], contract, staff)
    issue_cj(at=NOW)
    first, second = shipments.lines_of([row.pk])
    box = add_box(shipment_id=row.pk, contents={second: 1}, contract_id=contract.pk, actor=staff, at=NOW)
    assert box.state == "CREATED"
    with pytest.raises(BoxRefused):
        add_box(shipment_id=row.pk, contents={first: 1}, contract_id=contract.pk, actor=staff, at=NOW)
    refused = shipments.ship(line_ids=[first, second], actor=staff, at=NOW).refused
    assert set(refused) == {first, second}
    issue_cj(at=NOW)
    box.refresh_from_db()
    assert (box.state, box.waybill, box.source) == ("NUMBERED", courier.bookings[f"{row.number}-2"], "API")
    assert shipments.ship(line_ids=[first, second], actor=staff, at=NOW).refused == {}
    assert set(Parcel.objects.values_list("state", flat=True)) == {"HANDED_OVER"}


def test_without_a_sender_nothing_is_asked(make_shipments, staff, contract, courier):
    Setting.objects.all().delete()
    rows = make_shipments(1)
    ask(rows, contract, staff)
    issue_cj(at=NOW)
    assert courier.calls == {}
    assert "보내는 분" in again(rows)[0].issuing
