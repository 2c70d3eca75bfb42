"""설정 · 택배사 목록: the table of couriers, one courier, and a new one; settings.view looks, settings.edit changes."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.access import EDIT_SETTINGS, PermissionRequired, SettingsPage, staff_of
from core.exceptions import DomainError, NotFound
from core.korean import josa
from shipping.details.couriers import courier_context, courier_rows, initial_of
from shipping.forms.couriers import CourierForm, NewCourierForm
from shipping.models import Courier
from shipping.services.couriers import SYSTEMS, CourierRefused, add_courier, save_courier

NEW = {"shortest": 9, "level": "warn", "is_active": True, "version": 0}


class CourierList(SettingsPage):
    """택배사 목록."""

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {
            "title": "택배사 목록",
            "subtitle": "설정",
            "rows": courier_rows(),
            "systems": list(SYSTEMS.values()),
            "may_edit": staff_of(request).has_perm(EDIT_SETTINGS),
        }
        return render(request, "shipping/couriers.html", context)


class CourierPage(SettingsPage):
    """택배사 하나."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        courier = _courier(slug)
        return _page(request, courier, CourierForm(initial=initial_of(courier)))

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        courier, form = _courier(slug), CourierForm(request.POST)
        if not form.is_valid():
            return _page(request, courier, form, status=422)
        seen = form.cleaned_data["version"]
        try:
            changed = save_courier(
                slug=slug, seen_version=-1 if seen is None else seen, facts=form.facts(), codes=form.codes(),
                actor=staff_of(request), at=timezone.now(),
            )  # fmt: skip
        except DomainError as error:
            _blame(form, error)
            return _page(request, courier, form, status=error.status)
        messages.success(request, "저장했습니다." if changed else "바뀐 내용이 없습니다.")
        return redirect("shipping:courier", slug=slug)


class CourierCreate(PermissionRequired):
    """택배사 더하기."""

    permission = EDIT_SETTINGS

    def get(self, request: HttpRequest) -> HttpResponse:
        return _new(request, NewCourierForm(initial=NEW))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = NewCourierForm(request.POST)
        if not form.is_valid():
            return _new(request, form, status=422)
        try:
            made = add_courier(
                slug=form.cleaned_data["slug"], facts=form.facts(), codes=form.codes(), actor=staff_of(request),
                at=timezone.now(),
            )  # fmt: skip
        except DomainError as error:
            _blame(form, error)
            return _new(request, form, status=error.status)
        messages.success(request, f"{josa(made.name, '을/를')} 더했습니다.")
        return redirect("shipping:courier", slug=made.slug)


def _courier(slug: str) -> Courier:
    courier = Courier.objects.filter(pk=slug).first()
    if courier is None:
        raise NotFound("택배사를 찾을 수 없습니다.")
    return courier


def _blame(form: CourierForm, error: DomainError) -> None:
    field = error.field if isinstance(error, CourierRefused) else ""
    form.add_error(field if field in form.fields else None, error.message)


def _page(request: HttpRequest, courier: Courier, form: CourierForm, *, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        "title": courier.name,
        "subtitle": "택배사",
        "courier": courier,
        "form": form,
        "may_edit": staff_of(request).has_perm(EDIT_SETTINGS),
    }
    return render(request, "shipping/courier.html", context | courier_context(courier), status=status)


def _new(request: HttpRequest, form: CourierForm, *, status: int = 200) -> HttpResponse:
    context = {
        "title": "택배사 더하기",
        "form": form,
        "action_url": "",
        "submit_label": "택배사 더하기",
        "cancel_url": reverse("shipping:couriers"),
    }
    return render(request, "generic/form.html", context, status=status)
