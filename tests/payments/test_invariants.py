"""The checks of money see what is broken behind their back: each is shown rows that SQL has spoilt."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core.invariants import find_violations
from orders.models import Order
from payments.models import BankDeposit, Payment, PgAccount, PgNotice, PgRequest
from payments.services.cases import resolving
from payments.services.ledger import problems
from payments.services.refunds import by_hand, requesting
from payments.services.refunds.requesting import Ask
from payments.states import ProblemKind
from payments.tasks import cancel_unpaid_overdue
from tests.fixtures.orders import NOW, broken
from tests.fixtures.refunds import ACCOUNT

pytestmark = pytest.mark.django_db


def spoil(sql, *params):
    """Change rows as nobody can who has to pass the triggers."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, params)
        assert cursor.rowcount > 0
        cursor.execute("SET LOCAL session_replication_role = origin")


def seen(code):
    """(subject without its number, detail) of what breaks an invariant."""
    return {(one.subject.split()[0], one.detail) for one in find_violations(code)}


@pytest.fixture
def done_refund(paid_refund, staff):
    """A refund of 4,000 of 10,000 won that staff have transferred."""
    refund = paid_refund(amount=4_000)
    by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=NOW)
    assert broken() == []
    return refund


@pytest.mark.parametrize(
    ("sql", "subject", "words"),
    [
        ("UPDATE payments_payment SET balance = balance + 1", "payment", "ledger says 6000"),
        ("UPDATE payments_payment SET refunded = 0", "payment", "and 4000"),
        ("UPDATE payments_payment SET state = 'PAID'", "payment", "PAID 6000 of 10000"),
        ("UPDATE payments_ledgerentry SET amount = amount + 1 WHERE amount > 0", "payment", "ledger says 6001"),
        ("DELETE FROM payments_ledgerentry WHERE amount > 0", "payment", "ledger says -4000"),
        ("UPDATE orders_order SET paid_amount = 10000", "", "paid 10000, payments say 6000"),
        ("UPDATE payments_refund SET amount = 3999", "refund", "COMPLETED of 3999, ledger says PAID_OUT -4000"),
        ("UPDATE payments_refund SET entry_id = entry_id - 1", "refund", "ledger says MANUAL 10000"),
        ("DELETE FROM payments_refund", "ledger", "-4000 sent by staff without a refund"),
        ("UPDATE payments_ledgerentry SET kind = 'REVERSAL' WHERE amount < 0", "refund", "ledger says REVERSAL -4000"),
    ],
)
def test_ledger_balances_and_refunds_belong_together(done_refund, sql, subject, words):
    spoil(sql)
    found = seen("INV-03")
    assert any(words in detail and one.startswith(subject) for one, detail in found), found


def test_a_refund_that_needs_two_was_approved_by_another(paid_payment, staff, finance):
    payment = paid_payment(price=400_000)
    asked = requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=400_000, account=ACCOUNT)], reason="환불", actor=staff, at=NOW
    )
    requesting.approve(refund_ids=[asked.refunds[0].pk], actor=finance, at=NOW)
    assert broken() == []
    for by in (staff.pk, None):
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE payments_refund DROP CONSTRAINT IF EXISTS refund_two_people")
        spoil("UPDATE payments_refund SET approved_by_id = %s", by)
        assert seen("INV-16") == {("refund", "400000 approved by who asked for it, or by nobody")}


@pytest.mark.parametrize(
    ("sql", "subject"),
    [
        ("UPDATE payments_bankdeposit SET allocated_amount = 1", "deposit"),
        ("UPDATE payments_bankdeposit SET state = 'QUEUED'", "deposit"),
        ("UPDATE payments_depositallocation SET amount = 38999", "deposit"),
        ("UPDATE payments_depositallocation SET voided_at = now()", "allocation"),
        ("UPDATE payments_ledgerentry SET amount = 38999", "allocation"),
        ("DELETE FROM payments_ledgerentry", "allocation"),
        ("DELETE FROM payments_depositallocation", "deposit"),
    ],
)
def test_a_bank_deposit_is_connected_whole_and_booked_once(make_order, came_in, matched, sql, subject):
    make_order(price=39_000)
    came_in(39_000, "홍길동")
    matched()
    assert BankDeposit.objects.get().state == "MATCHED"
    assert broken() == []
    spoil(sql)
    assert subject in {one for one, _ in seen("INV-03")}


@pytest.fixture
def told(db):
    """A notice that was worked on and the request that it came in."""
    account = PgAccount.objects.create(code="toss", name="x", provider="toss", merchant_id="x", base_url="https://x")
    at = timezone.now() - timedelta(hours=1)
    notice = PgNotice.objects.create(
        account=account, event_key="k", kind="DEPOSITED", order_ref="x", is_proven=True, body_hash=b"x",
        due_at=at, received_at=at, state="IGNORED", finished_at=at,
    )  # fmt: skip
    PgRequest.objects.create(account=account, at=at, body=b"x", size=1, status=200, notice=notice)
    assert broken() == []


@pytest.mark.parametrize(
    ("sql", "subject"),
    [
        ("UPDATE payments_pgnotice SET state = 'RETRY'", "notice"),
        ("UPDATE payments_pgnotice SET state = 'RECEIVED', finished_at = NULL", "notice"),
        ("UPDATE payments_pgnotice SET finished_at = NULL", "notice"),
        ("UPDATE payments_pgrequest SET status = NULL", "request"),
    ],
)
def test_what_a_pg_told_us_does_not_lie_about(told, sql, subject):
    spoil(sql)
    assert {one for one, _ in seen("INV-10")} == {subject}


def test_a_notice_that_waits_for_its_next_try_is_no_violation(told):
    spoil("UPDATE payments_pgnotice SET state = 'RETRY', finished_at = NULL, due_at = now() + interval '1 hour'")
    assert broken() == []


def test_no_deadline_cancels_an_order_with_money(make_order, deposit):
    order = make_order(price=10_000)
    assert cancel_unpaid_overdue(at=order.deposit_by + timedelta(minutes=1)) == 1
    deposit(order, 4_000, at=order.deposit_by + timedelta(days=1))
    payment = Payment.objects.get(order=order)
    problems.open_for(payment, ProblemKind.LATE_AFTER_EXPIRE, amount=4_000, at=order.deposit_by + timedelta(days=1))
    assert broken() == [], "money that came later is a case for a person, not a broken rule"
    spoil("UPDATE payments_ledgerentry SET at = %s", order.deposit_by - timedelta(days=1))
    assert len(seen("INV-17")) == 1
    assert Payment.objects.get(order=order).balance == Order.objects.get(pk=order.pk).paid_amount == 4_000


def test_what_was_forgiven_is_the_sum_of_its_rows(at_pg):
    one = at_pg()
    one.tell(39_000)
    one.accept()
    assert broken() == []
    spoil("UPDATE payments_payment SET forgiven = 999")
    assert seen("INV-03") == {
        ("payment", "PAID 40000 of 40000, refunded 0, ledger says 40000 and 0, forgiven 999 of 1000")
    }


def test_what_never_came_does_not_go_back(at_pg):
    one = at_pg()
    one.tell(39_000)
    one.accept()
    one.cancel()
    one.pay_out()
    assert broken() == []
    spoil("UPDATE payments_ledgerentry SET amount = -40000 WHERE kind = 'PAID_OUT'")
    assert ("payment", "40000 went back of 39000 that came") in seen("INV-03")


def test_a_booking_by_hand_that_had_gone_back_is_not_taken_for_a_deposit(at_pg):
    one = at_pg(price=27_000)
    one.confirm()
    one.cancel()
    one.pay_out()
    one.tell(27_000)
    assert broken() == []
    spoil(
        "INSERT INTO payments_ledgerentry (payment_id, kind, reference, amount, at, reason)"
        " VALUES (%s, 'MANUAL_REVERSAL', 'x', -27000, now(), '')",
        one.payment.pk,
    )
    assert ("ledger", "27000 booked by hand are taken back, 0 stood") in {
        (subject, detail) for subject, detail in seen("INV-03")
    }


def test_money_of_a_canceled_order_is_not_forgotten(at_pg):
    one = at_pg(price=27_000)
    one.tell(27_000)
    one.cancel()
    one.pay_out()
    one.tell(27_000, 27_000)
    assert broken() == []
    facts = {"actor": one.staff, "at": one.moment, "reason": "매장에서 돌려줌"}
    assert resolving.close(problem_ids=[one.open_problem().pk], **facts).refused == {}
    assert broken() == [], "a person has decided"
    spoil("UPDATE payments_moneyproblem SET resolved_by_id = NULL")
    assert {detail for _, detail in seen("INV-03")} == {"holds 27000 after its end and nobody is asked"}
