"""Filters that narrow a list to the rows of one batch: `?batch=<uuid>&result=fail` is where the result strip leads."""

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet

from core.models import ItemResult, JobItem

FAIL, OK = "fail", "ok"


class BatchFilter(django_filters.UUIDFilter):
    """작업의 행: base rows of a job, with `result` only those with a failed or with a done item."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        if not value:
            return qs
        items = JobItem.objects.filter(job__uuid=value, group_id__isnull=False)
        result = self.parent.form.cleaned_data.get("result")
        if result == FAIL:
            items = items.exclude(result=ItemResult.OK)
        elif result == OK:
            items = items.filter(result=ItemResult.OK)
        return qs.filter(pk__in=items.values("group_id"))


class ResultFilter(django_filters.ChoiceFilter):
    """처리 결과: read by the filter `batch`; alone it narrows nothing."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs


def batch_filters() -> dict[str, django_filters.Filter]:
    """작업 조건: what a list with bulk acts is extended by; hidden, because only links set them."""
    hidden = forms.HiddenInput
    choices = [(FAIL, "처리하지 못한 행"), (OK, "처리한 행")]
    return {
        "batch": BatchFilter(label="작업", widget=hidden),
        "result": ResultFilter(label="처리 결과", choices=choices, widget=hidden),
    }
