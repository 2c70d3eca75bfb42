"""환불 계산: what a buyer gets back when units of an order go away; pure arithmetic in won (domain.md 3.5, 3.6).

Frozen facts in, a breakdown out; nothing is read or written. A negative total is what the buyer still has to pay.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from orders.states import CouponRule, Fault, ReturnTrip


@dataclass(frozen=True, kw_only=True, slots=True)
class Units:
    """품목의 수량: a line, the units that went away before and those that go now; shares are of the whole line."""

    unit_price: int
    quantity: int
    discount_share: int = 0
    coupon_share: int = 0
    points_share: int = 0
    gone: int = 0
    going: int = 0

    def __post_init__(self) -> None:
        if self.quantity < 1 or self.gone < 0 or self.going < 0 or self.gone + self.going > self.quantity:
            raise ValueError("units do not fit the line")

    @property
    def left(self) -> int:
        """Units that stay with the buyer afterwards."""
        return self.quantity - self.gone - self.going

    def part(self, share: int) -> int:
        """몫: won of a share that belong to the units that go now; all parts of a line add up to the share exactly."""
        before, after = self.gone, self.gone + self.going
        return share * after // self.quantity - share * before // self.quantity

    def rest(self, share: int) -> int:
        """남는 몫: won of a share that belong to the units that stay."""
        return share - share * (self.gone + self.going) // self.quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class Purchase:
    """주문: every line of it, and what was paid for the delivery; won.

    `shipping_paid` is the fee that stands paid now: the original one and earlier clawbacks, less what was given back.
    `has_shipped` says whether any unit of the order ever left the house.
    """

    lines: Sequence[Units]
    shipping_paid: int
    has_shipped: bool
    coupon_minimum: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """조건: the shop's fees in won. `free_from` is the sum of goods from which delivery costs nothing, 0 for never."""

    free_from: int
    basic_fee: int
    return_fee: int = 0
    remote_fee: int = 0
    coupon_rule: CouponRule = CouponRule.KEEP_SHARE


@dataclass(frozen=True, kw_only=True, slots=True)
class Breakdown:
    """환불 내역: every amount in won and positive; `total` is what goes back, negative when more is to be paid.

    `shortfall` (받지 않은 차액) is what was accepted as missing when the order was paid: it never came, nobody gets it.
    """

    goods: int
    discount: int
    coupon: int
    points: int
    shipping_back: int
    clawback: int
    return_fee: int
    forfeit: int
    restores_coupon: bool
    shortfall: int = 0

    @property
    def total(self) -> int:
        """Won to pay back; points go back to points, not to the card."""
        given = self.goods - self.discount - self.coupon - self.points + self.shipping_back
        return given - self.clawback - self.return_fee - self.forfeit - self.shortfall

    @property
    def extra_due(self) -> int:
        """추가결제: won that the buyer has to pay instead of getting any."""
        return max(0, -self.total)


def calculate(purchase: Purchase, terms: Terms, *, fault: Fault, trip: ReturnTrip = ReturnTrip.NONE) -> Breakdown:
    """환불 계산 of the units that go now. Source: domain.md 3.6.

    Fees are taken for units that had left the house only. Free delivery is lost once: when the goods fall below the
    threshold for the first time, by the buyer's fault, and something was or will be delivered.
    """
    lines = purchase.lines
    all_gone = all(line.left == 0 for line in lines)
    before = sum(line.unit_price * (line.quantity - line.gone) for line in lines)
    after = sum(line.unit_price * line.left for line in lines)
    gives_fee_back = all_gone and (not purchase.has_shipped or fault == Fault.SELLER)
    return Breakdown(
        goods=sum(line.unit_price * line.going for line in lines),
        discount=sum(line.part(line.discount_share) for line in lines),
        coupon=0 if _has_forfeited(purchase, terms, before) else sum(line.part(line.coupon_share) for line in lines),
        points=sum(line.part(line.points_share) for line in lines),
        shipping_back=purchase.shipping_paid if gives_fee_back else 0,
        clawback=terms.basic_fee if _loses_free_delivery(purchase, terms, fault, before, after) else 0,
        return_fee=_return_fee(terms, trip) if fault == Fault.BUYER and purchase.has_shipped else 0,
        forfeit=_forfeit(purchase, terms, before, after) if not all_gone else 0,
        restores_coupon=all_gone and any(line.coupon_share for line in lines),
    )


def _loses_free_delivery(purchase: Purchase, terms: Terms, fault: Fault, before: int, after: int) -> bool:
    if fault != Fault.BUYER or not terms.free_from or purchase.shipping_paid:
        return False
    is_delivered = purchase.has_shipped or after > 0
    return is_delivered and before >= terms.free_from > after


def _return_fee(terms: Terms, trip: ReturnTrip) -> int:
    ways = {ReturnTrip.NONE: 0, ReturnTrip.ONE_WAY: 1, ReturnTrip.ROUND_TRIP: 2}[trip]
    return terms.return_fee * ways + (terms.remote_fee if ways else 0)


def _forfeit(purchase: Purchase, terms: Terms, before: int, after: int) -> int:
    """The coupon's minimum is no longer met: what stays loses its share, once, where the shop says so."""
    if terms.coupon_rule != CouponRule.FORFEIT or not before >= purchase.coupon_minimum > after:
        return 0
    return sum(line.rest(line.coupon_share) for line in purchase.lines)


def _has_forfeited(purchase: Purchase, terms: Terms, before: int) -> bool:
    """What was still there before has lost its share of the coupon already."""
    whole = sum(line.unit_price * line.quantity for line in purchase.lines)
    return terms.coupon_rule == CouponRule.FORFEIT and whole >= purchase.coupon_minimum > before


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """환불할 결제: won that can still be paid back out of it; `place` 0 is the main payment, additional ones follow.

    `forgiven` are won that it counts as paid beside them and that never came.
    """

    payment_id: int
    place: int
    rest: int
    forgiven: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """결제별 환불: (payment id, won), the won that no payment covers, and (payment id, won) that never came."""

    parts: tuple[tuple[int, int], ...]
    uncovered: int
    shortfalls: tuple[tuple[int, int], ...] = ()

    @property
    def shortfall(self) -> int:
        """받지 않은 차액 of all payments."""
        return sum(won for _, won in self.shortfalls)


def split(amount: int, sources: Collection[Source]) -> Split:
    """결제별로 나누기: the last additional payment first, then the main one; never above what is left of each.

    Nothing is paid out for an amount of 0 or less. What is missing counts as covered where it is not more than what
    never came of these payments. Source: domain.md 3.6.
    """
    last_first = sorted(sources, key=lambda one: (one.place, one.payment_id), reverse=True)
    parts, left = _taken(max(0, amount), [(one.payment_id, one.rest) for one in last_first])
    shortfalls, rest = _taken(left, [(one.payment_id, one.forgiven) for one in last_first])
    return Split(parts, left) if rest else Split(parts, 0, shortfalls)


def _taken(amount: int, held: Sequence[tuple[int, int]]) -> tuple[tuple[tuple[int, int], ...], int]:
    left, parts = amount, []
    for payment_id, won in held:
        part = min(left, max(0, won))
        if part:
            parts.append((payment_id, part))
            left -= part
    return tuple(parts), left


def less_shortfall(found: Breakdown, parts: Split, *, gone: int = 0) -> Breakdown:
    """환불 내역 smaller by what never came of the payments that it was split over, and by what has `gone` from them."""
    return replace(found, shortfall=parts.shortfall + gone)
