"""조건: what filters of lists share; parameter names equal field names and never change."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import django_filters
from django import forms
from django.db.models import Q, QuerySet


class Described(NamedTuple):
    """적용한 조건: parameter name, label and the chosen value in words."""

    name: str
    label: str
    text: str


class ListFilterSet(django_filters.FilterSet):
    """목록 조건: a FilterSet that can say in words what it filters by."""

    def described(self) -> list[Described]:
        """적용한 조건: one entry for every filter that has a value. Ask only when the form is valid."""
        found = []
        for bound in self.form:
            value = self.form.cleaned_data.get(bound.name)
            if value not in (None, "", [], ()):
                found.append(Described(bound.name, str(bound.label), _words(bound.field, value)))
        return found


class Choices(django_filters.MultipleChoiceFilter):
    """여러 값 고르기: rows with any of the chosen values of one column."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.SelectMultiple(attrs={"size": 4}))
        super().__init__(*args, **kwargs)

    def filter(self, queryset: QuerySet[Any], value: Sequence[Any]) -> QuerySet[Any]:
        return queryset.filter(**{f"{self.field_name}__in": value}) if value else queryset


class Condition(django_filters.ChoiceFilter):
    """조건 고르기: each choice stands for a condition: value -> (label, Q or maker of a Q at an instant)."""

    def __init__(self, *, conditions: dict[str, tuple[str, Any]], **kwargs: Any) -> None:
        self.conditions = conditions
        kwargs.setdefault("empty_label", "전체")
        super().__init__(choices=[(value, label) for value, (label, _) in conditions.items()], **kwargs)

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return queryset
        _, made = self.conditions[value]
        condition: Q = made(self.at) if callable(made) else made
        return queryset.filter(condition)

    @property
    def at(self) -> datetime:
        at: datetime = self.parent.at
        return at


class WonRange(django_filters.NumberFilter):
    """금액: integer won within what a column can hold."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"min_value": 0, "max_value": 10**12, "decimal_places": 0, "max_digits": 13}
        super().__init__(*args, **kwargs)


class Count(django_filters.NumberFilter):
    """개수: a whole number within what a small column can hold."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"min_value": 0, "max_value": 30_000, "decimal_places": 0, "max_digits": 5}
        super().__init__(*args, **kwargs)


def _words(field: forms.Field, value: Any) -> str:
    choices = dict(_flat(getattr(field, "choices", ())))
    if isinstance(value, list | tuple | set):
        return "·".join(str(choices.get(str(one), one)) for one in value)
    if choices:
        return str(choices.get(str(value), value))
    return f"{value:,}" if isinstance(value, int) or hasattr(value, "quantize") else str(value)


def _flat(choices: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for value, label in choices:
        yield str(value), str(label)
