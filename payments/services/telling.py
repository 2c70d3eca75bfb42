"""입금 안내: where the buyer of an unpaid order pays; told by itself, and once more when staff say so."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.calendar import KST, kst_date, kst_day_range, short
from core.events import record
from core.models import Job
from core.settings_registry import get_settings
from core.state import Change, Outcome, is_preview, missing
from orders.models import Order, OrderLine
from orders.notices import recipient_of
from orders.services.locking import NOT_FOUND, locked_orders
from orders.states import LineState, PaymentMethod
from payments.banks import bank_at
from payments.events import ACCOUNT_RESENT
from payments.models import AccountNotice, BankAccount, VirtualAccount
from payments.options import AGAIN_A_DAY, AGAIN_AFTER
from payments.states import VirtualState

NOT_WAITING = "입금을 기다리는 주문이 아닙니다."
OTHER_METHOD = "무통장입금과 가상계좌 주문만 입금 안내를 보낼 수 있습니다."
BY_MARKET = "판매채널이 고객에게 직접 안내하는 주문입니다."
NOBODY = "알림을 받을 연락처가 없습니다. 고객에게 직접 안내하세요."
NO_BANK = "입금계좌가 없습니다. 설정에서 입금계좌를 먼저 등록하세요."
NOT_OPEN = "입금할 가상계좌가 아직 없습니다. 발급을 마친 뒤 다시 보내세요."
OVER = "입금기한이 지난 주문입니다."
TOO_SOON = "{last}에 이미 안내한 주문입니다. {next}부터 다시 보낼 수 있습니다."
TOO_OFTEN = "오늘 {most}번 다시 안내한 주문입니다. 내일 다시 보낼 수 있습니다."
METHODS = frozenset({PaymentMethod.BANK_TRANSFER, PaymentMethod.VIRTUAL_ACCOUNT})


@dataclass(frozen=True, slots=True)
class Where:
    """입금할 곳: what the text shows, until when, and since when the account is open (the shop's own always was)."""

    facts: Mapping[str, str]
    due_at: datetime
    opened_at: datetime | None = None


class Accounts:
    """입금계좌 of several orders; two queries."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self._own = BankAccount.objects.filter(is_active=True).order_by("pk").first()
        issued = VirtualAccount.objects.filter(payment__order__in=orders, state=VirtualState.ISSUED)
        self._virtual = {one.payment.order_id: one for one in issued.select_related("payment__account")}

    def of(self, order: Order) -> Where | str:
        """입금할 곳 of an order, or the Korean reason why there is none."""
        if order.payment_method == PaymentMethod.BANK_TRANSFER:
            return self._bank(order)
        virtual = self._virtual.get(order.pk)
        account = virtual.payment.account if virtual is not None else None
        if virtual is None or account is None or virtual.issued_at is None:
            return NOT_OPEN
        bank = bank_at(account.provider, virtual.bank)
        return _where(order, bank, virtual.number, virtual.holder, virtual.due_at, virtual.issued_at)

    def _bank(self, order: Order) -> Where | str:
        own = self._own
        if own is None or order.deposit_by is None:
            return NO_BANK
        return _where(order, own.bank, own.number(), own.holder, order.deposit_by, None)


def _where(order: Order, bank: str, number: str, holder: str, due_at: datetime, opened_at: datetime | None) -> Where:
    facts = {
        "bank": bank,
        "account": number,
        "holder": holder,
        "amount": f"{order.open_amount:,}",
        "due": f"{due_at.astimezone(KST):%Y-%m-%d %H:%M}",
    }
    return Where(facts, due_at, opened_at)


def resend_account(*, order_ids: Collection[int], actor: Any, at: datetime, batch: Job | None = None) -> Outcome:
    """입금 안내 재발송: buyers of unpaid orders are told once more where to pay; by line, each order as a whole.

    Refused with the reason: paid, canceled or overdue orders, orders without an account or a buyer to tell, and those
    that were told just now or often enough today (settings). Source: ux.md 1, domain.md 1.2.
    """
    with locked_orders(order_ids, actor=actor) as (orders, lines):
        refused = _refusals(orders, lines, at=at)
        outcome = Outcome(possible=[line for line in lines if line.order_id not in refused])
        outcome.refused = {line.pk: refused[line.order_id] for line in lines if line.order_id in refused}
        outcome.refused |= missing(set(order_ids), orders, text=NOT_FOUND)
        if is_preview():
            return outcome
        told = AccountNotice.objects.bulk_create(
            AccountNotice(order=order, at=at, actor=actor, batch=batch) for order in orders if order.pk not in refused
        )
        sent = Outcome(changes=[Change(one, "", "", 0) for one in told])
        record(sent, ACCOUNT_RESENT, at=at, actor=actor, batch=batch)
        # The lines stay as they are; a bulk act takes a row for done by the version after the one that was seen.
        outcome.changes = [Change(line, line.state, line.state, line.version + 1) for line in outcome.possible]
    return outcome


def _refusals(orders: Sequence[Order], lines: Sequence[OrderLine], *, at: datetime) -> dict[int, str]:
    """거절 이유 by order id."""
    waiting = {line.order_id for line in lines if line.state == LineState.AWAITING_PAYMENT}
    accounts, recent = Accounts(orders), _Recent(orders, at=at)
    found = {}
    for order in orders:
        if order.pk not in waiting or order.open_amount <= 0:
            found[order.pk] = NOT_WAITING
        elif text := _refusal(order, accounts.of(order), at=at) or recent.refusal(order):
            found[order.pk] = text
    return found


def _refusal(order: Order, where: Where | str, *, at: datetime) -> str | None:
    if order.payment_method not in METHODS:
        return OTHER_METHOD
    if not recipient_of(order):
        return NOBODY if order.channel.notifies_buyers else BY_MARKET
    if isinstance(where, str):
        return where
    return OVER if where.due_at <= at else None


class _Recent:
    """최근 안내 of some orders, against flooding a buyer; two queries."""

    def __init__(self, orders: Sequence[Order], *, at: datetime) -> None:
        values = get_settings(AGAIN_AFTER.key, AGAIN_A_DAY.key)
        self.at, self.pause, self.most = at, timedelta(minutes=values[AGAIN_AFTER.key]), values[AGAIN_A_DAY.key]
        today, _ = kst_day_range(kst_date(at))
        self.today: Counter[int] = Counter()
        self.last: dict[int, datetime] = defaultdict(lambda: datetime.min.replace(tzinfo=KST))
        rows = AccountNotice.objects.filter(order__in=orders, at__gte=min(today, at - self.pause))
        for order_id, told_at in rows.values_list("order_id", "at"):
            self.today[order_id] += told_at >= today
            self.last[order_id] = max(self.last[order_id], told_at)

    def refusal(self, order: Order) -> str | None:
        """까닭, or None when the buyer may be told now."""
        again = self.last[order.pk] + self.pause
        if again > self.at:
            return TOO_SOON.format(last=short(self.last[order.pk]), next=short(again))
        return TOO_OFTEN.format(most=self.most) if self.today[order.pk] >= self.most else None
