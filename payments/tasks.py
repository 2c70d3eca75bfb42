"""Periodic work of payments: 자동취소, 대사, alarms, reminders, retention and the sweeps; called by core/slots.py."""

import logging
import time
from datetime import datetime
from typing import Any

from payments.services import reminding
from payments.services.deposits import confirming
from payments.services.notices import draining, retaining, sweeping
from payments.services.watching import alarms, card_checks, reconciling
from payments.services.watching.overdue import ask_first, cancel_overdue, overdue_orders, transfer_orders

log = logging.getLogger("payments.tasks")

LONGEST = 60.0
"""Seconds of one run of what comes again soon; the next run goes on with what is left."""


def cancel_unpaid_overdue(*, at: datetime, **kwargs: Any) -> int:
    """자동취소 (C48): every order whose 입금기한 is over, without a daily cap; returns how many lines were canceled.

    Orders with a deposit that waits for matching, or with part of the money, are skipped; the PG of an order is asked
    first, and only its clear "not paid" lets the order be canceled. Rows of the bank that nobody has compared yet are
    compared before, and those that wait once more; no order that a transfer pays ends while one of them is left.
    Source: domain.md T4, A05; payments.md 5.6; reliability.md F47.
    """
    canceled, after = 0, 0
    silent: set[int] = set()
    while ids := overdue_orders(at=at, after=after):
        # Nobody but their own relay asks about these, ever more seldom.
        kept = card_checks.unseen(order_ids=ids)
        kept |= ask_first(order_ids=[pk for pk in ids if pk not in kept], at=at, silent=silent)
        # Last, because the questions to the PGs take their time.
        if not (confirming.settle_new(at=at) and confirming.look_again(order_ids=ids, at=at)):
            log.warning("deposits are being matched: no order that a transfer pays is canceled in this run")
            kept |= transfer_orders(order_ids=ids)
        outcome = cancel_overdue(order_ids=[pk for pk in ids if pk not in kept], at=at)
        canceled += len(outcome.moved)
        for line_id, reason in outcome.refused.items():
            log.info("line %s is not canceled: %s", line_id, reason)
        after = ids[-1]
    return canceled


def process_notices(*, at: datetime, **kwargs: Any) -> int:
    """알림 처리: what the relay drains too, so that a dead relay costs delay and never money; how many notices."""
    while sweeping.read_unread(at=at):
        pass
    began, taken = time.monotonic(), 0
    while time.monotonic() - began < LONGEST and (some := draining.drain(at=at)):
        taken += some
    return taken


def reconcile_soon(*, at: datetime, **kwargs: Any) -> int:
    """임박 대사: payments that are about to end unpaid; how many were asked about."""
    found = reconciling.reconcile_soon(at=at)
    log.info("%s payments asked about, %s changed", found.payments, found.changed)
    return found.payments


def reconcile_week(*, at: datetime, **kwargs: Any) -> int:
    """주간 대사: busy payments and those of open orders, with a report (reconciling.py); how many rows it has."""
    return len(reconciling.reconcile_week(at=at))


def remind_due(*, at: datetime, **kwargs: Any) -> int:
    """입금기한 알림: one day before the end, by day; how many buyers were told."""
    return reminding.remind_due(at=at)


def watch_money(*, at: datetime, **kwargs: Any) -> int:
    """경보: what about the money cannot wait; how many alarms stand."""
    return alarms.watch(at=at)


def retain_requests(*, at: datetime, **kwargs: Any) -> int:
    """보관: old bodies lose personal data, very old requests and accounts of refunds go; how many rows changed."""
    masked, destroyed, wiped = retaining.mask_old(at=at), retaining.destroy_old(at=at), retaining.wipe_accounts(at=at)
    log.info("%s requests of PGs masked, %s destroyed, %s accounts of refunds wiped", masked, destroyed, wiped)
    return masked + destroyed + wiped
