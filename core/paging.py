"""쪽 넘기기: keyset paging, so that the last page costs what the first one does and no row is shown twice.

A cursor names a row by its sort values and primary key. PostgreSQL puts NULL last when ascending and first when
descending; a nullable first sort column is therefore walked in two runs, each with an index of its own to follow.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import BooleanField, DateField, DateTimeField, F, Func, Model, QuerySet, Value
from django.utils.dateparse import parse_date, parse_datetime

from core.exceptions import DomainError

SIZES = (20, 50, 100, 200)


class BadCursor(DomainError):
    """쪽 주소 오류: the cursor was not made by us or belongs to another sort order."""

    code = "bad_cursor"


@dataclass(frozen=True, slots=True)
class Sort:
    """정렬: label for people and the columns, all in one direction; the primary key follows by itself.

    `nullable` says that the first column may be NULL; the others never are.
    """

    label: str
    columns: tuple[str, ...]
    nullable: bool = False

    def __post_init__(self) -> None:
        if len({name.startswith("-") for name in self.columns}) != 1:
            raise ValueError(f"the columns of sort {self.label} run in two directions")

    @property
    def descending(self) -> bool:
        return self.columns[0].startswith("-")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name.removeprefix("-") for name in self.columns)

    def order_by(self, *, backward: bool = False) -> list[Any]:
        """Arguments for order_by, the primary key last."""
        down = self.descending != backward
        return [F(name).desc() if down else F(name).asc() for name in (*self.names, "pk")]


@dataclass(frozen=True, slots=True)
class Cursor:
    """커서: the sort values and primary key of one row, and whether the rows before or after it are wanted."""

    values: tuple[Any, ...]
    pk: int
    backward: bool = False


@dataclass(frozen=True, slots=True)
class Keyset:
    """한 쪽: ids of rows in the order of the list, and cursors of the pages around them."""

    ids: list[int]
    before: str
    after: str


class _Beyond(Func):
    """`(a, b) > (x, y)`: a row comparison, which one b-tree index answers."""

    output_field = BooleanField()

    def __init__(self, columns: Sequence[Any], values: Sequence[Any], sign: str) -> None:
        super().__init__(*columns, *values)
        self.width = len(columns)
        self.sign = sign

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        parts, params = [], []
        for expression in self.source_expressions:
            sql, given = compiler.compile(expression)
            parts.append(sql)
            params += given
        left, right = ", ".join(parts[: self.width]), ", ".join(parts[self.width :])
        return f"({left}) {self.sign} ({right})", params


def encode(values: Sequence[Any], pk: int) -> str:
    """커서 글자: URL-safe text of a row's place."""
    plain = [value.isoformat() if isinstance(value, date) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps([*plain, pk], separators=(",", ":")).encode()).decode().rstrip("=")


def decode(text: str, sort: Sort, model: type[Model], *, backward: bool) -> Cursor:
    """커서 읽기. Raises BadCursor for anything that this sort order would not have made."""
    try:
        raw = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        *values, pk = raw
        if len(values) != len(sort.names) or type(pk) is not int or not 0 < pk < 2**63:
            raise ValueError("not a place in this order")
        fields = [_field(model, name) for name in sort.names]
        parsed = tuple(_parsed(field, value) for field, value in zip(fields, values, strict=True))
        if None in parsed[1:] or (parsed[0] is None and not sort.nullable):
            raise ValueError("a column without NULL")
    except (ValueError, TypeError, ValidationError, RecursionError) as error:
        raise BadCursor("쪽 주소가 올바르지 않습니다. 목록의 첫 쪽부터 다시 조회하세요.") from error
    return Cursor(parsed, pk, backward)


def _field(model: type[Model], path: str) -> Any:
    field: Any = None
    for name in path.split("__"):
        field = model._meta.get_field(name)
        model = field.related_model or model
    return field


def _parsed(field: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(field, DateTimeField):
        at = parse_datetime(value)
        if at is None or at.tzinfo is None or not 1970 <= at.year <= 2200:
            raise ValueError("not an instant")
        return at
    if isinstance(field, DateField):
        day = parse_date(value)
        if day is None or not 1970 <= day.year <= 2200:
            raise ValueError("not a day")
        return day
    if isinstance(value, bool | list | dict) or (isinstance(value, str) and "\x00" in value):
        raise ValueError("not a column value")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("not a number of the database")
    parsed = field.to_python(value)
    if type(parsed) is not type(value):
        raise ValueError("not a column value")
    return parsed


def fetch(queryset: QuerySet[Any], sort: Sort, *, size: int, cursor: Cursor | None) -> Keyset:
    """한 쪽 읽기: ids of `size` rows, at the cursor or from the beginning.

    `queryset` is filtered and unsorted. One query; two only where a page crosses from rows with a value to rows
    without one.
    """
    backward = cursor is not None and cursor.backward
    rows: list[tuple[Any, ...]] = []
    for run in _runs(queryset, sort, cursor):
        rows += places(run, sort, number=size + 1 - len(rows), backward=backward)
        if len(rows) > size:
            break
    return keyset(rows, size=size, cursor=cursor)


def places(queryset: QuerySet[Any], sort: Sort, *, number: int, backward: bool = False) -> QuerySet[Any]:
    """자리: sort values and primary key of the first rows in the order."""
    return queryset.order_by(*sort.order_by(backward=backward)).values_list(*sort.names, "pk")[:number]


def keyset(rows: list[tuple[Any, ...]], *, size: int, cursor: Cursor | None) -> Keyset:
    """한 쪽 of places, of which one more than `size` was asked for."""
    backward = cursor is not None and cursor.backward
    more = len(rows) > size
    rows = rows[:size]
    if backward:
        rows.reverse()
    has_before = more if backward else cursor is not None
    has_after = True if backward else more
    ends = [encode(row[:-1], row[-1]) for row in (rows[0], rows[-1])] if rows else ["", ""]
    return Keyset(
        [row[-1] for row in rows],
        before=ends[0] if has_before else "",
        after=ends[1] if has_after else "",
    )


def _runs(queryset: QuerySet[Any], sort: Sort, cursor: Cursor | None) -> list[QuerySet[Any]]:
    """The stretches of the order that are still ahead of the cursor, nearest first."""
    if cursor is None:
        return [queryset]
    down = sort.descending != cursor.backward
    first = sort.names[0]
    with_value = queryset.filter(**{f"{first}__isnull": False}) if sort.nullable else queryset
    without = queryset.filter(**{f"{first}__isnull": True})
    sign = "<" if down else ">"
    names, values = [*sort.names, "pk"], [*cursor.values, cursor.pk]
    on_null = cursor.values[0] is None
    if on_null:
        names, values = names[1:], values[1:]
    model = queryset.model
    here = (without if on_null else with_value).filter(
        _Beyond(
            [F(name) for name in names],
            [
                Value(value, output_field=model._meta.pk if name == "pk" else _field(model, name))
                for name, value in zip(names, values, strict=True)
            ],
            sign,
        )
    )
    if not sort.nullable:
        return [here]
    if on_null:
        # Descending, NULL comes first and the rows with a value follow; ascending it is the end.
        return [here, with_value] if down else [here]
    return [here] if down else [here, without]
