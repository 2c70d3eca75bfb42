"""가상계좌 배우기: what a PG tells of an account that we do not know yet becomes our row.

Who paid, the PG tells with the money. An account from the PG's own window is learnt from any answer that is applied:
of the relay, of a notice, before 자동취소, of a reconciliation. Source: payments.md 5.5, 5.6.
"""

from collections.abc import Mapping
from datetime import datetime

from core.events import record
from core.masking import mask_name
from core.models import Source
from core.state import Change, Outcome
from orders.deadlines import take_deposit_by
from orders.models import Order
from orders.states import LineState
from payments.adapters.base import PgState, Snapshot
from payments.events import VIRTUAL_ISSUED
from payments.models import Payment, VirtualAccount
from payments.services.ledger import problems
from payments.services.snapshots.following import ENDED_AT_PG
from payments.states import ENDED, VirtualState

UNOPENED = frozenset({VirtualState.PENDING, VirtualState.FAILED})
UNPAID = frozenset({PgState.READY, PgState.WAITING})


def learn(told: Mapping[int, Snapshot], *, at: datetime) -> None:
    """가상계좌 배우기 by payment id: who paid; of a window also number and deadline, the order's while it waits.

    Orders and payments are locked and follow the answer already. The account of a canceled order is closed at the PG.
    """
    problems.know_again(told, at=at)
    _keep_depositors(told)
    numbered = [pk for pk, one in told.items() if one.account is not None and one.state != PgState.FAILED]
    rows = VirtualAccount.objects.filter(pk__in=numbered, is_from_window=True, state__in=UNOPENED)
    for virtual in rows.select_for_update(no_key=True, of=("self",)).select_related("payment__order").order_by("pk"):
        order, snapshot = virtual.payment.order, told[virtual.pk]
        is_open = write(virtual.payment, virtual, snapshot, is_wanted=order.stage not in ENDED, at=at)
        if is_open:
            _take_deadline(order, snapshot)


def _keep_depositors(told: Mapping[int, Snapshot]) -> None:
    """입금자 as the PG tells it; the newest word stands. A name that was masked for its age is not told anew."""
    for pk, snapshot in told.items():
        if name := snapshot.depositor[:60]:
            mine = VirtualAccount.objects.filter(pk=pk)
            mine.exclude(depositor__in=[name, mask_name(name)]).update(depositor=name)


def write(payment: Payment, virtual: VirtualAccount, snapshot: Snapshot, *, is_wanted: bool, at: datetime) -> bool:
    """계좌 적기: its row is locked and stands in UNOPENED; whether it is open for the order from now on."""
    given = snapshot.account
    if given is None:
        return False
    rows = VirtualAccount.objects.filter(pk=virtual.pk)
    due_at = snapshot.due_at or virtual.due_at
    facts = {"bank": given.bank, "number": given.number, "holder": given.holder, "due_at": due_at}
    if snapshot.state in ENDED_AT_PG:
        rows.end_unopened(at=at, **facts)
        return False
    if not is_wanted and snapshot.state in UNPAID:
        rows.open_in_vain(at=at, **facts)
        return False
    rows.open(at=at, **facts)
    if is_wanted:
        _tell(payment, virtual, at=at)
    return is_wanted


def _take_deadline(order: Order, snapshot: Snapshot) -> None:
    """입금기한 of the PG: the buyer was told that one."""
    if snapshot.due_at is not None and order.stage == LineState.AWAITING_PAYMENT:
        take_deposit_by(order, due_at=snapshot.due_at)


def _tell(payment: Payment, virtual: VirtualAccount, *, at: datetime) -> None:
    """The history and the buyer hear of it; every attempt is a version of its own, and a window has one."""
    attempt = 1 if virtual.is_from_window else int((payment.order_ref or "-1").rpartition("-")[2])
    change = Change(virtual, VirtualState.PENDING, VirtualState.ISSUED, attempt)
    record(Outcome(changes=[change]), VIRTUAL_ISSUED, at=at, source=Source.PG)
