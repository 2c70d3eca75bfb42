"""Mobile notices of KG Inicis whose P_NOTI does not fit the sum paid: stored, never believed, booked by inquiry only.

The proof is made when the account is opened, over the sum asked for; what a genuine deposit of another sum ends in is
told by tests/payments/wire/test_end_states.py (A43 to A45).
"""

from dataclasses import replace

import pytest
from django.utils import timezone

from payments.models import MoneyProblem, PgAccount, PgNotice, PgRequest
from payments.services.notices import asking, draining
from payments.states import NoticeState, ProblemKind
from tests.payments.pg import inicis_case
from tests.payments.pg.cases import edited
from tests.payments.wire.golden_shop import effects, golden_shop

pytestmark = pytest.mark.django_db(transaction=True)
SUM = b"P_AMT=33000"
FORGED = {
    "another sum": edited(inicis_case.F6, SUM, b"P_AMT=3300000"),
    "nobody's key": edited(inicis_case.F6, inicis_case.PROOF, inicis_case.FORGED),
}
every_forged = pytest.mark.parametrize("name", FORGED)


@pytest.fixture
def shop(pg_shop):
    return golden_shop(pg_shop, inicis_case.CASE)


@every_forged
def test_what_the_inquiry_does_not_confirm_moves_nothing(shop, name):
    before = effects()
    assert shop.send(FORGED[name]) == shop.case.ack
    assert not PgNotice.objects.get().is_proven
    shop.settle()
    notice = PgNotice.objects.get()
    assert (notice.state, notice.reason) == (NoticeState.IGNORED, "not_confirmed")
    assert effects() == before


@every_forged
def test_what_the_inquiry_confirms_is_booked_as_the_pg_has_it(shop, pg_shop, name):
    shop.pay()
    assert shop.send(FORGED[name]) == shop.case.ack
    shop.settle()
    assert PgNotice.objects.get().state == NoticeState.PROCESSED
    assert [won for *_, won in effects()["ledger"]] == [33_000]
    assert effects()["problems"] == []


@every_forged
def test_a_payment_that_the_pg_does_not_know_is_none(shop, pg_shop, name):
    pg_shop.pgs.control("reset")
    before = effects()
    assert shop.send(FORGED[name]) == shop.case.ack
    shop.settle()
    notice = PgNotice.objects.get()
    assert (notice.state, notice.reason) == (NoticeState.REJECTED, "not_at_pg")
    assert effects() == before


@every_forged
def test_an_account_that_asks_nobody_believes_none_of_it(shop, name):
    PgAccount.objects.filter(pk=shop.account.pk).update(asks_back=False)
    before = effects()
    shop.pay()
    assert shop.send(FORGED[name]) == shop.case.ack
    shop.settle()
    notice = PgNotice.objects.get()
    assert (notice.state, notice.reason) == (NoticeState.PARKED, "not_comparable")
    assert effects() | {"problems": []} == before
    assert MoneyProblem.objects.get().kind == ProblemKind.MISMATCH_WITH_PG


def test_questions_about_them_are_counted(shop, monkeypatch):
    granted = []
    monkeypatch.setattr(asking, "_take", lambda account_id, *, wanted, at: granted.append(wanted) or 0)
    assert shop.send(FORGED["another sum"]) == shop.case.ack
    draining.drain(at=timezone.now())
    assert granted == [1]
    assert PgNotice.objects.get().reason == "waits_its_turn"


@every_forged
def test_address_and_merchant_are_checked_as_before(shop, name):
    before, foreign = effects(), edited(FORGED[name], b"=OMSTESTMID&", b"=OTHERSHOP0&")
    assert shop.send(replace(FORGED[name], client_ip="203.0.113.9")) == (403, *shop.case.failure)
    assert shop.send(foreign) == (401, *shop.case.failure)
    assert set(PgRequest.objects.values_list("reason", flat=True)) == {"ip_not_allowed", "account_mismatch"}
    assert (effects(), PgNotice.objects.count()) == (before, 0)
