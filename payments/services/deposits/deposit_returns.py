"""입금 반환: a bank deposit that is for no order goes back, as a refund that staff transfer by the bank's list.

The deposit waits as 반환 중 until the transfer is done, so that nobody connects it meanwhile; a withdrawn return brings
it back into the queue. Approval by two people as for every refund. Source: domain.md 1.2, reliability.md 4.
"""

from datetime import datetime
from typing import Any

from core.events import record
from core.exceptions import Conflict, DomainError
from core.state import Change, Outcome, move
from orders.services.locking import locked_orders
from payments import events
from payments.models import BankDeposit, DepositCandidate, Refund, RefundAccount
from payments.models.refund import sealed
from payments.services.deposits.allocating import queued
from payments.services.deposits.deposit_locks import keep_in_step
from payments.services.refunds.requesting import BAD_ACCOUNT, NO_ACCOUNT, approve_own, is_good_account
from payments.services.refunds.second_person import Watch
from payments.states import RefundState, RefundWay


def give_back(
    *,
    deposit_id: int,
    account: RefundAccount | None,
    reason: str,
    actor: Any,
    at: datetime,
    seen_version: int | None = None,
) -> Refund:
    """입금 반환 신청: a waiting deposit, whole, to the account of its sender; orders that it held are free again.

    Approved at once where the person may approve and no second one is needed (amount, sum of the day, another holder
    than the sender). Raises Conflict when somebody was faster, DomainError for a missing or impossible account.
    """
    if account is None or not is_good_account(account):
        raise DomainError(BAD_ACCOUNT if account else NO_ACCOUNT, code="bad_account")
    held = set(DepositCandidate.objects.filter(deposit=deposit_id, holds=True).values_list("order_id", flat=True))
    with locked_orders(held, actor=actor):
        deposit = queued(deposit_id, seen_version)
        watch = Watch(actor, at)
        refund = Refund(
            deposit=deposit,
            way=RefundWay.BANK,
            amount=deposit.amount,
            reason=reason[:200],
            sealed_account=sealed(account),
            needs_second=watch.is_two_peoples(deposit.depositor, deposit.amount, account),
            requested_by=actor,
            requested_at=at,
        )
        refund.save(force_insert=True)
        facts: dict[str, Any] = {"at": at, "actor": actor}
        begun = move([deposit], BankDeposit.give_back, at=at, actor=actor, note=reason)
        if begun.refused:
            raise Conflict(begun.refused[deposit.pk], code="deposit_done")
        record(begun, events.DEPOSIT_RETURNING, reason=reason, **facts)
        data = {refund.pk: {"amount": refund.amount, "way": str(refund.way)}}
        opened = Outcome(changes=[Change(refund, "", RefundState.DRAFT, 0)])
        record(opened, events.REFUND_REQUESTED, reason=reason, data=data, **facts)
        approve_own([refund], batch=None, source="", **facts)
        keep_in_step(order_ids=held, actor=actor, at=at)
    return refund
