"""The packing bench: undo, reopening, two packers, several boxes, labels that do not come, holds, counting by hand."""

from uuid import uuid4

from accounts.roles import Role
from core.invariants import find_violations
from core.settings_registry import set_setting
from orders.models import OrderEvent, OrderLine
from orders.services.changes import add_memo
from orders.states import LineState
from shipping.events import SHIPMENT_REOPENED
from shipping.models import CourierContract, PackingScan, PackingSession, Parcel, ParcelLine, PrintBatch, Shipment
from shipping.services import shipments
from shipping.services.issuing.contracts import ContractFacts, save_contract
from shipping.services.merges import merging
from shipping.services.packing.board import board_of, queue_of
from shipping.services.packing.stops import clock
from shipping.services.printing.labels import print_labels
from shipping.states import ContractMode, DeliveryMethod, ScanVerdict, Signal
from tests.fixtures.contracts import range_contract
from tests.fixtures.orders import NOW
from tests.fixtures.packing import Packer, counted, is_packed, lines_of, skus
from tests.fixtures.printing import ROUTING, parcels_of
from tests.fixtures.shipments import again, waybill_number


def test_undo_takes_one_unit_back_and_no_more(make_routed, packer):
    [made] = make_routed(1, quantities=(2, 1))
    packer.scan(made.number)
    packer.all(*skus(made)[:2])
    assert packer.scan("CMD-UNDO").signal == Signal.OK
    assert counted(made) == 1
    packer.scan("CMD-UNDO")
    assert packer.scan("CMD-UNDO").signal == Signal.WRONG
    assert counted(made) == 0
    assert PackingScan.objects.filter(verdict=ScanVerdict.OK).count() == 2


def test_a_closed_box_can_be_opened_again_until_it_leaves(make_routed, packer, staff, make_staff):
    [made] = make_routed(1)
    packer.scan(made.number)
    packer.scan(skus(made)[0])
    assert packer.scan("CMD-UNDO").signal == Signal.WRONG
    assert is_packed(made)
    assert packer.scan("CMD-OPEN").signal == Signal.OK
    assert not is_packed(made)
    assert Parcel.objects.get(shipment=made).packed_at is None
    assert OrderEvent.objects.filter(kind=SHIPMENT_REOPENED.code, actor=staff).count() == 1
    packer.scan("CMD-UNDO")
    packer.scan(made.waybill)
    assert packer.scan(skus(made)[0]).signal == Signal.DONE
    shipments.ship(line_ids=shipments.lines_of([made.pk]), actor=staff, at=NOW)
    other = Packer(make_staff(Role.LOGISTICS))
    other.open = made.pk
    assert "배송취소 권한" in other.scan("CMD-OPEN").text
    assert is_packed(made)
    packer.open = made.pk
    assert packer.scan("CMD-OPEN").signal == Signal.OK
    assert again([made])[0].step == "READY"
    assert not is_packed(made)


def test_what_the_courier_has_picked_up_is_not_opened(make_sent, packer):
    [made] = make_sent(1)
    Shipment.objects.filter(pk=made.pk).update(first_scan_at=NOW)
    packer.open = made.pk
    assert "가져간" in packer.scan("CMD-OPEN").text
    assert set(OrderLine.objects.values_list("state", flat=True)) == {LineState.SHIPPING}


def test_a_second_packer_is_told_who_has_it_and_may_take_over(make_routed, staff, make_staff):
    [made] = make_routed(1, quantities=(2,))
    [sku, _] = skus(made)
    one, two = Packer(staff), Packer(make_staff(display_name="박서준"))
    one.scan(made.number)
    one.scan(sku)
    told = two.scan(made.number)
    assert (told.screen, told.text.partition("부터")[0]) == ("taken", f"김하은 님이 {clock(NOW, at=NOW)}")
    assert two.scan(sku).screen == "taken"
    assert counted(made) == 1
    assert two.scan("CMD-TAKE").text == "김하은 님에게서 이어받았습니다."
    assert one.scan(sku).screen == "taken"
    assert two.scan(sku).signal == Signal.DONE
    assert counted(made) == 2


def test_several_boxes_get_a_number_and_their_contents(make_shipments, packer):
    range_contract(is_default=True)
    set_setting(key="sort_code_couriers", value=["CJGLS"], actor=None, at=NOW)
    [made] = make_shipments(1, quantities=(2, 1))
    first, second, third = skus(made)
    packer.scan(made.number)
    assert packer.scan("CMD-BOX").signal == Signal.WRONG
    packer.scan(first)
    packer.scan("CMD-BOX")
    assert packer.all(second, third) == [Signal.OK, Signal.DONE]
    parcels = list(Parcel.objects.filter(shipment=made).order_by("seq"))
    assert [bool(one.waybill) for one in parcels] == [True, True]
    a, b = lines_of(made)
    inside = {(one.parcel_id, one.line_id): one.quantity for one in ParcelLine.objects.all()}
    assert inside == {(parcels[0].pk, a.pk): 1, (parcels[1].pk, a.pk): 1, (parcels[1].pk, b.pk): 1}
    assert {one.packed_at for one in parcels} == {NOW}


def test_trouble_with_the_label_stops_nobody_and_is_seen(make_shipments, packer, staff):
    [made] = make_shipments(1)
    packer.scan(made.number)
    done = packer.scan(skus(made)[0])
    assert done.signal == Signal.DONE
    assert "송장번호가 없습니다" in done.detail
    assert is_packed(made)
    assert [number for number, _ in queue_of(at=NOW).unlabelled] == [made.number]
    range_contract(is_default=True)
    packer.open = made.pk
    packer.scan("CMD-PRINT")
    parcel = Parcel.objects.get(shipment=made)
    assert (bool(parcel.waybill), parcel.packed_at) == (True, NOW)
    Parcel.objects.update(routing=ROUTING)
    assert packer.scan("CMD-PRINT").print_number
    assert queue_of(at=NOW).unlabelled == []


def hand_contract(courier="CJGLS"):
    facts = ContractFacts(name="손 송장", courier=courier, mode=ContractMode.HAND, is_default=True)
    return save_contract(code="hand", given=facts, options={}, actor=None, at=NOW)


def test_a_label_on_its_way_is_asked_for_by_the_same_scan(make_numbered, packer):
    [made] = make_numbered(1, quantities=(1,))
    mine = Parcel.objects.filter(shipment=made)
    mine.update(route_at=NOW)
    packer.scan(made.number)
    key, [sku] = uuid4(), skus(made)
    first = packer.scan(sku, key=key)
    assert (first.signal, first.is_waiting, first.print_number) == (Signal.DONE, True, "")
    mine.update(route_at=None, routing=ROUTING)
    later = packer.scan(sku, key=key)
    assert (later.signal, later.is_waiting, later.detail) == (Signal.DONE, False, "")
    assert later.print_number
    assert (mine.get().printed_count, counted(made)) == (1, 1)
    # What nobody is asked about is not waited for.
    [bare] = make_numbered(1, first=1, quantities=(1,))
    packer.scan("CMD-NEXT")
    packer.scan(bare.number)
    assert not packer.scan(skus(bare)[0]).is_waiting


def test_a_box_whose_sort_code_comes_later_is_printed_by_the_same_scan(make_shipments, packer):
    range_contract(is_default=True)
    [made] = make_shipments(1, quantities=(1, 1))
    packer.scan(made.number)
    a, b = skus(made)
    packer.all(a, "CMD-BOX")
    key = uuid4()
    packer.scan(b, key=key)
    first, second = Parcel.objects.filter(shipment=made).order_by("seq").values_list("pk", flat=True)
    both = Parcel.objects.filter(shipment=made)
    both.update(route_at=NOW)
    both.filter(pk=first).update(route_at=None, routing=ROUTING)
    assert packer.scan(b, key=key).is_waiting
    assert list(both.order_by("seq").values_list("printed_count", flat=True)) == [1, 0]
    both.filter(pk=second).update(route_at=None, routing=ROUTING)
    last = packer.scan(b, key=key)
    assert (last.is_waiting, last.detail) == (False, "")
    assert PrintBatch.objects.get(number=last.print_number).items.get().parcel_id == second
    packer.scan(b, key=key)
    assert list(both.order_by("seq").values_list("printed_count", flat=True)) == [1, 1]
    assert counted(made) == 2


def test_a_label_of_the_courier_is_registered_by_its_scan(make_shipments, packer, staff):
    hand_contract()
    set_setting(key="pack_ships", value=True, actor=None, at=NOW)
    [made] = make_shipments(1, quantities=(2,))
    sku, number = skus(made)[0], waybill_number(0)
    packer.scan(made.number)
    packer.scan(sku)
    early = packer.scan(number)
    assert (early.signal, early.detail) == (Signal.UNKNOWN, "송장이면 상품을 모두 담은 뒤 찍어 주세요.")
    assert not Parcel.objects.exists()
    done = packer.scan(sku)
    assert (done.signal, done.detail) == (Signal.DONE, "송장을 붙이고 송장 바코드를 찍어 주세요.")
    assert [row for row, _ in queue_of(at=NOW).unlabelled] == [made.number]
    wrong = packer.scan(f"{number[:-1]}{(int(number[-1]) + 1) % 7}")
    assert (wrong.signal, "규칙에 맞지 않습니다" in wrong.text) == (Signal.WRONG, True)
    assert packer.scan("8801234567893").signal == Signal.UNKNOWN
    assert not Parcel.objects.exists()
    packer.open = made.pk
    stuck = packer.scan(f"{number[:4]}-{number[4:8]}-{number[8:]}")
    assert (stuck.signal, stuck.text) == (Signal.DONE, f"CJ대한통운 송장을 등록했습니다: {number}")
    parcel = Parcel.objects.get()
    assert (parcel.waybill, parcel.courier, parcel.source) == (number, "CJGLS", "SCANNED")
    assert (parcel.packed_at, parcel.printed_count, parcel.state) == (NOW, 0, "HANDED_OVER")
    assert queue_of(at=NOW).unlabelled == []
    assert {found.invariant for found in find_violations()} <= {"INV-11"}  # the news of the day is not sent yet


def test_a_label_of_another_order_is_not_stuck_on_this_one(make_shipments, make_numbered, packer):
    hand_contract()
    [other] = make_numbered(1)
    [made] = make_shipments(1)
    packer.scan(made.number)
    packer.scan(skus(made)[0])
    packer.scan(other.waybill)
    assert not Parcel.objects.filter(shipment=made).exists()
    CourierContract.objects.update(is_default=False)
    packer.open = made.pk
    assert packer.scan(waybill_number(5)).signal == Signal.UNKNOWN
    assert Parcel.objects.count() == 1


def test_a_label_printed_before_is_scanned_before_the_box_is_closed(make_routed, packer, staff):
    [made] = make_routed(1)
    print_labels(parcel_ids=parcels_of([made]), paper="roll", actor=staff, at=NOW)
    packer.scan(made.number)
    assert packer.scan(skus(made)[0]).text == "모두 담았습니다. 붙인 송장을 찍어 확인해 주세요."
    assert not is_packed(made)
    assert packer.scan(made.waybill).signal == Signal.DONE
    assert Parcel.objects.get(shipment=made).printed_count == 1


def test_the_label_of_another_shipment_is_wrong_while_a_box_is_open(make_routed, packer):
    one, two = make_routed(2, quantities=(2,))
    packer.scan(one.waybill)
    assert packer.scan(two.waybill).shipment_id == two.pk
    packer.scan(skus(two)[0])
    wrong = packer.scan(one.waybill)
    assert (wrong.signal, wrong.shipment_id) == (Signal.WRONG, two.pk)
    packer.scan("CMD-NEXT")
    assert packer.scan(one.waybill).shipment_id == one.pk
    assert counted(two) == 1


def test_a_hold_needs_a_reason_and_frees_the_bench(make_routed, packer):
    [made] = make_routed(1)
    packer.scan(made.number)
    assert packer.scan("CMD-HOLD").screen == "reason"
    assert again([made])[0].is_held is False
    held = packer.scan("CMD-HOLD-2")
    assert (held.signal, held.screen) == (Signal.OK, "wait")
    assert OrderLine.objects.get().hold_reason == "재고 부족"
    assert packer.scan(made.number).signal == Signal.STOP


def test_counting_by_hand_is_one_at_a_time_unless_the_shop_lets_people_type(make_routed, packer, staff):
    [made] = make_routed(1, quantities=(5,))
    [line] = lines_of(made)
    packer.scan(made.number)
    packer.scan("CMD-COUNT", line_id=line.pk, quantity=5)
    assert counted(made) == 1
    set_setting(key="pack_takes_quantities", value=True, actor=staff, at=NOW)
    assert packer.scan("CMD-COUNT", line_id=line.pk, quantity=5).signal == Signal.OVER
    assert packer.scan("CMD-COUNT", line_id=line.pk, quantity=0).signal == Signal.WRONG
    assert counted(made) == 1
    assert packer.scan("CMD-COUNT", line_id=line.pk, quantity=4).signal == Signal.DONE
    assert set(PackingScan.objects.filter(verdict="OK").values_list("is_by_hand", flat=True)) == {True}


def test_a_unit_of_a_canceled_line_has_to_come_out(make_shipments, packer, staff):
    [made] = make_shipments(1, quantities=(1, 1))
    first, second = skus(made)
    gone = lines_of(made)[0]
    packer.scan(made.number)
    packer.scan(first)
    shipments.return_to_preparing(line_ids=[gone.pk], actor=staff, at=NOW)
    assert packer.scan(second).text == "상자에서 빼야 할 상품이 있습니다."
    assert not is_packed(made)
    assert packer.scan("CMD-OUT", line_id=gone.pk).signal == Signal.OK
    assert packer.scan("CMD-DONE").signal == Signal.DONE
    assert PackingScan.objects.filter(line=gone, undone_at__isnull=True, verdict="OK").count() == 0


def test_merged_shipments_are_packed_as_one(make_shipments, packer, staff):
    made = make_shipments(2)
    merging.merge_shipments(shipment_ids=[one.pk for one in made], actor=staff, at=NOW)
    into = Shipment.objects.get(merged_into__isnull=True)
    emptied = Shipment.objects.get(merged_into=into)
    answer = packer.scan(emptied.number)
    assert answer.shipment_id == into.pk
    board = board_of(into.pk, actor=staff, at=NOW)
    assert len(board.orders) == 2
    codes = [item.line.variant.sku for item in into.items.filter(is_live=True).select_related("line__variant")]
    assert packer.scan(codes[0]).signal in {Signal.OK}
    packer.scan(codes[1])
    assert is_packed(into)


def test_closing_may_send_where_the_shop_wants_it(make_routed, staff, make_staff):
    set_setting(key="pack_ships", value=True, actor=staff, at=NOW)
    [made] = make_routed(1)
    packer = Packer(make_staff(Role.LOGISTICS))
    packer.scan(made.number)
    assert packer.scan(skus(made)[0]).detail == ""
    assert set(OrderLine.objects.values_list("state", flat=True)) == {LineState.SHIPPING}


def test_what_needs_no_label_is_packed_without_one(make_shipments, packer):
    [made] = make_shipments(1, method=DeliveryMethod.VISIT)
    packer.scan(made.number)
    assert packer.scan(skus(made)[0]).detail == ""
    assert is_packed(made)
    assert queue_of(at=NOW).unlabelled == []


def test_the_bench_shows_no_more_of_a_person_than_it_may(make_routed, packer, staff):
    [made] = make_routed(1)
    order = made.order
    order.delivery_note = "부재 시 010-2345-6789로 전화"
    order.save(update_fields=["delivery_note"])
    board = board_of(made.pk, actor=staff, at=NOW)
    shown = repr(board)
    assert order.recipient_name not in shown
    assert order.recipient_name[0] in board.who
    assert order.address2 not in shown or not order.address2
    assert "6789" not in shown


def test_undo_gives_an_added_box_up_before_it_takes_units_back(make_routed, packer):
    [made] = make_routed(1, quantities=(2, 1))
    first, second, _ = skus(made)
    packer.scan(made.number)
    packer.scan(first)
    packer.scan("CMD-BOX")
    packer.scan(second)
    packer.scan("CMD-UNDO")
    assert (counted(made), PackingSession.objects.get().boxes) == (1, 2)
    assert packer.scan("CMD-UNDO").text == "상자 추가를 취소했습니다. 다시 1번 상자에 담습니다."
    assert (counted(made), PackingSession.objects.get().boxes) == (1, 1)
    packer.scan("CMD-UNDO")
    assert counted(made) == 0


def test_a_box_that_was_emptied_gets_no_label_and_those_behind_it_move_up(make_shipments, packer, staff):
    range_contract(is_default=True)
    set_setting(key="sort_code_couriers", value=["CJGLS"], actor=None, at=NOW)
    [made] = make_shipments(1, quantities=(1, 1, 1))
    gone, second, third = lines_of(made)
    codes = skus(made)
    packer.scan(made.number)
    packer.scan(codes[0])
    packer.scan("CMD-BOX")
    packer.scan(codes[1])
    packer.scan("CMD-BOX")
    shipments.return_to_preparing(line_ids=[gone.pk], actor=staff, at=NOW)
    assert packer.scan("CMD-OUT", line_id=gone.pk).signal == Signal.OK
    assert packer.scan(codes[2]).signal == Signal.DONE
    assert PackingSession.objects.get().boxes == 2
    scans = PackingScan.objects.filter(verdict="OK", undone_at__isnull=True).order_by("pk")
    assert list(scans.values_list("line_id", "box")) == [(second.pk, 1), (third.pk, 2)]
    parcels = list(Parcel.objects.filter(shipment=made).order_by("seq").values_list("pk", flat=True))
    inside = {(one.parcel_id, one.line_id): one.quantity for one in ParcelLine.objects.all()}
    assert inside == {(parcels[0], second.pk): 1, (parcels[1], third.pk): 1}


def test_pinned_memos_of_every_order_in_the_box_warn(make_shipments, packer, staff):
    made = make_shipments(2)
    merging.merge_shipments(shipment_ids=[one.pk for one in made], actor=staff, at=NOW)
    into = Shipment.objects.get(merged_into__isnull=True)
    for number, one in enumerate(made):
        add_memo(order_id=one.order_id, text=f"유리컵 {number}, 010-2345-6789", is_pinned=True, actor=staff, at=NOW)
    add_memo(order_id=made[0].order_id, text="고정하지 않은 메모", is_pinned=False, actor=staff, at=NOW)
    assert board_of(into.pk, actor=staff, at=NOW).memos == ["유리컵 0, 010-2345-****", "유리컵 1, 010-2345-****"]
