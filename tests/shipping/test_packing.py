"""The packing bench: what a scan counts, what stops it, what closing writes; A12, F10, checks 33 to 35 of ux.md."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.exceptions import Conflict, DomainError
from core.settings_registry import set_setting
from orders.models import OrderEvent
from orders.services import locks
from orders.services.changes import Recipient, change_recipient
from orders.states import LockKind
from products.models import Variant
from shipping.events import SHIPMENT_PACKED
from shipping.models import PackingScan, PackingSession, Parcel, PrintBatch
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.states import ParcelState, Signal
from tests.fixtures.orders import ADDRESS, NOW
from tests.fixtures.packing import Packer, counted, is_packed, skus

READS = 22
"""Statements of one scan of a product, log-in and drawing apart."""


def test_the_last_unit_closes_the_box_and_prints_its_label(make_routed, packer, staff):
    [made] = make_routed(1, quantities=(2, 1))
    first, second, third = skus(made)
    assert packer.scan(made.number).signal == Signal.OK
    assert packer.all(first, third) == [Signal.OK, Signal.OK]
    assert not is_packed(made)
    done = packer.scan(second)
    assert (done.signal, done.text, done.detail) == (Signal.DONE, "검수를 마쳤습니다.", "")
    assert is_packed(made)
    parcel = Parcel.objects.get(shipment=made)
    assert (parcel.state, parcel.packed_at, parcel.printed_count) == (ParcelState.PRINTED, NOW, 1)
    assert PrintBatch.objects.get(number=done.print_number).created_by == staff
    told = OrderEvent.objects.get(kind=SHIPMENT_PACKED.code)
    assert (told.actor, told.data) == (staff, {"boxes": 1, "units": 3})
    assert list(PackingScan.objects.values_list("verdict", flat=True)) == ["OPENED", "OK", "OK", "OK"]


def test_what_is_wrong_too_many_or_unknown_counts_nothing_and_sounds_different(make_routed, make_variant, packer):
    [made] = make_routed(1, quantities=(1, 2))
    other = make_variant()
    first = skus(made)[0]
    packer.scan(made.number)
    packer.scan(first)
    before = counted(made)
    wrong, over, unknown = packer.scan(other.sku), packer.scan(first), packer.scan("8801234567890")
    assert [one.signal for one in (wrong, over, unknown)] == ["wrong", "over", "unknown"]
    assert wrong.text == f"다른 상품입니다. 스캔한 상품: {other.product.name} {other.option_text}"
    assert "남은 상품" in wrong.detail
    assert over.text == "이미 1개를 모두 담았습니다."
    assert unknown.text == "등록되지 않은 바코드입니다: 8801234567890"
    assert "검사 숫자" in unknown.detail
    assert counted(made) == before == 1
    assert not is_packed(made)


def test_a_barcode_counts_like_the_sku_in_any_case(make_routed, packer):
    [made] = make_routed(1, quantities=(2, 1))
    Variant.objects.filter(sku=skus(made)[0]).update(barcode="8801234567893", sku="sku-low-1")
    packer.scan(made.waybill)
    assert packer.all("8801234567893", "SKU-LOW-1") == [Signal.OK, Signal.OK]
    assert counted(made) == 2


def test_the_same_scan_twice_counts_once_and_two_scans_count_two(make_routed, packer):  # check 34
    [made] = make_routed(1, quantities=(3, 1))
    [sku, *_] = skus(made)
    packer.scan(made.number)
    key = uuid4()
    first, again_ = packer.scan(sku, key=key), packer.scan(sku, key=key)
    assert (first.signal, first.text) == (again_.signal, again_.text)
    assert counted(made) == 1
    packer.scan(sku)
    assert counted(made) == 2


def test_the_last_scan_sent_again_closes_once_and_names_the_same_print(make_routed, packer):
    [made] = make_routed(1)
    packer.scan(made.number)
    key = uuid4()
    first, second = packer.scan(skus(made)[0], key=key), packer.scan(skus(made)[0], key=key)
    assert first.signal == second.signal == Signal.DONE
    assert first.print_number == second.print_number != ""
    assert PrintBatch.objects.count() == 1
    assert OrderEvent.objects.filter(kind=SHIPMENT_PACKED.code).count() == 1


def test_a_scan_id_of_somebody_else_is_refused(make_routed, packer, make_staff):
    [made] = make_routed(1)
    key = uuid4()
    packer.scan(made.number, key=key)
    with pytest.raises(Conflict):
        Packer(make_staff()).scan(made.number, key=key)
    assert PackingScan.objects.count() == 1


@pytest.mark.parametrize("code", ["", "  ", "\x00"])
def test_nothing_is_no_scan(packer, code):
    with pytest.raises(DomainError):
        packer.scan(code)
    assert not PackingScan.objects.exists()


STOPS = [
    (LockKind.CLAIM, "취소 신청이 들어왔습니다"),
    (LockKind.PAYMENT, "결제를 확인"),
    (LockKind.ADDRESS, "주소가 바뀌었습니다. 송장을 다시 출력하세요."),
]


@pytest.mark.parametrize(("kind", "words"), STOPS)
def test_a_lock_that_comes_while_packing_stops_the_next_scan_and_the_closing(make_routed, packer, staff, kind, words):
    """A12: the buyer asks to cancel after the label is printed, the warehouse scans."""
    [made] = make_routed(1, quantities=(1, 1))
    first, second = skus(made)
    packer.scan(made.waybill)
    packer.scan(first)
    ids = shipments.lines_of([made.pk])
    locks.place_lock(line_ids=ids, kind=kind, actor=staff, at=NOW, reason="고객 요청")
    stop = packer.scan(second)
    assert (stop.signal, stop.screen) == (Signal.STOP, "stop")
    assert words in stop.text
    assert (stop.stop.who, stop.stop.reason) == ("김하은 님", "고객 요청")
    packer.open = made.pk
    assert packer.scan("CMD-DONE").signal == Signal.STOP
    assert packer.scan(made.number).signal == Signal.STOP
    assert (counted(made), is_packed(made)) == (1, False)
    assert Parcel.objects.get(shipment=made).packed_at is None


def test_a_lock_between_the_last_scan_and_the_closing_by_hand_stops_it(make_routed, packer, staff):
    set_setting(key="pack_closes_itself", value=False, actor=staff, at=NOW)
    [made] = make_routed(1)
    packer.scan(made.number)
    assert packer.scan(skus(made)[0]).text.startswith("모두 담았습니다.")
    locks.hold(line_ids=shipments.lines_of([made.pk]), actor=staff, at=NOW, reason="파손")
    stop = packer.scan("CMD-DONE")
    assert (stop.signal, stop.text) == (Signal.STOP, "포장을 멈추세요. 배송보류 중입니다. 사유: 파손")
    assert not is_packed(made)


def test_what_has_left_or_was_merged_away_stops(make_sent, make_shipments, packer, staff):
    [sent] = make_sent(1)
    stop = packer.scan(sent.waybill)
    assert stop.signal == Signal.STOP
    assert stop.text.startswith("이미 출고한 송장입니다.")
    assert not PackingSession.objects.exists()


def test_a_void_label_stops_with_reason_and_who(make_routed, packer, staff):
    [made] = make_routed(1)
    ids = shipments.lines_of([made.pk])
    waybills.void_waybills(line_ids=ids, actor=staff, at=NOW, reason="번호 오류")
    stop = packer.scan(made.waybill)
    assert stop.signal == Signal.STOP
    assert (stop.stop.who, stop.stop.when, stop.stop.reason) == ("김하은 님", "09-21 11:00", "번호 오류")
    assert stop.text == "삭제된 송장입니다. 새 송장을 출력해 붙이세요."
    packer.scan(made.number)
    assert packer.scan(made.waybill).signal == Signal.STOP
    assert counted(made) == 0


def test_a_changed_address_alarms_at_the_old_label(make_routed, packer, staff):
    [made] = make_routed(1)
    order = made.order
    change_recipient(
        order_id=order.pk, recipient=Recipient(**ADDRESS), expected_version=order.version, actor=staff, at=NOW
    )
    stop = packer.scan(made.waybill)
    assert (stop.signal, stop.text) == (Signal.STOP, "주소가 바뀌었습니다. 송장을 다시 출력하세요.")


def test_a_scan_asks_few_questions(make_routed, packer):
    [made] = make_routed(1, quantities=(5, 5, 5))
    packer.scan(made.number)
    with CaptureQueriesContext(connection) as captured:
        packer.scan(skus(made)[0])
    asked = [one["sql"] for one in captured.captured_queries if not one["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(asked) <= READS, "\n".join(sql[:150] for sql in asked)
