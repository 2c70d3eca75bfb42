"""Card payments of our own mall over real sockets: credited by what the PG says, refunded through it, never by a word
of the storefront."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core import drains
from orders.models import Order
from orders.services import progress
from orders.states import CanceledBy, Fault, LineState
from payments.details import payment_box
from payments.invariants import check_cards
from payments.models import CardCheck, LedgerEntry, MoneyProblem, Payment, PgNotice, Refund
from payments.services.gateway import refund_checking, refund_sending
from payments.services.manual import AtPg, look_at_pg
from payments.services.notices import unknown
from payments.services.notices.fetching import fetch
from payments.services.refunds import canceling, requesting
from payments.services.refunds.requesting import Ask
from payments.services.snapshots.applying import apply
from payments.services.watching import card_checks
from payments.states import EntryKind, NoticeState, ProblemKind, RefundState, RefundWay
from payments.tasks import cancel_unpaid_overdue, remind_due
from tests.fixtures.orders import broken, reloaded

pytestmark = pytest.mark.django_db(transaction=True)
R, S = RefundState, LineState
PGS = ["toss", "portone", "nicepay", "inicis"]
CARD = (EntryKind.DEPOSIT, 33_000)


@pytest.fixture
def back(pg_refunds):
    """Refunds against the sandbox PGs."""
    return pg_refunds


def ask(back, payment, amount):
    """An approved refund without an account: it goes back to the card."""
    asked = requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=amount)],
        reason="고객 요청",
        actor=back.staff,
        at=timezone.now() - timedelta(minutes=30),
    )
    assert asked.refused == {}
    assert [one.way for one in asked.refunds] == [RefundWay.PG]
    return reloaded(asked.refunds[0])


def agrees_with_the_pg(payment):
    before = LedgerEntry.objects.count()
    [answer] = fetch([reloaded(payment)]).values()
    verdict = apply([answer], at=timezone.now())[payment.pk]
    return verdict.state == NoticeState.IGNORED and LedgerEntry.objects.count() == before


@pytest.mark.parametrize("pg", PGS)
def test_the_word_of_the_storefront_credits_nothing_and_the_relay_asks_the_pg_at_once(cards, back, pg):
    cards.account(pg)
    cards.shop.pgs.shop(pg, notice_url="")
    payment = cards.order(pg)
    assert cards.shop.state(payment.order) == (S.AWAITING_PAYMENT, 0, "PENDING")
    assert cards.read(payment.order.number)["pg_state"] == "pending"
    assert back.ledger(payment) == []
    assert CardCheck.objects.get().next_try_at <= timezone.now()
    drains.run_all()
    assert cards.shop.state(payment.order) == (S.PREPARING, 33_000, "PAID")
    assert cards.read(payment.order.number)["pg_state"] == "confirmed"
    assert back.ledger(payment) == [CARD]
    assert CardCheck.objects.get().next_try_at is None
    assert not PgNotice.objects.exists()
    assert agrees_with_the_pg(payment)
    assert broken() == []


@pytest.mark.parametrize("pg", ["toss", "portone", "nicepay"])
def test_a_notice_confirms_it_as_well_and_both_together_credit_it_once(cards, back, pg):
    payment = cards.order(pg)
    CardCheck.objects.update(next_try_at=timezone.now() + timedelta(hours=1))
    assert [one.state for one in cards.shop.heard()] == [NoticeState.PROCESSED]
    assert cards.shop.state(payment.order) == (S.PREPARING, 33_000, "PAID")
    CardCheck.objects.update(next_try_at=timezone.now())
    drains.run_all()
    assert back.ledger(payment) == [CARD]
    assert CardCheck.objects.get().next_try_at is None
    assert broken() == []


def test_a_notice_that_was_faster_than_the_order_waits_for_it(cards, back):
    account = cards.account("toss")
    cards.pay("toss", "mall-early")
    [notice] = cards.shop.heard()
    assert (notice.state, notice.reason) == (NoticeState.RETRY, "unknown_order")
    answer = cards.post("E-1", pg={"account": account.code, "order_ref": "mall-early"})
    PgNotice.objects.update(due_at=timezone.now())
    drains.run_all()
    payment = Payment.objects.get(order__number=answer.json()["number"])
    assert back.ledger(payment) == [CARD]
    assert reloaded(notice).state in {NoticeState.PROCESSED, NoticeState.IGNORED}
    assert not MoneyProblem.objects.exists()


def test_the_case_of_a_notice_that_waited_in_vain_ends_when_its_order_comes(cards, back):
    account = cards.account("toss")
    for order_ref in ("mall-early", "mall-other"):
        cards.pay("toss", order_ref)
    cards.shop.heard()
    PgNotice.objects.update(due_at=timezone.now(), attempts=unknown.TRIES)
    drains.run_all()
    assert set(PgNotice.objects.values_list("state", "reason")) == {(NoticeState.PARKED, "unknown_order")}
    cards.post("E-1", pg={"account": account.code, "order_ref": "mall-early"})
    drains.run_all()
    assert cards.shop.state(Order.objects.get()) == (S.PREPARING, 33_000, "PAID")
    cases = dict(MoneyProblem.objects.values_list("notice__order_ref", "resolution"))
    assert cases == {"mall-early": "FITS", "mall-other": ""}


@pytest.mark.parametrize("pg", PGS)
def test_another_amount_at_the_pg_is_a_case_and_pays_nothing(cards, back, pg):
    payment = cards.order(pg, amount=30_000)
    drains.run_all()
    cards.shop.heard()
    stage, paid, _ = cards.shop.state(payment.order)
    assert stage == S.AWAITING_PAYMENT
    [problem] = MoneyProblem.objects.filter(resolved_at=None)
    # Where a PG takes any sum, what came in is credited and the rest is still wanted.
    assert (problem.kind, paid) in {(ProblemKind.MISMATCH_WITH_PG, 0), (ProblemKind.UNDERPAID, 30_000)}
    assert cards.read(payment.order.number)["pg_state"] == "problem"
    assert broken() == []


@pytest.mark.parametrize("pg", ["toss", "nicepay"])
def test_a_payment_of_another_order_is_not_taken_for_this_one(cards, back, sign_in, staff, pg):
    account = cards.account(pg)
    other = cards.pay(pg, "somebody-else")
    cards.shop.forget()
    pg = {"account": account.code, "order_ref": "mall-x", "payment_key": other["payment_ref"]}
    number = cards.post("X-1", pg=pg).json()["number"]
    drains.run_all()
    order = Order.objects.get(number=number)
    assert cards.shop.state(order) == (S.AWAITING_PAYMENT, 0, "PENDING")
    problem = MoneyProblem.objects.get()
    assert problem.kind == ProblemKind.MISMATCH_WITH_PG
    assert problem.detail == "PG의 결제는 다른 주문의 것입니다: PG somebody-else, 우리 mall-x"
    assert not LedgerEntry.objects.exists()
    assert cards.read(number)["pg_state"] == "problem"
    assert CardCheck.objects.get().next_try_at is None, "a person decides"
    client = sign_in(staff)
    row = client.get("/orders/awaiting-payment/?period=all").content.decode()
    assert "PG 확인 중" not in row
    assert "예외 입금 확인" in row
    assert payment_box.STOPPED in client.get(f"/orders/{number}/").content.decode()
    # That it was paid says nothing of this order's own money.
    assert look_at_pg(order_ids=[order.pk]) == {order.pk: AtPg.SILENT}
    assert broken() == []


def test_a_payment_that_the_pg_does_not_know_becomes_a_case_and_its_order_is_never_canceled_by_itself(cards, back):
    payment = cards.order("toss", is_paid=False)
    for _ in range(card_checks.UNKNOWN_TRIES):
        assert not MoneyProblem.objects.exists()
        CardCheck.objects.update(next_try_at=timezone.now())
        assert card_checks.check_due(at=timezone.now()) == 1
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount, problem.detail) == ("MISMATCH_WITH_PG", 33_000, card_checks.NOT_THERE)
    after = payment.order.deposit_by + timedelta(hours=1)
    assert cancel_unpaid_overdue(at=after) == 0
    assert cards.shop.state(payment.order) == (S.AWAITING_PAYMENT, 0, "PENDING")
    # The buyer does pay in the end: the case ends with it.
    cards.pay("toss", payment.order_ref)
    CardCheck.objects.update(next_try_at=timezone.now())
    drains.run_all()
    assert cards.shop.state(payment.order) == (S.PREPARING, 33_000, "PAID")
    assert reloaded(problem).resolution == "FITS"
    assert back.ledger(payment) == [CARD]


@pytest.mark.parametrize("status", [401, 500])
def test_a_pg_that_has_not_confirmed_it_for_a_week_is_one_case_and_is_asked_once_a_day(cards, back, status):
    payment = cards.order("toss")
    fault = cards.shop.pgs.fault("status", pg="toss", method="GET", status=status, times=None)
    born, now = CardCheck.objects.get().created_at, timezone.now()
    week = born + card_checks.GIVEN_UP

    def ask_at(at):
        CardCheck.objects.update(next_try_at=at)
        assert card_checks.check_due(at=at) == 1
        return CardCheck.objects.get()

    assert ask_at(week - timedelta(hours=1)).last_error
    assert not MoneyProblem.objects.exists()
    check = ask_at(week)
    case = MoneyProblem.objects.get()
    assert (case.kind, case.amount, case.detail) == ("MISMATCH_WITH_PG", 33_000, card_checks.UNHEARD)
    assert check.next_try_at == week + timedelta(days=1)
    assert cards.shop.state(payment.order) == (S.AWAITING_PAYMENT, 0, "PENDING")
    assert cards.read(payment.order.number)["pg_state"] == "problem"
    assert back.ledger(payment) == []
    # A person who has closed the case is not asked again.
    MoneyProblem.objects.update(resolved_at=now, resolution="NOTHING")
    ask_at(week + timedelta(days=1))
    assert MoneyProblem.objects.count() == 1
    MoneyProblem.objects.update(resolved_at=None, resolution="")
    cards.shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    assert ask_at(week + timedelta(days=2)).next_try_at is None
    assert cards.shop.state(payment.order) == (S.PREPARING, 33_000, "PAID")
    assert reloaded(case).resolution == "FITS"
    assert back.ledger(payment) == [CARD]


def test_after_a_week_nobody_asks_about_an_order_that_has_ended(cards, back, staff):
    payment = cards.order("toss", is_paid=False)
    at = timezone.now()
    progress.cancel_unpaid(order_ids=[payment.order_id], actor=staff, at=at, by=CanceledBy.STAFF, reason="고객 요청")
    CardCheck.objects.update(next_try_at=at)
    assert card_checks.check_due(at=at + card_checks.GIVEN_UP) == 1
    assert CardCheck.objects.get().next_try_at is None
    assert MoneyProblem.objects.get().detail == card_checks.NOT_THERE
    assert cards.shop.state(payment.order) == (S.CANCELED_UNPAID, 0, "PENDING")
    assert back.ledger(payment) == []


def test_a_silent_pg_is_asked_again_until_it_answers(cards, back):
    cards.account("portone")
    cards.shop.pgs.shop("portone", notice_url="")
    silent = cards.order("portone")
    cards.shop.pgs.fault("status", pg="portone", method="GET", status=500, times=1)
    assert card_checks.check_due(at=timezone.now()) == 1
    check = CardCheck.objects.get(payment=silent)
    assert check.last_error
    assert check.next_try_at > timezone.now()
    assert back.ledger(silent) == []
    CardCheck.objects.update(next_try_at=timezone.now())
    drains.run_all()
    assert cards.shop.state(silent.order) == (S.PREPARING, 33_000, "PAID")


def test_the_deadline_reminds_nobody_who_has_paid_by_card(cards, back):
    payment = cards.order("toss", is_paid=False)
    assert remind_due(at=payment.order.deposit_by - timedelta(hours=2)) == 0


@pytest.mark.parametrize("pg", PGS)
def test_a_payment_that_was_canceled_at_the_pg_ends_its_order(cards, back, pg):
    payment = cards.paid(pg)
    cards.shop.act("refund", payment)
    cards.shop.heard()
    [answer] = fetch([reloaded(payment)]).values()
    apply([answer], at=timezone.now())
    assert cards.shop.state(payment.order) == (S.CANCELED, 0, "REFUNDED")
    assert back.ledger(payment) == [CARD, (EntryKind.REFUND, -33_000)]
    assert broken() == []


@pytest.mark.parametrize("pg", PGS)
def test_parts_and_the_rest_go_back_to_the_card_and_are_done_at_once(cards, back, pg):
    payment = cards.paid(pg)
    parts = [ask(back, payment, won) for won in (10_000, 3_000, 20_000)]
    assert [refund_sending.send_due(at=timezone.now()) for _ in range(4)] == [1, 1, 1, 0]
    assert [reloaded(one).state for one in parts] == [R.COMPLETED] * 3, [reloaded(one).last_error for one in parts]
    assert back.at_pg(payment) == [10_000, 3_000, 20_000]
    assert back.ledger(payment) == [CARD, *((EntryKind.REFUND, -won) for won in (10_000, 3_000, 20_000))]
    assert cards.read(payment.order.number)["pg_state"] == "refunded"
    cards.shop.heard()
    assert agrees_with_the_pg(payment)
    assert not MoneyProblem.objects.exists()
    assert broken() == []


@pytest.mark.parametrize("method", ["CARD", "EASY_PAY"])
@pytest.mark.parametrize("pg", ["toss", "inicis"])
def test_a_canceled_order_gives_its_money_back_through_the_pg_and_asks_for_no_account(cards, back, staff, pg, method):
    payment = cards.paid(pg, method=method)
    outcome = canceling.cancel_and_refund(
        line_ids=list(payment.order.lines.values_list("pk", flat=True)),
        fault=Fault.BUYER,
        reason="고객 요청",
        actor=staff,
        at=timezone.now(),
    )
    assert outcome.refused == {}
    refund_sending.send_due(at=timezone.now())
    refund = Refund.objects.get()
    assert (refund.state, refund.way, refund.amount) == (R.COMPLETED, RefundWay.PG, 33_000), refund.last_error
    assert back.at_pg(payment) == [33_000]
    assert cards.shop.state(payment.order) == (S.CANCELED, 0, "REFUNDED")
    cards.shop.heard()
    assert not MoneyProblem.objects.exists()
    assert broken() == []


@pytest.mark.parametrize("pg", PGS)
def test_a_whole_refund_goes_back_in_one_call(cards, back, pg):
    payment = cards.paid(pg)
    refund = ask(back, payment, 33_000)
    assert refund_sending.send_due(at=timezone.now()) == 1
    assert reloaded(refund).state == R.COMPLETED, reloaded(refund).last_error
    assert (back.at_pg(payment), len(back.calls(payment))) == ([33_000], 1)
    assert back.ledger(payment) == [CARD, (EntryKind.REFUND, -33_000)]
    assert broken() == []


@pytest.mark.parametrize("pg", PGS)
def test_a_refund_that_the_pg_refuses_books_nothing(cards, back, pg):
    payment = cards.paid(pg)
    refund = ask(back, payment, 20_000)
    # Somebody gives most of it back in the PG's own console, and its notice is lost.
    cards.shop.pgs.shop(pg, notice_url="")
    cards.shop.act("refund", payment, amount=30_000)
    refund_sending.send_due(at=timezone.now())
    refund_checking.check_due(at=timezone.now() + timedelta(minutes=10))
    assert reloaded(refund).state == R.FAILED
    assert back.at_pg(payment) == [30_000]
    assert sum(won for _, won in back.ledger(payment)) == 3_000
    assert broken() == []


@pytest.mark.parametrize("pg", PGS)
def test_a_refund_that_the_pg_did_before_it_hung_goes_back_once(cards, back, pg):
    payment = cards.paid(pg)
    refund = ask(back, payment, 20_000)
    back.fault(payment, "hang", after_work=True, seconds=1)
    refund_sending.send_due(at=timezone.now() - timedelta(minutes=20))
    assert reloaded(refund).state == R.UNKNOWN
    assert back.ledger(payment) == [CARD]
    refund_sending.send_due(at=timezone.now())
    refund_checking.check_due(at=timezone.now())
    assert reloaded(refund).state in {R.ACCEPTED, R.COMPLETED}, reloaded(refund).last_error
    assert back.at_pg(payment) == [20_000]
    assert back.ledger(payment) == [CARD, (EntryKind.REFUND, -20_000)]
    assert agrees_with_the_pg(payment)
    assert broken() == []


def test_an_order_without_a_pg_account_stays_paid_by_its_channel_and_is_refunded_by_hand(cards, back):
    answer = cards.post("M-1", pg=None)
    order = Order.objects.get(number=answer.json()["number"])
    assert answer.json()["pg_state"] is None
    assert cards.shop.state(order) == (S.PREPARING, 33_000, "PAID")
    payment = Payment.objects.get(order=order)
    assert back.ledger(payment) == [(EntryKind.PREPAID, 33_000)]
    asked = requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=1_000)], reason="고객 요청", actor=back.staff, at=timezone.now()
    )
    assert [one.way for one in asked.refunds] == [RefundWay.PROVIDER]
    assert not CardCheck.objects.exists()


def test_a_card_payment_that_comes_for_a_canceled_order_is_late_money_with_a_refund_prepared(cards, back, staff):
    payment = cards.order("toss", is_paid=False)
    at = timezone.now()
    progress.cancel_unpaid(order_ids=[payment.order_id], actor=staff, at=at, by=CanceledBy.STAFF, reason="고객 요청")
    cards.pay("toss", payment.order_ref)
    cards.shop.heard()
    assert cards.shop.state(payment.order) == (S.CANCELED_UNPAID, 33_000, "PAID")
    assert MoneyProblem.objects.get().kind == ProblemKind.LATE_AFTER_CANCEL
    draft = Refund.objects.get()
    assert (draft.state, draft.amount, draft.way) == (R.DRAFT, 33_000, RefundWay.PG)
    assert broken() == []


def test_oms_check_sees_a_card_payment_that_nobody_asks_about(cards, back):
    cards.order("toss", is_paid=False)
    assert broken() == []
    CardCheck.objects.update(next_try_at=timezone.now() - timedelta(minutes=11))
    assert [one.invariant for one in check_cards()] == ["INV-10"]
