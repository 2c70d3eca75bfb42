"""결제 등록: the payment of a new order; what the channel has collected is booked at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.events import record
from core.state import Change, Outcome, move
from orders.models import Order
from orders.states import PREPAID_METHODS, PaymentMethod
from payments.events import DEPOSIT_AWAITED, PAYMENT_SETTLED
from payments.models import Payment
from payments.services.ledger.booking import book
from payments.states import EntryKind, PaymentState


def open_payments(*, orders: Sequence[Order], at: datetime, actor: Any = None) -> list[Payment]:
    """결제 등록: one payment per new order; what the channel has collected is booked at once.

    Runs in the transaction that created the orders. Where points and coupons cover everything nothing is due: the
    payment is settled without a booking.
    """
    payments = Payment.objects.bulk_create(
        Payment(order=order, method=order.payment_method, amount=order.due_amount) for order in orders
    )
    nothing_due = move(
        [payment for payment in payments if not payment.amount], Payment.settle, at=at, balance=0, refunded=0
    )
    record(nothing_due, PAYMENT_SETTLED, at=at, actor=actor)
    # A card payment through a PG of ours is paid when that says so: its order has no moment of payment yet.
    collected = [payment for payment in payments if payment.method in PREPAID_METHODS and payment.order.paid_at]
    prepaid = [payment for payment in collected if payment.amount]
    # Who pays into our own account must hear which; a virtual account is told when its PG has opened it.
    awaited = [one for one in payments if one.method == PaymentMethod.BANK_TRANSFER and one.amount]
    opened = Outcome(changes=[Change(one, "", PaymentState.PENDING, 0) for one in awaited])
    record(opened, DEPOSIT_AWAITED, at=at, actor=actor)
    rows = [(one, EntryKind.PREPAID, one.order.channel_number, one.amount) for one in prepaid]
    told = {one.pk: one.order.paid_at for one in prepaid if one.order.paid_at is not None}
    book(rows, at=at, actor=actor, came_at=told)
    return list(payments)
