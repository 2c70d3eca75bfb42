"""결제 상태 after money went back: what the ledger says, and what the box of the order shows."""

import re

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.roles import Role
from orders.services import progress
from orders.services.locking import locked_orders
from orders.states import CanceledBy
from payments.invariants import check_ledger
from payments.models import LedgerEntry, Payment
from payments.services.ledger.booking import book
from payments.services.refunds import by_hand, requesting
from payments.services.refunds.requesting import Ask
from payments.states import EntryKind, PaymentState
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.refunds import ACCOUNT

E, S = EntryKind, PaymentState
HISTORIES = [
    ([(E.DEPOSIT, 10_000), (E.REFUND, -4_000)], S.PART_REFUNDED, 4_000),
    ([(E.DEPOSIT, 10_000), (E.REFUND, -4_000), (E.PAID_OUT, -6_000)], S.REFUNDED, 10_000),
    ([(E.DEPOSIT, 10_000), (E.REFUND, -10_000), (E.REFUND_FAILED, 10_000)], S.PAID, 0),
    ([(E.DEPOSIT, 10_000), (E.REFUND, -10_000), (E.REFUND_UNDONE, 10_000)], S.PAID, 0),
    ([(E.DEPOSIT, 10_000), (E.REFUND, -10_000), (E.DEPOSIT, 10_000)], S.PAID, 10_000),
    ([(E.DEPOSIT, 12_000), (E.REFUND, -2_000)], S.PAID, 2_000),
    ([(E.DEPOSIT, 12_000), (E.REFUND, -1_000)], S.OVERPAID, 1_000),
    ([(E.DEPOSIT, 7_000), (E.REFUND, -1_000)], S.PARTIAL, 1_000),
    ([(E.DEPOSIT, 7_000), (E.REFUND, -7_000)], S.REFUNDED, 7_000),
    ([(E.MANUAL, 10_000), (E.MANUAL_REVERSAL, -10_000)], S.PENDING, 0),
    ([(E.DEPOSIT, 10_000), (E.REVERSAL, -10_000)], S.PENDING, 0),
    ([(E.DEPOSIT, 7_000)], S.PARTIAL, 0),
]


@pytest.fixture
def booked(make_order):
    """`booked([(kind, won), …])`: an order of 10,000 won with these ledger rows, booked one after the other."""

    def make(rows):
        order = make_order(price=10_000)
        for n, (kind, won) in enumerate(rows):
            with locked_orders([order.pk]):
                book([(Payment.objects.get(order=order), kind, f"r{n}", won)], at=NOW)
        return reloaded(order)

    return make


def kv(client, order):
    """The first words of the box 결제: label -> text."""
    page = client.get(f"/orders/{order.number}/").content.decode()
    box = page[page.index("<dt>결제수단") :].partition("</dl>")[0]
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", box, re.DOTALL)
    return {label: " ".join(re.sub(r"<[^>]+>", " ", text).split()) for label, text in found}


@pytest.mark.parametrize(("rows", "state", "refunded"), HISTORIES)
def test_the_state_of_a_payment_follows_what_came_and_what_went_back(booked, rows, state, refunded):
    payment = Payment.objects.get(order=booked(rows))
    assert (payment.state, payment.refunded) == (state, refunded)
    assert payment.balance == sum(won for _, won in rows) == payment.order.paid_amount
    assert (payment.paid_at is None) == (state in {S.PENDING, S.PARTIAL})
    assert list(check_ledger()) == []


def test_rows_booked_together_count_like_rows_booked_one_by_one(booked):
    order = booked([(E.DEPOSIT, 10_000)])
    with locked_orders([order.pk]):
        payment = Payment.objects.get(order=order)
        book([(payment, E.REFUND, "a", -3_000), (payment, E.PAID_OUT, "b", -2_000)], at=NOW)
    payment = Payment.objects.get(order=order)
    assert (payment.state, payment.balance, payment.refunded) == (S.PART_REFUNDED, 5_000, 5_000)


@pytest.mark.parametrize("column", ["refunded = 4001", "state = 'REFUNDED'", "state = 'PAID'"])
def test_the_check_of_the_ledger_finds_a_payment_that_says_something_else(booked, column):
    order = booked([(E.DEPOSIT, 10_000), (E.REFUND, -4_000)])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(f"UPDATE payments_payment SET {column} WHERE order_id = %s", [order.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")
    [found] = check_ledger()
    assert "ledger says 6000 and 4000" in found.detail


def test_a_payment_cannot_have_sent_back_less_than_nothing(booked):
    order = booked([(E.DEPOSIT, 10_000)])
    with pytest.raises(IntegrityError, match="payment_refunded_not_negative"), transaction.atomic():
        Payment.objects.filter(order=order).update(refunded=-1)
    assert Payment.objects.get(order=order).refunded == 0


def test_the_box_of_a_paid_order_shows_what_went_back_and_what_is_left(paid_payment, staff, sign_in):
    payment, client = paid_payment(price=33_000), sign_in(Role.CS)
    before = kv(client, payment.order)
    assert before["결제수단"].endswith("입금완료")
    assert before["입금액"] == "33,000원"
    assert not {"환불액", "환불 뒤 결제액", "남은 금액"} & set(before)
    for amount, tag, left in ((13_000, "부분환불", "20,000원"), (20_000, "환불", "0원")):
        asked = requesting.request(
            asks=[Ask(payment_id=payment.pk, amount=amount, account=ACCOUNT)], reason="변심", actor=staff, at=NOW
        )
        by_hand.pay_out(refund_ids=[asked.refunds[0].pk], actor=staff, at=NOW)
        shown = kv(client, payment.order)
        assert shown["결제수단"].split()[-1] == tag
        assert (shown["입금액"], shown["환불 뒤 결제액"]) == ("33,000원", left)
        assert "남은 금액" not in shown
        assert "입금기한" not in shown
    assert shown["환불액"] == "33,000원"
    assert LedgerEntry.objects.filter(payment=payment).count() == 3


def test_the_box_says_what_is_missing_and_what_is_too_much(booked, sign_in):
    client = sign_in(Role.CS)
    assert kv(client, booked([(E.DEPOSIT, 7_000)]))["남은 금액"] == "3,000원"
    assert kv(client, booked([(E.DEPOSIT, 7_000), (E.REFUND, -7_000)]))["남은 금액"] == "10,000원"
    shown = kv(client, booked([(E.DEPOSIT, 12_000)]))
    assert shown["초과 금액"] == "2,000원"
    assert "남은 금액" not in shown


def test_the_box_of_a_canceled_order_asks_for_no_money(booked, make_order, staff, sign_in):
    order = make_order(price=10_000)
    progress.cancel_unpaid(order_ids=[order.pk], actor=staff, at=NOW, by=CanceledBy.STAFF, reason="고객 요청")
    shown = kv(sign_in(Role.CS), order)
    assert "남은 금액" not in shown
    assert "입금기한" not in shown
