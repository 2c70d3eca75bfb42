"""은행 거래 수신: notices of a service that watches our account become rows of its statement (payments.md 2.10).

An order that the service says it has matched is believed only as far as our own amount goes: it becomes a row over
what the order still wants, and payments/services/deposits/confirming.py decides. An order is matched once: whatever
number another telling has, it is the same money until a person has seen it. A transfer is known by the balance after
it, and without one by the number under which it was told, so that it does not matter what came together.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orders.models import Order
from orders.states import BIT, LineState, PaymentMethod
from payments.models import BankAccount, BankDeposit, MoneyProblem, PgNotice
from payments.services.deposits.bank import BankRow, fingerprints, print_of, take_in
from payments.services.snapshots.applying import Applied
from payments.states import DepositSource, DepositState, NoticeState, ProblemKind

AGAIN = "주문 {number}의 입금을 다시 매칭했다고 알려 왔습니다. 은행 거래내역에서 입금을 확인하세요."
WAITING = (DepositState.NEW, DepositState.QUEUED)
TRIES = 4
"""An order that we do not know may still arrive; after half an hour a person must look."""
TAKEN = Applied(NoticeState.PROCESSED)
KNOWN = Applied(NoticeState.IGNORED, "no_change")
NO_ACCOUNT = Applied(NoticeState.RETRY, "no_bank_account")


def take_notices(notices: Sequence[PgNotice], *, at: datetime) -> dict[int, Applied]:
    """은행 거래 받기: a verdict for each notice id. Taking the same one again changes nothing."""
    by_account: dict[int, list[PgNotice]] = defaultdict(list)
    for notice in notices:
        by_account[notice.account_id].append(notice)
    accounts = {one.feed_id: one for one in BankAccount.objects.filter(feed__in=by_account, is_active=True)}
    verdicts = {one.pk: NO_ACCOUNT for pk, some in by_account.items() if pk not in accounts for one in some}
    for pk, account in accounts.items():
        verdicts |= _take(by_account[pk or 0], account, at=at)
    return verdicts


def _take(notices: Sequence[PgNotice], account: BankAccount, *, at: datetime) -> dict[int, Applied]:
    orders = {
        order.number: order
        for order in Order.objects.filter(
            number__in=[one.order_ref for one in notices if one.order_ref], payment_method=PaymentMethod.BANK_TRANSFER
        )
    }
    verdicts: dict[int, Applied] = {}
    rows: dict[int, BankRow] = {}
    prints: dict[int, str] = {}
    again: dict[int, Order] = {}
    for notice in notices:
        if not notice.order_ref:
            rows[notice.pk] = row = _moved(notice)
            told = row.balance is None
            prints[notice.pk] = (
                print_of(account, "trace", notice.event_key) if told else fingerprints(account, [row])[0]
            )
        elif (order := orders.get(notice.order_ref)) is None:
            verdicts[notice.pk] = _unknown(notice, at=at)
        elif order.steps & BIT[LineState.AWAITING_PAYMENT] and order.open_amount > 0:
            rows[notice.pk] = _claimed(notice, order)
            prints[notice.pk] = print_of(account, "order", order.number)
            again[notice.pk] = order
        else:
            verdicts[notice.pk] = KNOWN
    before = _matched_before(account, again, prints)
    facts: dict[str, Any] = {"source": DepositSource.FEED, "at": at}
    taken = take_in(account=account, rows=list(rows.values()), prints=list(prints.values()), **facts)
    for place, notice in enumerate(one for one in notices if one.pk in rows):
        if place in taken.created:
            verdicts[notice.pk] = TAKEN
        elif notice.pk in before:
            verdicts[notice.pk] = _matched_again(notice, again[notice.pk], before[notice.pk], at=at)
        else:
            verdicts[notice.pk] = KNOWN
    return verdicts


def _matched_before(
    account: BankAccount, claims: Mapping[int, Order], prints: Mapping[int, str]
) -> dict[int, BankDeposit]:
    """Deposits of earlier matches of these orders that are done with, by the notice that tells of another."""
    mine = {prints[pk]: pk for pk in claims}
    done = BankDeposit.objects.filter(account=account, fingerprint__in=mine).exclude(state__in=WAITING)
    known = {one.fingerprint: one for one in done}
    return {pk: known[prints[pk]] for pk in claims if prints[pk] in known}


def _matched_again(notice: PgNotice, order: Order, first: BankDeposit, *, at: datetime) -> Applied:
    """The order waits for money once more, and the service says that some came: the same transfer, or a second one?

    The same telling changes nothing; of another a person finds out. A deposit that never was could be given back.
    """
    if (notice.occurred_at or notice.received_at) == first.at:
        return KNOWN
    detail = AGAIN.format(number=order.number)
    kind = ProblemKind.DUPLICATE_DEPOSIT
    MoneyProblem.objects.create(kind=kind, notice=notice, amount=order.open_amount, found_at=at, detail=detail)
    return Applied(NoticeState.PARKED, "matched_again")


def _moved(notice: PgNotice) -> BankRow:
    return BankRow(
        notice.occurred_at or notice.received_at,
        notice.amount or 0,
        notice.depositor,
        str(notice.fields.get("memo", "")),
        notice.fields.get("balance"),
    )


def _claimed(notice: PgNotice, order: Order) -> BankRow:
    # The number behind the name keeps two orders of one buyer apart and makes the match certain.
    depositor = f"{order.depositor_name or order.buyer_name} {order.number}"
    return BankRow(notice.occurred_at or notice.received_at, order.open_amount, depositor)


def _unknown(notice: PgNotice, *, at: datetime) -> Applied:
    if notice.attempts <= TRIES:
        return Applied(NoticeState.RETRY, "unknown_order")
    MoneyProblem.objects.create(
        kind=ProblemKind.UNKNOWN_ORDER, notice=notice, amount=0, found_at=at, detail=notice.order_ref
    )
    return Applied(NoticeState.PARKED, "unknown_order")
