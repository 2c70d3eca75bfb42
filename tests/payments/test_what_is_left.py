"""Money is judged by one rule: nothing that came is swallowed, nothing goes back twice (payments.md 5.6)."""

from datetime import timedelta

import pytest

from accounts.roles import Role
from core import relay
from core.exceptions import DomainError
from orders.models import OrderEvent
from orders.services import progress
from orders.states import CanceledBy, LineState
from payments.adapters.base import PgState
from payments.models import BankDeposit, LedgerEntry, MoneyProblem, Payment, Refund, VirtualAccount
from payments.services.cases import resolving
from payments.services.deposits.allocating import Canceled, allocate
from payments.services.manual import confirm_manually
from payments.services.refunds import preparing
from payments.services.telling import Accounts
from payments.states import DepositReason, NoticeState, PaymentState, ProblemKind, RefundState, Resolution, VirtualState
from payments.tasks import cancel_unpaid_overdue
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT
from tests.payments.conftest import AtPg

K, R, S = ProblemKind, RefundState, LineState


# Money that staff had booked by hand


def test_money_that_was_booked_by_hand_and_paid_back_is_not_taken_for_a_later_deposit(at_pg):
    one = at_pg(price=27_000)
    one.confirm()
    one.cancel()
    one.pay_out()
    assert one.stands() == (S.CANCELED, 0, 0)
    one.tell(27_000)
    assert one.ledger() == [("MANUAL", 27_000), ("PAID_OUT", -27_000), ("DEPOSIT", 27_000)]
    assert one.stands() == (S.CANCELED, 27_000, 0)
    assert one.problems() == [(K.LATE_AFTER_CANCEL, 27_000)]
    assert one.refunds() == [(R.COMPLETED, 27_000), (R.DRAFT, 27_000)]
    assert broken() == []


def test_a_deposit_that_the_refund_on_its_way_pays_back_is_no_news(at_pg):
    one = at_pg(price=27_000)
    one.confirm()
    one.cancel()
    one.tell(27_000)
    assert one.ledger() == [("MANUAL", 27_000), ("DEPOSIT", 27_000), ("MANUAL_REVERSAL", -27_000)]
    assert (one.stands(), one.problems()) == ((S.CANCELED, 27_000, 0), [])
    assert one.refunds() == [(R.APPROVED, 27_000)]
    assert broken() == []


def test_only_what_still_stands_gives_way_to_a_deposit(at_pg, make_variant):
    one = at_pg(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], price=20_000)
    one.confirm()
    one.cancel(1)
    one.pay_out()
    one.tell(40_000)
    assert one.ledger()[2:] == [("DEPOSIT", 40_000), ("MANUAL_REVERSAL", -20_000)]
    assert one.stands() == (S.PREPARING, 40_000, 0)
    assert one.problems() == [(K.DUPLICATE_DEPOSIT, 20_000)], "the order is worth 20,000 won by now"
    assert broken() == []


def test_less_at_the_pg_than_was_booked_by_hand_is_shown_and_moves_nothing(at_pg):
    one = at_pg()
    one.confirm()
    one.tell(25_000)
    assert one.stands() == (S.PREPARING, 40_000, 0)
    assert one.ledger() == [("MANUAL", 40_000), ("DEPOSIT", 25_000), ("MANUAL_REVERSAL", -25_000)]
    assert one.problems() == [(K.MISMATCH_WITH_PG, 15_000)]
    assert one.open_problem().detail == "직접 확인한 입금 40,000원 가운데 25,000원만 PG에 있습니다."
    one.tell(25_000, 15_000)
    assert (one.stands(), one.problems()) == ((S.PREPARING, 40_000, 0), [])
    assert broken() == []


def test_money_that_went_back_twice_is_shown_and_not_booked(at_pg):
    one = at_pg(price=27_000)
    one.tell(27_000)
    one.cancel()
    one.pay_out()
    before = one.ledger()
    assert one.tell(27_000, refunds=(27_000,)) == NoticeState.PARKED
    assert one.problems() == [(K.MISMATCH_WITH_PG, 27_000)]
    assert (one.ledger(), one.stands()) == (before, (S.CANCELED, 0, 0))
    assert broken() == []


# Money for orders that have ended, or that are smaller by now


def test_late_money_of_a_refunded_order_is_not_revived_but_paid_back(at_pg):
    one = at_pg(price=27_000)
    one.tell(27_000)
    one.cancel()
    one.pay_out()
    one.tell(27_000, 27_000)
    problem = one.open_problem()
    facts = {"problem_ids": [problem.pk], "actor": one.staff, "at": one.moment, "reason": "고객 요청"}
    assert resolving.revive_order(**facts).refused == {problem.pk: resolving.REFUNDED_ORDER}
    assert (one.stands(), one.refunds()[1:]) == ((S.CANCELED, 27_000, 0), [(R.DRAFT, 27_000)])
    assert resolving.refund(account=ACCOUNT, **facts).refused == {}
    assert reloaded(problem).resolution == Resolution.REFUNDED
    one.pay_out()
    assert (one.stands(), one.problems()) == ((S.CANCELED, 0, 0), [])
    assert broken() == []


def test_late_money_of_a_refunded_order_that_the_bank_takes_back_leaves_nothing(at_pg):
    one = at_pg(price=27_000)
    one.tell(27_000)
    one.cancel()
    one.pay_out()
    one.tell(27_000, 27_000)
    one.tell(27_000)
    assert (one.stands(), one.problems(), one.refunds()[1:]) == ((S.CANCELED, 0, 0), [], [(R.WITHDRAWN, 27_000)])
    assert broken() == []


def test_the_case_of_late_money_follows_its_sum(at_pg):
    one = at_pg()
    progress.cancel_unpaid(order_ids=[one.order.pk], actor=None, at=NOW, by=CanceledBy.STAFF)
    one.tell(40_000, 40_000)
    assert (one.problems(), one.refunds()) == ([(K.LATE_AFTER_CANCEL, 80_000)], [(R.DRAFT, 80_000)])
    one.tell(40_000)
    assert one.problems() == [(K.LATE_AFTER_CANCEL, 40_000)]
    assert one.refunds() == [(R.WITHDRAWN, 80_000), (R.DRAFT, 40_000)]
    assert broken() == []


def test_taking_the_refund_of_late_money_back_asks_again(at_pg):
    one = at_pg(price=27_000)
    one.tell(27_000)
    one.cancel()
    one.pay_out()
    one.tell(27_000, 27_000)
    facts = {"actor": one.staff, "at": one.moment, "reason": "고객과 통화"}
    assert resolving.refund(problem_ids=[one.open_problem().pk], account=ACCOUNT, **facts).refused == {}
    last = Refund.objects.order_by("pk").last()
    assert preparing.withdraw(refund_ids=[last.pk], **facts).refused == {}
    assert one.problems() == [(K.LATE_AFTER_CANCEL, 27_000)]
    assert broken() == []


def test_a_second_deposit_of_an_order_that_lost_a_line_is_too_much(at_pg, make_variant):
    one = at_pg(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], price=20_000)
    one.tell(40_000)
    one.cancel(1)
    one.pay_out()
    one.tell(40_000, 20_000)
    assert one.stands() == (S.PREPARING, 40_000, 0)
    assert one.problems() == [(K.DUPLICATE_DEPOSIT, 20_000)]
    facts = {"actor": one.staff, "at": one.moment, "reason": "이중입금"}
    assert resolving.refund(problem_ids=[one.open_problem().pk], account=ACCOUNT, **facts).refused == {}
    one.pay_out()
    assert (one.stands(), one.problems()) == ((S.PREPARING, 20_000, 0), [])
    assert broken() == []


def test_what_is_promised_back_already_is_not_too_much_once_more(at_pg):
    one = at_pg()
    one.tell(42_000)
    facts = {"actor": one.staff, "at": one.moment, "reason": "초과입금"}
    assert resolving.refund(problem_ids=[one.open_problem().pk], account=ACCOUNT, **facts).refused == {}
    one.tell(42_000, 40_000)
    assert one.problems() == [(K.DUPLICATE_DEPOSIT, 40_000)]
    assert broken() == []


def test_a_bank_deposit_for_a_refunded_order_is_connected_and_paid_back(make_order, came_in, matched, staff):
    order = make_order(price=21_000)
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    one = AtPg(order, staff)
    one.cancel()
    one.pay_out()
    deposit = came_in(21_000, "홍길동")
    matched()
    assert reloaded(deposit).reason == DepositReason.LATE_AFTER_CANCEL
    facts = {"deposit_id": deposit.pk, "order_ids": [order.pk], "actor": staff, "at": NOW + timedelta(hours=3)}
    for choice in (Canceled.REFUSE, Canceled.REVIVE):
        with pytest.raises(DomainError, match="환불하고 취소한 주문이라 되살릴 수 없습니다"):
            allocate(canceled=choice, **facts)
    assert (one.stands(), reloaded(deposit).state) == ((S.CANCELED, 0, 0), "QUEUED")
    allocate(canceled=Canceled.KEEP, **facts)
    assert one.problems() == [(K.LATE_AFTER_CANCEL, 21_000)]
    assert one.refunds()[1:] == [(R.DRAFT, 21_000)]
    assert broken() == []


@pytest.mark.parametrize("is_whole", [True, False])
def test_the_account_of_a_refunded_order_that_nobody_paid_into_is_closed(at_pg, make_variant, is_whole):
    one = at_pg(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], price=20_000)
    virtual = VirtualAccount.objects.create(
        payment=one.payment, state=VirtualState.ISSUED, bank="20", number="1", due_at=NOW, issued_at=NOW
    )
    one.confirm()
    one.cancel(None if is_whole else 1)
    relay.run_once(at=one.moment)
    assert reloaded(virtual).state == (VirtualState.CLOSING if is_whole else VirtualState.ISSUED)


def test_the_account_of_a_refunded_order_that_was_paid_into_is_left_to_its_pg(at_pg):
    one = at_pg()
    virtual = VirtualAccount.objects.create(
        payment=one.payment, state=VirtualState.ISSUED, bank="20", number="1", due_at=NOW, issued_at=NOW
    )
    one.tell(40_000)
    one.cancel()
    relay.run_once(at=one.moment)
    assert reloaded(virtual).state == VirtualState.ISSUED


# Too little


def test_too_little_is_paid_back_whole_and_the_order_can_end(at_pg):
    one = at_pg()
    one.tell(32_999)
    line = one.order.lines.get()
    cancel = {"order_ids": [one.order.pk], "actor": one.staff, "at": one.moment, "by": CanceledBy.STAFF}
    assert progress.cancel_unpaid(**cancel).refused == {
        line.pk: "32,999원이 들어온 주문입니다. 예외 입금에서 들어온 돈을 모두 환불한 뒤 취소하세요."
    }
    assert (one.stands(), one.refunds()) == ((S.AWAITING_PAYMENT, 32_999, 0), [])
    facts = {"problem_ids": [one.open_problem().pk], "actor": one.staff, "at": one.moment, "reason": "고객 요청"}
    assert resolving.refund(account=ACCOUNT, **facts).refused == {}
    assert one.refunds() == [(R.APPROVED, 32_999)]
    one.pay_out()
    assert one.stands() == (S.AWAITING_PAYMENT, 0, 0)
    assert progress.cancel_unpaid(**cancel).refused == {}
    assert broken() == []


@pytest.mark.parametrize("then", ["deadline", "deposit"])
def test_after_it_went_back_the_deadline_ends_the_order_or_the_whole_sum_confirms_it(
    make_order, came_in, matched, staff, then
):
    order, later = make_order(price=40_000), NOW + timedelta(hours=3)
    deposit = came_in(32_999, "홍길동")
    matched()
    allocate(deposit_id=deposit.pk, order_ids=[order.pk], actor=staff, at=later, accepts_difference=True)
    one = AtPg(order, staff, later)
    assert one.told() == ["32,999원이 들어왔습니다. 부분입금 7,001원"]
    facts = {"actor": staff, "at": later, "reason": "고객 요청", "account": ACCOUNT}
    assert resolving.refund(problem_ids=[one.open_problem().pk], **facts).refused == {}
    whole = came_in(40_000, "홍길동", at=later)
    assert (one.stands(), one.refunds()) == ((S.AWAITING_PAYMENT, 32_999, 0), [(R.APPROVED, 32_999)])
    one.pay_out()
    if then == "deposit":
        matched(at=later + timedelta(hours=1))
        assert one.stands() == (S.PREPARING, 40_000, 0)
    else:
        BankDeposit.objects.filter(pk=whole.pk).delete()
        assert cancel_unpaid_overdue(at=order.deposit_by + timedelta(minutes=1)) == 1
        assert one.stands() == (S.CANCELED_UNPAID, 0, 0)
    assert one.problems() == []
    assert broken() == []


def test_the_rest_of_bank_money_that_is_on_its_way_back_confirms_nothing(make_order, came_in, matched, staff):
    order, later = make_order(price=40_000), NOW + timedelta(hours=3)
    deposit = came_in(30_000, "홍길동")
    matched()
    allocate(deposit_id=deposit.pk, order_ids=[order.pk], actor=staff, at=later, accepts_difference=True)
    one = AtPg(order, staff, later)
    facts = {"actor": staff, "at": later, "reason": "고객 요청", "account": ACCOUNT}
    assert resolving.refund(problem_ids=[one.open_problem().pk], **facts).refused == {}
    rest = came_in(10_000, "홍길동", at=later)
    matched(at=later)
    assert (one.stands(), reloaded(rest).state) == ((S.AWAITING_PAYMENT, 30_000, 0), "QUEUED")
    allocate(deposit_id=rest.pk, order_ids=[order.pk], actor=staff, at=later)
    assert (one.stands(), one.problems()) == ((S.AWAITING_PAYMENT, 40_000, 0), [(K.UNDERPAID, 30_000)])
    assert broken() == []


def test_the_case_page_offers_all_that_came_and_the_message_names_the_rest(at_pg, sign_in):
    one = at_pg()
    VirtualAccount.objects.create(
        payment=one.payment, state=VirtualState.ISSUED, bank="20", number="1", due_at=NOW, issued_at=NOW
    )
    one.tell(39_000)
    page = sign_in(Role.FINANCE).get(f"/payments/problems/{one.open_problem().pk}/").content.decode()
    assert "39,000원 환불 신청" in page
    order = reloaded(one.order)
    where = Accounts([order]).of(order)
    assert not isinstance(where, str)
    assert where.facts["amount"] == "1,000"


def test_the_rest_of_money_that_is_on_its_way_back_pays_nothing(at_pg):
    one = at_pg()
    one.tell(39_000)
    facts = {"problem_ids": [one.open_problem().pk], "actor": one.staff, "at": one.moment, "reason": "고객 요청"}
    assert resolving.refund(account=ACCOUNT, **facts).refused == {}
    one.tell(39_000, 1_000)
    assert one.stands() == (S.AWAITING_PAYMENT, 40_000, 0)
    assert one.problems() == [(K.UNDERPAID, 39_000)]
    again = {"problem_ids": [one.open_problem().pk], "actor": one.staff, "at": one.moment, "reason": "인정"}
    one_case = one.open_problem()
    assert resolving.accept_difference(**again).refused[one_case.pk] in {
        resolving.BEING_REFUNDED, resolving.ASK_FIRST
    }  # fmt: skip
    refused = confirm_manually(order_ids=[one.order.pk], actor=one.staff, at=one.moment).refused
    assert list(refused.values()) == ["들어온 돈의 환불을 신청한 주문입니다. 환불을 마치거나 철회한 뒤 확인하세요."]
    assert one.stands() == (S.AWAITING_PAYMENT, 40_000, 0)
    one.pay_out()
    one.tell(39_000, 1_000)
    assert (one.stands(), one.problems()) == ((S.AWAITING_PAYMENT, 1_000, 0), [(K.UNDERPAID, 39_000)])
    assert broken() == []


# What the history tells, and what came in time


def test_money_that_does_not_confirm_is_told_in_the_history_with_its_cause(at_pg, sign_in):
    one = at_pg()
    one.tell(39_000)
    assert one.told() == ["39,000원이 들어왔습니다. 부분입금 1,000원"]
    one.tell(39_000, 1_000)
    assert len(one.told()) == 1, "what confirms the order is told by 입금확인"
    one.tell(39_000, 1_000, 40_000)
    assert one.told()[1:] == ["40,000원이 들어왔습니다. 이중입금 40,000원"]
    event = OrderEvent.objects.filter(kind="ledger.deposit").last()
    assert (event.order, event.source, event.data["amount"]) == (one.order, "PG", 40_000)
    page = sign_in(Role.OWNER).get(f"/orders/{one.order.number}/").content.decode()
    assert "39,000원이 들어왔습니다. 부분입금 1,000원" in page
    assert broken() == []


@pytest.mark.parametrize(
    ("due", "by_pg", "is_revived"),
    [(timedelta(hours=1), False, True), (timedelta(seconds=-1), False, False), (timedelta(hours=1), True, False)],
)
def test_a50_only_money_from_before_the_end_of_the_account_revives(at_pg, due, by_pg, is_revived):
    one = at_pg()
    came = NOW + timedelta(minutes=30)
    VirtualAccount.objects.create(
        payment=one.payment, state=VirtualState.ISSUED, bank="20", number="1", due_at=came + due, issued_at=NOW
    )
    if by_pg:
        one.tell(state=PgState.EXPIRED)
    else:
        at = reloaded(one.order).deposit_by + timedelta(days=1)
        progress.cancel_unpaid(order_ids=[one.order.pk], actor=None, at=at, by=CanceledBy.DEADLINE)
    assert one.stands() == (S.CANCELED_UNPAID, 0, 0)
    one.moment = NOW + timedelta(days=30)
    one.tell(40_000, came=came)
    assert one.stands() == (S.PREPARING if is_revived else S.CANCELED_UNPAID, 40_000, 0)
    assert one.problems() == ([] if is_revived else [(K.LATE_AFTER_EXPIRE, 40_000)])
    assert broken() == []


def test_nothing_else_was_touched_by_these_rules(at_pg):
    one = at_pg()
    one.tell(40_000)
    assert (one.stands(), one.problems(), one.told()) == ((S.PREPARING, 40_000, 0), [], [])
    assert Payment.objects.get().state == PaymentState.PAID
    assert LedgerEntry.objects.count() == 1
    assert not MoneyProblem.objects.exists()
