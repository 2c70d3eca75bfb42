"""Random histories of payments at a PG, told in order to one order and out of order, doubled and in part to another.

A history is a list of chapters. In a chapter things happen at the PG; between two chapters staff do something. What
the PG tells of a chapter may come late, even chapters later, twice, or never; at the end of a chapter somebody has
looked at the PG once, as the reconciliation does.
"""

import base64
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from typing import Any

from django.utils import timezone

from core import drains, relay
from orders.models import Order, OrderLine
from orders.services import progress
from orders.states import CanceledBy, Fault, PaymentMethod
from payments.adapters.base import PgProblem
from payments.models import LedgerEntry, MoneyProblem, Payment, PgAccount, Refund, VirtualAccount
from payments.services import manual, pg_accounts
from payments.services.cases import resolving
from payments.services.deposits.allocating import Canceled
from payments.services.gateway import issuing
from payments.services.ledger.booking import OF_BANK
from payments.services.notices import receiving
from payments.services.notices.draining import apply_each
from payments.services.notices.fetching import fetch
from payments.services.refunds import by_hand, canceling, requesting, retrying, reviving
from payments.services.snapshots.applying import Fetched
from payments.states import (
    BY_HAND,
    FROM_PG,
    GOING_OUT,
    LATE_MONEY,
    WRONG_ON_THE_WAY,
    EntryKind,
    ProblemKind,
    RefundState,
    RefundWay,
    VirtualState,
)
from products.models import Variant
from shipping.services import shipments
from tests.fixtures.pg_shop import PRICE, PgShop
from tests.payments.own_bank import OwnBank, account_of, payer_of, receive
from tests.payments.pg import portone_case

ACTS = ("deposit", "deposit", "deposit", "reverse", "refund-part", "refund", "close", "expire", "again", "part")
PART = 5_000
FORCED = ("again", "part")
"""Deposits that the bank lets in though the account has ended, or though it is the second or too little."""
OWN_REFUND = 7_000
ANY_SUM = ("nicepay", "nicepay-form", "inicis")
"""PGs whose answers can tell of more than one deposit, and of another sum than was asked for."""
STAFF = (
    "", "", "confirm", "revert", "cancel", "accept", "accept+cancel-refund", "cancel-refund",
    "confirm+cancel-refund+by-bank", "refund-case", "ready", "ready", "ready+close-case", "own-refund", "revive",
    "revive", "close-case", "bring-back", "cancel+bring-back",
)  # fmt: skip
"""What staff do between two chapters, one thing after the other."""
AT_BANK = (
    "statement", "feed", "statement+connect", "feed-part+connect", "feed-part+connect+statement", "feed+disconnect",
    "cancel+feed+connect-back", "statement-part+connect+disconnect", "cancel+statement+connect", "cancel+bring-back",
)  # fmt: skip
"""The same where the buyer may also pay into our own bank account; every second thing there is one of these."""
ALIKE = {ProblemKind.DUPLICATE_DEPOSIT.value: ProblemKind.OVERPAID.value}
"""Who hears of two deposits at once sees too much, who hears of one after the other sees the second."""


@dataclass
class History:
    """One history; `chapters` are (what happens at the PG, what staff do then)."""

    seed: int
    pg: str
    chapters: list[tuple[list[str], str]]
    price: int = PRICE
    """Its own, so that money in our bank account is nobody else's."""
    takes_bank: bool = False
    told: Order | None = None
    untold: Order | None = None
    mail: list[Any] = field(default_factory=list)
    """Notices about `untold` that are still on their way."""


def invent(seed: int, pgs: Sequence[str]) -> History:
    """The history of a seed."""
    chance = random.Random(seed)
    takes_bank = chance.random() < 0.4
    chapters = [
        (
            [chance.choice(ACTS) for _ in range(chance.randint(1, 4))],
            chance.choice(AT_BANK if takes_bank and chance.random() < 0.5 else STAFF),
        )
        for _ in range(chance.randint(1, 3))
    ]
    return History(seed, chance.choice(pgs), chapters, PRICE + seed, takes_bank)


class Teller:
    """Plays many histories side by side, so that one look at the PG serves all of them."""

    def __init__(self, shop: PgShop, staff: Any, variant: Variant, histories: Sequence[History]) -> None:
        self.shop, self.staff, self.variant, self.histories = shop, staff, variant, histories
        self.accounts: dict[str, PgAccount] = {}
        self.refs: dict[int, str] = {}
        """What the PG calls the payment of each order by now, by order id."""
        self.bank = OwnBank(staff)
        self.seen = 0

    def play(self) -> None:
        """All of them, to their end."""
        for pg in sorted({one.pg for one in self.histories}):
            self.accounts[pg] = self.shop.account(pg)
        for one in self.histories:
            one.told = self._opened(one, "일")
            one.untold = self._opened(one, "이")
        self.shop.forget()
        self.shop.pgs.fault("hold", times=None)
        self._news()
        for number in range(max(len(one.chapters) for one in self.histories)):
            running = [one for one in self.histories if number < len(one.chapters)]
            self._happen(running, number)
            self._staff(running, number)
        self._arrive([(one, notice) for one in self.histories for notice in one.mail])
        # A revived order may have an account that the PG has closed: the one who hears nothing learns it at night.
        self._look([order for one in self.histories for order in (one.told, one.untold)])
        self._settle()

    def _opened(self, one: History, name: str) -> Order:
        order = self.shop.opened(
            self.accounts[one.pg], price=one.price, lines=[(self.variant, 1)], depositor_name=payer_of(one.seed, name)
        )
        if one.takes_bank:
            order.payment_method = PaymentMethod.BANK_TRANSFER
            order.save(update_fields=["payment_method"])
        self.refs[order.pk] = f"{order.number}-1"
        return order

    def _staff(self, running: Sequence[History], number: int) -> None:
        plans = {one.seed: one.chapters[number][1].split("+") for one in running}
        for step in range(max(len(acts) for acts in plans.values())):
            for one in running:
                for order in (one.told, one.untold):
                    if order is not None and step < len(plans[one.seed]):
                        self._act(plans[one.seed][step], one, order)
            self._settle()

    def _happen(self, running: Sequence[History], number: int) -> None:
        late: dict[int, list[Any]] = defaultdict(list)
        for step in range(max(len(one.chapters[number][0]) for one in running)):
            acting = [one for one in running if step < len(one.chapters[number][0])]
            self._look([one.untold for one in acting if _must_be_seen(one, number, step)])
            for one in acting:
                for order in (one.told, one.untold):
                    self._at_pg(one.chapters[number][0][step], one, order)
            news = self._news()
            for one in acting:
                late[one.seed] += news[_number(one.untold)]
            self._arrive([(one, notice) for one in acting for notice in news[_number(one.told)]])
            self._look([one.told for one in acting])
        bags = {one.seed: _late_bags(one, late[one.seed]) for one in running}
        for many in zip_longest(*([(one, bag) for bag in bags[one.seed]] for one in running)):
            self._arrive([(one, notice) for one, bag in filter(None, many) for notice in bag])
        self._look([one.untold for one in running])
        # What follows an order that has ended is done before staff do anything about it.
        self._settle()

    def _at_pg(self, act: str, one: History, order: Order) -> None:
        """What the bank refuses does not happen, for either order. An order that our own bank account can pay too ends
        by no account's deadline: what waits there is compared when it comes in and not when the order waits again.
        """
        name, facts = act, {}
        if act == "expire" and one.takes_bank:
            return
        if act == "deposit":
            facts = {"amount": one.price}
        elif act in FORCED:
            if not self._lets_in(act, one.pg, self._ref(order)):
                return
            name, facts = (
                "deposit",
                {"amount": PART if act == "part" else one.price, "force": True},
            )
        elif act.startswith("refund"):
            name, facts = "refund", {"amount": 10_000} if act == "refund-part" else {}
        # Other acts read no name.
        values = {"name": order.depositor_name, "pg": one.pg, "order_ref": self._ref(order), **facts}
        self.shop.pgs.request("POST", f"/control/payments/{name}", values)

    def _lets_in(self, act: str, pg: str, ref: str) -> bool:
        """No bank pays into what was refunded; an account of a fixed sum gets it once, if late."""
        kinds = [one["kind"] for one in self.shop.pgs.payment(pg, ref)["movements"]]
        standing = kinds.count("DEPOSIT") - kinds.count("REVERSAL")
        return "REFUND" not in kinds and (pg in ANY_SUM or (act == "again" and not standing))

    def _news(self) -> dict[str, list[Any]]:
        found = self.shop.pgs.notices(after=self.seen, limit=100_000)
        self.seen = max([self.seen, *(one["id"] for one in found)])
        told: dict[str, list[Any]] = defaultdict(list)
        for one in found:
            told[one["order_ref"].rpartition("-")[0]].append(one)
        return told

    def _arrive(self, mail: Sequence[tuple[History, Any]]) -> None:
        for one, notice in mail:
            receive(self.accounts[one.pg], _arrival(notice, one.pg))
        self._settle()

    def _look(self, orders: Sequence[Order | None]) -> None:
        """As the reconciliation does."""
        payments = list(Payment.objects.filter(order__in=[o for o in orders if o]).select_related("account"))
        answers = fetch(payments).values()
        unanswered = [one for one in answers if isinstance(one, PgProblem)]
        assert not unanswered, unanswered
        apply_each([one for one in answers if isinstance(one, Fetched)], at=timezone.now())

    def _settle(self) -> None:
        drains.run_all()
        if relay.run_once():
            drains.run_all()

    def _act(self, act: str, one: History, order: Order) -> None:
        """What is refused does not happen, for either order."""
        who: dict[str, Any] = {"actor": self.staff, "at": timezone.now()}
        facts: dict[str, Any] = {"order_ids": [order.pk], **who}
        cases = MoneyProblem.objects.filter(order=order, resolved_at=None).order_by("pk")
        match act:
            case "confirm":
                manual.confirm_manually(**facts)
            case "revert":
                manual.revert_manual(**facts, reason="시험")
            case "cancel":
                progress.cancel_unpaid(**facts, by=CanceledBy.STAFF, reason="시험")
            case "accept":
                short = list(cases.filter(kind=ProblemKind.UNDERPAID).values_list("pk", flat=True))
                resolving.accept_difference(problem_ids=short, reason="시험", **who)
            case "refund-case":
                kinds = list(cases.filter(kind__in=resolving.TO_REFUND).values_list("pk", flat=True))
                resolving.refund(problem_ids=kinds[:1], reason="시험", account=account_of(order), **who)
            case "cancel-refund":
                lines = list(OrderLine.objects.filter(order=order).values_list("pk", flat=True))
                canceling.cancel_and_refund(
                    line_ids=lines, fault=Fault.SELLER, reason="시험", account=account_of(order), **who
                )
            case "by-bank":
                self._pay_by_bank(order, who)
            case _:
                self._act_otherwise(act, order, cases, who)
                self._act_at_bank(act, one, order, who["at"])

    def _act_otherwise(self, act: str, order: Order, cases: Any, who: dict[str, Any]) -> None:
        """What the house does with goods, and with money that had not asked for it."""
        match act:
            case "ready":
                lines = list(OrderLine.objects.filter(order=order).values_list("pk", flat=True))
                shipments.make_ready(line_ids=lines, **who)
            case "close-case":
                wrong = list(cases.filter(kind__in=WRONG_ON_THE_WAY).values_list("pk", flat=True))
                resolving.close(problem_ids=wrong, reason="시험", **who)
            case "own-refund":
                ask = requesting.Ask(
                    payment_id=Payment.objects.get(order=order).pk, amount=OWN_REFUND, account=account_of(order)
                )
                requesting.request(asks=[ask], reason="시험", **who)
            case "revive":
                late = list(cases.filter(kind__in=LATE_MONEY).values_list("pk", flat=True))
                resolving.revive_order(problem_ids=late[:1], reason="시험", **who)

            case "bring-back":
                self._bring_back(order, who)

    def _bring_back(self, order: Order, who: dict[str, Any]) -> None:
        """되살리기 of what ended unpaid; where its account was closed the PG opens another one."""
        reviving.revive(order_ids=[order.pk], reason="시험", **who)
        relay.run_once()
        virtual = VirtualAccount.objects.select_related("payment__account").get(payment__order=order)
        payment = virtual.payment
        self.refs[order.pk] = payment.order_ref
        if virtual.state == VirtualState.PENDING:
            if not pg_accounts.pg_of(payment.account).capabilities.can_issue:
                self.shop.open_window(payment.account, payment.order_ref, payment.amount)
            issuing.issue_now(order=order, at=timezone.now())

    def _act_at_bank(self, act: str, one: History, order: Order, at: datetime) -> None:
        """What comes into our own bank account, told once of `told` and by both roads, and twice, of `untold`."""
        road, _, part = act.partition("-")
        match road:
            case "statement" | "feed":
                times = 1 if order is one.told else 3
                self.bank.tell(order, PART if part else one.price, by=road, times=times, at=at)
            case "connect":
                self.bank.connect(order, canceled=Canceled.REVIVE if part else Canceled.KEEP, at=at)
            case "disconnect":
                self.bank.disconnect(order, at=at)

    def _ref(self, order: Order | None) -> str:
        return self.refs[order.pk] if order else ""

    def _pay_by_bank(self, order: Order, who: dict[str, Any]) -> None:
        """What the PG would not refund is asked for anew as a bank transfer and paid."""
        failed = list(Refund.objects.filter(order=order, state=RefundState.FAILED).values_list("pk", flat=True))
        retrying.retry(refund_ids=failed, way=RefundWay.BANK, account=account_of(order), **who)
        by_hand.pay_out(refund_ids=failed, **who)

    def books(self, orders: Sequence[Order]) -> dict[int, tuple[int, int]]:
        """What the PG says that each order holds, and what our ledger says that came through the PG, in won."""
        payments = {one.pk: one for one in Payment.objects.filter(order__in=orders).select_related("account")}
        ours: dict[int, int] = defaultdict(int)
        rows = LedgerEntry.objects.filter(payment__in=payments, kind__in=FROM_PG | GOING_OUT).exclude(OF_BANK)
        for payment_id, amount in rows.values_list("payment_id", "amount"):
            ours[payment_id] += amount
        found = {}
        for pk, answer in fetch(list(payments.values())).items():
            assert isinstance(answer, Fetched), answer
            snapshot = answer.snapshot
            at_pg = sum(one.amount for one in snapshot.deposits) - sum(one.amount for one in snapshot.refunds)
            found[payments[pk].order_id] = (at_pg, ours[pk])
        return found


def end_of(order: Order) -> dict[str, Any]:
    """Where an order has ended."""
    fresh = Order.objects.get(pk=order.pk)
    payment = Payment.objects.get(order=order)
    entries = LedgerEntry.objects.filter(payment=payment)
    open_cases = MoneyProblem.objects.filter(order=order, resolved_at=None).values_list("kind", "amount")
    return {
        "stage": fresh.stage,
        "paid": fresh.paid_amount,
        "payment": payment.state,
        "locks": sorted(set(OrderLine.objects.filter(order=order).values_list("open_locks", flat=True))),
        "by hand": sum(entries.filter(kind__in=BY_HAND).values_list("amount", flat=True)),
        "by bank": -sum(entries.filter(kind=EntryKind.PAID_OUT).values_list("amount", flat=True)),
        "into bank": sum(entries.filter(OF_BANK, kind__in=FROM_PG).values_list("amount", flat=True)),
        "forgiven": payment.forgiven,
        # A draft lives as long as the money that it was prepared for, which not everybody hears of.
        "refunds": sorted(
            Refund.objects.filter(order=order).exclude(state=RefundState.WITHDRAWN).values_list("state", "amount")
        ),
        "problems": sorted((ALIKE.get(kind, kind), amount) for kind, amount in open_cases),
    }


def _must_be_seen(one: History, number: int, step: int) -> bool:
    """A PG keeps no trace of a deposit that its bank took back, so that nobody can know later whether it replaced a
    입금확인 by hand, or what was forgiven; after one of those somebody looks before the bank takes anything back. And
    before money that no bank should let in, because it may come after the end of the payment. And nobody knows that
    money has moved through an account, which an order that comes back then keeps.
    """
    act = one.chapters[number][0][step]
    is_booked = any("confirm" in acts or "accept" in acts for _, acts in one.chapters[:number])
    comes_back = any("bring-back" in acts for _, acts in one.chapters)
    return act in FORCED or ((is_booked or comes_back) and act == "reverse")


def _number(order: Order | None) -> str:
    return order.number if order else ""


def _late_bags(one: History, notices: list[Any]) -> list[list[Any]]:
    """Of these and of what is still on its way, some come now, in any order and in bags of about three that are opened
    one after the other; a fifth is lost, a third doubled.
    """
    chance = random.Random(one.seed + len(notices))
    mail = one.mail + [copy for notice in notices for copy in _copies(notice, chance)]
    chance.shuffle(mail)
    cut = chance.randint(0, len(mail))
    one.mail = mail[cut:]
    bags: list[list[Any]] = [[]]
    for notice in mail[:cut]:
        bags[-1].append(notice)
        if chance.random() < 0.3:
            bags.append([])
    return bags


def _copies(notice: Any, chance: random.Random) -> list[Any]:
    draw = chance.random()
    return [] if draw < 0.2 else [notice] * (3 if draw > 0.8 else 2 if draw > 0.6 else 1)


def _arrival(notice: Any, pg: str) -> receiving.Arrival:
    body, at = base64.b64decode(notice["body_base64"]), timezone.now()
    headers = {name.lower(): value for name, value in notice["headers"].items()}
    if pg == "portone":
        # Signed anew at every attempt; the event keeps its id.
        headers |= portone_case.headers(body, event=f"wh_{notice['id']}", stamp=str(int(at.timestamp())))
    ip = notice.get("client_ip")
    return receiving.Arrival(body, headers, notice["content_type"], ip, ip, at)
