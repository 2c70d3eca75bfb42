"""Lookups that Django lacks, and arrays as PostgreSQL reads them fastest."""

from collections.abc import Iterable
from typing import Any

from django.db.models import BooleanField, Expression, F, IntegerField, Lookup


def id_array(ids: Iterable[int | None]) -> str:
    """Whole numbers as one array literal for ``%s::bigint[]`` or ``%s::int[]``.

    A Python list would reach the server as ARRAY[…], every element of which is parsed, typed and folded as an
    expression of its own: a fifth of what PostgreSQL does for a bulk act.
    """
    known = list(ids)
    texts = map(str, known) if None not in known else ["NULL" if each is None else str(each) for each in known]
    return "{" + ",".join(texts) + "}"


def text_array(texts: Iterable[str | None]) -> str:
    """Texts as one array literal for ``%s::text[]`` or ``%s::jsonb[]``; None becomes NULL. Why: `id_array`."""
    known = list(texts)
    if known and None not in known:
        # One look at all of them: hardly any text has a sign that an array literal must escape.
        inside = '","'.join(known)  # type: ignore[arg-type]
        if "\\" not in inside and inside.count('"') == 2 * len(known) - 2:
            return f'{{"{inside}"}}'
    return "{" + ",".join([_element(each) for each in known]) + "}"


def _element(text: str | None) -> str:
    if text is None:
        return "NULL"
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


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
    """``filter(Among("order_id", ids))``: the column holds one of the ids; `AmongTexts` does the same for texts.

    Means what ``__in`` means, but sends one array instead of a placeholder per id: preparing a thousand of them takes
    Django longer than the query takes PostgreSQL, and bulk acts hold row locks meanwhile.
    """

    conditional = True
    array = "bigint[]"

    def __init__(self, name: str, ids: Iterable[Any]) -> None:
        super().__init__(output_field=BooleanField())
        self.column: Any = F(name)
        self.ids = self.literal(ids)

    @staticmethod
    def literal(ids: Iterable[Any]) -> str:
        return id_array(ids)

    def get_source_expressions(self) -> list[Any]:
        return [self.column]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.column,) = exprs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = compiler.compile(self.column)
        return f"{sql} = ANY(%s::{self.array})", (*params, self.ids)


class AmongTexts(Among):
    """``filter(AmongTexts("number", numbers))``: the column holds one of the texts; `Among` for columns of texts."""

    array = "text[]"

    @staticmethod
    def literal(ids: Iterable[Any]) -> str:
        return text_array(ids)


class HoldsAny(Among):
    """``filter(HoldsAny("event_ids", ids))``: the array column shares an id with these; `Among` for ``__overlap``."""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = compiler.compile(self.column)
        return f"{sql} && %s::{self.array}", (*params, self.ids)
