"""Unpaid orders and money that does not fit them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from core.settings_registry import set_setting
from orders.models import Order
from orders.services.locking import locked_orders
from orders.states import Fault, LineState, PaymentMethod
from payments.adapters.base import Movement, PgState, Snapshot
from payments.models import LedgerEntry, MoneyProblem, Payment, PgAccount, Refund
from payments.options import DIFFERENCE_FROM
from payments.services import manual
from payments.services.cases import resolving
from payments.services.ledger.booking import book as book_rows
from payments.services.refunds import by_hand, canceling
from payments.services.snapshots.applying import Fetched, apply
from payments.states import EntryKind, RefundState, RefundWay
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.refunds import ACCOUNT

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


@dataclass
class AtPg:
    """An order of 40,000 won with an account at a PG, of which a test tells what the PG says."""

    order: Order
    staff: User
    moment: datetime = NOW

    @property
    def payment(self) -> Payment:
        return Payment.objects.select_related("order").get(order=self.order)

    def tell(self, *deposits: int, refunds: tuple[int, ...] = (), state: PgState | None = None, **facts: Any) -> str:
        """`tell(39_000, 500)`: the deposits and refunds that stand there by now; what became of it."""
        self.moment += timedelta(minutes=1)
        came = facts.pop("came", self.moment)
        said = state or (PgState.PAID if deposits else PgState.WAITING)
        snapshot = Snapshot(
            order_ref=self.payment.order_ref or "",
            payment_ref="p1",
            state=said,
            amount=self.payment.amount,
            deposits=tuple(Movement(reference=f"d{n}", amount=won, at=came) for n, won in enumerate(deposits)),
            refunds=tuple(Movement(reference=f"r{n}", amount=won) for n, won in enumerate(refunds)),
            **facts,
        )
        fetched = Fetched(self.payment.pk, snapshot, self.moment)
        return str(apply([fetched], at=self.moment)[self.payment.pk].state)

    def confirm(self) -> None:
        """입금확인 by hand."""
        assert manual.confirm_manually(order_ids=[self.order.pk], actor=self.staff, at=self.moment).refused == {}

    def accept(self) -> None:
        """차액 인정 of what is missing, which the shop leaves to one person."""
        set_setting(key=DIFFERENCE_FROM.key, value=1_000_000, actor=self.staff, at=NOW)
        facts: dict[str, Any] = {"actor": self.staff, "at": self.moment, "reason": "배송 지연"}
        assert resolving.accept_difference(problem_ids=[self.open_problem().pk], **facts).refused == {}

    def cancel(self, seq: int | None = None) -> Any:
        """주문취소(환불) of one line, or of all that can be canceled."""
        lines = self.order.lines.filter(seq=seq) if seq else self.order.lines.exclude(state=LineState.CANCELED)
        return canceling.cancel_and_refund(
            line_ids=list(lines.values_list("pk", flat=True)),
            fault=Fault.SELLER,
            reason="고객 요청",
            actor=self.staff,
            at=self.moment,
            account=ACCOUNT,
        )

    def pay_out(self) -> None:
        """Every approved refund is transferred by hand, as after a PG has refused it."""
        ids = list(self.order.refunds.filter(state=RefundState.APPROVED).values_list("pk", flat=True))
        Refund.objects.filter(pk__in=ids).update(way=RefundWay.BANK)
        assert by_hand.pay_out(refund_ids=ids, actor=self.staff, at=self.moment).refused == {}

    def open_problem(self) -> MoneyProblem:
        return MoneyProblem.objects.get(order=self.order, resolved_at=None)

    def problems(self) -> list[tuple[str, int]]:
        """Kinds and won of the open cases."""
        rows = MoneyProblem.objects.filter(order=self.order, resolved_at=None).order_by("pk")
        return list(rows.values_list("kind", "amount"))

    def refunds(self) -> list[tuple[str, int]]:
        """States and won of the refunds, oldest first."""
        return list(self.order.refunds.order_by("pk").values_list("state", "amount"))

    def ledger(self) -> list[tuple[str, int]]:
        """Kinds and won of the ledger rows, oldest first."""
        return list(LedgerEntry.objects.filter(payment__order=self.order).order_by("pk").values_list("kind", "amount"))

    def stands(self) -> tuple[str, int, int]:
        """(stage of the order, won that it calls paid, won of them that never came)."""
        fresh = reloaded(self.order)
        return fresh.stage, fresh.paid_amount, self.payment.forgiven

    def told(self) -> list[str]:
        """What the 처리 이력 tells about the money, oldest first."""
        return list(self.order.events.filter(subject="ledger").order_by("pk").values_list("reason", flat=True))


@pytest.fixture
def at_pg(make_order: Callable[..., Order], staff: User) -> Callable[..., AtPg]:
    """`at_pg()`: the order, unpaid; `prices` are those of its lines."""

    def make(*, lines: list[tuple[Any, int]] | None = None, price: int = 40_000, **facts: Any) -> AtPg:
        account = PgAccount(code="toss", name="토스", provider="toss", merchant_id="m", base_url="https://pg.example")
        account.set_secrets("test_sk_1234567890")
        account.save()
        order = make_order(lines=lines, price=price, payment_method=PaymentMethod.VIRTUAL_ACCOUNT, **facts)
        Payment.objects.filter(order=order).update(account=account, order_ref=f"{order.number}-1")
        return AtPg(order, staff)

    return make
