"""What a database held before the first test, and the way back to it without a new copy of the whole database.

A copy costs some 400 files; most tests write a few dozen rows. Whatever is more than rows (a changed table, statistics
of the planner, a bloated table) is left to the copy.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

from django.db import connection

MOST_BYTES = 1024 * 1024
"""A table that has grown further is copied: what was deleted in it would slow the tests that come."""
NAMES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
IN_USE = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
REWIND = """SELECT setval(to_regclass(quote_ident(sequencename)), coalesce(%s, start_value), %s)
            FROM pg_sequences WHERE schemaname = 'public' AND sequencename = %s"""
# A row of a catalogue gets another xmin with every change of the thing that it describes.
SHAPE = """
WITH own AS (SELECT oid, xmin FROM pg_class WHERE relnamespace = 'public'::regnamespace)
SELECT (SELECT sum(hashtext(oid::text || ':' || xmin)) FROM own),
       (SELECT sum(hashtext(attrelid || '.' || attnum || ':' || a.xmin))
          FROM pg_attribute a JOIN own ON own.oid = attrelid),
       (SELECT sum(hashtext(c.oid || ':' || c.xmin)) FROM pg_constraint c JOIN own ON own.oid = conrelid),
       (SELECT sum(hashtext(t.oid || ':' || t.xmin)) FROM pg_trigger t JOIN own ON own.oid = tgrelid),
       (SELECT sum(hashtext(indexrelid || ':' || i.xmin)) FROM pg_index i JOIN own ON own.oid = indrelid),
       (SELECT sum(hashtext(oid || ':' || xmin)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
       (SELECT count(*) FROM pg_statistic JOIN own ON own.oid = starelid),
       (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_'),
       (SELECT count(*) FROM pg_db_role_setting
         WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
LARGEST = """SELECT max(pg_relation_size(oid)) FROM pg_class
             WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"""
OTHERS = """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""


@dataclass(frozen=True)
class FirstRows:
    """처음 상태: shape, rows (as COPY writes them) and sequences of the database right after it was copied."""

    shape: tuple[Any, ...]
    tables: tuple[str, ...]
    rows: dict[str, bytes]
    sequences: dict[str, int]

    @classmethod
    def read(cls) -> "FirstRows | None":
        """Those of the present database; None for a log-in that may not switch triggers off."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            if not cursor.fetchone()[0]:
                return None
            cursor.execute(NAMES)
            tables = tuple(name for (name,) in cursor.fetchall())
            rows = {name: _rows(cursor, name) for name in _filled(cursor, tables)}
            return cls(_shape(cursor), tables, rows, _sequences(cursor))

    def restore(self) -> bool:
        """Put the rows back; False when the database has changed in more than rows, or grown too much."""
        with connection.cursor() as cursor:
            cursor.execute(OTHERS)
            cursor.execute(LARGEST)
            if cursor.fetchone()[0] > MOST_BYTES or _shape(cursor) != self.shape:
                return False
            # Rows of others are deleted in any order, and history may go: no keys, no triggers.
            cursor.execute("SET session_replication_role = replica")
            filled = set(_filled(cursor, self.tables)) | set(self.rows)
            for name in sorted(filled):
                self._restore(cursor, name)
            for name in {*_sequences(cursor), *self.sequences}:
                first = self.sequences.get(name)
                cursor.execute(REWIND, [first, first is not None, name])
        return True

    def _restore(self, cursor: Any, name: str) -> None:
        first = self.rows.get(name)
        if first is not None and first == _rows(cursor, name):
            return
        cursor.execute(f'DELETE FROM "{name}"')
        if first is not None:
            cursor.copy_expert(f'COPY "{name}" FROM STDIN', BytesIO(first))


def _shape(cursor: Any) -> tuple[Any, ...]:
    cursor.execute(SHAPE)
    found: tuple[Any, ...] = cursor.fetchone()
    return found


def _filled(cursor: Any, tables: tuple[str, ...]) -> list[str]:
    cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in tables))
    return [name for (name,) in cursor.fetchall()]


def _rows(cursor: Any, name: str) -> bytes:
    found = BytesIO()
    cursor.copy_expert(f'COPY "{name}" TO STDOUT', found)
    return found.getvalue()


def _sequences(cursor: Any) -> dict[str, int]:
    cursor.execute(IN_USE)
    return dict(cursor.fetchall())
