"""Filters of the list of exceptional money; names equal the query string and never change."""

from core.lists import Choices, ListFilterSet
from payments.states import ProblemKind


class ProblemFilter(ListFilterSet):
    """예외 입금 상세조건."""

    kind = Choices(label="종류", field_name="kind", choices=ProblemKind.choices)
