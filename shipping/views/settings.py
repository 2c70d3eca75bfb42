"""설정 · 택배사: couriers in use, the sender, and the account that tracking asks with."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, refusal, staff_of
from core.calendar import short
from core.exceptions import DomainError
from core.setting_forms import SettingsForm
from core.settings_registry import change_settings, declared_settings, get_settings
from shipping.adapters.tracker_delivery import CLOUD_URL
from shipping.forms import TrackingAccountForm
from shipping.options import GROUP, METHOD_GROUP, SENDER_GROUP
from shipping.services.tracking.accounts import check_account, save_account, state_of, tracking_account
from shipping.services.tracking.sources import address_of

EDIT = "settings.edit"
NO_ACCOUNT = "먼저 배송조회 계정을 저장하세요."


class CourierSettings(PermissionRequired):
    """택배사 설정: looking needs settings.view, changing settings.edit."""

    permission = "settings.view"

    def get(self, request: HttpRequest) -> HttpResponse:
        return _page(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        refused = refusal(request, EDIT)
        if refused is not None:
            return refused
        if request.POST.get("part") == "account":
            return _save_account(request)
        if request.POST.get("part") == "test":
            return _test(request)
        return _save_settings(request)


def _save_settings(request: HttpRequest) -> HttpResponse:
    form = _form(request.POST)
    if not form.is_valid():
        return _page(request, settings_form=form, status=422)
    changes, shown = form.changes(), form.cleaned_data["was"]
    try:
        change_settings(changes=changes, shown=shown, actor=staff_of(request), at=timezone.now())
    except DomainError as error:
        form.add_error(None, error.message)
        return _page(request, settings_form=form, status=error.status)
    return redirect("shipping:courier_settings")


def _form(data: Any = None) -> SettingsForm:
    declared = [*declared_settings(GROUP), *declared_settings(SENDER_GROUP), *declared_settings(METHOD_GROUP)]
    return SettingsForm(declared, get_settings(*(one.key for one in declared)), data)


def _save_account(request: HttpRequest) -> HttpResponse:
    form = TrackingAccountForm(request.POST)
    if form.is_valid():
        try:
            save_account(**form.cleaned_data, at=timezone.now())
        except DomainError as error:
            form.add_error("base_url", error.message)
        else:
            return redirect("shipping:courier_settings")
    return _page(request, account_form=form, status=422)


def _test(request: HttpRequest) -> HttpResponse:
    account = tracking_account()
    works, text = check_account(account) if account else (False, NO_ACCOUNT)
    return _page(request, tested=("ok" if works else "error", text))


def _page(
    request: HttpRequest, *, settings_form: SettingsForm | None = None,
    account_form: TrackingAccountForm | None = None, tested: tuple[str, str] | None = None, status: int = 200,
) -> HttpResponse:  # fmt: skip
    account = tracking_account()
    initial = {
        "base_url": account.base_url if account else CLOUD_URL,
        "is_active": account is None or account.is_active,
    }
    context = {
        "title": "택배사",
        "subtitle": "설정",
        "settings_form": settings_form or _form(),
        "account_form": account_form or TrackingAccountForm(initial=initial),
        "account": account,
        "state": state_of(account),
        "asked": address_of(account) if account else "",
        "has_key": bool(account and account.api_key),
        "last_ok": short(account.last_ok_at) if account else "",
        "last_error": account.last_error if account else "",
        "tested": tested,
        "may_edit": staff_of(request).has_perm(EDIT),
    }
    return render(request, "shipping/settings.html", context, status=status)
