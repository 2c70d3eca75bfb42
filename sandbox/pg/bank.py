"""The one bank behind all sandbox PGs: accounts are opened, money comes, is taken back, is refunded.

Every act is one transaction of the books together with the notices it causes.
"""

import contextlib
import random
from collections.abc import Mapping
from typing import Any

from sandbox.pg.books import Books
from sandbox.pg.dialect import Dialect
from sandbox.pg.model import (
    CANCELED,
    CARD,
    CLOSED,
    DEPOSIT,
    DEPOSITED,
    EXPIRED,
    ISSUED,
    PAID,
    PART_REFUNDED,
    REFUND,
    REFUNDED,
    REFUSAL,
    REQUEST,
    REVERSAL,
    REVERSED,
    WAITING,
    Event,
    Movement,
    Payment,
    Shop,
)
from sandbox.pg.sender import Sender


class BankRefusal(Exception):
    """거절: `code` is ours (dialects translate it), `message` Korean for the page."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message


class Bank:
    """What dialects, the control API and the page may do with money. Hand payments by id or fresh from the books."""

    def __init__(self, books: Books, sender: Sender, dialects: Mapping[str, Dialect], *, payout_speed: float) -> None:
        self.books, self.sender, self._dialects, self.payout_speed = books, sender, dialects, payout_speed

    def now(self) -> float:
        """Epoch seconds of the sandbox clock."""
        return self.books.now()

    def open(
        self, shop: Shop, *, order_ref: str, amount: int, payment_ref: str = "", announce: bool = True, **values: Any
    ) -> Payment:
        """발급: a new payment that waits for its deposit (or, method CARD, is paid at once).

        The PG numbers it unless `payment_ref` does; `values` are further fields of Payment. Raises BankRefusal
        DUPLICATE_ORDER.
        """
        dialect = self._dialects[shop.pg]
        with self.books.writing():
            if self.books.by_order(shop.pg, order_ref, shop.merchant_id):
                raise BankRefusal("DUPLICATE_ORDER", "이미 쓴 주문번호입니다.")
            payment = Payment(
                id=0,
                pg=shop.pg,
                merchant_id=shop.merchant_id,
                order_ref=order_ref,
                payment_ref="",
                amount=amount,
                created_at=self.now(),
                **values,
            )
            dialect.complete(payment, shop)
            payment.payment_ref = payment_ref or payment.payment_ref
            self.books.add_payment(payment)
            if payment.method == CARD:
                self._take(payment, amount, payment.buyer)
            elif announce:
                self._tell(payment, Event(ISSUED, self.now()))
        self.sender.wake()
        return payment

    def deposit(self, payment_id: int, amount: int, name: str) -> Payment:
        """입금. Raises BankRefusal CLOSED, BAD_AMOUNT, ALREADY_PAID."""
        with self.books.writing():
            payment = self._fresh(payment_id)
            is_exact = self.is_exact(payment)
            if payment.state in (CANCELED, EXPIRED):
                raise BankRefusal("CLOSED", "닫힌 계좌라 입금할 수 없습니다.")
            if is_exact and payment.standing_deposits:
                raise BankRefusal("ALREADY_PAID", "이미 입금된 계좌라 더 입금할 수 없습니다.")
            if amount < 1 or (is_exact and amount != payment.amount):
                raise BankRefusal("BAD_AMOUNT", "입금할 금액이 청구 금액과 다릅니다.")
            self._take(payment, amount, name)
        self.sender.wake()
        return payment

    def is_exact(self, payment: Payment) -> bool:
        """Whether the bank takes the sum asked for, once, and nothing else."""
        return bool(self._shop(payment).options.get("is_exact_amount", self._dialects[payment.pg].is_exact_amount))

    def force_deposit(self, payment_id: int, amount: int, name: str) -> Payment:
        """A deposit that the bank should have refused: into a closed account, of another sum, once more."""
        with self.books.writing():
            payment = self._fresh(payment_id)
            self._take(payment, amount, name)
        self.sender.wake()
        return payment

    def reverse(self, payment_id: int) -> Payment:
        """은행 취소: the last standing deposit is taken back. Raises BankRefusal NOTHING_TO_REVERSE."""
        with self.books.writing():
            payment = self._fresh(payment_id)
            standing = payment.standing_deposits
            if not standing or payment.of_kind(REFUND):
                raise BankRefusal("NOTHING_TO_REVERSE", "되돌릴 입금이 없습니다.")
            last = standing[-1]
            reference = self._dialects[payment.pg].new_reference(payment)
            movement = Movement(REVERSAL, reference, last.amount, self.now(), last.name, of=last.reference)
            payment.movements.append(movement)
            self._settle(payment)
            self._tell(payment, Event(REVERSED, self.now(), movement))
        self.sender.wake()
        return payment

    def expire(self, payment_id: int) -> Payment:
        """입금기한 만료. Raises BankRefusal NOT_WAITING."""
        return self._end(payment_id, EXPIRED)

    def close(self, payment_id: int) -> Payment:
        """입금 전 취소: the account takes no more money. Raises BankRefusal NOT_WAITING."""
        return self._end(payment_id, CANCELED)

    def refund(
        self,
        payment_id: int,
        *,
        amount: int,
        reason: str,
        account: dict[str, str] | None = None,
        reference: str = "",
        announce: bool = True,
    ) -> Movement:
        """환불: `account` holds bank, number, holder; no notice without `announce`.

        While refunds of the payment wait it is only taken, without a notice. Raises BankRefusal NOT_PAID, OVER_BALANCE.
        """
        with self.books.writing():
            payment = self._fresh(payment_id)
            dialect = self._dialects[payment.pg]
            if not payment.standing_deposits:
                raise BankRefusal("NOT_PAID", "입금된 돈이 없습니다.")
            if not 0 < amount <= payment.cancellable:
                raise BankRefusal("OVER_BALANCE", "환불할 수 있는 금액보다 큽니다.")
            done_at = self.now() + (dialect.refund_minutes * 60 / self.payout_speed if account else 0)
            reference = reference or dialect.new_reference(payment)
            kind = REQUEST if payment.options.get("refunds_wait") else REFUND
            movement = Movement(kind, reference, amount, self.now(), reason, account=account, done_at=done_at)
            payment.movements.append(movement)
            self._settle(payment)
            if announce and kind == REFUND:
                self._tell(payment, Event(REFUNDED, self.now(), movement))
        self.sender.wake()
        return movement

    def delay_refunds(self, payment_id: int) -> Payment:
        """환불 접수만: from now on refunds of the payment wait to be decided. Raises BankRefusal NO_REQUESTS."""
        with self.books.writing():
            payment = self._fresh(payment_id)
            if not self._dialects[payment.pg].has_requests:
                raise BankRefusal("NO_REQUESTS", "환불을 접수만 하는 PG가 아닙니다.")
            payment.options["refunds_wait"] = True
            self.books.save_payment(payment)
        return payment

    def grant_refunds(self, payment_id: int) -> Payment:
        """접수한 환불 실행: every refund that waits is done now, with its notice. Raises BankRefusal NO_REFUND."""
        return self._decide(payment_id, REFUND)

    def refuse_refunds(self, payment_id: int) -> Payment:
        """접수한 환불 거절: none that waits is done, and nobody is told. Raises BankRefusal NO_REFUND."""
        return self._decide(payment_id, REFUSAL)

    def _decide(self, payment_id: int, kind: str) -> Payment:
        with self.books.writing():
            payment = self._fresh(payment_id)
            waiting = payment.of_kind(REQUEST)
            if not waiting:
                raise BankRefusal("NO_REFUND", "접수한 환불이 없습니다.")
            for one in waiting:
                one.done_at += self.now() - one.at
                one.kind, one.at = kind, self.now()
            self._settle(payment)
            for one in waiting if kind == REFUND else ():
                self._tell(payment, Event(REFUNDED, self.now(), one))
        self.sender.wake()
        return payment

    def fail_refund(self, payment_id: int) -> Payment:
        """환불 실패: the bank could not pay the last refund out. Raises BankRefusal NO_REFUND."""
        with self.books.writing():
            payment = self._fresh(payment_id)
            refunds = [refund for refund in payment.of_kind(REFUND) if refund.account]
            if not refunds:
                raise BankRefusal("NO_REFUND", "계좌로 보낸 환불이 없습니다.")
            refunds[-1].is_failed = True
            self.books.save_payment(payment)
        return payment

    def complete_refunds(self, payment_id: int) -> Payment:
        """환불 완료: every refund that is on its way has arrived."""
        with self.books.writing():
            payment = self._fresh(payment_id)
            for refund in payment.of_kind(REFUND):
                refund.done_at = min(refund.done_at, self.now())
            self.books.save_payment(payment)
        return payment

    def expire_due(self) -> int:
        """Expire every account whose time is over; returns how many. One that holds part of the sum stays open."""
        ended = 0
        for payment in self.books.due(self.now()):
            with contextlib.suppress(BankRefusal):
                self._end(payment.id, EXPIRED)
                ended += 1
        return ended

    def _fresh(self, payment_id: int) -> Payment:
        payment = self.books.payment(payment_id)
        if payment is None:
            raise BankRefusal("UNKNOWN_PAYMENT", "없는 결제입니다.")
        return payment

    def _shop(self, payment: Payment) -> Shop:
        return self.books.shop(payment.pg, payment.merchant_id) or Shop(payment.pg, payment.merchant_id)

    def _take(self, payment: Payment, amount: int, name: str) -> None:
        reference = self._dialects[payment.pg].new_reference(payment)
        movement = Movement(DEPOSIT, reference, amount, self.now(), name)
        payment.movements.append(movement)
        self._settle(payment)
        self._tell(payment, Event(DEPOSITED, self.now(), movement))

    def _end(self, payment_id: int, state: str) -> Payment:
        with self.books.writing():
            payment = self._fresh(payment_id)
            if payment.state != WAITING or payment.standing_deposits:
                raise BankRefusal("NOT_WAITING", "입금을 기다리는 계좌가 아닙니다.")
            payment.state, payment.closed_at = state, self.now()
            self.books.save_payment(payment)
            self._tell(payment, Event(EXPIRED if state == EXPIRED else CLOSED, self.now()))
        self.sender.wake()
        return payment

    def _settle(self, payment: Payment) -> None:
        """State from the money; less than asked for keeps waiting."""
        if payment.of_kind(REFUND):
            payment.state = PART_REFUNDED if payment.balance else CANCELED
        elif payment.paid_amount >= payment.amount:
            payment.state = PAID
        else:
            payment.state = WAITING
        self.books.save_payment(payment)

    def _tell(self, payment: Payment, event: Event) -> None:
        shop = self._shop(payment)
        for envelope in self._dialects[payment.pg].notices(event, payment, shop, self.now()):
            self.sender.post(envelope, payment, shop)


def digits(length: int) -> str:
    """A number of that many digits, not beginning with 0."""
    return str(random.randint(10 ** (length - 1), 10**length - 1))
