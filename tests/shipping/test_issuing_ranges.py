"""Numbers out of ranges: blocks, check digits, exhaustion, two clerks, undo (shipping.md 5.1, 5.3, A15, F43)."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from core.invariants import find_violations
from core.state import previewing
from orders.services import locks
from shipping.couriers import COURIERS
from shipping.models import CourierContract, Parcel, WaybillDraft, WaybillNumber, WaybillRange
from shipping.services import shipments
from shipping.services.issuing import giving_up
from shipping.services.issuing.contracts import ContractFacts, ContractRefused, add_range, save_contract, switch_range
from shipping.services.issuing.extra import add_box
from shipping.services.issuing.issue import TYPED, CannotIssue, issue_waybills, reserve, undo_issue
from shipping.services.issuing.ranges import EXHAUSTED, supply_of, words_of_supply
from shipping.services.numbers import waybills
from shipping.services.numbers.boxes import BoxRefused
from shipping.services.numbers.waybills import WaybillEntry
from shipping.states import ContractMode, NumberState, ParcelState
from shipping.waybills import WaybillLevel, body_digits_of, check_waybill, number_of
from tests.fixtures.contracts import give_range, range_contract
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again, waybill_number
from tests.infra.races import race


@given(
    courier=st.sampled_from(["CJGLS", "HANJIN", "HYUNDAI"]), prefix=st.from_regex(r"\A[1-9][0-9]?\Z"), data=st.data()
)
def test_every_number_of_a_range_is_one_that_we_take_back(courier, prefix, data):
    found = COURIERS[courier]
    digits = body_digits_of(found, prefix)
    body = data.draw(st.integers(0, 10**digits - 1))
    number = number_of(found, prefix=prefix, body_digits=digits, body=body)
    assert len(number) == 12
    assert number.startswith(f"{prefix}{body:0{digits}d}")
    assert check_waybill(number, found).level is WaybillLevel.OK


def issue(rows, contract, actor, **facts):
    ids = [row.pk for row in rows]
    return issue_waybills(shipment_ids=ids, contract_id=contract.pk, actor=actor, at=NOW, **facts)


def test_a_block_is_issued_and_written_as_parcels(make_shipments, staff):
    contract, rows = range_contract(), make_shipments(5)
    done = issue(rows, contract, staff)
    assert (done.registered, done.refused) == ([row.pk for row in rows], {})
    numbers = [number_of(COURIERS["CJGLS"], prefix="68", body_digits=9, body=100_000_000 + n) for n in range(5)]
    assert [row.waybill for row in again(rows)] == numbers
    parcels = Parcel.objects.order_by("pk")
    assert {(p.state, p.source, p.courier) for p in parcels} == {("NUMBERED", "RANGE", "CJGLS")}
    given_ = WaybillNumber.objects.order_by("pk")
    assert [(n.state, n.number, n.parcel_id) for n in given_] == [("USED", p.waybill, p.pk) for p in parcels]
    assert [n.key for n in given_] == [f"{row.number}-1" for row in rows]
    assert max(len(n.key) for n in given_) <= 30
    assert WaybillRange.objects.get().next_body == 100_000_005
    assert [row.version for row in again(rows)] == [row.version + 1 for row in rows]
    assert list(find_violations()) == []


def test_a_second_click_gets_the_number_of_the_first(make_shipments, staff):
    contract, rows = range_contract(), make_shipments(2)
    issue(rows, contract, staff)
    numbers = [row.waybill for row in again(rows)]
    done = issue(rows, contract, staff)
    assert done.registered == []
    assert done.refused == {row.pk: f"이미 발급됨: {number}" for row, number in zip(rows, numbers, strict=True)}
    assert (Parcel.objects.count(), WaybillNumber.objects.count()) == (2, 2)


def test_what_was_reserved_before_a_crash_is_used_and_no_second_number(make_shipments, staff):
    contract, rows = range_contract(), make_shipments(3)
    reserved = reserve(shipment_ids=[row.pk for row in rows], contract=contract, actor=staff, at=NOW)
    assert {n.state for n in WaybillNumber.objects.all()} == {"RESERVED"}
    assert list(find_violations()) == []
    done = issue(rows, contract, staff)
    assert len(done.registered) == 3
    assert {row.pk: row.waybill for row in again(rows)} == {pk: entry.waybill for pk, entry in reserved.items()}
    assert WaybillNumber.objects.count() == 3


def test_the_next_range_goes_on_and_the_rest_is_told_when_none_is_left(make_shipments, staff, caplog):
    contract, rows = range_contract(size=2), make_shipments(6)
    give_range(contract, size=2, start=500_000_000, order=2)
    done = issue(rows, contract, staff)
    assert done.registered == [row.pk for row in rows[:4]]
    assert done.refused == {row.pk: EXHAUSTED for row in rows[4:]}
    assert [row.waybill[:6] for row in again(rows)] == ["681000", "681000", "685000", "685000", "", ""]
    assert supply_of(contract, at=NOW).left == 0
    assert sum("numbers left" in record.message for record in caplog.records) >= 1
    issue(rows[4:], contract, staff)
    told = CourierContract.objects.get()
    assert (told.low_told_at, told.day_told_at) == (NOW, NOW)
    assert words_of_supply(contract, at=NOW).startswith("CJ 대역에 쓸 수 있는 송장번호가 없습니다.")
    assert sum("numbers left" in record.message for record in caplog.records) <= 2
    give_range(contract, size=100, start=700_000_000, order=3)
    assert CourierContract.objects.get().low_told_at is None
    assert issue(rows[4:], contract, staff).refused == {}


def test_a_range_that_is_switched_off_gives_nothing(make_shipments, staff):
    contract, rows = range_contract(), make_shipments(1)
    switch_range(range_id=WaybillRange.objects.get().pk, is_active=False, actor=staff, at=NOW)
    assert issue(rows, contract, staff).refused == {rows[0].pk: EXHAUSTED}
    assert WaybillNumber.objects.count() == 0


def test_a_preview_takes_nothing_and_knows_how_many_are_left(make_shipments, staff):
    contract, rows = range_contract(size=2), make_shipments(3)
    with previewing():
        done = issue(rows, contract, staff)
    assert [row.pk for row in done.outcome.possible] == [row.pk for row in rows[:2]]
    assert done.outcome.refused == {rows[2].pk: EXHAUSTED}
    assert WaybillRange.objects.get().left == 2
    assert (WaybillNumber.objects.count(), Parcel.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("prefix", "start", "end", "field"),
    [
        ("68", "100000500", "100001999", "start"),
        ("68", "099999000", "100000000", "start"),
        ("6", "8100000500", "8100000600", "start"),
        ("68", "300000010", "300000009", "end"),
        ("68", "30000001", "300000019", "start"),
        ("68", "3000000１1", "300000019", "start"),
    ],
)  # fmt: skip
def test_ranges_that_overlap_or_make_no_numbers_are_refused(prefix, start, end, field, db):
    contract = range_contract()
    with pytest.raises(ContractRefused) as refused:
        add_range(contract_id=contract.pk, prefix=prefix, start=start, end=end, order=1, actor=None, at=NOW)
    assert refused.value.field == field
    assert WaybillRange.objects.count() == 1


def test_ranges_of_two_couriers_may_hold_the_same_numbers_and_those_of_two_contracts_not(db):
    range_contract()
    other = range_contract(code="cj-2", size=0)
    with pytest.raises(ContractRefused, match="겹칩니다"):
        give_range(other, size=10, start=100_000_990)
    CourierContract.objects.filter(pk=other.pk).update(courier="HANJIN")
    assert give_range(CourierContract.objects.get(pk=other.pk), size=10, start=100_000_990).courier == "HANJIN"
    with pytest.raises(IntegrityError), transaction.atomic():
        WaybillRange.objects.filter(courier="HANJIN").update(courier="CJGLS")


def test_a_voided_number_is_never_given_or_typed_again(make_shipments, staff):
    contract, [one, other] = range_contract(), make_shipments(2)
    issue([one], contract, staff)
    [number] = [row.waybill for row in again([one])]
    waybills.void_waybills(line_ids=shipments.lines_of([one.pk]), actor=staff, at=NOW, reason="주소 오류")
    assert WaybillNumber.objects.get().state == NumberState.VOID
    typed = waybills.register_waybills(entries={other.pk: WaybillEntry("CJGLS", number)}, actor=staff, at=NOW)
    assert list(typed.refused) == [other.pk]
    assert "폐기한 송장번호" in typed.refused[other.pk]
    assert issue([one], contract, staff).refused == {}
    [fresh] = again([one])
    assert fresh.waybill not in {"", number}
    assert WaybillNumber.objects.order_by("pk").last().key == f"{one.number}-2"
    assert list(find_violations()) == []


def test_a_number_that_waits_for_one_shipment_is_not_typed_on_another(make_shipments, staff):
    contract, [one, other] = range_contract(), make_shipments(2)
    entry = reserve(shipment_ids=[one.pk], contract=contract, actor=staff, at=NOW)[one.pk]
    typed = waybills.register_waybills(entries={other.pk: entry}, actor=staff, at=NOW)
    assert typed.refused == {other.pk: "다른 배송건에 발급한 송장번호입니다."}
    assert Parcel.objects.count() == 0
    assert waybills.register_waybills(entries={one.pk: entry}, actor=staff, at=NOW).refused == {}
    assert WaybillNumber.objects.get().state == NumberState.USED


def test_a_number_that_somebody_typed_before_its_turn_is_passed_over(make_shipments, staff):
    contract, [typed, one, other] = range_contract(), make_shipments(3)
    numbers = [number_of(COURIERS["CJGLS"], prefix="68", body_digits=9, body=100_000_000 + n) for n in range(3)]
    waybills.register_waybills(entries={typed.pk: WaybillEntry("CJGLS", numbers[1])}, actor=staff, at=NOW)
    assert issue([one, other], contract, staff).refused == {}
    assert [row.waybill for row in again([typed, one, other])] == [numbers[1], numbers[0], numbers[2]]
    assert WaybillRange.objects.get().next_body == 100_000_003
    assert list(find_violations()) == []


def test_a_number_left_behind_that_another_box_bears_is_thrown_away(make_shipments, staff):
    contract, [typed, one] = range_contract(), make_shipments(2)
    waybills.register_waybills(entries={typed.pk: WaybillEntry("CJGLS", waybill_number(0))}, actor=staff, at=NOW)
    left = reserve(shipment_ids=[one.pk], contract=contract, actor=staff, at=NOW)[one.pk].waybill
    Parcel.objects.update(waybill=left)  # typed in the moment between the two looks
    assert issue([one], contract, staff).refused == {}
    [fresh] = again([one])
    assert fresh.waybill not in {"", left}
    assert sorted(WaybillNumber.objects.values_list("state", flat=True)) == ["USED", "VOID"]


def test_a_number_left_behind_by_another_contract_is_not_used_for_this_one(make_shipments, staff):
    contract, [one] = range_contract(), make_shipments(1)
    other = range_contract(code="hanjin", size=0)
    CourierContract.objects.filter(pk=other.pk).update(courier="HANJIN")
    give_range(CourierContract.objects.get(pk=other.pk), size=10, start=100_000_000)
    reserve(shipment_ids=[one.pk], contract=contract, actor=staff, at=NOW)
    assert issue([one], other, staff).refused == {}
    parcel = Parcel.objects.get()
    assert (parcel.courier, parcel.waybill[:2]) == ("HANJIN", "68")
    states = {n.contract.code: n.state for n in WaybillNumber.objects.select_related("contract")}
    assert states == {"cj-range": "VOID", "hanjin": "USED"}
    assert list(find_violations()) == []


def test_a_new_range_after_many_used_ones_is_not_low(make_shipments, staff):
    contract = range_contract(size=0)
    for n in range(1, 7):
        give_range(contract, size=10, start=n * 100_000_000, order=n)
    WaybillRange.objects.filter(order__lt=6).update(next_body=F("body_end") + 1, first_used_at=NOW - timedelta(days=50))
    supply = supply_of(contract, at=NOW)
    assert (supply.left, supply.total, supply.is_low, words_of_supply(contract, at=NOW)) == (10, 10, False, "")
    WaybillRange.objects.filter(order=6).update(next_body=F("body_end") - 1)
    assert "송장번호가 2개 남았습니다" in words_of_supply(contract, at=NOW)


def test_a_contract_with_ranges_keeps_its_courier(db):
    contract, facts = range_contract(), ContractFacts(name="CJ 대역", courier="HANJIN", mode=ContractMode.RANGE)
    with pytest.raises(ContractRefused, match="택배사는 바꿀 수 없습니다") as refused:
        save_contract(code=contract.code, given=facts, options={}, actor=None, at=NOW, contract_id=contract.pk)
    assert refused.value.field == "courier"
    assert CourierContract.objects.get().courier == "CJGLS"
    empty = range_contract(code="empty", size=0)
    save_contract(code="empty", given=facts, options={}, actor=None, at=NOW, contract_id=empty.pk)
    assert CourierContract.objects.get(pk=empty.pk).courier == "HANJIN"


def test_held_and_canceled_shipments_get_no_number(make_shipments, staff):
    contract, rows = range_contract(), make_shipments(3)
    locks.hold(line_ids=shipments.lines_of([rows[0].pk]), actor=staff, at=NOW, reason="고객 부재")
    shipments.return_to_preparing(line_ids=shipments.lines_of([rows[1].pk]), actor=staff, at=NOW)
    done = issue(rows, contract, staff)
    assert done.registered == [rows[2].pk]
    assert "배송보류" in done.refused[rows[0].pk]
    assert rows[1].pk in done.refused
    assert WaybillNumber.objects.count() == 1


def test_what_somebody_typed_is_not_thrown_away_for_a_number(make_shipments, staff):
    contract, [typed, free] = range_contract(), make_shipments(2)
    WaybillDraft.objects.create(shipment=typed, courier="CJGLS", text=waybill_number(0), author=staff, saved_at=NOW)
    done = issue([typed, free], contract, staff)
    assert (done.registered, done.refused) == ([free.pk], {typed.pk: TYPED})
    assert WaybillDraft.objects.get().text == waybill_number(0)
    assert WaybillNumber.objects.count() == 1


def test_a_reserved_number_of_a_shipment_that_is_gone_is_thrown_away(make_shipments, staff):
    contract, [one, other] = range_contract(), make_shipments(2)
    reserve(shipment_ids=[one.pk, other.pk], contract=contract, actor=staff, at=NOW)
    shipments.return_to_preparing(line_ids=shipments.lines_of([one.pk]), actor=staff, at=NOW)
    assert giving_up.tidy(at=NOW + timedelta(minutes=9)) == 0
    later = NOW + timedelta(minutes=11)
    assert giving_up.tidy(at=later) == 2
    assert giving_up.tidy(at=later) == 0
    states = {n.shipment_id: n.state for n in WaybillNumber.objects.all()}
    assert states == {one.pk: "VOID", other.pk: "RESERVED"}
    assert list(find_violations()) == []


def test_undoing_voids_the_numbers(make_shipments, staff):
    contract, rows = range_contract(), make_shipments(2)
    issue(rows, contract, staff)
    ids = [row.pk for row in rows]
    outcome = undo_issue(shipment_ids=ids, actor=staff, at=NOW, batch=None, reason="되돌리기")
    assert [row.pk for row in outcome.possible] == ids
    assert {p.state for p in Parcel.objects.all()} == {"VOID"}
    assert {n.state for n in WaybillNumber.objects.all()} == {"VOID"}
    assert [row.waybill for row in again(rows)] == ["", ""]
    assert list(find_violations()) == []


@pytest.mark.parametrize("mode", [ContractMode.COURIER_FILE, ContractMode.GOODSFLOW, ContractMode.HAND])
def test_contracts_that_give_no_numbers_say_what_to_do_instead(mode, make_shipments, staff):
    contract, rows = range_contract(), make_shipments(1)
    CourierContract.objects.update(mode=mode)
    with pytest.raises(CannotIssue) as refused:
        issue(rows, contract, staff)
    assert refused.value.message.endswith("하세요.") or "올리세요" in refused.value.message
    assert WaybillNumber.objects.count() == 0


def test_a_further_box_takes_its_units_out_of_the_first_one(make_shipments, staff):
    contract, [one] = range_contract(), make_shipments(1, lines=2)
    with pytest.raises(BoxRefused):
        add_box(shipment_id=one.pk, contents={}, contract_id=contract.pk, actor=staff, at=NOW)
    issue([one], contract, staff)
    first, second = shipments.lines_of([one.pk])
    box = add_box(shipment_id=one.pk, contents={second: 1}, contract_id=contract.pk, actor=staff, at=NOW)
    assert (box.state, box.seq) == (ParcelState.NUMBERED, 2)
    assert {(i.parcel.seq, i.line_id, i.quantity) for p in Parcel.objects.all() for i in p.items.all()} == {
        (1, first, 1), (2, second, 1),
    }  # fmt: skip
    assert sorted(n.key for n in WaybillNumber.objects.all()) == [f"{one.number}-1", f"{one.number}-2"]
    [shipment] = again([one])
    assert (shipment.parcel_count, shipment.waybill) == (2, Parcel.objects.get(seq=1).waybill)
    for contents in ({second: 1}, {first: 1}, {first: 0}):
        with pytest.raises(BoxRefused):
            add_box(shipment_id=one.pk, contents=contents, contract_id=contract.pk, actor=staff, at=NOW)
    assert Parcel.objects.count() == WaybillNumber.objects.count() == 2
    assert shipments.ship(line_ids=[first, second], actor=staff, at=NOW).refused == {}
    assert {p.state for p in Parcel.objects.all()} == {"HANDED_OVER"}
    assert {found.invariant for found in find_violations()} <= {"INV-11"}  # the news of the day is not sent yet


def test_issuing_takes_a_steady_number_of_queries(make_shipments, staff):
    contract = range_contract(size=10_000)
    few, many = make_shipments(3), make_shipments(60)
    issue(make_shipments(1), contract, staff)
    with CaptureQueriesContext(connection) as small:
        issue(few, contract, staff)
    with CaptureQueriesContext(connection) as large:
        issue(many, contract, staff)
    assert len(large) <= len(small)
    assert len(small) <= 45


@pytest.mark.django_db(transaction=True)
def test_eight_clerks_at_one_range_get_no_number_twice(make_shipments, staff):
    contract, rows = range_contract(size=1000), make_shipments(160)
    parts = [rows[n * 20 : n * 20 + 20] for n in range(8)]
    found = race([partial(_issued, part, contract, staff) for part in parts])
    assert [len(numbers) for numbers in found] == [20] * 8
    numbers = [number for some in found for number in some]
    assert len(set(numbers)) == 160
    assert WaybillRange.objects.get().next_body == 100_000_160
    assert set(WaybillNumber.objects.values_list("state", flat=True)) == {"USED"}
    assert list(find_violations()) == []


@pytest.mark.django_db(transaction=True)
def test_two_clerks_with_overlapping_selections_issue_one_number_each(make_shipments, staff):
    contract, rows = range_contract(size=1000), make_shipments(60)
    one, other = race(
        [partial(_issue_all, rows[:40], contract, staff), partial(_issue_all, rows[20:], contract, staff)]
    )
    assert len(one[0]) + len(other[0]) == 60
    told = [*one[1].values(), *other[1].values()]
    assert len(told) == 20
    assert all(text.startswith("이미 발급됨: 68") for text in told)
    assert Parcel.objects.count() == WaybillNumber.objects.count() == 60
    assert list(find_violations()) == []


def _issued(rows, contract, actor):
    done = issue(rows, contract, actor)
    assert done.refused == {}
    return [row.waybill for row in again(rows)]


def _issue_all(rows, contract, actor):
    done = issue(rows, contract, actor)
    return done.registered, done.refused
