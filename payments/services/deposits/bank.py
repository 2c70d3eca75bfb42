"""입금내역: rows of bank statements come in, each once, however often its file or notice comes.

What they are for is found out afterwards by payments/services/deposits/confirming.py.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction

from core import drains
from core.models import Job
from payments.models import BankAccount, BankDeposit
from payments.names import name_key
from payments.states import DepositSource

CHANNEL = "oms_deposits"
LONGEST_NAME, LONGEST_KEY, LONGEST_MEMO = 60, 120, 200


@dataclass(frozen=True, slots=True)
class BankRow:
    """거래 한 줄: money that came in; won; `balance` None where the statement does not say."""

    at: datetime
    amount: int
    depositor: str
    memo: str = ""
    balance: int | None = None


@dataclass(slots=True)
class TakenIn:
    """들어온 내역: the new deposit of each row by its place, and how many rows were there already."""

    created: dict[int, int] = field(default_factory=dict)
    known: int = 0


def fingerprints(account: BankAccount, rows: Sequence[BankRow]) -> list[str]:
    """지문: account, minute, amount, balance and depositor of each row.

    Seconds are left out because one source gives them and another does not. Rows that say exactly the same without a
    balance are counted, so that two transfers stay two.
    """
    seen: Counter[tuple[object, ...]] = Counter()
    found = []
    for row in rows:
        minute = row.at.replace(second=0, microsecond=0).timestamp()
        facts = (account.pk, int(minute), row.amount, row.balance, "".join(row.depositor.split()))
        nth = seen[facts] if row.balance is None else 0
        seen[facts] += 1
        found.append(hashlib.sha256("\x1f".join(map(str, (*facts, nth))).encode()).hexdigest())
    return found


def print_of(account: BankAccount, *told: str) -> str:
    """지문 of a row that its source numbers itself: the same number is the same money, another one is other money."""
    return hashlib.sha256("\x1f".join(("told", str(account.pk), *told)).encode()).hexdigest()


def take_in(
    *, account: BankAccount, rows: Sequence[BankRow], source: DepositSource, at: datetime, batch: Job | None = None,
    prints: Sequence[str] | None = None,
) -> TakenIn:  # fmt: skip
    """입금내역 받기: stores what is not known yet, the relay then looks for its orders; again it changes nothing.

    `prints` are the fingerprints when they were made of the whole file and `rows` are only a part of it, or when the
    source numbers its rows; rows with the same one are one deposit.
    """
    prints = prints or fingerprints(account, rows)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            {
                "account": account.pk,
                "source": str(source),
                "now": at,
                "batch": batch.pk if batch else None,
                "at": [row.at for row in rows],
                "amount": [row.amount for row in rows],
                "depositor": [_plain(row.depositor)[:LONGEST_NAME] for row in rows],
                "key": [name_key(row.depositor)[:LONGEST_KEY] for row in rows],
                "memo": [_plain(row.memo)[:LONGEST_MEMO] for row in rows],
                "balance": [row.balance for row in rows],
                "print": list(prints),
            },
        )
        ids = dict(cursor.fetchall())
        if ids:
            drains.notify(CHANNEL)
    first = {text: place for place, text in reversed(list(enumerate(prints)))}
    created = {first[text]: pk for text, pk in ids.items()}
    return TakenIn(created, len(rows) - len(created))


def known_rows(*, account: BankAccount, rows: Sequence[BankRow], source: DepositSource) -> set[int]:
    """이미 있는 내역: places of the rows that `take_in` would not store; one query."""
    prints = fingerprints(account, rows)
    with connection.cursor() as cursor:
        cursor.execute(
            _KNOWN,
            {
                "account": account.pk,
                "source": str(source),
                "batch": None,
                "at": [row.at for row in rows],
                "amount": [row.amount for row in rows],
                "key": [name_key(row.depositor)[:LONGEST_KEY] for row in rows],
                "balance": [row.balance for row in rows],
                "print": prints,
            },
        )
        return {place - 1 for (place,) in cursor.fetchall()}


def _plain(text: str) -> str:
    return " ".join(text.replace("\x00", "").split())


SAME_DAY = "(d.at AT TIME ZONE 'Asia/Seoul')::date = (v.at AT TIME ZONE 'Asia/Seoul')::date"
NO_TIME = "time '00:00' IN ((d.at AT TIME ZONE 'Asia/Seoul')::time, (v.at AT TIME ZONE 'Asia/Seoul')::time)"
"""One of the two rows is of a statement that names the day only."""
# The same money told by another source, whose clock is coarser, or by another layout of a file that has days only: same
# day, amount, depositor and balance after it.
_TOLD = f"""
SELECT 1 FROM payments_bankdeposit d WHERE d.account_id = %(account)s AND d.amount = v.amount
AND d.balance = v.balance AND d.name_key = v.key AND {SAME_DAY}
AND (d.source <> %(source)s
     OR {NO_TIME} AND (%(batch)s::bigint IS NULL OR d.batch_id IS DISTINCT FROM %(batch)s::bigint))
"""
_INSERT = f"""
INSERT INTO payments_bankdeposit (account_id, at, amount, depositor, name_key, memo, balance, source, fingerprint,
    state, reason, explained, note, batch_id, created_at, updated_at, allocated_amount, version)
SELECT %(account)s, v.at, v.amount, v.depositor, v.key, v.memo, v.balance, %(source)s, v.print,
    'NEW', '', '', '', %(batch)s, %(now)s, %(now)s, 0, 0
FROM unnest(%(at)s::timestamptz[], %(amount)s::bigint[], %(depositor)s::text[], %(key)s::text[], %(memo)s::text[],
            %(balance)s::bigint[], %(print)s::text[])
     WITH ORDINALITY AS v(at, amount, depositor, key, memo, balance, print, n)
WHERE NOT EXISTS ({_TOLD})
ORDER BY v.n
ON CONFLICT (fingerprint) DO NOTHING RETURNING fingerprint, id
"""
_KNOWN = f"""
SELECT v.n FROM unnest(%(at)s::timestamptz[], %(amount)s::bigint[], %(key)s::text[], %(balance)s::bigint[],
                       %(print)s::text[]) WITH ORDINALITY AS v(at, amount, key, balance, print, n)
WHERE EXISTS (SELECT 1 FROM payments_bankdeposit d WHERE d.fingerprint = v.print) OR EXISTS ({_TOLD})
"""


def waiting_ids(*, limit: int) -> list[int]:
    """확인할 입금: new rows, oldest first; through the partial index of new rows."""
    new = BankDeposit.objects.filter(state="NEW").order_by("at", "pk")
    return list(new.values_list("pk", flat=True)[:limit])
