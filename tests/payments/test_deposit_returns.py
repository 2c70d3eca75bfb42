"""입금 반환: a deposit that is for no order goes back once, by two people where that is asked for."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.roles import Role
from core.exceptions import Conflict, DomainError
from core.models import Message
from orders.models import OrderEvent, OrderLine
from payments.models import LedgerEntry, MoneyProblem, Refund, RefundAccount
from payments.services.cases import resolving
from payments.services.deposits import allocating
from payments.services.deposits.confirming import match_deposits
from payments.services.deposits.deposit_returns import give_back
from payments.services.gateway import refund_sending
from payments.services.refunds import by_hand, requesting, second_person
from payments.states import DepositState, ProblemKind, RefundState, RefundWay
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT
from tests.infra.races import race

D, R = DepositState, RefundState
LATER = NOW + timedelta(hours=3)
SENDER = RefundAccount(bank="004", number="22206528300122", holder="모르는이")
HX = {"HX-Request": "true"}


@pytest.fixture
def stray(came_in, matched):
    """`stray(12_000)`: a deposit that is for no order, waiting in the queue."""

    def make(amount=12_000, name="모르는이"):
        deposit = came_in(amount, name)
        matched()
        deposit = reloaded(deposit)
        assert deposit.state == D.QUEUED
        return deposit

    return make


def ask(deposit, actor, account=SENDER, **facts):
    return give_back(deposit_id=deposit.pk, account=account, reason="주문 없음", actor=actor, at=NOW, **facts)


def assert_waiting(deposit, *, version):
    fresh = reloaded(deposit)
    assert (fresh.state, fresh.version, fresh.allocated_amount) == (D.QUEUED, version, 0)
    assert not Refund.objects.exists()
    assert not OrderEvent.objects.filter(kind__in=["deposit.returning", "refund.requested"]).exists()
    assert broken() == []


def test_it_goes_back_by_the_list_for_the_bank(stray, staff):
    deposit = stray()
    refund = ask(deposit, staff)
    assert (refund.way, refund.amount, refund.payment, refund.order) == (RefundWay.BANK, 12_000, None, None)
    assert (reloaded(refund).state, reloaded(deposit).state) == (R.APPROVED, D.RETURNING)
    assert refund.account == SENDER
    assert SENDER.number not in refund.sealed_account
    assert broken() == []
    done = by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=NOW)
    assert (done.refused, done.moved_ids) == ({}, [refund.pk])
    assert (reloaded(refund).state, reloaded(deposit).state) == (R.COMPLETED, D.REFUNDED)
    assert not LedgerEntry.objects.exists(), "it never was any order's money"
    assert not Message.objects.exists()
    assert refund_sending.send_due(at=NOW) == 0
    assert broken() == []


@pytest.mark.parametrize(
    ("amount", "account"),
    [(300_000, SENDER), (12_000, RefundAccount(bank="004", number="22206528300122", holder="딴사람"))],
)
def test_a_large_one_and_one_to_somebody_else_need_a_second_person(stray, staff, finance, amount, account):
    deposit = stray(amount)
    refund = ask(deposit, staff, account)
    assert (reloaded(refund).state, refund.needs_second) == (R.DRAFT, True)
    own = requesting.approve(refund_ids=[refund.pk], actor=staff, at=NOW)
    assert own.refused == {refund.pk: second_person.SECOND_PERSON}
    assert by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=NOW).moved == []
    assert reloaded(deposit).state == D.RETURNING
    assert requesting.approve(refund_ids=[refund.pk], actor=finance, at=NOW).refused == {}
    assert by_hand.pay_out(refund_ids=[refund.pk], actor=finance, at=NOW).refused == {}
    assert reloaded(deposit).state == D.REFUNDED
    assert broken() == []


def test_held_released_and_withdrawn_it_waits_for_its_order_again(stray, staff, make_order):
    deposit = stray(39_000)
    refund = ask(deposit, staff)
    assert requesting.hold(refund_ids=[refund.pk], actor=staff, at=NOW, reason="확인").refused == {}
    assert requesting.release(refund_ids=[refund.pk], actor=staff, at=NOW).refused == {}
    order = make_order(price=39_000)
    for refused in (
        lambda: allocating.allocate(deposit_id=deposit.pk, order_ids=[order.pk], actor=staff, at=NOW),
        lambda: ask(deposit, staff),
    ):
        with pytest.raises(Conflict):
            refused()
    assert match_deposits(deposit_ids=[deposit.pk], at=NOW).confirmed == []
    assert requesting.withdraw(refund_ids=[refund.pk], actor=staff, at=NOW, reason="주문을 찾음").refused == {}
    assert (reloaded(refund).state, reloaded(deposit).state) == (R.WITHDRAWN, D.QUEUED)
    assert broken() == []
    allocating.allocate(deposit_id=deposit.pk, order_ids=[order.pk], actor=staff, at=NOW)
    assert OrderLine.objects.get(order=order).state == "PREPARING"
    assert broken() == []


@pytest.mark.parametrize(
    "account", [None, RefundAccount("004", "12-34", "모르는이"), RefundAccount("004", "22206528300122", " ")]
)
def test_without_a_good_account_nothing_happens(stray, staff, account):
    deposit = stray()
    with pytest.raises(DomainError, match="환불계좌"):
        ask(deposit, staff, account)
    assert_waiting(deposit, version=deposit.version)


def test_a_stale_screen_is_refused(stray, staff):
    deposit = stray()
    with pytest.raises(Conflict):
        ask(deposit, staff, seen_version=deposit.version - 1)
    assert_waiting(deposit, version=deposit.version)


def test_the_database_refuses_a_second_return_another_sum_and_a_mixed_one(stray, staff, paid_refund):
    deposit = stray()
    facts = {"way": "BANK", "amount": 12_000, "reason": "", "requested_at": NOW, "deposit": deposit}
    wrong = paid_refund(price=33_000)
    for more, name in (
        ({"amount": 12_001}, "would be 12001 of 12000"),
        ({"payment": wrong.payment, "order": wrong.order}, "refund_of_one_thing"),
        ({"way": "PG"}, "refund_of_one_thing"),
    ):
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            Refund(**facts | more).save(force_insert=True)
    ask(deposit, staff)
    with pytest.raises(IntegrityError, match="refund_of_a_deposit_once"), transaction.atomic():
        Refund(**facts).save(force_insert=True)
    assert broken() == []


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_two_clicks_two_people_and_a_connection_at_the_same_moment_do_one_thing(stray, staff, finance, make_order):
    order = make_order(price=12_500)
    deposit = stray()

    def tried(work):
        try:
            work()
        except (Conflict, DomainError) as refusal:
            return type(refusal).__name__
        return "done"

    def connect():
        allocating.allocate(deposit_id=deposit.pk, order_ids=[order.pk], actor=staff, at=LATER, accepts_difference=True)

    jobs = [lambda: ask(deposit, staff), lambda: ask(deposit, staff), lambda: ask(deposit, finance), connect]
    answers = race([lambda work=work: tried(work) for work in jobs])
    assert sorted(answers) == ["Conflict", "Conflict", "Conflict", "done"]
    fresh = reloaded(deposit)
    assert (fresh.state, Refund.objects.count(), LedgerEntry.objects.count()) in {
        (D.RETURNING, 1, 0),
        (D.ALLOCATED, 0, 1),
    }
    assert broken() == []


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_paid_out_and_withdrawn_at_the_same_moment_it_ends_once(stray, staff):
    deposit = stray()
    refund = ask(deposit, staff)
    answers = race(
        [
            lambda: len(by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=NOW).moved),
            lambda: len(requesting.withdraw(refund_ids=[refund.pk], actor=staff, at=NOW, reason="철회").moved),
            lambda: len(by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=NOW).moved),
        ]
    )
    assert sum(answers) == 1
    ended = (reloaded(refund).state, reloaded(deposit).state)
    assert ended in {(R.COMPLETED, D.REFUNDED), (R.WITHDRAWN, D.QUEUED)}
    assert broken() == []


def test_the_screen_asks_for_the_account_and_the_list_of_refunds_shows_it(stray, sign_in):
    deposit = stray()
    client = sign_in(Role.OWNER, headers=HX)
    page = client.get(f"/payments/deposits/{deposit.pk}/", headers={"HX-Target": "detail"}).content.decode()
    assert "data-return-deposit" in page
    url = f"/payments/deposits/{deposit.pk}/return/"
    for reason, missing in (("", 4), ("주문 없음", 3)):
        refused = client.post(url, {"reason": reason, "version": deposit.version})
        assert (refused.status_code, refused["HX-Retarget"]) == (422, "#deposit-return")
        assert refused.content.decode().count('class="field-error"') == missing
        assert "환불 은행을 고르세요." in refused.content.decode()
    assert not Refund.objects.exists()
    values = {"reason": "주문 없음", "version": deposit.version, "bank": "004", "number": "222065-28300122"}
    answer = client.post(url, values | {"holder": "모르는이"})
    assert answer.status_code == 200
    assert "입금 12,000원의 반환을 신청했습니다." in answer.content.decode()
    assert client.post(url, values | {"holder": "모르는이"}).status_code == 409
    listed = client.get("/payments/refunds/?tab=bank").content.decode()
    assert "입금 반환" in listed
    assert SENDER.number not in listed
    assert Refund.objects.count() == 1
    done = client.get(f"/payments/deposits/{deposit.pk}/").content.decode()
    assert "반환 중" in done
    assert "data-return-deposit" not in done


def test_who_may_not_ask_for_refunds_is_offered_none(stray, sign_in):
    deposit = stray()
    client = sign_in(Role.CS, headers=HX)
    url = f"/payments/deposits/{deposit.pk}/return/"
    answer = client.post(url, {"reason": "x", "version": deposit.version})
    assert answer.status_code == 403
    assert_waiting(deposit, version=deposit.version)


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_two_people_refund_one_case_of_late_money_once_and_a_withdrawal_opens_it_again(
    came_in, matched, make_order, staff, finance
):
    order = make_order(price=12_000)
    deposit = came_in(13_000, "홍길동")
    matched()
    allocating.allocate(deposit_id=deposit.pk, order_ids=[order.pk], actor=staff, at=LATER, accepts_difference=True)
    problem = MoneyProblem.objects.get(kind=ProblemKind.OVERPAID)

    def refund(person):
        outcome = resolving.refund(problem_ids=[problem.pk], actor=person, at=NOW, reason="초과", account=ACCOUNT)
        return len(outcome.possible)

    assert sorted(race([lambda who=who: refund(who) for who in (staff, finance, staff, finance)])) == [0, 0, 0, 1]
    only = Refund.objects.get()
    assert only.amount == 1_000
    assert not MoneyProblem.objects.filter(resolved_at=None).exists()
    requesting.withdraw(refund_ids=[only.pk], actor=staff, at=NOW, reason="잘못 신청")
    again = MoneyProblem.objects.get(resolved_at=None)
    assert (again.kind, again.amount, again.order) == (ProblemKind.OVERPAID, 1_000, order)
    assert broken() == []
