"""준비한 질의: SQL that is the same for every request is made once, because making it costs more than running it.

Values of a request are always bound parameters; the text consists of our own declarations only.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import BigIntegerField, BooleanField, Exists, F, Func, Model, Q, QuerySet, Value

from core.lookups import id_array
from core.prepared import Given

Params = tuple[Any, ...]
Fragment = tuple[str, Params]


class OneOf(Func):
    """`column = ANY(array)`: one parameter, however many ids, or its place, or what a queryset of one column finds.

    The queryset is read once and its ids are looked up in one go, however few rows the planner expects of it.
    """

    output_field = BooleanField()

    def __init__(self, column: str, ids: Iterable[int] | QuerySet[Any] | Given) -> None:
        array: Any = ids
        if isinstance(ids, QuerySet):
            array = ArraySubquery(ids)
        elif not isinstance(ids, Given):
            array = Value(list(ids), output_field=ArrayField(BigIntegerField()))
        super().__init__(F(column), array)

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        column, ids = self.source_expressions
        left, params = compiler.compile(column)
        right, given = compiler.compile(ids)
        return f"{left} = ANY({right})", [*params, *given]


class Walked(Exists):
    """EXISTS that is looked up row by row: OFFSET keeps the planner from collecting the whole subquery first."""

    template = "EXISTS(%(subquery)s OFFSET 0)"


class ByIds:
    """여러 행 읽기: a values_list queryset whose rows are asked for by ids of one column.

    `queryset` is filtered by constants only, and unsorted; `order` is the SQL of an ORDER BY over its own table.
    """

    def __init__(self, queryset: QuerySet[Any], column: str, *, order: str = "") -> None:
        compiler = queryset.order_by().query.get_compiler(connection=connection)
        sql, self.params = compiler.as_sql()
        self._converters = compiler.get_converters([one for one, *_ in compiler.select])
        self._compiler = compiler
        table = connection.ops.quote_name(queryset.model._meta.db_table)
        joint = "AND" if queryset.query.where else "WHERE"
        self.sql = f"{sql} {joint} {table}.{connection.ops.quote_name(column)} = ANY(%s::bigint[])"
        if order:
            self.sql += f" ORDER BY {order}"

    def rows(self, ids: Sequence[int]) -> list[Any]:
        """Rows of the ids, as tuples; one query."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, (*self.params, id_array(ids)))
            rows = cursor.fetchall()
        return list(self._compiler.apply_converters(rows, self._converters)) if self._converters else rows


def condition_sql(model: type[Model], condition: Q | None) -> Fragment | None:
    """조건의 SQL over the model's own table; None when the condition needs a join. Subqueries are no joins."""
    if condition is None:
        return "true", ()
    query = model._default_manager.filter(condition).query
    compiler = query.get_compiler(connection=connection)
    sql, params = compiler.compile(query.where)
    if len([alias for alias, count in query.alias_refcount.items() if count]) > 1:
        return None
    return sql, tuple(params)


def expression_sql(model: type[Model], expression: Any) -> Fragment:
    """식의 SQL over the model's own table."""
    query = model._default_manager.annotate(wanted=expression).query
    sql, params = query.get_compiler(connection=connection).compile(query.annotations["wanted"])
    return sql, tuple(params)


def source_sql(queryset: QuerySet[Any]) -> Fragment:
    """출처의 SQL: the queryset's FROM, WHERE, ORDER BY and LIMIT, for a select list of our own."""
    sql, params = queryset.values_list("pk").query.sql_with_params()
    head, _, rest = sql.partition(" FROM ")
    if not head.startswith("SELECT ") or "," in head:
        raise ValueError(f"cannot replace the select list of {head}")
    return f"FROM {rest}", tuple(params)
