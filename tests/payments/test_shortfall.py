"""차액 인정: what never came counts as paid, goes back to nobody, and gives way to money that comes in later."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.roles import Role
from core.settings_registry import set_setting
from core.state import previewing
from orders.models import OrderLine
from orders.refunds import Source, split
from orders.states import LineState
from payments.models import MoneyProblem, Payment, Refund, RefundCalculation
from payments.services.cases import resolving
from payments.services.deposits.allocating import allocate
from payments.services.deposits.unallocating import unallocate
from payments.services.refunds import by_hand, requesting
from payments.services.refunds.requesting import Ask
from payments.states import PaymentState, ProblemKind, RefundState
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT

K, S = ProblemKind, LineState
LATER = NOW + timedelta(hours=3)
NO_MORE = "환불 가능 금액을 초과했습니다. 지금 환불할 수 있는 금액은 39,000원입니다."


@pytest.fixture
def accepted(at_pg):
    """An order of 40,000 won of which 39,000 came and the rest was forgiven."""
    one = at_pg()
    one.tell(39_000)
    one.accept()
    assert one.stands() == (S.PREPARING, 40_000, 1_000)
    assert broken() == []
    return one


def test_a_canceled_order_gets_back_what_came_and_no_more(accepted):
    with previewing():
        outcome = accepted.cancel()
    assert dict(outcome.sums) == {"BUYER": 39_000, "SELLER": 39_000, "shortfall": 1_000}
    assert accepted.stands() == (S.PREPARING, 40_000, 1_000)
    paid_at = accepted.payment.paid_at
    assert accepted.cancel().refused == {}
    calculation = RefundCalculation.objects.get()
    assert (calculation.goods, calculation.shortfall, calculation.total) == (40_000, 1_000, 39_000)
    assert accepted.refunds() == [(RefundState.APPROVED, 39_000)]
    assert accepted.stands() == (S.CANCELED, 39_000, 0)
    accepted.pay_out()
    assert accepted.ledger() == [
        ("DEPOSIT", 39_000), ("SHORTFALL", 1_000), ("SHORTFALL", -1_000), ("PAID_OUT", -39_000)
    ]  # fmt: skip
    payment = accepted.payment
    assert (payment.state, payment.balance, payment.refunded, payment.paid_at) == ("REFUNDED", 0, 39_000, paid_at)
    assert broken() == []


def test_the_preview_and_the_box_name_what_is_taken_off(accepted, sign_in, press):
    client = sign_in(Role.OWNER)
    order = reloaded(accepted.order)
    page = client.get(f"/orders/{order.number}/").content.decode()
    assert "<dt>입금액</dt><dd>39,000원</dd>" in page
    assert "<dt>인정한 차액</dt><dd>1,000원</dd>" in page
    facts = {"reason": "고객 요청", "fault": "SELLER", "bank": "088", "number": "110123456789", "holder": "홍길동"}
    preview, answer = press(client, "cancel-refund", "preparing", [(order.pk, order.version)], **facts)
    assert "환불액은 모두 39,000원입니다." in preview.content.decode()
    assert "받지 않은 차액 1,000원은 돌려주지 않습니다." in preview.content.decode()
    assert answer.status_code == 200
    page = client.get(f"/orders/{accepted.order.number}/").content.decode()
    assert "<dt>입금액</dt><dd>39,000원</dd>" in page
    assert "<dt>받지 않은 차액</dt><dd>-1,000원</dd>" in page


def test_a_part_is_paid_back_whole_and_the_last_part_without_what_never_came(at_pg, make_variant):
    one = at_pg(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], price=20_000)
    one.tell(39_000)
    one.accept()
    assert one.cancel(1).refused == {}
    one.pay_out()
    assert one.stands() == (S.PREPARING, 20_000, 1_000)
    assert one.cancel(2).refused == {}
    one.pay_out()
    assert list(RefundCalculation.objects.order_by("pk").values_list("shortfall", "total")) == [
        (0, 20_000), (1_000, 19_000)
    ]  # fmt: skip
    assert one.stands() == (S.CANCELED, 0, 0)
    assert broken() == []


def test_no_refund_is_asked_for_beyond_what_came(accepted, staff):
    facts = {"reason": "환불", "actor": staff, "at": NOW}
    asked = requesting.request(asks=[Ask(payment_id=accepted.payment.pk, amount=39_001, account=ACCOUNT)], **facts)
    assert asked.refused == {0: NO_MORE}
    assert not Refund.objects.exists()
    with pytest.raises(IntegrityError, match="would be 39001 of 39000"), transaction.atomic():
        Refund.objects.create(
            payment=accepted.payment, order=accepted.order, way="PG", amount=39_001, reason="x", requested_at=NOW
        )
    assert accepted.stands() == (S.PREPARING, 40_000, 1_000)
    assert broken() == []


def test_the_database_keeps_what_was_forgiven_inside_the_balance(accepted):
    for values in ({"forgiven": 40_001}, {"forgiven": -1}):
        with pytest.raises(IntegrityError, match="forgiven"), transaction.atomic():
            Payment.objects.filter(order=accepted.order).update(**values)
    assert accepted.payment.forgiven == 1_000


@pytest.mark.parametrize(
    ("more", "forgiven", "problems"), [(400, 600, []), (1_000, 0, []), (1_500, 0, [(K.DUPLICATE_DEPOSIT, 500)])]
)
def test_a_later_deposit_takes_the_place_of_what_was_forgiven(accepted, more, forgiven, problems):
    accepted.tell(39_000, more)
    assert accepted.stands() == (S.PREPARING, max(40_000, 39_000 + more), forgiven)
    assert accepted.problems() == problems
    assert accepted.ledger()[2:] == [("DEPOSIT", more), ("SHORTFALL", -min(more, 1_000))]
    assert f"인정한 차액 {min(more, 1_000):,}원을 뺐습니다." in accepted.told()[-1]
    accepted.tell(39_000, more)
    assert len(accepted.ledger()) == 4
    assert broken() == []


def test_a_smaller_deposit_after_two_people_accepted_the_rest_moves_nothing(at_pg, make_staff):
    one = at_pg(price=303_300)
    one.tell(302_300)
    set_setting(key="difference_second_from", value=0, actor=one.staff, at=NOW)
    facts = {"problem_ids": [one.open_problem().pk], "at": NOW, "reason": "인정"}
    assert resolving.ask_to_accept(actor=make_staff(Role.FINANCE), **facts).refused == {}
    assert resolving.accept_difference(actor=one.staff, **facts).refused == {}
    before = reloaded(one.order).version
    one.tell(302_300, 500)
    assert one.stands() == (S.PREPARING, 303_300, 500)
    assert (one.problems(), reloaded(one.order).version) == ([], before)
    assert broken() == []


def test_what_was_forgiven_goes_with_the_money_that_the_bank_takes_back(accepted):
    accepted.tell()
    assert accepted.stands() == (S.AWAITING_PAYMENT, 0, 0)
    assert accepted.ledger()[2:] == [("REVERSAL", -39_000), ("SHORTFALL", -1_000)]
    assert accepted.payment.state == PaymentState.PENDING
    accepted.tell(39_000)
    assert accepted.stands() == (S.AWAITING_PAYMENT, 39_000, 0)
    assert accepted.problems() == [(K.UNDERPAID, 1_000)], "the two people had accepted it for the other money"
    assert broken() == []


def test_a_whole_refund_at_the_pg_takes_what_was_forgiven_along(accepted):
    accepted.tell(39_000, refunds=(39_000,))
    assert accepted.stands() == (S.CANCELED, 0, 0)
    assert accepted.problems() == [(K.REFUNDED_OUTSIDE, 40_000)]
    assert broken() == []


@pytest.fixture
def at_bank(make_order, came_in, matched, staff):
    """A bank transfer order of 40,000 won: 39,000 were connected, the rest forgiven."""
    order = make_order(price=40_000)
    deposit = came_in(39_000, "홍길동")
    matched()
    allocate(deposit_id=deposit.pk, order_ids=[order.pk], actor=staff, at=LATER, accepts_difference=True)
    set_setting(key="difference_second_from", value=1_000_000, actor=staff, at=LATER)
    ids = [MoneyProblem.objects.get().pk]
    assert resolving.accept_difference(problem_ids=ids, actor=staff, at=LATER, reason="인정").refused == {}
    assert broken() == []
    return order, deposit


def held(order):
    payment = Payment.objects.get(order=order)
    return OrderLine.objects.get(order=order).state, payment.balance, payment.forgiven


@pytest.mark.parametrize("more", [400, 1_000])
def test_a_later_bank_deposit_takes_its_place_and_gives_it_back_with_the_connection(
    at_bank, came_in, matched, staff, more
):
    order, _ = at_bank
    deposit = came_in(more, "홍길동")
    matched(at=LATER)
    facts = {"actor": staff, "at": LATER}
    allocate(deposit_id=deposit.pk, order_ids=[order.pk], accepts_difference=True, **facts)
    assert held(order) == (S.PREPARING, 40_000, 1_000 - more)
    assert not MoneyProblem.objects.filter(resolved_at=None).exists()
    assert broken() == []
    assert unallocate(deposit_ids=[deposit.pk], reason="다른 사람 돈", **facts).refused == {}
    assert held(order) == (S.PREPARING, 40_000, 1_000)
    assert broken() == []


def test_the_connection_that_was_forgiven_the_rest_of_takes_it_along(at_bank, staff):
    order, deposit = at_bank
    assert unallocate(deposit_ids=[deposit.pk], actor=staff, at=LATER, reason="다른 사람 돈").refused == {}
    assert held(order) == (S.AWAITING_PAYMENT, 0, 0)
    assert not MoneyProblem.objects.filter(resolved_at=None).exists()
    assert broken() == []


def test_a_connection_whose_money_is_promised_back_is_not_taken_back(at_bank, staff):
    order, deposit = at_bank
    payment = Payment.objects.get(order=order)
    asks = [Ask(payment_id=payment.pk, amount=39_000, account=ACCOUNT)]
    asked = requesting.request(asks=asks, reason="환불", actor=staff, at=LATER).refunds[0]
    sentence = f"환불한 금액이 있는 주문입니다: {order.number}"
    facts = {"deposit_ids": [deposit.pk], "actor": staff, "at": LATER, "reason": "다른 사람 돈"}
    assert unallocate(**facts).refused == {deposit.pk: sentence}
    by_hand.pay_out(refund_ids=[asked.pk], actor=staff, at=LATER)
    assert unallocate(**facts).refused == {deposit.pk: sentence}
    assert (held(order), reloaded(deposit).state) == ((S.PREPARING, 1_000, 1_000), "ALLOCATED")


def test_split_covers_a_missing_rest_only_by_what_never_came():
    main = Source(payment_id=1, place=0, rest=39_000, forgiven=1_000)
    assert split(40_000, [main]).shortfalls == ((1, 1_000),)
    assert split(39_000, [main]).shortfalls == ()
    short = split(40_001, [main])
    assert (short.uncovered, short.shortfalls, short.parts) == (1_001, (), ((1, 39_000),))
    extra = Source(payment_id=2, place=1, rest=500, forgiven=300)
    both = split(40_300, [main, extra])
    assert (both.parts, both.shortfalls, both.shortfall) == (((2, 500), (1, 39_000)), ((2, 300), (1, 500)), 800)
