"""What staff read of a PG that said nothing, or something that only we understand: Korean, what, why and what to do."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from payments.adapters import base
from payments.models import CardCheck, LedgerEntry, VirtualAccount
from payments.notice_words import REASONS, reason_words
from payments.services.gateway import issuing, refund_sending
from payments.services.notices import draining, fetching, unknown
from payments.services.notices.questions import AskedElsewhere
from payments.services.pg_accounts import words_of
from payments.states import RefundState, VirtualState
from tests.fixtures.orders import broken, reloaded
from tests.fixtures.pg_shop import BANKS

SILENT = [
    base.NotAtPg, base.Denied, base.RefusedByPg, base.Unavailable, base.OutcomeUnknown, base.Unsupported,
    fetching.CannotAsk, base.PgProblem,
]  # fmt: skip
ENGLISH = re.compile(r"[a-z]{3,}")


@pytest.mark.parametrize("kind", SILENT)
def test_our_english_remark_is_told_to_nobody(kind):
    words = words_of(kind("the answer shows no payment"))
    assert not ENGLISH.search(words), words
    assert words.count(".") == 2, "what, and what to do"
    coded = refund_sending.coded(kind("the answer shows no payment", code="A118"))
    assert coded == f"{words} (A118)"


def test_the_own_words_of_a_pg_stand():
    problem = base.RefusedByPg("not done", code="2032", message="취소금액이 취소가능금액보다 큼")
    assert words_of(problem) == "취소금액이 취소가능금액보다 큼"
    assert refund_sending.coded(problem) == "취소금액이 취소가능금액보다 큼 (2032)"
    assert words_of(AskedElsewhere()) == AskedElsewhere().message


@pytest.mark.parametrize(
    "reason", [draining.FAILED, draining.DIED.reason, unknown.SUPERSEDED.reason, "no_bank_account"]
)
def test_the_inbox_has_words_for_its_own_verdicts(reason):
    assert reason_words(reason) == REASONS[reason]
    assert not ENGLISH.search(REASONS[reason])


@pytest.mark.django_db(transaction=True)
def test_an_account_that_a_silent_pg_did_not_open_says_so_in_korean(pg_shop, make_order):
    account = pg_shop.account("toss", issues_accounts=True, bank=BANKS["toss"])
    pg_shop.pgs.fault("status", pg="toss", status=500, times=None)
    order = make_order(payment_method="VIRTUAL_ACCOUNT", at=timezone.now())
    issuing.ask_for_accounts(orders=[order], at=timezone.now())
    issuing.issue_now(order=order, at=timezone.now())
    virtual = VirtualAccount.objects.get()
    assert virtual.state == VirtualState.PENDING
    assert virtual.last_error
    assert not ENGLISH.search(virtual.last_error), virtual.last_error
    assert (virtual.number, reloaded(account).last_error) == ("", "")


@pytest.mark.django_db(transaction=True)
def test_a_card_payment_that_a_silent_pg_did_not_confirm_says_so_in_korean(cards):
    cards.account("nicepay")
    payment = cards.order("nicepay")
    cards.shop.pgs.fault("status", pg="nicepay", method="GET", status=500, times=None)
    cards.shop.heard()
    CardCheck.objects.update(next_try_at=timezone.now())
    cards.shop.heard()
    check = CardCheck.objects.get(payment=payment)
    assert check.last_error
    assert not ENGLISH.search(check.last_error), check.last_error
    assert not LedgerEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_refund_that_a_silent_pg_never_took_says_what_to_do(pg_refunds):
    payment = pg_refunds.paid("nicepay")
    refund = pg_refunds.ask(payment)
    pg_refunds.shop.pgs.fault("status", pg="nicepay", method="POST", status=429, times=None)
    at = timezone.now()
    for _ in range(refund_sending.MOST_TRIES):
        refund_sending.send_due(at=at)
        at += timedelta(minutes=61)
    refund = reloaded(refund)
    assert (refund.state, refund.last_error) == (RefundState.FAILED, refund_sending.NO_ANSWER)
    assert pg_refunds.at_pg(payment) == []
    assert [won for _, won in pg_refunds.ledger(payment)] == [33_000]
    assert broken() == []
