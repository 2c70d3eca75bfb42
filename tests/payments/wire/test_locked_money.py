"""결제 확인 over a real socket: money that goes away from orders on their way locks them, and who frees them again."""

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.invariants import find_violations
from core.settings_registry import set_setting
from orders.models import LineLock, OrderEvent, OrderLine
from orders.services import locks, progress
from orders.states import LOCK_BIT, LOCK_TEXT, Fault, LineState, LockKind
from payments.models import LedgerEntry, MoneyProblem, Payment, Refund, RefundCalculation
from payments.options import DIFFERENCE_FROM
from payments.services.cases import resolving
from payments.services.notices import draining, fetching
from payments.services.refunds import canceling
from payments.services.snapshots import following
from payments.states import EntryKind, PaymentState, ProblemKind, RefundState, Resolution
from shipping.models import Shipment
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from tests.fixtures.refunds import ACCOUNT
from tests.fixtures.shipments import waybill_number

pytestmark = pytest.mark.django_db(transaction=True)
K, E, S = ProblemKind, EntryKind, LineState
BOUND, FREE = LOCK_BIT[LockKind.PAYMENT], 0
STOPPED = LOCK_TEXT[LockKind.PAYMENT]


@pytest.fixture
def paid(pg_shop):
    """`paid("toss")`: an order of 33,000 won that was paid at this PG; 상품준비중."""

    def make(pg, *, ready=False):
        order = pg_shop.order(pg_shop.account(pg))
        pg_shop.deposit(order)
        pg_shop.heard()
        if ready:
            assert shipments.make_ready(line_ids=lines(order), actor=None, at=timezone.now()).refused == {}
        return order

    return make


def lines(order):
    return list(OrderLine.objects.filter(order=order).values_list("pk", flat=True))


def locked_bits(order):
    return set(OrderLine.objects.filter(order=order).values_list("open_locks", flat=True))


def ledger(order):
    return list(LedgerEntry.objects.filter(payment__order=order).order_by("pk").values_list("kind", "amount"))


def cases(order):
    rows = MoneyProblem.objects.filter(order=order).order_by("pk")
    return list(rows.values_list("kind", "amount", "resolution"))


def happens(pg_shop, order, name, **facts):
    pg_shop.pgs.control("clock", advance=1)
    payment = Payment.objects.select_related("account").get(order=order)
    pg_shop.act(name, payment, **facts)
    pg_shop.heard()
    if name == "reverse" and payment.account.code == "nicepay":
        # It tells nobody (N-old); the reconciliation finds it.
        draining.apply_each(list(fetching.fetch([payment]).values()), at=timezone.now())


def close(order, staff):
    case = MoneyProblem.objects.get(order=order, resolved_at=None)
    facts = {"actor": staff, "at": timezone.now(), "reason": "고객과 통화"}
    assert resolving.close(problem_ids=[case.pk], **facts).refused == {}


def test_a58_a_reversal_before_packing_takes_the_order_back_and_locks_nothing(pg_shop, paid):
    order = paid("toss")
    happens(pg_shop, order, "reverse")
    assert pg_shop.state(order) == (S.AWAITING_PAYMENT, 0, PaymentState.PENDING)
    assert ledger(order) == [(E.DEPOSIT, 33_000), (E.REVERSAL, -33_000)]
    assert (locked_bits(order), cases(order)) == ({FREE}, [])
    assert find_violations() == []


def test_a_reversal_after_packing_began_stops_what_leaves_the_house_and_nothing_else(pg_shop, paid, sign_in, press):
    order = paid("toss", ready=True)
    happens(pg_shop, order, "reverse")
    assert pg_shop.state(order) == (S.READY, 0, PaymentState.PENDING)
    assert cases(order) == [(K.REVERSED_AFTER_RELEASE, 33_000, "")]
    assert (locked_bits(order), LineLock.objects.get().reason) == ({BOUND}, following.REVERSED)
    stopped = progress.register_waybill(line_ids=lines(order), actor=None, at=timezone.now())
    assert set(stopped.refused.values()) == {STOPPED}
    client, at = sign_in(Role.LOGISTICS), timezone.now()
    # What stays in the house may be sorted out.
    assert locks.hold(line_ids=lines(order), actor=None, at=at, reason="결제 확인").refused == {}
    assert locks.release_hold(line_ids=lines(order), actor=None, at=at).refused == {}
    press(client, "return-to-preparing", "ready", current(order))
    assert pg_shop.state(order)[0] == S.PREPARING
    again = progress.make_ready(line_ids=lines(order), actor=None, at=at)
    assert set(again.refused.values()) == {STOPPED}
    assert find_violations() == []


def current(order):
    return [(one.pk, one.version) for one in Shipment.objects.filter(order=order)]


def test_goods_with_their_number_stay_in_the_house(pg_shop, paid, sign_in, press):
    order = paid("toss", ready=True)
    entries = {Shipment.objects.get(order=order).pk: WaybillEntry("CJGLS", waybill_number(0))}
    assert waybills.register_waybills(entries=entries, actor=None, at=timezone.now()).refused == {}
    happens(pg_shop, order, "reverse")
    client = sign_in(Role.LOGISTICS)
    preview, confirmed = press(client, "ship", "ready", current(order))
    assert confirmed is None or confirmed.status_code == 409
    assert STOPPED in preview.content.decode()
    assert (pg_shop.state(order), locked_bits(order)) == ((S.READY, 0, PaymentState.PENDING), {BOUND})
    happens(pg_shop, order, "deposit", amount=33_000)
    press(client, "ship", "ready", current(order))
    assert (pg_shop.state(order), locked_bits(order)) == ((S.SHIPPING, 33_000, PaymentState.PAID), {FREE})
    assert find_violations() == []


def test_the_lock_falls_when_the_money_comes_back(pg_shop, paid):
    order = paid("nicepay", ready=True)
    happens(pg_shop, order, "reverse")
    assert locked_bits(order) == {BOUND}
    happens(pg_shop, order, "deposit", amount=33_000)
    assert pg_shop.state(order) == (S.READY, 33_000, PaymentState.PAID)
    assert (locked_bits(order), cases(order)) == ({FREE}, [(K.REVERSED_AFTER_RELEASE, 33_000, Resolution.FITS)])
    assert ledger(order) == [(E.DEPOSIT, 33_000), (E.REVERSAL, -33_000), (E.DEPOSIT, 33_000)]
    assert progress.register_waybill(line_ids=lines(order), actor=None, at=timezone.now()).refused == {}
    assert OrderEvent.objects.filter(order=order, kind="line.paid").count() == 1
    assert find_violations() == []


def test_a_part_that_comes_back_leaves_the_lock_and_a_smaller_case(pg_shop, paid):
    order = paid("nicepay", ready=True)
    happens(pg_shop, order, "reverse")
    shop = pg_shop.pgs.read("shops", pg="nicepay")[0]
    pg_shop.pgs.shop("nicepay", options={**shop["options"], "is_exact_amount": False})
    happens(pg_shop, order, "deposit", amount=10_000)
    assert pg_shop.state(order) == (S.READY, 10_000, PaymentState.PARTIAL)
    assert (locked_bits(order), cases(order)) == ({BOUND}, [(K.REVERSED_AFTER_RELEASE, 23_000, "")])
    assert find_violations() == []


def test_a_goodwill_refund_in_the_console_is_told_as_such_and_a_person_frees_the_order(pg_shop, paid, staff):
    order = paid("toss")
    happens(pg_shop, order, "refund", amount=1_000)
    assert pg_shop.state(order) == (S.PREPARING, 32_000, PaymentState.PART_REFUNDED)
    assert cases(order) == [(K.REFUNDED_OUTSIDE, 1_000, "")]
    assert (locked_bits(order), LineLock.objects.get().reason) == ({BOUND}, following.REFUNDED_THERE)
    refused = shipments.make_ready(line_ids=lines(order), actor=None, at=timezone.now()).refused
    assert set(refused.values()) == {STOPPED}
    before = ledger(order)
    close(order, staff)
    assert (locked_bits(order), ledger(order)) == ({FREE}, before)
    assert cases(order) == [(K.REFUNDED_OUTSIDE, 1_000, Resolution.NOTHING)]
    pg_shop.heard()
    assert locked_bits(order) == {FREE}
    assert shipments.make_ready(line_ids=lines(order), actor=None, at=timezone.now()).refused == {}
    assert find_violations() == []


def test_after_a_goodwill_refund_the_order_is_canceled_for_what_is_left(pg_shop, paid, staff):
    order = paid("toss")
    happens(pg_shop, order, "refund", amount=1_000)
    facts = {"fault": Fault.SELLER, "reason": "고객 요청", "actor": staff, "account": ACCOUNT}
    locked = canceling.cancel_and_refund(line_ids=lines(order), at=timezone.now(), **facts)
    assert (set(locked.refused.values()), Refund.objects.count()) == ({STOPPED}, 0)
    close(order, staff)
    assert canceling.cancel_and_refund(line_ids=lines(order), at=timezone.now(), **facts).refused == {}
    made = RefundCalculation.objects.get(order=order)
    assert (made.total, made.shortfall) == (32_000, 1_000)
    assert list(Refund.objects.values_list("amount", flat=True)) == [32_000]
    pg_shop.heard()
    assert pg_shop.state(order) == (S.CANCELED, 0, PaymentState.REFUNDED)
    assert ledger(order) == [(E.DEPOSIT, 33_000), (E.REFUND, -1_000), (E.REFUND, -32_000)]
    assert Refund.objects.get().state in {RefundState.ACCEPTED, RefundState.COMPLETED}
    assert cases(order) == [(K.REFUNDED_OUTSIDE, 1_000, Resolution.NOTHING)]
    assert find_violations() == []


def test_what_went_back_in_the_console_can_be_accepted_and_the_order_goes_on(pg_shop, paid, staff, setting):
    setting(DIFFERENCE_FROM, 100_000)
    order = paid("toss", ready=True)
    happens(pg_shop, order, "refund", amount=1_000)
    case = MoneyProblem.objects.get()
    facts = {"actor": staff, "at": timezone.now(), "reason": "배송 지연 보상"}
    assert resolving.accept_difference(problem_ids=[case.pk], **facts).refused == {}
    assert pg_shop.state(order) == (S.READY, 33_000, PaymentState.PAID)
    assert ledger(order) == [(E.DEPOSIT, 33_000), (E.REFUND, -1_000), (E.SHORTFALL, 1_000)]
    assert (locked_bits(order), cases(order)) == ({FREE}, [(K.REFUNDED_OUTSIDE, 1_000, Resolution.ACCEPTED)])
    happens(pg_shop, order, "refund", amount=500)
    assert (locked_bits(order), cases(order)[1:]) == ({BOUND}, [(K.REFUNDED_OUTSIDE, 500, "")])
    assert find_violations() == []


def test_what_was_reversed_whole_is_nothing_to_accept(pg_shop, paid, staff, setting):
    setting(DIFFERENCE_FROM, 100_000)
    order = paid("toss", ready=True)
    happens(pg_shop, order, "reverse")
    case = MoneyProblem.objects.get()
    facts = {"actor": staff, "at": timezone.now(), "reason": "시험"}
    assert resolving.accept_difference(problem_ids=[case.pk], **facts).refused == {case.pk: resolving.NOTHING_LEFT}
    assert (locked_bits(order), cases(order)) == ({BOUND}, [(K.REVERSED_AFTER_RELEASE, 33_000, "")])
    assert ledger(order) == [(E.DEPOSIT, 33_000), (E.REVERSAL, -33_000)]
    # What the refusal tells to do, in the order in which it can be done.
    assert "'조치 없음'으로 처리해 결제 확인을 푼 뒤 주문을 취소하거나" in resolving.NOTHING_LEFT
    facts = {"fault": Fault.SELLER, "reason": "입금 취소", "actor": staff, "account": ACCOUNT}
    outcome = canceling.cancel_and_refund(line_ids=lines(order), at=timezone.now(), **facts)
    assert (outcome.moved, set(outcome.refused)) == ([], set(lines(order)))
    assert (pg_shop.state(order)[0], locked_bits(order)) == (S.READY, {BOUND})
    close(order, staff)
    assert canceling.cancel_and_refund(line_ids=lines(order), at=timezone.now(), **facts).refused == {}
    assert (pg_shop.state(order), Refund.objects.count()) == ((S.CANCELED, 0, PaymentState.PENDING), 0)
    assert find_violations() == []


@pytest.fixture
def setting(staff):
    """`setting(option, value)`."""
    return lambda option, value: set_setting(key=option.key, value=value, actor=staff, at=timezone.now())
