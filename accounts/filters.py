"""Filters of the access log; names equal the query string and never change."""

from datetime import date
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet

from accounts.models import AccessAction, AccessLog, User
from core.calendar import kst_day_range
from core.forms import DayField


def _date_input() -> forms.DateInput:
    return forms.DateInput(attrs={"placeholder": "2025-11-21", "autocomplete": "off"})


class DayFilter(django_filters.DateFilter):
    """날짜 조건: a day that the calendar of the shop knows."""

    field_class = DayField


class AccessLogFilter(django_filters.FilterSet):
    """접속 기록 조회 조건."""

    since = DayFilter(label="시작일", method="from_day", widget=_date_input())
    until = DayFilter(label="종료일", method="to_day", widget=_date_input())
    actor = django_filters.ModelChoiceFilter(
        label="운영자", queryset=User.objects.order_by("display_name", "pk"), empty_label="전체"
    )
    action = django_filters.ChoiceFilter(label="구분", choices=AccessAction.choices, empty_label="전체")
    subject = django_filters.CharFilter(label="주문번호", method="of_subject", max_length=40)

    class Meta:
        model = AccessLog
        fields: list[str] = []

    def from_day(self, rows: QuerySet[AccessLog], name: str, value: date) -> QuerySet[AccessLog]:
        """Rows from the start of a day in Seoul."""
        return rows.filter(at__gte=kst_day_range(value)[0])

    def to_day(self, rows: QuerySet[AccessLog], name: str, value: date) -> QuerySet[AccessLog]:
        """Rows up to the end of a day in Seoul."""
        return rows.filter(at__lt=kst_day_range(value)[1])

    def of_subject(self, rows: QuerySet[AccessLog], name: str, value: str) -> QuerySet[AccessLog]:
        """Rows that showed or took an order."""
        return rows.filter(subjects__contains=[value.strip()])

    def known_parameters(self) -> set[str]:
        """Every name that the query string may use, paging included."""
        return {*self.filters, "after"}

    def period_error(self) -> str:
        """The sentence when the period is upside down; else empty."""
        data: dict[str, Any] = self.form.cleaned_data if self.form.is_valid() else {}
        since, until = data.get("since"), data.get("until")
        return "시작일이 종료일보다 늦습니다." if since and until and since > until else ""
