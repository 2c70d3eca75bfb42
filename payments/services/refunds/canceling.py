"""주문취소(환불): paid lines are canceled before shipping and their refund is asked for, in one transaction.

Source: domain.md T19, 3.6.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Sum

from core.models import Job
from core.settings_registry import get_settings
from core.state import Outcome, explain, is_preview, missing
from orders.models import Order, OrderLine
from orders.refunds import Breakdown, Purchase, Source, Split, Terms, Units, calculate, less_shortfall, split
from orders.services.canceling import cancel_before_shipping
from orders.services.locking import NOT_FOUND, locked_orders
from orders.states import CanceledBy, Fault, LineState
from payments.models import Payment, RefundAccount, RefundCalculation
from payments.options import BASIC_FEE, FREE_FROM, RETURN_FEE
from payments.services.ledger.booking import book, forgive, payments_of
from payments.services.ledger.keeping import kept_by
from payments.services.refunds import requesting
from payments.services.refunds.locking import promised

GONE = frozenset({LineState.CANCELED_UNPAID, LineState.CANCELED, LineState.RETURNED, LineState.EXCHANGED})
EXTRA_DUE = "취소하면 배송비를 {won:,}원 더 받아야 합니다. 나머지 품목도 함께 취소하거나 귀책을 판매자로 바꾸세요."
UNCOVERED = "환불 가능 금액보다 {won:,}원 많습니다. 결제 내역과 진행 중인 환불을 먼저 확인하세요."
SHORTFALL = "shortfall"
CANCELED_BY = {Fault.BUYER: CanceledBy.BUYER, Fault.SELLER: CanceledBy.STAFF, Fault.NONE: ""}
"""취소 주체 by 귀책: what the buyer is told as the reason; empty where neither party is at fault."""
ONE_BY_ONE = "환불계좌가 필요한 주문은 한 건씩 취소하세요."


@dataclass
class _Case:
    """One order of the act: its lines, payments and what would be paid back for each party's fault."""

    order: Order
    lines: list[OrderLine]
    going: list[OrderLine] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    shipping_paid: int = 0
    taken: Mapping[int, int] = field(default_factory=dict)
    """Won already promised, by payment id."""
    lost: int = 0
    """Won that went away past us after the order had gone on; whoever unlocked it has decided that it goes without."""

    def breakdown(self, terms: Terms, fault: Fault) -> Breakdown:
        """환불 내역, were it the fault of that party; what never came of the money is taken off."""
        found = self.worth(terms, fault)
        return less_shortfall(found, self.split(found), gone=self.gone(found))

    def split(self, found: Breakdown) -> Split:
        """결제별 환불 out of what each payment still holds beyond the refunds under way; the first is the main one."""
        sources = [
            Source(
                payment_id=payment.pk,
                place=place,
                rest=payment.refundable - self.taken.get(payment.pk, 0),
                forgiven=payment.forgiven,
            )
            for place, payment in enumerate(self.payments)
        ]
        parts = split(found.total, sources)
        gone = min(parts.uncovered, self.lost)
        return split(found.total - gone, sources) if gone else parts

    def gone(self, found: Breakdown) -> int:
        """Of what would go back, the won that went away already."""
        parts = self.split(found)
        return max(0, found.total - sum(won for _, won in parts.parts) - parts.shortfall - parts.uncovered)

    def worth(self, terms: Terms, fault: Fault) -> Breakdown:
        """환불 내역 by goods and fees alone."""
        chosen = {line.pk for line in self.going}
        units = [_units(line, is_going=line.pk in chosen) for line in self.lines if line.state != LineState.MOVED]
        has_shipped = any(line.shipped_at is not None for line in self.lines)
        purchase = Purchase(lines=units, shipping_paid=self.shipping_paid, has_shipped=has_shipped)
        return calculate(purchase, terms, fault=fault)


def cancel_and_refund(
    *,
    line_ids: Collection[int],
    fault: Fault,
    reason: str,
    actor: Any,
    at: datetime,
    account: RefundAccount | None = None,
    batch: Job | None = None,
    source: str = "",
) -> Outcome:
    """주문취소(환불): the lines end as 취소완료 and their refund is requested, or nothing of that order happens.

    Refused with the reason per line: whatever T19 refuses, money that is not there, an account that is missing, a
    clawback above what would go back. `sums` of the outcome tell the won for BUYER and SELLER as the fault, and under
    "shortfall" the most that is taken off because it never came.
    """
    order_ids = set(OrderLine.objects.filter(pk__in=line_ids).values_list("order_id", flat=True))
    with locked_orders(order_ids, actor=actor) as (orders, lines):
        asked = set(line_ids)
        cases = _cases(orders, lines, asked)
        terms = _terms()
        refused = _refusals(cases, terms, fault, account)
        outcome = cancel_before_shipping(
            line_ids=sorted(asked & {line.pk for line in lines}),
            actor=actor,
            at=at,
            reason=reason,
            by=CANCELED_BY[fault],
            refuse=refused,
            batch=batch,
            source=source,
        )
        outcome.refused |= missing(asked, lines, text=NOT_FOUND)
        good = [case for case in cases if case.going and case.going[0].pk not in refused]
        for party in (Fault.BUYER, Fault.SELLER):
            found = [case.breakdown(terms, party) for case in good]
            outcome.sums[party.value] = sum(max(0, one.total) for one in found)
            if missing_won := sum(one.shortfall for one in found):
                outcome.sums[SHORTFALL] = max(outcome.sums[SHORTFALL], missing_won)
        if not is_preview():
            _request(good, terms, fault, account, actor=actor, at=at, reason=reason, batch=batch, source=source)
    return outcome


def account_wanted(*, line_ids: Collection[int]) -> str | None:
    """환불계좌가 필요한 이유, as far as it can be said before anything is locked; two queries."""
    payments = Payment.objects.filter(order__lines__in=line_ids, balance__gt=0).select_related("order").distinct()
    return next((text for one in payments if (text := requesting.account_refusal(one, None))), None)


def _cases(orders: Sequence[Order], lines: Sequence[OrderLine], asked: set[int]) -> list[_Case]:
    """Orders with the lines that can be canceled just now; facts are read before anything moves."""
    cases = {order.pk: _Case(order, []) for order in orders}
    for line in lines:
        cases[line.order_id].lines.append(line)
        if line.pk in asked and explain(line, OrderLine.cancel) is None:
            cases[line.order_id].going.append(line)
    for payment in payments_of(orders).values():
        cases[payment.order_id].payments.append(payment)
    earlier = RefundCalculation.objects.filter(order__in=orders).order_by().values("order_id")
    fees = {
        row["order_id"]: row["taken"] - row["given"]
        for row in earlier.annotate(taken=Sum("clawback"), given=Sum("shipping_back"))
    }
    payments = [payment for case in cases.values() for payment in case.payments]
    taken, sums = promised(payments), kept_by(payments)
    for case in cases.values():
        case.taken = taken
        case.lost = max([0, *(sums[one.pk].owed - sums[one.pk].paid for one in case.payments[:1])])
        case.shipping_paid = case.order.shipping_fee_amount + fees.get(case.order.pk, 0)
    return list(cases.values())


def _terms() -> Terms:
    values = get_settings(FREE_FROM.key, BASIC_FEE.key, RETURN_FEE.key)
    return Terms(
        free_from=values[FREE_FROM.key],
        basic_fee=values[BASIC_FEE.key],
        return_fee=values[RETURN_FEE.key],
    )


def _units(line: OrderLine, *, is_going: bool) -> Units:
    return Units(
        unit_price=line.unit_price,
        quantity=line.quantity,
        discount_share=line.discount_share,
        coupon_share=line.coupon_share,
        points_share=line.points_share,
        gone=line.quantity if line.state in GONE else 0,
        going=line.quantity if is_going else 0,
    )


def _refusals(cases: Sequence[_Case], terms: Terms, fault: Fault, account: RefundAccount | None) -> dict[int, str]:
    by_transfer = [case for case in cases if case.going and any(map(requesting.needs_account, case.payments))]
    refused: dict[int, str] = {}
    for case in cases:
        reason = _refusal(case, terms, fault, account) if case.going else None
        if reason is None and case in by_transfer and len(by_transfer) > 1:
            reason = ONE_BY_ONE
        if reason is not None:
            refused |= {line.pk: reason for line in case.going}
    return refused


def _refusal(case: _Case, terms: Terms, fault: Fault, account: RefundAccount | None) -> str | None:
    found = case.worth(terms, fault)
    if found.extra_due:
        return EXTRA_DUE.format(won=found.extra_due)
    parts = case.split(found)
    if parts.uncovered:
        return UNCOVERED.format(won=parts.uncovered)
    by_id = {payment.pk: payment for payment in case.payments}
    # A preview is made before anybody could type an account.
    if is_preview() and account is None:
        return None
    return next((text for pk, _ in parts.parts if (text := requesting.account_refusal(by_id[pk], account))), None)


def _request(
    cases: Sequence[_Case],
    terms: Terms,
    fault: Fault,
    account: RefundAccount | None,
    *,
    actor: Any,
    at: datetime,
    reason: str,
    batch: Job | None,
    source: str,
) -> None:
    found = {case.order.pk: case.breakdown(terms, fault) for case in cases}
    parts = {case.order.pk: case.split(case.worth(terms, fault)) for case in cases}
    made = RefundCalculation.objects.bulk_create(
        _calculation(case, found[case.order.pk], fault, at=at, actor=actor, batch=batch, reason=reason)
        for case in cases
    )
    asks = [
        requesting.Ask(payment_id=pk, amount=won, account=account, calculation=calculation)
        for case, calculation in zip(cases, made, strict=True)
        for pk, won in parts[case.order.pk].parts
    ]
    by_id = {payment.pk: payment for case in cases for payment in case.payments}
    missing_won = [forgive(by_id[pk], -won) for one in parts.values() for pk, won in one.shortfalls]
    requested = requesting.request(asks=asks, reason=reason, actor=actor, at=at, batch=batch, source=source)
    if requested.refused:
        raise RuntimeError(f"refunds of canceled lines were refused: {requested.refused}")
    book(missing_won, at=at, actor=actor, batch=batch, reason=reason[:200], source=source)


def _calculation(
    case: _Case, found: Breakdown, fault: Fault, *, at: datetime, actor: Any, batch: Job | None, reason: str
) -> RefundCalculation:
    return RefundCalculation(
        order=case.order,
        at=at,
        fault=fault,
        lines={line.number: line.quantity for line in case.going},
        goods=found.goods,
        discount=found.discount,
        coupon=found.coupon,
        points=found.points,
        shipping_back=found.shipping_back,
        clawback=found.clawback,
        return_fee=found.return_fee,
        forfeit=found.forfeit,
        shortfall=found.shortfall,
        total=found.total,
        restores_coupon=found.restores_coupon,
        actor=actor,
        batch=batch,
        reason=reason[:200],
    )
