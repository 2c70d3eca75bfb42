"""Several payments of one order: it follows the sum of them, over a real socket and by every road of its money."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.invariants import find_violations
from orders.models import OrderEvent, OrderLine
from orders.services import progress
from orders.states import CanceledBy, Fault, LineState, PaymentMethod
from payments.adapters.base import Movement, PgState, Snapshot
from payments.models import LedgerEntry, MoneyProblem, Payment, PgAccount, PgNotice, Refund
from payments.services import manual
from payments.services.cases import resolving
from payments.services.gateway import issuing
from payments.services.pg_accounts import pg_of
from payments.services.refunds import canceling, requesting
from payments.services.snapshots.applying import Fetched, apply
from payments.states import EntryKind, NoticeState, PaymentState, ProblemKind, RefundState, Resolution
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.pg_shop import BANKS
from tests.fixtures.refunds import ACCOUNT

pytestmark = pytest.mark.django_db(transaction=True)
K, S, P = ProblemKind, LineState, PaymentState


@pytest.fixture
def split_order(make_order):
    """An unpaid order of 43,000 won, to be paid as 33,000 and 10,000."""

    def make(**facts):
        facts.setdefault("payment_method", PaymentMethod.VIRTUAL_ACCOUNT)
        order = make_order(price=43_000, **facts)
        Payment.objects.filter(order=order).update(amount=33_000)
        Payment.objects.create(order=order, method=order.payment_method, amount=10_000)
        return order

    return make


@pytest.fixture
def two(pg_shop, split_order):
    """`two("toss")`: the order and its two payments, each with an account that the PG has opened."""

    def make(pg):
        account = pg_shop.account(pg)
        PgAccount.objects.filter(pk=account.pk).update(issues_accounts=True, bank=BANKS[pg])
        at = timezone.now()
        order = split_order(at=at)
        issuing.ask_for_accounts(orders=[order], at=at)
        if not pg_of(account).capabilities.can_issue:
            for one in payments(order):
                facts = {"order_ref": one.order_ref, "amount": one.amount, "buyer": "홍길동"}
                pg_shop.pgs.control("payments", pg=pg, **facts)
        issuing.issue_now(order=order, at=at)
        pg_shop.forget()
        return order, *payments(order)

    return make


def payments(order):
    return list(Payment.objects.filter(order=order).select_related("account").order_by("pk"))


def stands(order):
    fresh = reloaded(order)
    return fresh.stage, fresh.paid_amount, [one.state for one in payments(order)]


def cases(order):
    rows = MoneyProblem.objects.filter(order=order).order_by("pk")
    return list(rows.values_list("kind", "amount", "resolution"))


def ledger(payment):
    rows = LedgerEntry.objects.filter(payment=payment).order_by("pk")
    return list(rows.values_list("kind", "amount"))


def lines(order):
    return list(OrderLine.objects.filter(order=order).values_list("pk", flat=True))


@pytest.mark.parametrize("pg", ["toss", "nicepay"])
def test_notices_of_both_confirm_by_their_sum_and_the_cancel_pays_back_out_of_both(pg_shop, two, staff, pg):
    order, main, more = two(pg)
    pg_shop.act("deposit", main, amount=33_000)
    pg_shop.heard()
    assert stands(order) == (S.AWAITING_PAYMENT, 33_000, [P.PAID, P.PENDING])
    assert cases(order) == [(K.UNDERPAID, 10_000, "")]
    pg_shop.act("deposit", more, amount=10_000)
    pg_shop.heard()
    assert stands(order) == (S.PREPARING, 43_000, [P.PAID, P.PAID])
    assert cases(order) == [(K.UNDERPAID, 10_000, Resolution.FITS)]
    assert not PgNotice.objects.filter(finished_at=None).exists(), "no notice goes on asking"
    assert not PgNotice.objects.exclude(state__in=[NoticeState.PROCESSED, NoticeState.IGNORED]).exists()
    facts = {"fault": Fault.SELLER, "reason": "고객 요청", "actor": staff, "at": timezone.now(), "account": ACCOUNT}
    assert canceling.cancel_and_refund(line_ids=lines(order), **facts).refused == {}
    assert sorted(Refund.objects.values_list("payment_id", "amount")) == [(main.pk, 33_000), (more.pk, 10_000)]
    pg_shop.heard()
    assert stands(order) == (S.CANCELED, 0, [P.REFUNDED, P.REFUNDED])
    for one, won in ((main, 33_000), (more, 10_000)):
        assert ledger(one) == [(EntryKind.DEPOSIT, won), (EntryKind.REFUND, -won)]
        shown = pg_shop.pgs.payment(pg, one.order_ref)["movements"]
        assert [(each["kind"], each["amount"]) for each in shown] == [("DEPOSIT", won), ("REFUND", won)]
    assert len(cases(order)) == 1
    assert OrderEvent.objects.filter(order=order, kind="line.paid").count() == 1
    assert find_violations() == []


def test_the_reversal_of_one_takes_the_order_back_and_leaves_the_other(pg_shop, two):
    order, main, more = two("toss")
    pg_shop.act("deposit", main, amount=33_000)
    pg_shop.act("deposit", more, amount=10_000)
    pg_shop.heard()
    assert stands(order) == (S.PREPARING, 43_000, [P.PAID, P.PAID])
    pg_shop.act("reverse", more)
    pg_shop.heard()
    assert stands(order) == (S.AWAITING_PAYMENT, 33_000, [P.PAID, P.PENDING])
    assert (ledger(main), cases(order)) == ([(EntryKind.DEPOSIT, 33_000)], [(K.UNDERPAID, 10_000, "")])
    assert find_violations() == []


def test_the_end_of_one_account_does_not_cancel_what_another_may_still_pay(pg_shop, two):
    order, main, more = two("toss")
    pg_shop.act("close", more)
    pg_shop.heard()
    assert stands(order) == (S.AWAITING_PAYMENT, 0, [P.PENDING, P.PENDING])
    pg_shop.act("deposit", main, amount=33_000)
    pg_shop.heard()
    assert stands(order) == (S.AWAITING_PAYMENT, 33_000, [P.PAID, P.PENDING])
    assert cases(order) == [(K.UNDERPAID, 10_000, "")]
    assert find_violations() == []


class Told:
    """Both payments of an order at a PG of which the test tells what it says."""

    def __init__(self, order, account):
        self.order, self.moment = order, NOW
        for number, one in enumerate(payments(order), start=1):
            Payment.objects.filter(pk=one.pk).update(account=account, order_ref=f"{order.number}-{number}")

    def tell(self, *said, refunds=()):
        """`tell([33_000], [])`: the deposits that stand at the first and at the second, heard of together."""
        self.moment += timedelta(minutes=1)
        found = [
            Fetched(one.pk, snapshot_of(one, came, dict(refunds).get(one.pk, ())), self.moment)
            for one, came in zip(payments(self.order), said, strict=False)
            if came is not None
        ]
        return apply(found, at=self.moment)


def snapshot_of(payment, came, back):
    return Snapshot(
        order_ref=payment.order_ref,
        payment_ref=f"p{payment.pk}",
        state=PgState.PAID if came else PgState.WAITING,
        amount=payment.amount,
        deposits=tuple(Movement(reference=f"d{n}", amount=won) for n, won in enumerate(came)),
        refunds=tuple(Movement(reference=f"r{n}", amount=won) for n, won in enumerate(back)),
    )


@pytest.fixture
def told(split_order):
    account = PgAccount(code="toss", name="토스", provider="toss", merchant_id="m", base_url="https://pg.example")
    account.set_secrets("test_sk_1234567890")
    account.save()
    return Told(split_order(), account)


def test_both_heard_of_at_once_are_one_case_and_no_news_the_second_time(told):
    said = told.tell([33_000, 33_000], [10_000])
    assert {one.state for one in said.values()} == {NoticeState.PROCESSED}
    assert stands(told.order) == (S.PREPARING, 76_000, [P.OVERPAID, P.PAID])
    assert cases(told.order) == [(K.OVERPAID, 33_000, "")]
    again = told.tell([33_000, 33_000], [10_000])
    assert {one.reason for one in again.values()} == {"no_change"}
    assert len(cases(told.order)) == 1
    assert broken() == []


def test_a_surplus_that_one_payment_does_not_hold_goes_back_out_of_both(told, staff):
    told.tell([33_000], [10_000])
    told.tell(None, [10_000, 10_000])
    told.tell([33_000, 33_000], None)
    assert cases(told.order) == [(K.DUPLICATE_DEPOSIT, 43_000, "")]
    case, (main, more) = MoneyProblem.objects.get(), payments(told.order)
    assert case.payment == more
    facts = {"actor": staff, "at": told.moment, "reason": "이중입금"}
    refused = resolving.refund(problem_ids=[case.pk], **facts).refused
    assert (refused, Refund.objects.count()) == ({case.pk: requesting.NO_ACCOUNT}, 0)
    assert resolving.refund(problem_ids=[case.pk], account=ACCOUNT, **facts).refused == {}
    assert sorted(Refund.objects.values_list("payment_id", "amount")) == [(main.pk, 23_000), (more.pk, 20_000)]
    assert cases(told.order) == [(K.DUPLICATE_DEPOSIT, 43_000, Resolution.REFUNDED)]
    assert stands(told.order) == (S.PREPARING, 86_000, [P.OVERPAID, P.OVERPAID])
    assert broken() == []


def test_late_money_of_each_payment_has_a_refund_of_its_own_until_the_order_lives_again(told, staff):
    progress.cancel_unpaid(order_ids=[told.order.pk], actor=staff, at=NOW, by=CanceledBy.STAFF, reason="고객 요청")
    told.tell([33_000], [10_000])
    assert stands(told.order) == (S.CANCELED_UNPAID, 43_000, [P.PAID, P.PAID])
    assert cases(told.order) == [(K.LATE_AFTER_CANCEL, 33_000, ""), (K.LATE_AFTER_CANCEL, 10_000, "")]
    drafts = Refund.objects.filter(state=RefundState.DRAFT, requested_by=None)
    assert sorted(drafts.values_list("amount", "payment__amount")) == [(10_000, 10_000), (33_000, 33_000)]
    first = MoneyProblem.objects.order_by("pk").first()
    facts = {"actor": staff, "at": told.moment, "reason": "고객 요청"}
    assert resolving.revive_order(problem_ids=[first.pk], **facts).refused == {}
    assert stands(told.order) == (S.PREPARING, 43_000, [P.PAID, P.PAID])
    assert {(one.state, one.amount) for one in Refund.objects.all()} == {
        (RefundState.WITHDRAWN, 33_000),
        (RefundState.WITHDRAWN, 10_000),
    }
    assert not MoneyProblem.objects.filter(resolved_at=None).exists()
    assert broken() == []


def test_money_confirmed_by_hand_is_booked_on_both_and_taken_back_from_both(split_order, staff):
    order = split_order(payment_method=PaymentMethod.BANK_TRANSFER)
    assert manual.confirm_manually(order_ids=[order.pk], actor=staff, at=NOW).refused == {}
    assert stands(order) == (S.PREPARING, 43_000, [P.PAID, P.PAID])
    assert manual.revert_manual(order_ids=[order.pk], actor=staff, at=NOW, reason="시험").refused == {}
    assert stands(order) == (S.AWAITING_PAYMENT, 0, [P.PENDING, P.PENDING])
    main, more = payments(order)
    assert ledger(main) == [(EntryKind.MANUAL, 33_000), (EntryKind.MANUAL_REVERSAL, -33_000)]
    assert ledger(more) == [(EntryKind.MANUAL, 10_000), (EntryKind.MANUAL_REVERSAL, -10_000)]
    assert (cases(order), broken()) == ([], [])
