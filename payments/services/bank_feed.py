"""은행 거래 수신: notices of a service that watches our account become rows of its statement (payments.md 2.10).

An order that the service says it has matched is believed only as far as our own amount goes: it becomes a row over
what the order still wants, and payments/services/deposits.py decides.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from orders.models import Order
from orders.states import BIT, LineState, PaymentMethod
from payments.models import BankAccount, MoneyProblem, PgNotice
from payments.services.applying import Applied
from payments.services.bank import BankRow, take_in
from payments.states import DepositSource, NoticeState, ProblemKind

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
    for notice in notices:
        if not notice.order_ref:
            rows[notice.pk] = _moved(notice)
        elif (order := orders.get(notice.order_ref)) is None:
            verdicts[notice.pk] = _unknown(notice, at=at)
        elif order.steps & BIT[LineState.AWAITING_PAYMENT] and order.open_amount > 0:
            rows[notice.pk] = _claimed(notice, order)
        else:
            verdicts[notice.pk] = KNOWN
    taken = take_in(account=account, rows=list(rows.values()), source=DepositSource.FEED, at=at)
    return verdicts | {pk: TAKEN if place in taken.created else KNOWN for place, pk in enumerate(rows)}


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
