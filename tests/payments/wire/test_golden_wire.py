"""Every golden notice over a real socket: what must be refused changes nothing, what is odd and authentic pays once.

The cases A01 to A05, A09, A10, A12 to A14, A17, A21, A28 to A37, A39 to A42, A47 and A70 of payments.md 6 by their
ids; the keys of `refused` and `tolerated` in tests/payments/pg/*_case.py begin with them.
"""

from dataclasses import replace

import pytest

from orders.models import OrderEvent
from orders.states import LineState
from payments.adapters.base import STATUS
from payments.models import LedgerEntry, MoneyProblem, PgNotice, PgRequest
from payments.services.watching.alarms import AlarmKind, alarms
from payments.states import NoticeState, PaymentState, ProblemKind
from tests.fixtures.pg_shop import empty_inbox
from tests.payments.pg.cases import AT
from tests.payments.pg.every import CASES
from tests.payments.wire.golden_shop import effects, golden_shop

pytestmark = pytest.mark.django_db(transaction=True)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.pg.name)
UNTOUCHED = (LineState.AWAITING_PAYMENT, 0, PaymentState.PENDING)
PAID = (LineState.PREPARING, 33_000, PaymentState.PAID)
PARKED = {"A46 dollars": ProblemKind.CURRENCY, "A47 cheque": ProblemKind.UNCLEARED_CHEQUE}
"""Authentic, and for a person: nothing is booked before one has looked."""


@every_case
def test_what_is_not_authentic_or_not_readable_is_refused_and_changes_nothing(pg_shop, case):
    shop = golden_shop(pg_shop, case)
    shop.pay()
    before = effects()
    wrong = {}
    for name, (request, answer) in case.refused.items():
        empty_inbox()
        said = shop.send(request)
        kept = list(PgRequest.objects.values_list("status", "size"))
        expected = ((STATUS[answer], *case.failure), [(STATUS[answer], len(request.body))])
        told = {one.kind for one in alarms(at=AT)}
        if name.startswith("A17") and AlarmKind.FOREIGN not in told:
            wrong[name] = "nobody is told that the account is set wrongly"
        if (said, kept) != expected or not PgRequest.objects.get().reason or b"OK" in said[2]:
            wrong[name] = (said, kept)
    assert wrong == {}
    shop.settle()
    assert not PgNotice.objects.exists()
    assert effects() == before


@every_case
def test_what_is_odd_and_authentic_is_acknowledged_and_pays_once(pg_shop, case):
    shop = golden_shop(pg_shop, case)
    wrong = {}
    for name, request in {"golden": case.authentic, **case.tolerated}.items():
        shop.pay()
        said = [shop.send(request), shop.send(request)]
        shop.settle()
        notice = PgNotice.objects.get()
        found = (pg_shop.state(shop.order), notice.state)
        expected = (UNTOUCHED, NoticeState.PARKED) if name in PARKED else (PAID, NoticeState.PROCESSED)
        kinds = set(MoneyProblem.objects.values_list("kind", flat=True))
        kept = {bytes(body) for body in PgRequest.objects.values_list("body", flat=True)}
        if said != [case.ack] * 2 or found != expected or kept != {request.body} or kinds != _expected_problem(name):
            wrong[name] = (said, found, notice.reason, kinds)
        if found[0] == PAID:
            shop.take_back()
        else:
            shop.act("reverse")
            shop.empty_inbox()
    assert wrong == {}
    assert sum(LedgerEntry.objects.values_list("amount", flat=True)) == 0
    paid = len(case.tolerated) + 1 - len(PARKED.keys() & case.tolerated.keys())
    assert OrderEvent.objects.filter(order=shop.order, kind="line.paid").count() == paid


def _expected_problem(name):
    return {PARKED[name]} if name in PARKED else set()


@every_case
def test_every_kind_of_event_is_acknowledged_and_moves_nothing_that_the_pg_does_not_confirm(pg_shop, case):
    """No event moves money by itself: the sandbox has the order unpaid all along (A11, A15, A38)."""
    shop = golden_shop(pg_shop, case)
    before = effects()
    for kind, request in {case.expected["kind"]: case.authentic, **case.kinds}.items():
        assert shop.send(_under_its_own_id(case, request, f"wh_{kind}")) == case.ack, kind
    shop.settle()
    assert PgNotice.objects.count() == len(case.kinds) + 1
    assert set(PgNotice.objects.values_list("state", flat=True)) == {NoticeState.IGNORED}
    told = PgNotice.objects.get(kind=case.expected["kind"])
    assert told.reason == "not_confirmed"
    assert effects() == before


def _under_its_own_id(case, request, event):
    """A PG that numbers its events never uses a number twice."""
    if not case.pg.capabilities.has_event_id:
        return request
    return replace(request, headers={**request.headers, **case.resign(request.body, event=event)})
