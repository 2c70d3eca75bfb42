"""준비한 질의: a queryset whose SQL is made once in a process, because making it costs more than running it.

What differs from request to request stands in the queryset as `Given` and is bound as a parameter when it runs; the
text consists of our own declarations only.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection
from django.db.models import Expression, QuerySet


class Given(Expression):
    """빈자리: the place of a value that each run gives by `name`."""

    def __init__(self, name: str, output_field: Any) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:  # type: ignore[override]
        return "%s", (self,)


def bound(params: Iterable[Any], values: Mapping[str, Any]) -> list[Any]:
    """값 넣기: the parameters of a statement with the values of this run in the places of its `Given`."""
    return [values[one.name] if isinstance(one, Given) else one for one in params]


class Prepared:
    """준비한 질의 of a values_list queryset: `rows(name=value, …)` runs it, one query, and returns tuples."""

    def __init__(self, queryset: QuerySet[Any]) -> None:
        self._compiler = queryset.query.get_compiler(connection=connection)
        self._sql, self._params = self._compiler.as_sql()
        self._converters = self._compiler.get_converters([one for one, *_ in self._compiler.select])

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(self._sql, bound(self._params, values))
            rows = cursor.fetchall()
        if not self._converters:
            return rows
        return [tuple(row) for row in self._compiler.apply_converters(rows, self._converters)]
