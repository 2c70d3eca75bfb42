"""Columns of many rows by one statement: every type, nothing, other rows untouched, a long text refused."""

from datetime import timedelta

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from core.bulk import update_rows
from shipping.models import Parcel, TrackingPoll
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
