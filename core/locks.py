"""Row locks: one order for everybody, a short wait, and the name of the person who holds them.

Lock order everywhere: orders, lines, payments, refunds and deposits, claims, shipments, parcels, stock, counters;
ids ascending (architecture.md 3).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DatabaseError, OperationalError, connection, transaction

from core.exceptions import Conflict
from core.lookups import id_array

LOCK_NOT_AVAILABLE = "55P03"
PREFIX = "oms:"
QUEUE_WAIT = timedelta(seconds=10)
"""Longer than a chunk of a file holds what all intake needs, shorter than a request may take (15 s a statement)."""
QUEUE_BUSY = "다른 주문 접수나 처리가 길어져 차례를 기다리다 멈췄습니다. 잠시 뒤 다시 시도하세요."


class LockTimeout(Conflict):
    """다른 직원이 처리 중: the rows stayed locked for longer than the lock timeout of 3 s."""

    code = "locked"


class QueueTimeout(LockTimeout):
    """차례를 기다리다 멈춤: a row that everybody needs for a moment stayed locked for longer than QUEUE_WAIT."""

    code = "busy"


def sqlstate(error: DatabaseError) -> str:
    """SQLSTATE of a database error, "" when it has none."""
    return str(getattr(error.__cause__, "pgcode", "") or "")


@contextmanager
def locking(*, actor: Any = None) -> Iterator[None]:
    """Open the transaction that takes row locks; turns a lock timeout into LockTimeout with the holder's name."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('application_name', %s, true)", [holder_name(actor)])
            yield
    except OperationalError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        raise LockTimeout(_busy_text()) from error


@contextmanager
def queueing(text: str = QUEUE_BUSY) -> Iterator[None]:
    """차례 기다리기: a transaction, or a part of one, that waits its turn for rows which everybody needs.

    A sales channel and a day's counter are held by whoever takes orders in at the moment; nobody is working on the same
    order, and 3 s say nothing. Raises QueueTimeout with `text` after QUEUE_WAIT; the usual wait holds again afterwards.
    """
    try:
        with transaction.atomic():
            before = _set_lock_timeout(f"{QUEUE_WAIT.total_seconds() * 1000:.0f}ms")
            yield
            _set_lock_timeout(before)
    except OperationalError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        raise QueueTimeout(text) from error


def _set_lock_timeout(value: str) -> str:
    """The wait until the end of the transaction (SET LOCAL, which a rollback undoes); returns the one before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT before.wait, set_config('lock_timeout', %s, true)"
            " FROM (SELECT current_setting('lock_timeout') AS wait OFFSET 0) before",
            [value],
        )
        return str(cursor.fetchone()[0])


def locked(queryset: Any, *, skip_locked: bool = False) -> list[Any]:
    """The rows of a queryset, locked FOR NO KEY UPDATE in ascending id order; missing rows are simply not there.

    `skip_locked` leaves out rows that somebody else holds, for work that comes round again by itself.
    """
    return list(queryset.select_for_update(of=("self",), no_key=True, skip_locked=skip_locked).order_by("pk"))


def locked_by(
    model: Any,
    ids: Iterable[int],
    *,
    key: str = "id",
    only: str = "",
    skip_locked: bool = False,
    fields: tuple[str, ...] = (),
) -> list[Any]:
    """What `locked()` gives for the rows whose `key` column is among the ids, by a statement that is put together once.

    For the rows that bulk acts read by the thousand: building the query takes Django as long as it takes PostgreSQL to
    answer it. `model` is a `core.rows.QuickRow` without columns that Django would convert; `only` is a fixed condition
    in SQL that the rows have to meet. `fields` are the columns (attribute names, "id" among them) that the caller and
    the transition look at; without them all are read. Half of the work of reading a wide row is making Python objects
    of what nobody looks at.
    """
    names = fields or _columns(model)
    with connection.cursor() as cursor:
        cursor.execute(_lock_sql(model, key, only, names) + (" SKIP LOCKED" if skip_locked else ""), [id_array(ids)])
        rows = cursor.fetchall()
    read, alias = model.from_db, connection.alias
    return [read(alias, names, row) for row in rows]


@cache
def _columns(model: Any) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


@cache
def _lock_sql(model: Any, key: str, only: str, names: tuple[str, ...]) -> str:
    quoted = connection.ops.quote_name
    column_of = {field.attname: field.column for field in model._meta.concrete_fields}
    columns = ", ".join(quoted(column_of[name]) for name in names)
    table, ordered = quoted(model._meta.db_table), quoted(model._meta.pk.column)
    wanted = f"{quoted(key)} = ANY(%s::bigint[])" + (f" AND {only}" if only else "")
    return f"SELECT {columns} FROM {table} WHERE {wanted} ORDER BY {ordered} FOR NO KEY UPDATE"


def holder_name(actor: Any) -> str:
    """Name of a session that holds locks for a member of staff; PostgreSQL keeps ASCII only, hence the id."""
    return f"{PREFIX}{actor.pk if actor is not None else 0}"


def _busy_text() -> str:
    names = "" if connection.needs_rollback else _other_names()
    who = f"{names} 님이" if names else "다른 직원이"
    return f"{who} 같은 주문을 처리하고 있습니다. 잠시 뒤 다시 시도하세요."


def _other_names() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND application_name LIKE %s AND xact_start < now() - interval '2 seconds'",
            [f"{PREFIX}%"],
        )
        ids = [int(name.removeprefix(PREFIX)) for (name,) in cursor.fetchall()]
    names = get_user_model().objects.filter(pk__in=ids).order_by("pk").values_list("display_name", flat=True)[:2]
    return ", ".join(names)
