"""환불 초안 of late money: prepared by itself, approved by a person, gone when the money is used otherwise (A49)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.models import Job, JobState
from core.settings_registry import set_setting
from orders.models import OrderEvent
from orders.services import progress
from orders.states import CanceledBy, LineState, PaymentMethod
from payments.adapters.base import Movement, PgState, Snapshot
from payments.models import LedgerEntry, MoneyProblem, Payment, PgAccount, Refund
from payments.options import SECOND_FROM
from payments.services.cases import resolving
from payments.services.deposits.allocating import Canceled, allocate
from payments.services.deposits.unallocating import unallocate
from payments.services.refunds import preparing, requesting, reviving, second_person
from payments.services.refunds.requesting import ACCOUNT_THERE, ASK_THERE, NO_ACCOUNT
from payments.services.snapshots.applying import Fetched, apply
from payments.states import DepositReason, ProblemKind, RefundState, RefundWay, Resolution
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT

R, K = RefundState, ProblemKind
URL = "/payments/problems/"


class Late:
    """A canceled order of 33,000 won at a PG that tells of money for it; `tell(33_000)` are the deposits that stand."""

    def __init__(self, order):
        self.order, self.moment = order, NOW

    @property
    def payment(self):
        return Payment.objects.get(order=self.order)

    def tell(self, *deposits, refunds=()):
        self.moment += timedelta(minutes=1)
        moves = tuple(Movement(reference=f"d{n}", amount=won) for n, won in enumerate(deposits))
        back = tuple(Movement(reference=f"r{n}", amount=won) for n, won in enumerate(refunds))
        state = PgState.PAID if deposits else PgState.WAITING
        snapshot = Snapshot(
            order_ref=self.payment.order_ref, payment_ref="p1", state=state, amount=33_000, deposits=moves, refunds=back
        )
        apply([Fetched(self.payment.pk, snapshot, self.moment)], at=self.moment)
        return self

    def drafts(self):
        rows = Refund.objects.filter(order=self.order).order_by("pk")
        return list(rows.values_list("state", "amount"))

    def refund(self):
        return Refund.objects.exclude(state=R.WITHDRAWN).get(order=self.order)


@pytest.fixture
def late(make_order):
    """`late()`: the order, canceled by staff, with nothing told yet."""

    def make(*, by=CanceledBy.STAFF, method=PaymentMethod.VIRTUAL_ACCOUNT):
        account = PgAccount(code="toss", name="토스", provider="toss", merchant_id="m", base_url="https://pg.example")
        account.set_secrets("test_sk_1234567890")
        account.save()
        order = make_order(price=33_000, payment_method=PaymentMethod.VIRTUAL_ACCOUNT)
        Payment.objects.filter(order=order).update(account=account, order_ref=f"{order.number}-1", method=method)
        progress.cancel_unpaid(order_ids=[order.pk], actor=None, at=NOW, by=by, reason="고객 요청")
        return Late(order)

    return make


@pytest.mark.parametrize(
    ("by", "kind"), [(CanceledBy.STAFF, K.LATE_AFTER_CANCEL), (CanceledBy.DEADLINE, K.LATE_AFTER_EXPIRE)]
)
def test_a49_late_money_has_its_refund_prepared(late, by, kind):
    order = late(by=by).tell(33_000)
    problem, refund = MoneyProblem.objects.get(), order.refund()
    assert (problem.kind, problem.amount, problem.resolved_at) == (kind, 33_000, None)
    assert (refund.state, refund.amount, refund.way, refund.problem) == (R.DRAFT, 33_000, RefundWay.PG, problem)
    assert (refund.requested_by, refund.approved_by, refund.sealed_account) == (None, None, "")
    event = OrderEvent.objects.get(kind="refund.prepared")
    assert (event.order, event.actor, event.source, event.data) == (
        order.order, None, "PG", {"amount": 33_000, "way": "PG"},
    )  # fmt: skip
    assert reloaded(order.order).stage == LineState.CANCELED_UNPAID
    assert broken() == []


def test_more_late_money_makes_one_draft_of_all_of_it_and_the_same_news_changes_nothing(late):
    order = late().tell(10_000).tell(10_000, 23_000)
    assert order.drafts() == [(R.WITHDRAWN, 10_000), (R.DRAFT, 33_000)]
    before = OrderEvent.objects.count()
    order.tell(10_000, 23_000)
    assert (order.drafts()[1:], OrderEvent.objects.count()) == ([(R.DRAFT, 33_000)], before)


def test_a_draft_falls_away_with_its_money(late):
    order = late().tell(33_000).tell()
    assert order.drafts() == [(R.WITHDRAWN, 33_000)]
    assert MoneyProblem.objects.get().resolution == Resolution.FITS
    assert broken() == []


def test_money_that_came_and_went_before_we_heard_leaves_no_draft(late):
    order = late().tell(33_000, refunds=(33_000,))
    assert not Refund.objects.filter(order=order.order, state=R.DRAFT).exists()
    assert broken() == []


def test_the_queue_shows_the_draft_and_the_person_who_gives_the_account_approves_it(late, sign_in):
    order = late().tell(33_000)
    problem, client = MoneyProblem.objects.get(), sign_in(Role.OWNER)
    page = client.get(f"{URL}?tab=late").content.decode()
    assert "초안, 승인 대기" in page
    assert f"/payments/refunds/?tab=all&amp;period=all&amp;q={order.order.number}" in page
    assert "환불계좌 입력" in client.get("/payments/refunds/?tab=draft").content.decode()
    detail = client.get(f"{URL}{problem.pk}/").content.decode()
    assert 'data-refund-state="DRAFT"' in detail
    missing = client.post(f"{URL}{problem.pk}/refund/", {"reason": "취소한 주문"})
    assert missing.status_code == 409
    assert NO_ACCOUNT in missing.content.decode()
    assert order.drafts() == [(R.DRAFT, 33_000)]
    assert reloaded(problem).resolved_at is None
    facts = {"bank": ACCOUNT.bank, "number": ACCOUNT.number, "holder": ACCOUNT.holder, "reason": "취소한 주문"}
    assert client.post(f"{URL}{problem.pk}/refund/", facts).status_code == 302
    refund = Refund.objects.get()
    assert (refund.state, refund.account, refund.reason) == (R.APPROVED, ACCOUNT, "취소한 주문")
    assert (refund.requested_by, refund.approved_by) == (refund.approved_by, reloaded(problem).resolved_by)
    assert reloaded(problem).resolution == Resolution.REFUNDED
    order.tell(33_000)
    assert Refund.objects.count() == 1
    assert broken() == []


def test_a_draft_to_somebody_else_needs_a_second_person(late, make_staff, finance):
    order = late().tell(33_000)
    first, other = make_staff(Role.FINANCE), type(ACCOUNT)(bank="088", number="110123456789", holder="김철수")
    facts = {"problem_ids": [MoneyProblem.objects.get().pk], "at": NOW, "reason": "취소", "account": other}
    assert resolving.refund(actor=first, **facts).refused == {}
    refund = order.refund()
    assert (refund.state, refund.needs_second, refund.requested_by) == (R.DRAFT, True, first)
    assert requesting.approve(refund_ids=[refund.pk], actor=first, at=NOW).refused == {
        refund.pk: second_person.SECOND_PERSON
    }
    assert requesting.approve(refund_ids=[refund.pk], actor=finance, at=NOW).moved
    assert broken() == []


def test_a_draft_without_its_account_is_not_approved(late, staff):
    order = late().tell(33_000)
    refund = order.refund()
    assert requesting.approve(refund_ids=[refund.pk], actor=staff, at=NOW).refused == {refund.pk: ACCOUNT_THERE}
    assert (reloaded(refund).version, order.drafts()) == (refund.version, [(R.DRAFT, 33_000)])
    assert MoneyProblem.objects.get().resolved_at is None


def test_a_draft_that_needs_no_account_is_approved_where_it_stands_and_decides_the_case(late, staff):
    order = late(method=PaymentMethod.CARD).tell(33_000)
    assert requesting.approve(refund_ids=[order.refund().pk], actor=staff, at=NOW).refused == {}
    refund, problem = order.refund(), MoneyProblem.objects.get()
    assert (refund.state, refund.requested_by, refund.approved_by) == (R.APPROVED, staff, staff)
    assert (problem.resolution, problem.resolved_by) == (Resolution.REFUNDED, staff)
    kinds = OrderEvent.objects.filter(subject="refund").order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["refund.prepared", "refund.requested", "refund.approved"]
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_the_button_approves_a_prepared_refund_beside_another_one(late, staff, sign_in, press, paid_payment, finance):
    """Its row moves twice in one act, which is no race."""
    prepared = late(method=PaymentMethod.CARD).tell(33_000).refund()
    asks = [requesting.Ask(payment_id=paid_payment().pk, amount=5_000, account=ACCOUNT)]
    [asked] = requesting.request(asks=asks, reason="변심", actor=finance, at=NOW).refunds
    asked = reloaded(asked)
    assert (prepared.state, asked.state) == (R.DRAFT, R.DRAFT)
    Refund.objects.update(requested_at=timezone.now())
    rows = [(one.pk, reloaded(one).version) for one in (prepared, asked)]
    _, answer = press(sign_in(Role.OWNER), "approve-refund", "refunds", rows)
    assert answer.status_code == 200
    moved = [reloaded(one) for one in (prepared, asked)]
    assert [one.state for one in moved] == [R.APPROVED, R.APPROVED]
    assert [one.version - seen for one, (_, seen) in zip(moved, rows, strict=True)] == [2, 1]
    assert Job.objects.get().state == JobState.DONE
    assert broken() == []


def test_a_large_draft_is_not_approved_by_one_person_alone(late, staff):
    set_setting(key=SECOND_FROM.key, value=10_000, actor=staff, at=NOW)
    order = late(method=PaymentMethod.CARD).tell(33_000)
    refund = order.refund()
    assert requesting.approve(refund_ids=[refund.pk], actor=staff, at=NOW).refused == {refund.pk: ASK_THERE}
    assert order.drafts() == [(R.DRAFT, 33_000)]
    assert MoneyProblem.objects.get().resolved_at is None


def test_a_held_draft_stays_held_when_more_money_comes(late, staff):
    order = late().tell(33_000)
    requesting.hold(refund_ids=[order.refund().pk], actor=staff, at=NOW, reason="사기 의심")
    order.tell(33_000, 1_000)
    assert order.drafts() == [(R.WITHDRAWN, 33_000), (R.HELD, 34_000)]
    kinds = OrderEvent.objects.filter(subject="refund").order_by("pk").values_list("kind", "reason")
    assert list(kinds)[2:] == [
        ("refund.withdrawn", preparing.USED),
        ("refund.prepared", ""),
        ("refund.held", preparing.HELD_ON),
    ]
    assert broken() == []


def test_a_held_draft_is_released_first(late, staff):
    order = late().tell(33_000)
    requesting.hold(refund_ids=[order.refund().pk], actor=staff, at=NOW, reason="고객과 통화")
    order.tell(33_000)
    problem = MoneyProblem.objects.get()
    facts = {"problem_ids": [problem.pk], "actor": staff, "at": NOW, "reason": "취소", "account": ACCOUNT}
    assert "환불보류" in resolving.refund(**facts).refused[problem.pk]
    assert (order.drafts(), reloaded(problem).resolved_at) == ([(R.HELD, 33_000)], None)
    requesting.release(refund_ids=[order.refund().pk], actor=staff, at=NOW)
    assert resolving.refund(**facts).refused == {}
    assert order.drafts() == [(R.APPROVED, 33_000)]


@pytest.mark.parametrize("act", ["problem", "order"])
def test_a_draft_falls_away_when_the_order_lives_again(late, staff, act):
    order = late().tell(33_000)
    if act == "problem":
        ids = [MoneyProblem.objects.get().pk]
        assert resolving.revive_order(problem_ids=ids, actor=staff, at=NOW, reason="고객 요청").refused == {}
        assert reloaded(order.order).stage == LineState.PREPARING
    else:
        reviving.revive(order_ids=[order.order.pk], actor=staff, at=NOW, reason="고객 요청")
        assert reloaded(order.order).stage == LineState.AWAITING_PAYMENT
    assert order.drafts() == [(R.WITHDRAWN, 33_000)]
    event = OrderEvent.objects.get(kind="refund.withdrawn")
    assert (event.actor, event.reason) == (staff, "취소 후 입금을 다르게 처리했습니다.")
    assert broken() == []


def test_a_draft_falls_away_when_nothing_is_to_be_done(late, staff):
    order = late().tell(33_000)
    resolving.close(problem_ids=[MoneyProblem.objects.get().pk], actor=staff, at=NOW, reason="매장에서 돌려줌")
    assert order.drafts() == [(R.WITHDRAWN, 33_000)]


def test_a_draft_that_somebody_took_back_is_not_prepared_again_by_the_same_money(late, staff):
    order = late().tell(33_000)
    requesting.withdraw(refund_ids=[order.refund().pk], actor=staff, at=NOW, reason="고객과 통화")
    order.tell(33_000)
    assert order.drafts() == [(R.WITHDRAWN, 33_000)]
    problem = MoneyProblem.objects.get(resolved_at=None)
    outcome = resolving.refund(problem_ids=[problem.pk], actor=staff, at=NOW, reason="취소", account=ACCOUNT)
    assert outcome.refused == {}
    assert order.drafts() == [(R.WITHDRAWN, 33_000), (R.APPROVED, 33_000)]


def test_a_draft_takes_the_money_of_a_refund_that_is_taken_back_beside_it(late, staff):
    order = late().tell(33_000)
    facts = {"actor": staff, "at": NOW, "reason": "취소"}
    assert resolving.refund(problem_ids=[MoneyProblem.objects.get().pk], account=ACCOUNT, **facts).refused == {}
    first = order.refund()
    order.tell(33_000, 5_000)
    assert order.drafts() == [(R.APPROVED, 33_000), (R.DRAFT, 5_000)]
    assert preparing.withdraw(refund_ids=[first.pk], **facts).refused == {}
    assert order.drafts() == [(R.WITHDRAWN, 33_000), (R.WITHDRAWN, 5_000), (R.DRAFT, 38_000)]
    preparing.withdraw(refund_ids=[order.refund().pk], **facts)
    assert {state for state, _ in order.drafts()} == {R.WITHDRAWN}
    assert broken() == []


def test_a_draft_that_outlives_its_case_is_found(late):
    late().tell(33_000)
    assert broken() == []
    MoneyProblem.objects.update(resolution=Resolution.NOTHING, resolved_at=NOW)
    assert [one.invariant for one in broken()] == ["INV-03"]


def test_a_bank_deposit_that_a_canceled_order_keeps_has_its_refund_prepared(make_order, came_in, matched, staff):
    order = make_order(price=21_000)
    progress.cancel_unpaid(order_ids=[order.pk], actor=None, at=NOW, by=CanceledBy.STAFF, reason="고객 요청")
    deposit = came_in(21_000, "홍길동")
    matched()
    assert reloaded(deposit).reason == DepositReason.LATE_AFTER_CANCEL
    facts = {"actor": staff, "at": NOW + timedelta(hours=2)}
    allocate(deposit_id=deposit.pk, order_ids=[order.pk], canceled=Canceled.KEEP, **facts)
    refund = Refund.objects.get()
    assert (refund.state, refund.amount, refund.way) == (R.DRAFT, 21_000, RefundWay.BANK)
    unallocate(deposit_ids=[deposit.pk], reason="다른 주문의 돈", **facts)
    assert reloaded(refund).state == R.WITHDRAWN
    assert sum(LedgerEntry.objects.values_list("amount", flat=True)) == 0
    allocate(deposit_id=deposit.pk, order_ids=[order.pk], canceled=Canceled.REVIVE, **facts)
    assert reloaded(order).stage == LineState.PREPARING
    assert Refund.objects.count() == 1
    assert broken() == []
