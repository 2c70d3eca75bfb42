"""Lookups that Django lacks."""

from collections.abc import Iterable
from typing import Any

from django.db.models import BooleanField, Expression, F, IntegerField, Lookup


@IntegerField.register_lookup
class HasBit(Lookup):  # type: ignore[type-arg]
    """``field__bit=4``: at least one of the given bits is set; spelled so that a partial index can serve it."""

    lookup_name = "bit"
    prepare_rhs = True

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"({left} & {right}) <> 0", (*left_params, *right_params)


class Among(Expression):
    """``filter(Among("order_id", ids))``: the column holds one of the ids.

    Means what ``__in`` means, but sends one array instead of a placeholder per id: preparing a thousand of them takes
    Django longer than the query takes PostgreSQL, and bulk acts hold row locks meanwhile.
    """

    conditional = True

    def __init__(self, name: str, ids: Iterable[int]) -> None:
        super().__init__(output_field=BooleanField())
        self.column: Any = F(name)
        self.ids = "{" + ",".join(map(str, ids)) + "}"

    def get_source_expressions(self) -> list[Any]:
        return [self.column]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.column,) = exprs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = compiler.compile(self.column)
        return f"{sql} = ANY(%s::bigint[])", (*params, self.ids)
