"""조회 예산: notices that nothing proves must not make us flood the PG (payments.md 5.5).

Whoever learns the address of an endpoint can send as many of them as the line carries. A notice that its PG has signed
is asked about at once; the others of an account share a few questions a second, and those that a newer answer of the PG
has overtaken are not asked about at all. Orders that we do not know are asked about once, when they are shown to a
person, and out of the same budget.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from payments.models import Payment, PgBudget, PgNotice

A_SECOND = 5
"""Questions for the unproven notices of one account, by all processes together."""
SECOND = timedelta(seconds=1)
FRESH = frozenset({"", "waits_its_turn"})
"""Reasons of notices that nobody has asked about yet."""
BY_PERSON = frozenset({"replayed", "attached"})
"""Reasons of notices that staff have made due."""


def is_overtaken(notices: Collection[PgNotice], payment: Payment) -> bool:
    """지난 알림: nothing proves them, and since the last of them came the PG was asked about their payment."""
    if payment.asked_at is None or any(one.is_proven or one.reason not in FRESH for one in notices):
        return False
    return max(one.received_at for one in notices) <= payment.asked_at


def over_budget(asked: Mapping[int, Sequence[PgNotice]], *, at: datetime) -> set[int]:
    """차례를 기다릴 결제: ids of those payments whose unproven notices may not be asked about just now.

    `asked` are the notices of each payment; one with a proven notice, or one that staff made due, needs no budget.
    """
    unproven: dict[int, list[int]] = defaultdict(list)
    for payment_id, notices in asked.items():
        if not any(one.is_proven or one.reason in BY_PERSON for one in notices):
            unproven[notices[0].account_id].append(payment_id)
    waiting: set[int] = set()
    for account_id, payment_ids in sorted(unproven.items()):
        waiting |= set(payment_ids[_take(account_id, wanted=len(payment_ids), at=at) :])
    return waiting


def may_ask(account_id: int, *, at: datetime) -> bool:
    """조회 한 번: whether one more question of this account that nothing proves may be asked just now."""
    return _take(account_id, wanted=1, at=at) == 1


def _take(account_id: int, *, wanted: int, at: datetime) -> int:
    """How many questions are granted: A_SECOND at once, and one more for each part of a second that goes by."""
    space = SECOND / A_SECOND
    with transaction.atomic():
        PgBudget.objects.bulk_create([PgBudget(account_id=account_id, until=at)], ignore_conflicts=True)
        until = PgBudget.objects.select_for_update(no_key=True).get(pk=account_id).until
        # A moment far ahead is that of a clock that was set back.
        begin = until if at < until <= at + SECOND else at
        given = min(wanted, int((at + SECOND - begin) / space))
        if given:
            PgBudget.objects.filter(pk=account_id).update(until=begin + given * space)
    return given
