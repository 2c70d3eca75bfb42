"""Indexes and foreign keys stand aside while a million rows come in, and are built once at the end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection

from oms.seed.loader import Loader
from orders.models import BenefitEntry, LineLock, Order, OrderEvent, OrderLine, OrderSearch
from payments.models import LedgerEntry, Payment
from products.models import StockMovement
from shipping.models import Parcel, ParcelLine, Shipment, ShipmentLine, TrackingEvent, TrackingPoll

LARGE = (
    Order, OrderLine, OrderSearch, OrderEvent, LineLock, BenefitEntry, Payment, LedgerEntry, StockMovement, Shipment,
    ShipmentLine, Parcel, ParcelLine, TrackingEvent, TrackingPoll,
)  # fmt: skip

# Primary keys stay: rows come in the order of their ids, and foreign keys of small tables hang on them.
_KEYS = """
    SELECT c.conrelid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid), c.contype
    FROM pg_constraint c
    WHERE (c.conrelid = ANY(%s::regclass[]) AND c.contype IN ('f', 'u'))
       OR (c.confrelid = ANY(%s::regclass[]) AND c.contype = 'f')
    ORDER BY c.contype, c.conname
"""
_INDEXES = """
    SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
    FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')
    WHERE i.indrelid = ANY(%s::regclass[]) AND c.oid IS NULL
    ORDER BY i.indrelid::regclass::text, 1
"""


@dataclass(frozen=True, slots=True)
class _Key:
    """A constraint with the words that make it again."""

    table: str
    name: str
    definition: str
    kind: str

    @property
    def making(self) -> str:
        return f"ALTER TABLE {self.table} ADD CONSTRAINT {self.name} {self.definition}"


@contextmanager
def stripped(load: Loader) -> Iterator[None]:
    """인덱스 없이 적재: inside, the large tables have only their primary keys; everything stands again afterwards.

    Part of the caller's transaction: when anything fails, nothing was ever dropped.
    """
    tables = [model._meta.db_table for model in LARGE]
    with connection.cursor() as cursor:
        cursor.execute(_KEYS, [tables, tables])
        keys = [_Key(*row) for row in cursor.fetchall()]
        cursor.execute(_INDEXES, [tables])
        indexes = cursor.fetchall()
    for key in sorted(keys, key=lambda key: key.kind != "f"):
        load.run(f"ALTER TABLE {key.table} DROP CONSTRAINT {key.name}")
    for name, _ in indexes:
        load.run(f"DROP INDEX {name}")
    # The only triggers on INSERT refuse first states, which a finished row does not have.
    for table in tables:
        load.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    if load.one("SHOW is_superuser") == "on":
        load.run("SET LOCAL wal_compression = off")
    yield
    for table in tables:
        load.run(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    _rebuild(load, indexes, keys)


def _rebuild(load: Loader, indexes: Sequence[tuple[str, str]], keys: Sequence[_Key]) -> None:
    for n, (name, definition) in enumerate(indexes, 1):
        load.run(definition, f"인덱스 {n}/{len(indexes)} {name}")
    for key in sorted(keys, key=lambda key: key.kind == "f"):
        load.run(key.making)
    load.say(f"제약 조건 {len(keys)}개를 다시 걸었습니다.")
