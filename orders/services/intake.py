"""Intake: orders arrive as drafts from files, the storefront API or the order form, and become rows set-wise.

An order is known by (channel, channel number): the same draft again is answered with the stored order and changes
nothing. Source: domain.md T1, T2, 3.5; architecture.md 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from core.calendar import kst_date
from core.events import record
from core.locks import queueing
from core.models import Job
from core.money import split
from core.numbering import line_number, order_number, take_numbers
from core.state import Change, Outcome
from orders import events
from orders.deadlines import Deadlines
from orders.models import LineLock, Order, OrderLine, SalesChannel
from orders.rollup import roll_up
from orders.search import store_search
from orders.services import benefits
from orders.services.places import address_of, places_of
from orders.services.verdicts import judge_stock
from orders.states import LOCK_BIT, PREPAID_METHODS, DeliveryMethod, LineState, LockKind, PaymentMethod
from products.services import stock


@dataclass(frozen=True, slots=True)
class LineDraft:
    """품목 초안: one line as a channel sent it; prices in won; `variant_id` None until the product is mapped."""

    product_name: str
    quantity: int
    unit_price: int
    option_name: str = ""
    channel_number: str = ""
    channel_product: str = ""
    channel_option: str = ""
    variant_id: int | None = None
    # Won of this line's own discounts when the channel gives them per line; order-wide amounts are shared out.
    discount_amount: int = 0
    # When the channel says that 발주확인 was done there; counts for paid lines only (domain.md 3.2).
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """주문 초안: one order as a channel sent it; amounts in won, times aware, phones as digits."""

    channel_number: str
    ordered_at: datetime
    buyer_name: str
    recipient_name: str
    address1: str
    payment_method: PaymentMethod
    lines: tuple[LineDraft, ...]
    paid_at: datetime | None = None
    buyer_phone: str = ""
    buyer_email: str = ""
    recipient_phone: str = ""
    recipient_phone2: str = ""
    zip_code: str = ""
    address2: str = ""
    jibun_address: str = ""
    safe_number_end_date: date | None = None
    delivery_note: str = ""
    delivery_method: DeliveryMethod = DeliveryMethod.PARCEL
    depositor_name: str = ""
    deposit_by: datetime | None = None
    ship_by: datetime | None = None
    discount_amount: int = 0
    coupon_amount: int = 0
    points_amount: int = 0
    shipping_fee_amount: int = 0
    # Paid through a PG of ours, which has not confirmed it yet: what the channel says of it credits nothing.
    awaits_pg: bool = False


@dataclass(slots=True)
class Intake:
    """접수 결과: the stored orders by channel number, split into new ones and those already known."""

    created: dict[str, Order] = field(default_factory=dict)
    known: dict[str, Order] = field(default_factory=dict)


def create_orders(
    *,
    channel: SalesChannel,
    drafts: Sequence[OrderDraft],
    actor: Any,
    at: datetime,
    source: str,
    batch: Job | None = None,
) -> Intake:
    """주문 접수: store the drafts that are not known yet, with numbers, won-exact shares, stock demand and search text.

    Prepaid drafts begin in 상품준비중, the others in 입금대기; lines without a variant wait under a MAPPING lock. The
    caller stores the payments in the same transaction. Two callers with the same draft: one creates, the other gets it
    as known. Raises QueueTimeout when the intake of others takes too long.
    """
    result = Intake()
    with queueing():
        _serialize(channel)
        numbers = [draft.channel_number for draft in drafts]
        stored = Order.objects.filter(channel=channel, channel_number__in=numbers, parent__isnull=True)
        result.known = {order.channel_number: order for order in stored}
        fresh = _first_of_each([draft for draft in drafts if draft.channel_number not in result.known])
        if not fresh:
            return result
        # Stock before counters, as everywhere: numbers are taken once nothing is left to wait for.
        stock.lock_levels({line.variant_id for draft in fresh for line in draft.lines if line.variant_id})
        orders = _insert_orders(channel, fresh, at=at)
        lines = _insert_lines(orders, fresh)
        _lock_unmapped(lines, at=at)
        stock.add_demand(lines, at=at, actor=actor)
        benefits.use(orders=orders, at=at, actor=actor, batch=batch)
        roll_up({order.pk for order in orders})
        judge_stock(lines)
        store_search(orders)
        changes = [Change(order, "", lines_state(draft), 1) for order, draft in zip(orders, fresh, strict=True)]
        given = {
            order.pk: {"ship_by": draft.ship_by.isoformat()}
            for order, draft in zip(orders, fresh, strict=True)
            if draft.ship_by is not None
        }
        facts: dict[str, Any] = {"actor": actor, "batch": batch, "source": source, "data": given}
        record(Outcome(changes=changes), events.ORDER_RECEIVED, at=at, **facts)
        result.created = {order.channel_number: order for order in orders}
    return result


def _first_of_each(drafts: Sequence[OrderDraft]) -> list[OrderDraft]:
    unique: dict[str, OrderDraft] = {}
    for draft in drafts:
        unique.setdefault(draft.channel_number, draft)
    return list(unique.values())


def lines_state(draft: OrderDraft) -> LineState:
    """First state of a draft's lines: what is paid, or needs no payment, skips 입금대기 (domain.md T1, T2)."""
    return LineState.PREPARING if is_paid(draft) else LineState.AWAITING_PAYMENT


def is_paid(draft: OrderDraft) -> bool:
    """Whether nothing is to be waited for: the channel collected the money, or points and coupons cover it all."""
    return (draft.payment_method in PREPAID_METHODS and not draft.awaits_pg) or due_amount(draft) == 0


def due_amount(draft: OrderDraft) -> int:
    """결제예정액 of a draft in won: goods - discounts - coupon - points + shipping fee (domain.md 3.5)."""
    goods = sum(line.unit_price * line.quantity - line.discount_amount for line in draft.lines)
    return goods - draft.discount_amount - draft.coupon_amount - draft.points_amount + draft.shipping_fee_amount


def _serialize(channel: SalesChannel) -> None:
    """Intake of one channel runs one after the other, so that the same file twice at once creates each order once."""
    SalesChannel.objects.select_for_update(no_key=True).get(pk=channel.pk)


def _insert_orders(channel: SalesChannel, drafts: Sequence[OrderDraft], *, at: datetime) -> list[Order]:
    day = kst_date(at)
    numbers = take_numbers("order", day=day, count=len(drafts))
    deadlines = Deadlines({channel.pk})
    places = places_of([address_of(draft) for draft in drafts], at=at)
    orders = []
    for n, draft, place in zip(numbers, drafts, places, strict=True):
        goods = sum(line.unit_price * line.quantity for line in draft.lines)
        discount = draft.discount_amount + sum(line.discount_amount for line in draft.lines)
        paid = is_paid(draft)
        orders.append(
            Order(
                number=order_number(day, n),
                channel=channel,
                channel_number=draft.channel_number,
                ordered_at=draft.ordered_at,
                paid_at=(draft.paid_at or draft.ordered_at) if paid else None,
                goods_amount=goods,
                discount_amount=discount,
                due_amount=due_amount(draft),
                deposit_by=None if paid else draft.deposit_by or deadlines.deposit_by(channel.pk, draft.ordered_at),
                **place,
                **{name: getattr(draft, name) for name in _COPIED},
            )
        )
    return Order.objects.bulk_create(orders, batch_size=1000)


_COPIED = (
    "buyer_name", "buyer_phone", "buyer_email", "recipient_name", "recipient_phone", "recipient_phone2", "zip_code",
    "address1", "address2", "jibun_address", "safe_number_end_date", "delivery_note", "delivery_method",
    "payment_method", "depositor_name", "coupon_amount", "points_amount", "shipping_fee_amount",
)  # fmt: skip


def _insert_lines(orders: Sequence[Order], drafts: Sequence[OrderDraft]) -> list[OrderLine]:
    deadlines = Deadlines({order.channel_id for order in orders})
    lines = []
    for order, draft in zip(orders, drafts, strict=True):
        weights = [line.unit_price * line.quantity for line in draft.lines]
        shares = {
            name: split(amount, weights)
            for name, amount in (
                ("discount_share", draft.discount_amount),
                ("coupon_share", draft.coupon_amount),
                ("points_share", draft.points_amount),
                ("shipping_share", draft.shipping_fee_amount),
            )
        }
        ship_by = draft.ship_by
        if ship_by is None and order.paid_at is not None:
            ship_by = deadlines.ship_by(order.channel_id, order.paid_at)
        for index, line in enumerate(draft.lines):
            mine = {name: values[index] for name, values in shares.items()}
            mine["discount_share"] += line.discount_amount
            lines.append(_line(order, draft, line, seq=index + 1, ship_by=ship_by, shares=mine))
    return OrderLine.objects.bulk_create(lines, batch_size=1000)


def _line(
    order: Order, draft: OrderDraft, line: LineDraft, *, seq: int, ship_by: datetime | None, shares: dict[str, int]
) -> OrderLine:
    state = lines_state(draft)
    return OrderLine(
        order=order,
        seq=seq,
        number=line_number(order.number, seq),
        state=state,
        paid_at=order.paid_at,
        acknowledged_at=line.acknowledged_at if state == LineState.PREPARING else None,
        ship_by=ship_by,
        delivery_method=draft.delivery_method,
        open_locks=0 if line.variant_id else LOCK_BIT[LockKind.MAPPING],
        channel_number=line.channel_number,
        variant_id=line.variant_id,
        channel_product=line.channel_product,
        channel_option=line.channel_option,
        product_name=line.product_name,
        option_name=line.option_name,
        quantity=line.quantity,
        unit_price=line.unit_price,
        **shares,
    )


def _lock_unmapped(lines: Sequence[OrderLine], *, at: datetime) -> None:
    LineLock.objects.bulk_create(
        LineLock(line=line, kind=LockKind.MAPPING, placed_at=at, reason="연결되지 않은 상품")
        for line in lines
        if line.variant_id is None
    )
