"""Columns and rows of many by one statement: every type, nothing, other rows untouched, a long text refused."""

from datetime import timedelta

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from core.bulk import insert_new, update_rows
from shipping.models import Parcel, TrackingEvent, TrackingPoll
from shipping.states import TrackingStage
from tests.fixtures.orders import NOW


def polls():
    return list(TrackingPoll.objects.order_by("pk"))


def test_columns_of_every_kind_are_written_by_one_statement_and_other_rows_stay(make_sent):
    make_sent(3)
    first, second, third = polls()
    untouched = TrackingPoll.objects.filter(pk=third.pk).values().get()
    first.last_hash, first.next_poll_at, first.lease_until, first.is_active, first.fail_count = (
        "a'b%s\\", NOW + timedelta(days=2), None, False, 7,
    )  # fmt: skip
    second.last_hash, second.lease_until, second.fail_count = "", NOW, 0
    names = ["last_hash", "next_poll_at", "lease_until", "is_active", "fail_count"]
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert update_rows([first, second], names) == 2
    assert len(seen) == 1
    stored = [[getattr(one, name) for name in names] for one in polls()[:2]]
    assert stored == [[getattr(one, name) for name in names] for one in (first, second)]
    assert TrackingPoll.objects.filter(pk=third.pk).values().get() == untouched


def test_no_rows_are_no_statement(db):
    with CaptureQueriesContext(connection) as seen:
        assert update_rows([], ["last_hash"]) == 0
    assert len(seen) == 0


def test_a_text_that_is_too_long_is_refused_and_nothing_is_written(make_sent):
    make_sent(2)
    parcels = list(Parcel.objects.order_by("pk"))
    parcels[0].last_event_text, parcels[1].last_event_text = "집하", "가" * 201
    with pytest.raises(DataError), transaction.atomic():
        update_rows(parcels, ["last_event_text"])
    assert set(Parcel.objects.values_list("last_event_text", flat=True)) == {""}


EVENT = (
    "parcel_id", "source", "seq", "raw_code", "raw_name", "raw_text", "raw_at", "is_date_only", "stage", "at",
    "is_time_estimated", "place", "fingerprint",
)  # fmt: skip


def event_of(parcel_id, fingerprint, *, place='서울 \\ "강남" 100%s {a,b}'):
    return (
        parcel_id, "somebody", 3, "CODE", None, "집하, 'NULL'", None, True, TrackingStage.PICKED_UP, NOW, False, place,
        fingerprint,
    )  # fmt: skip


def test_rows_are_inserted_as_they_are_by_one_statement_and_what_is_there_stays(make_sent):
    make_sent(2)
    parcels = [one.parcel_id for one in polls()]
    first = event_of(parcels[0], "a")
    assert insert_new(TrackingEvent, EVENT, [first]) == 1
    again, new = event_of(parcels[0], "a", place="다른 곳"), event_of(parcels[1], "a")
    with CaptureQueriesContext(connection) as seen:
        assert insert_new(TrackingEvent, EVENT, [again, new]) == 1
        assert insert_new(TrackingEvent, EVENT, []) == 0
    assert len(seen) == 1
    assert list(TrackingEvent.objects.order_by("parcel_id").values_list(*EVENT)) == [first, new]


def test_a_row_with_a_text_that_is_too_long_is_refused_with_all_others(make_sent):
    make_sent(1)
    mine = polls()[0].parcel_id
    with pytest.raises(DataError), transaction.atomic():
        insert_new(TrackingEvent, EVENT, [event_of(mine, "a"), event_of(mine, "b", place="가" * 101)])
    assert not TrackingEvent.objects.exists()
