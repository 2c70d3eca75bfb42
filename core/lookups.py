"""Lookups that Django lacks."""

from typing import Any

from django.db.models import IntegerField, Lookup


@IntegerField.register_lookup
class HasBit(Lookup):  # type: ignore[type-arg]
    """``field__bit=4``: at least one of the given bits is set; spelled so that a partial index can serve it."""

    lookup_name = "bit"
    prepare_rhs = True

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"({left} & {right}) <> 0", (*left_params, *right_params)
