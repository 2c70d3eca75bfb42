"""설정 · 배송조회: the accounts that ask couriers, their quotas, routes and lanes, and what all of it can carry."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import EDIT_SETTINGS, PermissionRequired, SettingsPage, staff_of
from core.exceptions import DomainError
from shipping.details import telling
from shipping.details import tracking as details
from shipping.forms.tracking import RouteForm, TrackingAccountForm
from shipping.models import TrackingAccount
from shipping.services.polling.accounts import check_account, save_account, save_routes
from shipping.services.polling.sources import KINDS, address_of

LIST = "shipping:tracking_settings"


class TrackingSettings(SettingsPage):
    """배송조회 설정; the routes of couriers are changed here."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = RouteForm(request.POST, choices=details.route_choices())
        if not form.is_valid():
            return self._page(request, form, status=422)
        try:
            save_routes(chosen=form.chosen(), actor=staff_of(request), at=timezone.now())
        except DomainError as error:
            form.add_error(None, error.message)
            return self._page(request, form, status=error.status)
        messages.success(request, "조회 경로를 저장했습니다.")
        return redirect(LIST)

    def _page(self, request: HttpRequest, form: RouteForm | None = None, *, status: int = 200) -> HttpResponse:
        may_edit = staff_of(request).has_perm(EDIT_SETTINGS)
        choices = details.route_choices()
        context = (
            details.context(at=timezone.now())
            | telling.context(at=timezone.now())
            | {
                "title": "배송조회",
                "subtitle": "설정",
                "may_edit": may_edit,
                "form": (form or RouteForm(choices=choices)) if may_edit and choices else None,
                "changes": details.route_changes(),
            }
        )
        return render(request, "shipping/tracking.html", context, status=status)


class AccountEdit(PermissionRequired):
    """배송조회 계정: a new one, or one that is changed or tried."""

    permission = EDIT_SETTINGS

    def get(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        account = _account(pk)
        if pk is not None and account is None:
            return _lost(request)
        return _page(request, account, TrackingAccountForm(account=account, kind=request.GET.get("kind", "")))

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        account = _account(pk)
        if pk is not None and account is None:
            return _lost(request)
        if account is not None and request.POST.get("part") == "test":
            works, text = check_account(account)
            return _page(
                request, account, TrackingAccountForm(account=account), tested=("ok" if works else "error", text)
            )
        form = TrackingAccountForm(request.POST, account=account, kind=request.POST.get("kind", ""))
        if not form.is_valid():
            return _page(request, account, form, status=422)
        try:
            saved = save_account(account=account, **form.given(), actor=staff_of(request), at=timezone.now())
        except DomainError as error:
            form.add_error("base_url" if error.code == "account_refused" else None, error.message)
            return _page(request, account, form, status=error.status)
        messages.success(request, f"{saved.name} 계정을 저장했습니다.")
        return redirect(LIST)


def _account(pk: int | None) -> TrackingAccount | None:
    return None if pk is None else TrackingAccount.objects.filter(pk=pk).first()


def _lost(request: HttpRequest) -> HttpResponse:
    return render(request, "404.html", status=404)


def _page(
    request: HttpRequest, account: TrackingAccount | None, form: TrackingAccountForm,
    *, tested: tuple[str, str] | None = None, status: int = 200,
) -> HttpResponse:  # fmt: skip
    context = {
        "title": account.name if account else "배송조회 계정 등록",
        "subtitle": "배송조회",
        "account": account,
        "kind": form.protocol,
        "kinds": [] if account else list(KINDS.values()),
        "asked": address_of(account) if account else "",
        "form": form,
        "tested": tested,
        "changes": details.account_changes(account) if account else None,
        "hook": telling.hook_of(account, at=timezone.now()) if account and account.hook_token else None,
    }
    return render(request, "shipping/tracking_account.html", context, status=status)
