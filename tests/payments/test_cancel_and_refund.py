"""T19: paid lines are canceled before shipping and their refund is asked for, in one transaction."""

import pytest

from core.settings_registry import set_setting
from core.state import previewing
from orders.models import BenefitEntry, OrderEvent, OrderLine
from orders.services import locks
from orders.states import Fault, LineState, LockKind, PaymentMethod
from payments.models import MoneyProblem, Payment, Refund, RefundCalculation
from payments.services.cases import resolving
from payments.services.manual import confirm_manually
from payments.services.refunds import by_hand, canceling, preparing, requesting
from payments.states import ProblemKind, RefundState, RefundWay
from shipping.couriers import COURIERS
from shipping.models import Shipment
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.waybills import with_check_digit
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.products import figures
from tests.fixtures.refunds import ACCOUNT

S = LineState
WAYBILL = with_check_digit(COURIERS["CJGLS"], "68000000001")


@pytest.fixture
def cancel(staff):
    """`cancel(lines, fault=…)`: 주문취소 by the owner."""

    def run(lines, *, fault=Fault.SELLER, **facts):
        ids = [line.pk for line in lines]
        return canceling.cancel_and_refund(line_ids=ids, fault=fault, reason="고객 요청", actor=staff, at=NOW, **facts)

    return run


def states(order):
    return list(OrderLine.objects.filter(order=order).order_by("seq").values_list("state", flat=True))


def assert_untouched(order):
    assert S.CANCELED not in states(order)
    assert not Refund.objects.exists()
    assert not RefundCalculation.objects.exists()
    assert not OrderEvent.objects.filter(kind__in=["line.canceled", "refund.requested"]).exists()
    assert broken() == []


def test_a_whole_paid_order_is_canceled_and_its_money_asked_back(make_order, make_variant, lines_of, cancel):
    variant = make_variant(on_hand=5)
    order = make_order(lines=[(variant, 2)], paid=True, price=30_000)
    outcome = cancel(lines_of(order), fault=Fault.BUYER)
    assert outcome.refused == {}
    assert states(order) == [S.CANCELED]
    assert reloaded(order).stage == S.CANCELED
    assert figures(variant) == (5, 0, 0)
    refund = Refund.objects.get()
    assert (refund.amount, refund.way, refund.state) == (60_000, RefundWay.PROVIDER, RefundState.APPROVED)
    assert (refund.calculation.goods, refund.calculation.total) == (60_000, 60_000)
    assert broken() == []


def test_a_line_in_ready_gives_its_allocation_back_and_its_shipment_is_closed(
    make_order, make_variant, lines_of, cancel, staff
):
    variant = make_variant(on_hand=5)
    order = make_order(lines=[(variant, 2)], paid=True)
    shipments.make_ready(line_ids=[line.pk for line in lines_of(order)], actor=staff, at=NOW)
    assert figures(variant) == (5, 0, 2)
    assert cancel(lines_of(order)).refused == {}
    assert figures(variant) == (5, 0, 0)
    shipment = Shipment.objects.get(order=order)
    assert (shipment.step, shipment.line_count) == ("CLOSED", 0)
    assert broken() == []


def test_the_rest_of_a_shipment_goes_on_without_the_canceled_line(make_order, make_variant, lines_of, cancel, staff):
    order = make_order(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], paid=True)
    first, second = lines_of(order)
    shipments.make_ready(line_ids=[first.pk, second.pk], actor=staff, at=NOW)
    assert cancel([first]).moved_ids == [first.pk]
    shipment = Shipment.objects.get(order=order)
    assert (shipment.step, shipment.line_count) == ("READY", 1)
    entry = WaybillEntry("CJGLS", WAYBILL)
    done = waybills.register_waybills(entries={shipment.pk: entry}, actor=staff, at=NOW)
    assert done.refused == {}
    assert shipments.ship(line_ids=[second.pk], actor=staff, at=NOW).moved_ids == [second.pk]
    assert states(order) == [S.CANCELED, S.SHIPPING]
    assert broken() == []


def test_a_part_by_the_buyers_fault_loses_free_delivery_and_the_rest_brings_it_back(
    make_order, make_variant, lines_of, cancel
):
    order = make_order(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], paid=True, price=30_000)
    first, second = lines_of(order)
    cancel([first], fault=Fault.BUYER)
    cancel([second], fault=Fault.BUYER)
    found = list(RefundCalculation.objects.order_by("pk").values_list("clawback", "shipping_back", "total"))
    assert found == [(3_000, 0, 27_000), (0, 3_000, 33_000)]
    assert sum(Refund.objects.values_list("amount", flat=True)) == 60_000
    assert broken() == []


def test_less_than_the_delivery_fee_is_refused_whole(make_order, make_variant, lines_of, cancel, staff):
    set_setting(key="shipping_free_from", value=5_000, actor=staff, at=NOW)
    order = make_order(lines=[(make_variant(on_hand=5), 2), (make_variant(on_hand=5), 1)], paid=True, price=2_000)
    first, second = lines_of(order)
    outcome = cancel([second], fault=Fault.BUYER)
    assert outcome.refused == {
        second.pk: "취소하면 배송비를 1,000원 더 받아야 합니다. 나머지 품목도 함께 취소하거나 귀책을 판매자로 바꾸세요."
    }
    assert_untouched(order)
    assert first.state == S.PREPARING


def test_a_registered_waybill_stops_the_cancel(make_order, lines_of, cancel, staff):
    order = make_order(paid=True)
    [line] = lines_of(order)
    shipments.make_ready(line_ids=[line.pk], actor=staff, at=NOW)
    entry = WaybillEntry("CJGLS", WAYBILL)
    shipment = Shipment.objects.get(order=order)
    assert waybills.register_waybills(entries={shipment.pk: entry}, actor=staff, at=NOW).refused == {}
    assert cancel([line]).refused == {line.pk: "송장번호가 등록되어 있습니다. 송장을 먼저 삭제하세요."}
    assert_untouched(order)
    waybills.void_waybills(line_ids=[line.pk], actor=staff, at=NOW, reason="취소")
    assert cancel([line]).moved_ids == [line.pk]
    assert broken() == []


@pytest.mark.parametrize(
    ("kind", "sentence"), [(LockKind.CLAIM, "먼저 신청을 확인하세요"), (LockKind.PAYMENT, "결제 내역을 먼저 확인")]
)
def test_a_lock_stops_the_cancel(make_order, lines_of, cancel, staff, kind, sentence):
    order = make_order(paid=True)
    [line] = lines_of(order)
    locks.place_lock(line_ids=[line.pk], kind=kind, actor=staff, at=NOW, reason="시험")
    assert sentence in cancel([line]).refused[line.pk]
    assert_untouched(order)


def test_a_held_line_can_be_canceled(make_order, lines_of, cancel, staff):
    order = make_order(paid=True)
    locks.hold(line_ids=[line.pk for line in lines_of(order)], actor=staff, at=NOW, reason="고객 부재")
    assert len(cancel(lines_of(order)).moved) == 1
    assert broken() == []


@pytest.mark.parametrize("method", [PaymentMethod.BANK_TRANSFER, PaymentMethod.VIRTUAL_ACCOUNT])
def test_money_that_came_by_transfer_needs_an_account(make_order, lines_of, cancel, staff, method):
    order = make_order(payment_method=method)
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    [line] = lines_of(order)
    assert cancel([line]).refused == {line.pk: "환불계좌를 입력하세요. 계좌로 받은 돈은 계좌로 돌려줍니다."}
    assert_untouched(order)
    assert cancel([line], account=ACCOUNT).moved_ids == [line.pk]
    refund = Refund.objects.get()
    assert (refund.way, refund.account) == (RefundWay.BANK, ACCOUNT)
    by_hand.pay_out(refund_ids=[refund.pk], actor=staff, at=NOW)
    assert reloaded(order).paid_amount == 0
    assert broken() == []


def test_one_account_is_not_used_for_two_orders(make_order, lines_of, cancel, staff):
    orders = [make_order() for _ in range(2)]
    confirm_manually(order_ids=[order.pk for order in orders], actor=staff, at=NOW)
    lines = [line for order in orders for line in lines_of(order)]
    refused = cancel(lines, account=ACCOUNT).refused
    assert set(refused.values()) == {"환불계좌가 필요한 주문은 한 건씩 취소하세요."}
    for order in orders:
        assert_untouched(order)


def test_money_that_is_promised_already_is_not_promised_twice(make_order, lines_of, cancel, staff):
    order = make_order(paid=True)
    payment = Payment.objects.get(order=order)
    requesting.request(asks=[requesting.Ask(payment_id=payment.pk, amount=4_000)], reason="부분", actor=staff, at=NOW)
    [line] = lines_of(order)
    assert "4,000원 많습니다" in cancel([line]).refused[line.pk]
    assert states(order) == [S.PREPARING]
    assert Refund.objects.count() == 1
    assert broken() == []


@pytest.mark.parametrize("state", ["unpaid", "shipping"])
def test_what_is_not_paid_or_has_left_is_not_canceled_here(make_order, lines_of, cancel, staff, state):
    order = make_order(paid=state == "shipping", method="DIRECT")
    [line] = lines_of(order)
    if state == "shipping":
        shipments.make_ready(line_ids=[line.pk], actor=staff, at=NOW)
        shipments.ship(line_ids=[line.pk], actor=staff, at=NOW)
    assert "상품준비중·배송준비중 상태가 아닙니다" in cancel([line]).refused[line.pk]
    assert_untouched(order)


def test_a_preview_tells_both_sums_and_changes_nothing(make_order, make_variant, lines_of, cancel):
    order = make_order(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], paid=True, price=30_000)
    with previewing():
        outcome = cancel(lines_of(order)[:1])
    assert outcome.sums == {"BUYER": 27_000, "SELLER": 30_000}
    assert len(outcome.possible) == 1
    assert_untouched(order)


def test_one_bad_order_does_not_stop_the_others(make_order, lines_of, cancel, staff):
    good, bad = make_order(paid=True), make_order(paid=True)
    [locked_line] = lines_of(bad)
    locks.place_lock(line_ids=[locked_line.pk], kind=LockKind.CLAIM, actor=staff, at=NOW, reason="시험")
    outcome = cancel([*lines_of(good), locked_line])
    assert list(outcome.refused) == [locked_line.pk]
    assert (states(good), states(bad)) == ([S.CANCELED], [S.PREPARING])
    assert Refund.objects.get().order == good
    assert broken() == []


BENEFITS = {"coupon_amount": 3_001, "points_amount": 700}
USED = [("COUPON", "USED", 3_001), ("POINTS", "USED", 700)]
BACK = [("COUPON", "RESTORED", 3_001), ("POINTS", "RESTORED", 700)]


@pytest.fixture
def with_benefits(make_order, make_variant):
    """A paid order of two lines, to which coupon and points have their shares."""
    lines = [(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 2)]
    return make_order(lines=lines, paid=True, price=30_000, **BENEFITS)


def benefits_of(order):
    return list(BenefitEntry.objects.filter(order=order).order_by("pk").values_list("kind", "act", "amount"))


def told(order):
    """(coupon, points) that the events of the order say were given back."""
    data = [event.data["benefits"] for event in OrderEvent.objects.filter(order=order, data__has_key="benefits")]
    assert {one["act"] for one in data} <= {"RESTORED"}
    return sum(one["coupon"] for one in data), sum(one["points"] for one in data)


def test_a_whole_cancel_gives_coupon_and_points_back(with_benefits, lines_of, cancel, staff):
    cancel(lines_of(with_benefits))
    assert benefits_of(with_benefits) == USED + BACK
    row = BenefitEntry.objects.filter(act="RESTORED").first()
    assert (row.at, row.actor, row.reason) == (NOW, staff, "고객 요청")
    assert told(with_benefits) == (3_001, 700)
    assert RefundCalculation.objects.get().restores_coupon
    assert broken() == []


def test_points_come_back_line_by_line_and_the_coupon_with_the_last_line(with_benefits, lines_of, cancel, staff):
    first, second = lines_of(with_benefits)
    cancel([first])
    assert (first.points_share, second.points_share) == (233, 467)
    assert benefits_of(with_benefits) == [*USED, ("POINTS", "RESTORED", 233)]
    assert told(with_benefits) == (0, 233)
    row = BenefitEntry.objects.get(act="RESTORED")
    assert (row.seq, row.at, row.actor, row.reason) == (1, NOW, staff, "고객 요청")
    assert RefundCalculation.objects.get().points == 233
    assert broken() == []
    cancel([second])
    rest = [("COUPON", "RESTORED", 3_001), ("POINTS", "RESTORED", 467)]
    assert benefits_of(with_benefits) == [*USED, ("POINTS", "RESTORED", 233), *rest]
    assert told(with_benefits) == (3_001, 700)
    assert sum(RefundCalculation.objects.values_list("points", flat=True)) == 700
    assert broken() == []


def test_a_preview_and_a_refused_cancel_give_nothing_back(with_benefits, lines_of, cancel, staff):
    lines = lines_of(with_benefits)
    with previewing():
        cancel(lines)
    locks.place_lock(line_ids=[line.pk for line in lines], kind=LockKind.CLAIM, actor=staff, at=NOW, reason="시험")
    assert len(cancel(lines).refused) == 2
    assert benefits_of(with_benefits) == USED
    assert_untouched(with_benefits)


def test_what_a_withdrawn_refund_of_one_line_leaves_waits_as_too_much_and_can_be_asked_for_again(at_pg, staff):
    shop = at_pg(lines=[(None, 1), (None, 3)])
    shop.tell(shop.order.due_amount)
    assert shop.cancel(seq=1).refused == {}
    [first] = Refund.objects.all()
    assert preparing.withdraw(refund_ids=[first.pk], actor=staff, at=shop.moment, reason="계좌 잘못").refused == {}
    assert shop.refunds() == [(RefundState.WITHDRAWN, first.amount)]
    assert shop.problems() == [(ProblemKind.OVERPAID, first.amount)]
    shop.cancel()
    problem = MoneyProblem.objects.get(resolved_at=None)
    facts = {"actor": staff, "at": shop.moment, "reason": "다시", "account": ACCOUNT}
    assert resolving.refund(problem_ids=[problem.pk], **facts).refused == {}
    assert sorted(won for state, won in shop.refunds() if state != RefundState.WITHDRAWN) == sorted(
        [first.amount, shop.order.due_amount - first.amount]
    )
    assert (shop.problems(), broken()) == ([], [])
