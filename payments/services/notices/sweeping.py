"""웹훅 다시 읽기: requests that were stored and have no verdict, because their process died, are read again.

A PG that got its answer never tells again, so nobody else would find them. Source: payments.md 5.1, A63.
"""

import logging
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError

from payments.models import PgRequest
from payments.services.notices import receiving
from payments.services.pg_accounts import pg_of

log = logging.getLogger("payments.sweeping")

UNREAD_AFTER = timedelta(seconds=30)
"""No request takes this long; a younger one may still be at work."""
AT_ONCE = 50
FAILED = "judge_failed"


def read_unread(*, at: datetime) -> int:
    """다시 읽기: how many requests got their verdict. Two at once harm nobody: an event is stored once.

    A request that makes its reader fail is marked and logged, so that it does not hold up those behind it.
    """
    unread = PgRequest.objects.filter(status=None, at__lte=at - UNREAD_AFTER).select_related("account")
    rows = list(unread.order_by("at", "id")[:AT_ONCE])
    for row in rows:
        _read(row)
    return len(rows)


def _read(row: PgRequest) -> None:
    try:
        judgement = receiving.judge_again(row, account=row.account)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        # Bytes of anybody: one request that breaks its reader must not keep the sweep from those after it.
        log.exception("request %s cannot be judged", row.pk)
        receiving.finish(row, receiving.Judgement(receiving.Answer.UNAVAILABLE, FAILED), status=500, milliseconds=0)
        return
    status = pg_of(row.account).speak(judgement.answer).status
    receiving.finish(row, judgement, status=status, milliseconds=0)
