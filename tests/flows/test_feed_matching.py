"""누구의 소식인가: recycled numbers, keys, returns and deleted numbers in what a feed tells (shipping.md 0.7)."""

from datetime import timedelta

import pytest

from shipping.adapters.base import FeedEvent, RawEvent
from shipping.models import (
    CourierContract,
    FeedState,
    Parcel,
    ShippingException,
    TrackingAccount,
    TrackingEvent,
    TrackingPoll,
    WaybillNumber,
)
from shipping.services import shipments
from shipping.services.exceptions import sweeping
from shipping.services.numbers import waybills
from shipping.services.tracking.feeding import write_events
from shipping.services.tracking.matching import match
from shipping.services.tracking.voided import tell_voided
from shipping.states import ExceptionKind, ParcelState
from tests.fixtures.orders import NOW, reloaded

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)


def raw(hours, code, name):
    return RawEvent(code=code, name=name, place="서울중구", at=NOW + timedelta(hours=hours))


def fed(number, hours, key="", **facts):
    return FeedEvent(number=number, key=key, event=raw(hours, "41", "간선상차"), receipt=f"{number}|41", **facts)


def book(parcel, key):
    """The courier knows the parcel by this key."""
    contract = CourierContract.objects.create(code=key.lower(), name=key, courier="CJGLS", mode="RANGE")
    WaybillNumber.objects.create(
        contract=contract,
        shipment=parcel.shipment,
        parcel=parcel,
        courier="CJGLS",
        number=parcel.waybill,
        seq=1,
        key=key,
    )


def test_a_number_that_was_recycled_belongs_to_the_parcel_of_its_time(make_sent):
    make_sent(1, at=NOW - timedelta(days=200))
    old = Parcel.objects.get()
    write_events(
        source="cj", told={old.pk: [raw(-200 * 24 + 23, "91", "배송완료")]}, at=NOW - timedelta(days=199), is_feed=True
    )
    assert reloaded(old).state == ParcelState.DELIVERED
    make_sent(1)
    new = Parcel.objects.order_by("pk").last()
    assert new.waybill == old.waybill
    events = [fed(new.waybill, 4), fed(new.waybill, -200 * 24 + 5)]
    found = match(events, kind="cj", at=LATER)
    assert (dict(found.told), found.orphans) == ({new.pk: [0], old.pk: [1]}, [])


def test_the_key_decides_between_parcels_of_one_number_and_never_against_the_number(make_sent):
    make_sent(1, at=NOW - timedelta(days=2))
    old = Parcel.objects.get()
    write_events(source="cj", told={old.pk: [raw(-25, "91", "배송완료")]}, at=NOW, is_feed=True)
    make_sent(1)
    make_sent(1, first=9)
    same, other = Parcel.objects.order_by("pk")[1:]
    book(old, "D-OLD-1")
    book(other, "D-OTHER-1")
    events = [fed(same.waybill, 4, "D-OLD-1"), fed(same.waybill, 4, "D-OTHER-1"), fed("699999999999", 4, "D-OLD-1")]
    found = match(events, kind="cj", at=LATER)
    assert (dict(found.told), found.orphans) == ({old.pk: [0], same.pk: [1]}, [2])


def test_scans_of_a_return_never_touch_the_box_that_went_out(make_sent):
    make_sent(1)
    out = Parcel.objects.get()
    found = match([fed(out.waybill, 4, is_return=True)], kind="cj", at=LATER)
    assert (dict(found.told), found.orphans) == ({}, [0])


def test_a_deleted_number_that_travels_is_one_case_however_often_it_is_told(make_numbered, staff):
    [shipment] = make_numbered(1)
    Parcel.objects.update(printed_at=NOW, printed_count=1)
    done = waybills.void_waybills(line_ids=shipments.lines_of([shipment.pk]), actor=staff, at=NOW, reason="오출력")
    assert done.refused == {}
    parcel = Parcel.objects.get()
    assert parcel.state == ParcelState.VOID
    found = match([fed(parcel.waybill, 4)], kind="cj", at=LATER)
    assert (dict(found.voided), dict(found.told), found.orphans) == ({parcel.pk: [0]}, {}, [])
    for _ in range(2):
        told = {parcel.pk: [raw(4, "41", "간선상차")]}
        assert tell_voided(source="cj", told=told, at=LATER) == {parcel.pk}
    assert list(ShippingException.objects.values_list("kind", flat=True)) == [ExceptionKind.CANCELLED_BUT_SCANNED]
    assert (TrackingEvent.objects.count(), reloaded(parcel).state) == (1, ParcelState.VOID)
    late = match([fed(parcel.waybill, 4)], kind="cj", at=NOW + timedelta(days=8))
    assert (dict(late.voided), late.orphans) == ({}, [0])


@pytest.mark.parametrize(("is_read", "kinds"), [(True, [ExceptionKind.STALLED]), (False, [])])
def test_a_feed_that_was_read_has_answered_about_all_of_its_parcels(make_sent, is_read, kinds):
    make_sent(1)
    parcel = Parcel.objects.get()
    account = TrackingAccount.objects.create(code="cj", kind="cj", name="CJ", base_url="https://example.com")
    write_events(source="cj", told={parcel.pk: [raw(4, "41", "간선상차")]}, at=NOW + timedelta(hours=5), is_feed=True)
    at = NOW + timedelta(days=4)
    FeedState.objects.create(account=account, last_ok_at=at if is_read else NOW)
    assert TrackingPoll.objects.get().last_ok_at < at - sweeping.HEARD
    sweeping.sweep(at=at)
    assert list(ShippingException.objects.values_list("kind", flat=True)) == kinds
