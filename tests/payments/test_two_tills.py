"""Money of a PG and money of our own bank account are two tills; refunds take only what is there (payments.md 5.8)."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core import drains
from orders.models import OrderLine
from orders.states import Fault, LineState, PaymentMethod
from payments.adapters.base import MOST_REFERENCE, Movement, PgState, RefundAnswer, Snapshot, fitted
from payments.invariants import check_covered
from payments.models import LedgerEntry, MoneyProblem, Payment, PgNotice, Refund
from payments.services import manual
from payments.services.cases import attaching
from payments.services.gateway import refund_sending
from payments.services.refunds import by_hand, canceling, requesting
from payments.services.refunds.covering import NOT_COVERED
from payments.services.refunds.locking import balances_at_pg
from payments.services.snapshots.applying import Fetched, apply
from payments.states import EntryKind, NoticeState, ProblemKind, RefundState, RefundWay
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT
from tests.payments.test_problem_pages import lost  # noqa: F401 - the case of a notice without an order

pytestmark = pytest.mark.django_db(transaction=True)
K, E, R, S = ProblemKind, EntryKind, RefundState, LineState


# PG money and bank money apart


def test_what_came_to_our_bank_is_not_taken_back_by_a_pg_that_has_nothing(at_pg, deposit):
    one = at_pg()
    deposit(one.order, 40_000)
    one.tell()
    assert one.ledger() == [(E.DEPOSIT, 40_000)]
    assert (one.stands()[1:], one.problems()) == ((40_000, 0), [])
    assert balances_at_pg([one.payment]) == {one.payment.pk: 0}
    one.tell(40_000)
    assert one.ledger() == [(E.DEPOSIT, 40_000), (E.DEPOSIT, 40_000)]
    assert one.stands() == (S.PREPARING, 80_000, 0)
    assert [won for _, won in one.problems()] == [40_000]
    assert balances_at_pg([one.payment]) == {one.payment.pk: 40_000}
    one.tell()
    assert one.ledger()[2:] == [(E.REVERSAL, -40_000)]
    assert one.stands() == (S.PREPARING, 40_000, 0)


def attach(case, order, staff):
    facts = {"actor": staff, "at": timezone.now(), "reason": "통화함"}
    return attaching.attach(problem_ids=[case.pk], order_id=order.pk, **facts).refused


def untouched(case, order):
    payment = Payment.objects.get(order=order)
    assert (payment.account, payment.order_ref, reloaded(case).resolved_at) == (None, None, None)
    assert PgNotice.objects.get().state == NoticeState.PARKED


def test_money_of_a_pg_is_not_attached_to_an_order_that_is_paid_to_our_bank(lost, make_order, deposit, staff):  # noqa: F811
    order = deposit(make_order(price=10_000), 10_000)
    assert attach(lost, order, staff) == {lost.pk: attaching.PAID_TO_BANK}
    untouched(lost, order)
    assert LedgerEntry.objects.count() == 1


def test_money_of_a_pg_is_not_attached_where_other_money_came_in(lost, make_order, staff):  # noqa: F811
    order = make_order(paid=True, price=10_000)
    assert attach(lost, order, staff) == {lost.pk: attaching.PAID_OTHERWISE}
    untouched(lost, order)
    assert list(LedgerEntry.objects.values_list("kind", "amount")) == [(E.PREPAID, 10_000)]


def test_money_of_a_pg_is_attached_to_an_order_that_staff_confirmed_for_it(lost, make_order, staff):  # noqa: F811
    order = make_order(price=10_000, payment_method=PaymentMethod.VIRTUAL_ACCOUNT)
    manual.confirm_manually(order_ids=[order.pk], actor=None, at=NOW)
    assert attach(lost, order, staff) == {}
    payment = Payment.objects.get(order=order)
    assert (payment.order_ref, payment.balance) == (lost.notice.order_ref, 10_000)


def test_a_notice_of_a_payment_that_an_order_has_by_now_is_not_attached_to_another(lost, make_order, staff):  # noqa: F811
    known = make_order(price=10_000, payment_method=PaymentMethod.VIRTUAL_ACCOUNT)
    Payment.objects.filter(order=known).update(account=lost.notice.account, order_ref=lost.notice.order_ref)
    order = make_order(price=10_000, payment_method=PaymentMethod.VIRTUAL_ACCOUNT)
    assert attach(lost, order, staff) == {lost.pk: attaching.KNOWN_BY_NOW}
    untouched(lost, order)


# Refunds take only what is there


@pytest.fixture
def half_canceled(make_order, make_variant, staff):
    """An order of 40,000 won, confirmed by hand, of which one line is canceled: 20,000 won wait on the bank list."""
    order = make_order(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], price=20_000)
    manual.confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    cancel_first(order, staff)
    return order


def cancel_first(order, staff):
    line = OrderLine.objects.get(order=order, seq=1)
    facts = {"fault": Fault.SELLER, "reason": "고객 요청", "actor": staff, "at": NOW + timedelta(hours=1)}
    assert canceling.cancel_and_refund(line_ids=[line.pk], account=ACCOUNT, **facts).refused == {}


def test_money_that_a_refund_takes_is_not_taken_back_by_hand(half_canceled, staff):
    facts = {"actor": staff, "at": NOW + timedelta(hours=2), "reason": "시험"}
    outcome = manual.revert_manual(order_ids=[half_canceled.pk], **facts)
    assert set(outcome.refused.values()) == {manual.REFUND_ASKED}
    assert list(LedgerEntry.objects.values_list("kind", "amount")) == [(E.MANUAL, 40_000)]
    assert reloaded(half_canceled).paid_amount == 40_000
    assert list(Refund.objects.values_list("state", "amount")) == [(R.APPROVED, 20_000)]
    assert broken() == []


@pytest.fixture
def reversed_refund(at_pg, make_variant, staff):
    """An approved bank transfer of 20,000 won whose money the bank has taken back at the PG."""
    one = at_pg(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], price=20_000)
    one.tell(40_000)
    one.cancel(1)
    Refund.objects.update(way=RefundWay.BANK)
    assert one.refunds() == [(R.APPROVED, 20_000)]
    one.tell()
    return one


def test_a_refund_whose_money_the_bank_took_back_is_held_for_a_person(reversed_refund, staff):
    one = reversed_refund
    assert one.ledger() == [(E.DEPOSIT, 40_000), (E.REVERSAL, -40_000)]
    assert one.refunds() == [(R.HELD, 20_000)]
    assert (K.REFUND_UNCOVERED, 20_000) in one.problems()
    assert broken() == []
    ids = list(Refund.objects.values_list("pk", flat=True))
    facts = {"refund_ids": ids, "actor": staff, "at": one.moment}
    assert requesting.release(**facts).refused == dict.fromkeys(ids, NOT_COVERED)
    assert by_hand.pay_out(**facts).moved == []
    assert (one.refunds(), one.ledger()[2:]) == ([(R.HELD, 20_000)], [])
    one.tell(40_000)
    assert K.REFUND_UNCOVERED in {kind for kind, _ in one.problems()}
    assert requesting.release(**facts).refused == {}
    assert one.refunds() == [(R.APPROVED, 20_000)]
    assert K.REFUND_UNCOVERED not in {kind for kind, _ in one.problems()}
    assert broken() == []


def test_a_refund_that_nothing_covers_is_found(reversed_refund):
    assert list(check_covered()) == []
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE payments_refund SET state = 'APPROVED'")
        cursor.execute("SET session_replication_role = origin")
    [found] = check_covered()
    assert found.detail == "20000 are to go back of 0 that stand"


def test_a_refund_that_is_still_covered_goes_on(at_pg, make_variant):
    one = at_pg(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], price=20_000)
    one.tell(40_000)
    one.cancel(1)
    Refund.objects.update(way=RefundWay.BANK)
    one.tell(40_000, refunds=(5_000,))
    assert one.refunds() == [(R.APPROVED, 20_000)]
    assert K.REFUND_UNCOVERED not in {kind for kind, _ in one.problems()}
    assert broken() == []


# Our own refund is no question


def test_a_refund_in_the_console_just_before_our_own_is_not_lost(pg_refunds):
    payment = pg_refunds.paid("toss")
    refund, shop = pg_refunds.ask(payment, 10_000), pg_refunds.shop
    shop.act("refund", payment, amount=5_000)
    shop.pgs.wait_for(lambda: not any(one["state"] in {"DUE", "SENDING"} for one in shop.pgs.notices()))
    shop.pgs.fault("hold", times=None)
    refund_sending.send_due(at=timezone.now())
    assert reloaded(refund).state in {R.ACCEPTED, R.COMPLETED}
    assert pg_refunds.ledger(payment) == [(E.DEPOSIT, 33_000), (E.REFUND, -10_000)]
    drains.run_all()
    assert pg_refunds.ledger(payment)[2:] == [(E.REFUND, -5_000)]
    assert [(one.kind, one.amount) for one in MoneyProblem.objects.all()] == [(K.REFUNDED_OUTSIDE, 15_000)]
    assert pg_refunds.at_pg(payment) in ([5_000, 10_000], [10_000, 5_000])
    assert broken() == []


# References of any length


def test_a_reference_of_any_length_is_booked_once(at_pg):
    one, long = at_pg(), "T" * 150
    payment = one.payment

    def tell(*names, ref="p" * 190):
        one.moment += timedelta(minutes=1)
        snapshot = Snapshot(
            order_ref=payment.order_ref,
            payment_ref=ref,
            state=PgState.PAID,
            amount=40_000,
            deposits=tuple(Movement(reference=name, amount=20_000) for name in names),
        )
        return apply([Fetched(payment.pk, snapshot, one.moment)], at=one.moment)[payment.pk].state

    assert tell(f"{long}1", f"{long}2") == NoticeState.PROCESSED
    assert tell(f"{long}1", f"{long}2") == NoticeState.IGNORED
    assert (one.ledger(), one.stands()) == ([(E.DEPOSIT, 20_000)] * 2, (S.PREPARING, 40_000, 0))
    kept = list(LedgerEntry.objects.order_by("pk").values_list("reference", flat=True))
    assert kept == [fitted(f"{long}1"), fitted(f"{long}2")]
    assert {len(name) for name in kept} == {MOST_REFERENCE}
    # What has no name of its own is named by the PG's number, however long that is.
    assert tell() == NoticeState.PROCESSED
    assert one.ledger()[2:] == [(E.REVERSAL, -40_000)]
    assert tell("", "", ref="q" * 400) == NoticeState.PROCESSED
    assert (one.ledger()[3:], one.payment.payment_ref) == ([(E.DEPOSIT, 40_000)], "p" * 190)
    assert broken() == []


def test_a_refund_with_a_long_number_is_found_again():
    assert RefundAnswer(reference="R" * 300, is_final=True).reference == fitted("R" * 300)
    assert Movement(reference="R" * 300, amount=1).reference == fitted("R" * 300)
    assert (fitted("R" * 80), len(fitted("R" * 81))) == ("R" * 80, 80)
    assert fitted("R" * 81) != fitted("R" * 82)
