"""Writing columns of many rows by one statement that Django need not build row by row."""

from collections.abc import Sequence
from typing import Any

from django.db import connection, models


def update_rows(rows: Sequence[models.Model], fields: Sequence[str]) -> int:
    """여러 행 저장: what `bulk_update` does, with an array for each column instead of a CASE for each value.

    Fifty rows of seven columns take Django longer than all the rest of writing tracking answers. States go through
    `move()`, never through here. Returns how many rows were written.
    """
    if not rows:
        return 0
    meta = rows[0]._meta
    key: Any = meta.pk
    columns = [meta.get_field(name) for name in fields]
    sent: list[Any] = [key, *columns]
    arrays = ", ".join(f"%s::{_array(field)}" for field in sent)
    names = ", ".join(f'"{field.column}"' for field in sent)
    sets = ", ".join(f'"{field.column}" = v."{field.column}"' for field in columns)  # type: ignore[union-attr]
    values = [[field.get_db_prep_save(getattr(row, field.attname), connection) for row in rows] for field in sent]
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE "{meta.db_table}" t SET {sets} FROM unnest({arrays}) AS v({names})'
            f' WHERE t."{key.column}" = v."{key.column}"',
            values,
        )
        return int(cursor.rowcount)


def _array(field: Any) -> str:
    """The type of the array of a column; a cast to varchar(n) would cut a long text where the column refuses it."""
    plain = field.target_field if field.is_relation else field
    return "text[]" if isinstance(plain, models.CharField) else f"{plain.rel_db_type(connection)}[]"
