"""Money for our own bank account in random histories: rows by file, or by a service that watches it."""

import json
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

from core.exceptions import DomainError
from orders.models import Order
from payments.models import BankAccount, BankDeposit, PgAccount
from payments.models.refund import RefundAccount
from payments.services.deposits.allocating import Canceled, allocate
from payments.services.deposits.bank import BankRow, take_in
from payments.services.deposits.unallocating import unallocate
from payments.services.notices import receiving
from payments.states import DepositSource, DepositState
from tests.fixtures.refunds import ACCOUNT

KEY = "wh-key-for-tests"
DIGITS = "가나다라마바사아자차"


def payer_of(seed: int, first: str) -> str:
    """입금자명 that nobody else has, not even in part; digits would not count."""
    return first + "".join(DIGITS[int(digit)] for digit in f"{seed:04d}")


def account_of(order: Order) -> RefundAccount:
    """환불계좌 of who pays the order."""
    return replace(ACCOUNT, holder=order.depositor_name)


def receive(account: PgAccount, arrival: receiving.Arrival) -> None:
    """A request as the receiver takes it, which believes it."""
    row, refusal = receiving.store(arrival, account=account)
    judgement = refusal or receiving.judge(row, account=account)
    assert judgement.answer == "ACK", (account.code, judgement)
    receiving.finish(row, judgement, status=200, milliseconds=0)


class OwnBank:
    """입금계좌 of the shop with its feed. Rows name the payer of an order, who has no other; the balance rises."""

    def __init__(self, staff: Any) -> None:
        self.staff, self.traces, self.balance = staff, count(1), 1_000_000
        self.feed = PgAccount(
            code="payaction", name="x", provider="payaction", merchant_id="mall-1", base_url="https://x"
        )
        self.feed.set_secrets(KEY)
        self.feed.save()
        self.account = BankAccount(code="main", bank="국민은행", holder="가게", feed=self.feed)
        self.account.set_number("12345678901234")
        self.account.save()

    def tell(self, order: Order, amount: int, *, by: str, times: int, at: datetime) -> None:
        """One transfer, told by `statement` or by `feed`, so many times; the second time by the other of the two."""
        self.balance += amount
        row = BankRow(at, amount, order.depositor_name, balance=self.balance)
        roads = [self._by_file, self._by_feed] if by == "statement" else [self._by_feed, self._by_file]
        for number in range(times):
            roads[number % 2](row)

    def _by_file(self, row: BankRow) -> None:
        take_in(account=self.account, rows=[row], source=DepositSource.FILE, at=row.at)

    def _by_feed(self, row: BankRow) -> None:
        body = {
            "transaction_type": "deposited",
            "amount": row.amount,
            "transaction_name": row.depositor,
            "transaction_date": row.at.isoformat(),
            "balance": row.balance,
        }
        headers = {"x-webhook-key": KEY, "x-trace-id": f"t-{next(self.traces)}", "x-mall-id": "mall-1"}
        text = json.dumps(body, ensure_ascii=False).encode()
        receive(self.feed, receiving.Arrival(text, headers, "application/json", "203.0.113.9", "203.0.113.9", row.at))

    def connect(self, order: Order, *, canceled: Canceled, at: datetime) -> None:
        """Staff give the order what waits of its payer, whatever the sum; what is refused does not happen."""
        for pk in self._of(order, DepositState.QUEUED):
            try:
                allocate(
                    deposit_id=pk, order_ids=[order.pk], actor=self.staff, at=at, accepts_difference=True,
                    canceled=canceled,
                )  # fmt: skip
            except DomainError:
                continue

    def disconnect(self, order: Order, *, at: datetime) -> None:
        """Staff take back what was given to the order."""
        ids = self._of(order, DepositState.MATCHED, DepositState.ALLOCATED)
        unallocate(deposit_ids=ids, actor=self.staff, at=at, reason="시험")

    def stands(self, order: Order) -> list[tuple[str, int, int]]:
        """State, won and connected won of what its payer has sent."""
        mine = BankDeposit.objects.filter(depositor=order.depositor_name).order_by("pk")
        return list(mine.values_list("state", "amount", "allocated_amount"))

    def _of(self, order: Order, *states: DepositState) -> list[int]:
        mine = BankDeposit.objects.filter(depositor=order.depositor_name, state__in=states).order_by("pk")
        return list(mine.values_list("pk", flat=True))
