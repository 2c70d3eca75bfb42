"""Set-based writing: statements with progress, inserts that fill every column, functions made of the seed."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, models

from oms.seed import people
from oms.seed.plan import Plan

Say = Callable[[str], None]
ROWS_OF_ORDER = 1000
"""More rows than an order ever has in one table; ids are plenty."""
GAP = 10_000

# Chance is a hash of a row's number and the place where it is asked for: the same in every run and in any order.
_FUNCTIONS = """
CREATE OR REPLACE FUNCTION pg_temp.u(bigint, int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$f$ SELECT (hashint8extended($1 * 128 + $2, {seed}) & 2147483647)::float8 / 2147483648.0 $f$;
CREATE OR REPLACE FUNCTION pg_temp.pick(text[], float8) RETURNS text LANGUAGE sql IMMUTABLE AS
$f$ SELECT $1[1 + floor($2 * cardinality($1))::int] $f$;
CREATE OR REPLACE FUNCTION pg_temp.hours(float8) RETURNS interval LANGUAGE sql IMMUTABLE AS
$f$ SELECT round($1 * 3600) * interval '1 second' $f$;
CREATE OR REPLACE FUNCTION pg_temp.person(bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
$f$ SELECT CASE WHEN pg_temp.u($1, 1) < 0.01 THEN pg_temp.pick({companies}, pg_temp.u($1, 2)) || ' ' ELSE '' END
        || pg_temp.pick({surnames}, pg_temp.u($1, 3))
        || CASE WHEN pg_temp.u($1, 1) BETWEEN 0.01 AND 0.03 THEN ' ' ELSE '' END
        || substr({first}, 1 + floor(pg_temp.u($1, 4) * 40)::int, 1)
        || CASE WHEN pg_temp.u($1, 6) < 0.03 THEN '' ELSE substr({second}, 1 + floor(pg_temp.u($1, 5) * 40)::int, 1) END
$f$;
CREATE OR REPLACE FUNCTION pg_temp.phone(bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
$f$ SELECT CASE WHEN pg_temp.u($1, 7) < 0.05 THEN '0507' WHEN pg_temp.u($1, 7) < 0.055 THEN '10' ELSE '010' END
        || lpad(floor(2e7 + pg_temp.u($1, 8) * 7.9e7)::text, 8, '0') $f$;
"""


def quoted(text: str) -> str:
    """SQL literal of a text; backslashes mean themselves, as PostgreSQL reads them by default."""
    return "'" + text.replace("'", "''") + "'"


def instant(at: datetime) -> str:
    """SQL literal of an instant."""
    return f"TIMESTAMPTZ '{at.isoformat()}'"


def texts(values: Sequence[str]) -> str:
    """SQL literal of a text array."""
    return f"ARRAY[{', '.join(map(quoted, values))}]::text[]"


class Loader:
    """적재기: runs the statements of one load inside the caller's transaction and says how far it is."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self.plan, self.say = plan, say
        self.bases: dict[type[models.Model], int] = {}

    def prepare(self) -> None:
        """Memory for sorting, and the functions of the seed."""
        self.run("SET LOCAL work_mem = '192MB'; SET LOCAL maintenance_work_mem = '512MB'")
        self.run(
            _FUNCTIONS.format(
                seed=self.plan.seed,
                surnames=texts(people.SURNAMES),
                companies=texts(people.COMPANIES),
                first=quoted(people.GIVEN_FIRST),
                second=quoted(people.GIVEN_SECOND),
            )
        )

    def run(self, sql: str, label: str = "") -> int:
        """One statement; with a label its rows and seconds are told."""
        started = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows = cursor.rowcount
        if label:
            self.say(f"{label}: {max(rows, 0):,}행, {time.monotonic() - started:.1f}초")
        return rows

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def one(self, sql: str) -> Any:
        """First column of the first row."""
        return self.rows(sql)[0][0]

    def table(self, name: str, sql: str, *, key: str = "", label: str = "") -> None:
        """A table for the time of the load, with statistics and, if asked for, an index."""
        self.run(f"DROP TABLE IF EXISTS pg_temp.{name}")
        self.run(f"CREATE TEMP TABLE {name} ON COMMIT DROP AS {sql}", label)
        if key:
            self.run(f"CREATE INDEX ON {name} ({key})")
        self.run(f"ANALYZE {name}")

    def base(self, model: type[models.Model]) -> int:
        """New rows are numbered from behind this id, as far as `ROWS_OF_ORDER` reaches for each order."""
        if model not in self.bases:
            table = model._meta.db_table
            if self.one(f"SELECT EXISTS (SELECT FROM {table})"):
                # Others write beside us: whoever draws an id between the two steps draws one of the gap.
                room = ROWS_OF_ORDER * self.plan.orders
                drawn = f"nextval(pg_get_serial_sequence('{table}', 'id'))"
                moved = f"setval(pg_get_serial_sequence('{table}', 'id'), {drawn} + {GAP} + {room})"
                self.bases[model] = self.one(f"SELECT {moved} - {room}")
            else:
                self.bases[model] = 0
        return self.bases[model]

    def insert(self, model: type[models.Model], columns: Mapping[str, str], source: str, label: str = "") -> int:
        """INSERT … SELECT; columns that are not named get what a new row of the model gets."""
        cells = _defaults(model, self.plan.at) | dict(columns)
        names = ", ".join(f'"{name}"' for name in cells)
        values = ",\n ".join(cells.values())
        sql = f"INSERT INTO {model._meta.db_table} ({names})\nSELECT {values}\n{source}"
        return self.run(sql, label)

    def finish(self) -> None:
        """Move the sequences of tables that were empty behind the ids that were given out by hand."""
        for model, base in self.bases.items():
            if base == 0:
                table = model._meta.db_table
                self.run(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest(max(id), 1), max(id) IS NOT NULL)"
                    f" FROM {table}"
                )


def _defaults(model: type[models.Model], at: datetime) -> dict[str, str]:
    """Values of a new row for every column that may not be empty, as SQL."""
    found: dict[str, str] = {}
    with connection.cursor() as cursor:
        for field in model._meta.concrete_fields:
            if field.primary_key or (field.null and not field.has_default()):
                continue
            if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
                found[str(field.column)] = instant(at)
                continue
            value = field.get_db_prep_save(field.get_default(), connection)
            found[str(field.column)] = cursor.mogrify("%s", [value]).decode()
    return {name: literal for name, literal in found.items() if literal != "NULL"}
