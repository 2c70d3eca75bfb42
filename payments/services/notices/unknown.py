"""모르는 주문의 알림: a notice that names no payment of ours waits for half an hour, then for a person (A48).

The order may still arrive. Of one payment there is one case, however many notices tell of it, with the sum that the PG
itself names. What anybody could have sent, and the PG does not know either, is no case (A66): otherwise whoever learns
an address could fill the list of those who look for money. Source: payments.md 5.5, 5.7.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction

from payments.adapters.base import Kind, NotAtPg, PgProblem, Ref
from payments.models import MoneyProblem, Payment, PgNotice
from payments.services.notices.asking import may_ask
from payments.services.pg_accounts import HURRIED, client_of, facts_of, pg_of
from payments.services.snapshots.applying import LATER, Applied
from payments.states import NoticeState, ProblemKind

log = logging.getLogger("payments.notices")

TRIES = 4
MONEY_IN = frozenset({Kind.DEPOSITED})
AGAIN = Applied(NoticeState.RETRY, "unknown_order")
SHOWN = Applied(NoticeState.PARKED, "unknown_order")
NOBODYS = Applied(NoticeState.REJECTED, "not_at_pg")
SUPERSEDED = Applied(NoticeState.IGNORED, "superseded")


def judge(notices: Sequence[PgNotice], *, at: datetime) -> dict[int, Applied]:
    """판정 by notice id of all that one unknown payment was told of just now. Outside any transaction.

    An account that we closed and replaced by another one has nothing to tell but money.
    """
    found = {one.pk: SUPERSEDED for one in notices if one.kind not in MONEY_IN and _is_replaced(one)}
    left = [one for one in notices if one.pk not in found]
    due = [one for one in left if one.attempts > TRIES]
    found |= {one.pk: AGAIN for one in left if one.attempts <= TRIES}
    if not due:
        return found
    if not due[0].is_proven and not may_ask(due[0].account_id, at=at):
        return found | {one.pk: LATER for one in due}
    try:
        won = _won_at_pg(due[0])
    except NotAtPg:
        return found | _judge_unknown_at_pg(due, at=at)
    _show(due, won, at=at)
    return found | {one.pk: SHOWN for one in due}


def _judge_unknown_at_pg(due: Sequence[PgNotice], *, at: datetime) -> dict[int, Applied]:
    """The PG does not know the payment of the first of them: what proves its sender is shown all the same.

    The others of the same payment are invented; those that name another one under this order have their own turn, so
    that an invented number takes no genuine notice with it.
    """
    proven = [one for one in due if one.is_proven]
    if proven:
        _show(proven, None, at=at)
    named = due[0].payment_ref
    verdicts = {one.pk: NOBODYS if one.payment_ref == named else LATER for one in due}
    return verdicts | {one.pk: SHOWN for one in proven}


def _won_at_pg(notice: PgNotice) -> int | None:
    """What the PG says that stands there by now; None when it cannot be asked or does not say. Raises NotAtPg."""
    account = notice.account
    ref = Ref(order_ref=notice.order_ref, payment_ref=notice.payment_ref, at=notice.received_at)
    connection.close_if_unusable_or_obsolete()
    try:
        # In the drain's own thread: the notices of every other PG wait meanwhile.
        snapshot = pg_of(account).fetch(client_of(account, HURRIED), account=facts_of(account), ref=ref)
    except NotAtPg:
        raise
    except PgProblem as problem:
        log.warning("the unknown payment of notice %s cannot be asked about: %s", notice.pk, problem)
        return None
    except Exception:
        # Neither a fault of ours nor an answer that nobody foresaw may keep the case from the person who looks into it.
        log.exception("the unknown payment of notice %s cannot be asked about", notice.pk)
        return None
    return sum(one.amount for one in snapshot.deposits) - sum(one.amount for one in snapshot.refunds)


def _show(notices: Sequence[PgNotice], won: int | None, *, at: datetime) -> None:
    """One case of an unknown payment: the open one is brought up to date; one that a person has closed is opened again
    only by another sum.
    """
    first = notices[0]
    told = max(one.amount or 0 for one in notices)
    with transaction.atomic():
        with connection.cursor() as cursor:
            key = f"{first.account_id} {first.order_ref}"
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('unknown payment'), hashtext(%s))", [key])
        mine = MoneyProblem.objects.filter(
            kind=ProblemKind.UNKNOWN_ORDER, notice__account=first.account_id, notice__order_ref=first.order_ref
        )
        known = mine.filter(resolved_at=None).order_by("pk").first() or mine.order_by("-pk").first()
        amount = won if won is not None else max(told, known.amount if known else 0)
        if known is None or (known.resolved_at is not None and known.amount != amount):
            MoneyProblem.objects.create(
                kind=ProblemKind.UNKNOWN_ORDER, notice=first, amount=amount, found_at=at, detail=first.order_ref
            )
        elif known.resolved_at is None:
            mine.filter(pk=known.pk).exclude(amount=amount).update(amount=amount, updated_at=at)


def _is_replaced(notice: PgNotice) -> bool:
    number, _, attempt = notice.order_ref.rpartition("-")
    present = Payment.objects.filter(account=notice.account_id, order__number=number).values_list(
        "order_ref", flat=True
    )
    later = (str(ref).rpartition("-")[2] for ref in present)
    return attempt.isdecimal() and any(one.isdecimal() and int(one) > int(attempt) for one in later)
