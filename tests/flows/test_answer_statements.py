"""Writing what couriers answered costs a chunk a fixed number of statements, however many parcels it holds."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shipping.adapters.base import RawEvent, TrackOutcome, TrackResult
from shipping.models import Parcel, ShippingException, TrackingEvent, TrackingPoll
from shipping.services.exceptions import opening
from shipping.services.exceptions.opening import Opening
from shipping.services.exceptions.rules import Evidence
from shipping.services.polling import polls
from shipping.services.tracking.answers import write_answers
from shipping.states import ExceptionKind, TrackingAlert, TrackingStage
from tests.fixtures.orders import NOW

LATER = NOW + timedelta(days=1)
NEW, SAME = 14, 10
"""Statements of a chunk whose parcels were picked up before, without transaction control."""
TERMS = 3
"""Statements that all chunks of a batch share."""
# Rules are read again every few seconds, whatever is written.
_ASIDE = re.compile(r"^(SAVEPOINT|RELEASE)|shipping_statusrule")


def scans(count):
    names = [("AT_PICKUP", "집화처리"), ("IN_TRANSIT", "간선상차"), ("IN_TRANSIT", "간선하차")]
    return tuple(
        RawEvent(code=code, name=name, place=f"{n}번 집배점", at=NOW + timedelta(hours=4 + n))
        for n, (code, name) in enumerate(names[:count])
    )


def answered(events, *, at):
    leases = polls.claim(at=at, courier="CJGLS")
    answers = [(lease, TrackResult(outcome=TrackOutcome.FOUND, events=events)) for lease in leases]
    with CaptureQueriesContext(connection) as seen:
        assert write_answers(answers=answers, at=at) == len(leases) > 0
    return [one["sql"] for one in seen if not _ASIDE.search(one["sql"])]


@pytest.mark.parametrize("count", [2, 12])
def test_new_and_known_answers_cost_a_fixed_number_of_statements(make_sent, count):
    make_sent(count)
    answered(scans(1), at=LATER)
    at = LATER + timedelta(days=1)
    new = answered(scans(3), at=at)
    assert TrackingEvent.objects.count() == 3 * count
    assert set(Parcel.objects.values_list("stage", flat=True)) == {TrackingStage.IN_TRANSIT}
    at += timedelta(days=1)
    same = answered(scans(3), at=at)
    assert TrackingEvent.objects.count() == 3 * count
    assert TrackingPoll.objects.filter(next_poll_at__gt=at, lease_until=None).count() == count
    assert (len(new), len(same)) == (NEW + TERMS, SAME + TERMS), "\n".join([*new, "", *same])


def test_an_alert_goes_with_its_case_when_news_come_and_another_parcel_keeps_its_own(make_sent):
    make_sent(2)
    first, second = Parcel.objects.order_by("pk")
    for parcel, kind in ((first, ExceptionKind.TRACKING_EXPIRED), (second, ExceptionKind.AFTER_RETURN)):
        opening.open_cases([Opening(parcel, kind, Evidence(NOW))], at=NOW)
    opening.refresh_alerts([first.pk, second.pk])
    answers = [
        (lease, TrackResult(outcome=TrackOutcome.FOUND, events=scans(2) if lease.parcel_id == first.pk else ()))
        for lease in polls.claim(at=LATER, courier="CJGLS")
    ]
    assert write_answers(answers=answers, at=LATER) == 2
    shown = dict(Parcel.objects.values_list("pk", "alert"))
    assert shown == {first.pk: "", second.pk: TrackingAlert.DELIVERED_AFTER_RETURN}
    assert set(ShippingException.objects.filter(closed_at=None).values_list("parcel_id", flat=True)) == {second.pk}
    assert dict(Parcel.objects.values_list("pk", "shipment__tracking_failed")) == {first.pk: False, second.pk: True}
