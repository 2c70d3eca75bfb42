"""Between the shapes of the API and the drafts and rows of the shop."""

from typing import Any

from channels.api.schemas import AccountOut, AmountsOut, LineOut, OrderIn, OrderOut
from channels.services.drafting import LONGEST_PRODUCT, key_text, option_key
from channels.services.placing import Incoming
from core.phones import normalize_phone
from orders.columns import order_code, shown_code
from orders.models import Order, OrderLine
from orders.services.intake import LineDraft, OrderDraft
from orders.states import DeliveryMethod, LineState, PaymentMethod
from payments.banks import bank_name, clearing_code
from payments.services.gateway.issuing import account_of
from payments.services.ledger import references
from payments.services.ledger.references import PgPaid
from payments.services.watching import card_checks
from payments.states import VirtualState

_DELIVERIES = {method.value: method for method in DeliveryMethod}


def to_incoming(sent: OrderIn) -> Incoming:
    """접수할 주문: the draft of a posted order, with our codes per line."""
    lines = tuple(
        LineDraft(
            product_name=line.product_name,
            option_name=line.option_name,
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount_amount=line.discount,
            channel_number=line.channel_number,
            channel_product=key_text(line.product_code or line.product_name, LONGEST_PRODUCT),
            channel_option=option_key(line.option_name, line.sku),
        )
        for line in sent.lines
    )
    draft = OrderDraft(
        channel_number=sent.channel_number,
        ordered_at=sent.ordered_at,
        paid_at=sent.payment.paid_at,
        payment_method=PaymentMethod(sent.payment.method.value),
        depositor_name=sent.payment.depositor_name,
        deposit_by=sent.payment.deposit_by,
        ship_by=sent.ship_by,
        buyer_name=sent.buyer.name,
        buyer_phone=normalize_phone(sent.buyer.phone),
        buyer_email=sent.buyer.email,
        recipient_name=sent.recipient.name,
        recipient_phone=normalize_phone(sent.recipient.phone),
        recipient_phone2=normalize_phone(sent.recipient.phone2),
        zip_code=sent.recipient.zip_code,
        address1=sent.recipient.address1,
        address2=sent.recipient.address2,
        jibun_address=sent.recipient.jibun_address,
        safe_number_end_date=sent.recipient.safe_number_end_date,
        delivery_note=sent.delivery_note,
        delivery_method=_DELIVERIES[sent.delivery_method.value],
        discount_amount=sent.amounts.discount,
        coupon_amount=sent.amounts.coupon,
        points_amount=sent.amounts.points,
        shipping_fee_amount=sent.amounts.shipping_fee,
        lines=lines,
        awaits_pg=sent.payment.pg is not None,
    )
    return Incoming(draft, [line.sku for line in sent.lines])


def to_pg_paid(sent: OrderIn) -> PgPaid | None:
    """PG 결제 참조 of a posted order; None for one that no PG of ours is to confirm."""
    pg = sent.payment.pg
    return PgPaid(account=pg.account, order_ref=pg.order_ref, payment_ref=pg.payment_key) if pg else None


def order_out(order: Order) -> OrderOut:
    """주문 한 건 as the storefront reads it; one query for its lines, one for its account."""
    lines = list(
        OrderLine.objects.filter(order=order).exclude(state=LineState.MOVED).select_related("variant").order_by("seq")
    )
    return OrderOut(
        number=order.number,
        channel_number=order.channel_number,
        state=order_code(order.stage, lines),
        ordered_at=order.ordered_at,
        paid_at=order.paid_at,
        deposit_by=order.deposit_by,
        amounts=AmountsOut(
            goods=order.goods_amount,
            discount=order.discount_amount,
            coupon=order.coupon_amount,
            points=order.points_amount,
            shipping_fee=order.shipping_fee_amount,
            due=order.due_amount,
            paid=order.paid_amount,
        ),
        lines=[_line_out(line) for line in lines],
        **account_out(order),
    )


def account_out(order: Order) -> dict[str, Any]:
    """가상계좌와 PG 결제 of an order as they stand now: `account`, `account_state`, `pg_state`."""
    virtual = account_of(order)
    if virtual is None:
        return {"account": None, "account_state": None, "pg_state": card_checks.state_of(order)}
    state = virtual.state.lower()
    if virtual.state == VirtualState.PENDING and references.has_case(virtual.pk):
        state = "problem"
    if virtual.state == VirtualState.CLOSING:
        state = "closed"
    is_open = virtual.state == VirtualState.ISSUED
    code = clearing_code(virtual.payment.account.provider, virtual.bank) if virtual.payment.account else virtual.bank
    account = AccountOut(
        bank=code, bank_name=bank_name(code), number=virtual.number, holder=virtual.holder, due_at=virtual.due_at
    )
    return {"account": account if is_open else None, "account_state": state, "pg_state": None}


def _line_out(line: OrderLine) -> LineOut:
    return LineOut(
        number=line.number,
        channel_number=line.channel_number,
        state=shown_code(line),
        product_name=line.product_name,
        option_name=line.option_name,
        sku=line.variant.sku if line.variant else None,
        quantity=line.quantity,
        unit_price=line.unit_price,
        amount=line.amount - line.discount_share - line.coupon_share - line.points_share,
        ship_by=line.ship_by,
        shipped_at=line.shipped_at,
        delivered_at=line.delivered_at,
        confirmed_at=line.confirmed_at,
    )
