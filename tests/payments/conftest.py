"""Unpaid orders and money that does not fit them."""

from collections.abc import Callable
from datetime import datetime

import pytest

from orders.models import Order
from orders.services.locking import locked_orders
from payments.models import Payment
from payments.services.booking import book as book_rows
from payments.states import EntryKind
from tests.fixtures.orders import NOW, reloaded

Deposit = Callable[..., Order]


@pytest.fixture
def deposit() -> Deposit:
    """`deposit(order, 3_000)`: the ledger of an order holds a deposit of so many won; its lines stay where they are."""

    def book(order: Order, amount: int, *, at: datetime = NOW) -> Order:
        with locked_orders([order.pk]):
            payment = Payment.objects.get(order=order)
            rows = [(payment, EntryKind.DEPOSIT, f"bank-{order.number}", amount)]
            book_rows(rows, at=at, actor=None, batch=None)
        return reloaded(order)

    return book
