"""보관: what PGs sent us lies about as long as the law asks for it, and no person's data longer than needed.

The database lets nobody change or delete a request, but in a transaction that says so, and then only what is old
enough. Source: reliability.md R-14, payments.md 5.8, 5.9.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from core.masking import mask_name
from core.settings_registry import get_settings
from payments.bodies import charset_of, masked_body
from payments.models import LedgerEntry, PgNotice, PgRequest, Refund, VirtualAccount
from payments.models.notice import RETENTION
from payments.options import ACCOUNT_DAYS, BODY_DAYS, REQUEST_YEARS
from payments.states import EntryKind, RefundState

AT_ONCE = 200
"""Rows of one transaction; a body has 64 KiB at most."""
YEAR = timedelta(days=366)

_ALLOW = f"SELECT set_config('{RETENTION}', 'on', true)"
_MASK = """
UPDATE payments_pgrequest r SET body = v.body, masked_at = %s
FROM unnest(%s::bigint[], %s::bytea[]) AS v(id, body) WHERE r.id = v.id AND r.masked_at IS NULL
"""
_DESTROY = """
WITH old AS (SELECT id FROM payments_pgrequest WHERE at < %s ORDER BY at, id LIMIT %s FOR UPDATE SKIP LOCKED)
DELETE FROM payments_pgrequest r USING old WHERE r.id = old.id
"""


def mask_old(*, at: datetime) -> int:
    """개인정보 가리기: bodies older than the setting become their masked text; how many. Size and fingerprint stay.

    A request that nobody has read yet keeps its body. What was read out of it goes with it (mask_notices), and the name
    that the PG told with the money (mask_depositors).
    """
    before = at - timedelta(days=get_settings(BODY_DAYS.key)[BODY_DAYS.key])
    total = 0
    while done := _mask_some(before, at=at):
        total += done
    mask_notices(before=before)
    mask_depositors(before=before)
    return total


def mask_notices(*, before: datetime) -> int:
    """알림의 개인정보 가리기: of events that came before then and are done with; how many.

    The name of the sender is masked. The fields are emptied: the masked body of the request says the same.
    """
    total = 0
    while done := _mask_some_notices(before):
        total += done
    return total


def _mask_some_notices(before: datetime) -> int:
    clear = ~Q(fields={}) | (~Q(depositor="") & ~Q(depositor__contains="*"))
    with transaction.atomic():
        rows = PgNotice.objects.filter(clear, received_at__lt=before, finished_at__isnull=False)
        found = list(
            rows.select_for_update(skip_locked=True).only("pk", "depositor").order_by("received_at", "pk")[:AT_ONCE]
        )
        for one in found:
            # A sender's name that is hidden by now stays as it is.
            one.depositor, one.fields = mask_name(one.depositor), {}
        PgNotice.objects.bulk_update(found, ["depositor", "fields"])
    return len(found)


def mask_depositors(*, before: datetime) -> int:
    """가상계좌 입금자 가리기: of accounts that were opened before then and into which nothing came since; how many."""
    clear = VirtualAccount.objects.exclude(depositor="").exclude(depositor__contains="*").filter(created_at__lt=before)
    lately = LedgerEntry.objects.filter(payment=OuterRef("payment"), kind=EntryKind.DEPOSIT, at__gte=before)
    total = last = 0
    while True:
        with transaction.atomic():
            # From where the portion before ended: what was masked is not read again.
            rows = clear.filter(~Exists(lately), pk__gt=last)
            rows = rows.select_for_update(skip_locked=True, no_key=True, of=("self",))
            found = list(rows.only("pk", "depositor").order_by("pk")[:AT_ONCE])
            for one in found:
                one.depositor = mask_name(one.depositor)
            VirtualAccount.objects.bulk_update(found, ["depositor"])
        if not found:
            return total
        total, last = total + len(found), found[-1].pk


def _mask_some(before: datetime, *, at: datetime) -> int:
    old = PgRequest.objects.filter(at__lt=before, masked_at=None, status__isnull=False).order_by("at", "id")
    rows = list(old.values_list("pk", "body", "content_type", "account__charset")[:AT_ONCE])
    if not rows:
        return 0
    bodies = [
        masked_body(bytes(body), charset_of(bytes(body), content_type=kind, dialect=charset)).encode()
        for _, body, kind, charset in rows
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ALLOW)
        cursor.execute(_MASK, [at, [pk for pk, *_ in rows], bodies])
    return len(rows)


def wipe_accounts(*, at: datetime) -> int:
    """환불계좌 지우기: of refunds that ended longer ago than the setting; how many. They cannot be opened again."""
    before, total = at - timedelta(days=get_settings(ACCOUNT_DAYS.key)[ACCOUNT_DAYS.key]), 0
    ended = Q(state=RefundState.COMPLETED, completed_at__lt=before)
    # When one was withdrawn is not kept in it; nobody needs the account any more.
    ended |= Q(state=RefundState.WITHDRAWN, requested_at__lt=before)
    rows = Refund.objects.filter(ended).exclude(sealed_account="").order_by("pk")
    while ids := list(rows.values_list("pk", flat=True)[:AT_ONCE]):
        total += Refund.objects.filter(pk__in=ids).update(sealed_account="", account_wiped_at=at, updated_at=at)
    return total


def destroy_old(*, at: datetime) -> int:
    """파기: requests older than the setting go for good; how many. The notices and the ledger stay."""
    before, total = at - _kept_for(), 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_ALLOW)
            cursor.execute(_DESTROY, [before, AT_ONCE])
            done = cursor.rowcount
        if not done:
            return total
        total += done


def _kept_for() -> timedelta:
    # Leap years: never a day too early.
    return get_settings(REQUEST_YEARS.key)[REQUEST_YEARS.key] * YEAR
