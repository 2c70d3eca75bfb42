"""설정 · PG 계정: accounts at PGs, their keys and how the PGs reach us."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from core.exceptions import DomainError
from payments.adapters.registry import PGS, PROVIDERS
from payments.details.pg_accounts import account_context, account_rows, webhook_path
from payments.forms.pg_accounts import DropForm, PgAccountForm, ProviderForm
from payments.models import PgAccount
from payments.services.gateway import pg_settings

EDIT = "settings.edit"
SURE = "이전 키를 지우고 지금 키만 씁니다. 지운 키는 되돌릴 수 없습니다."
STILL_REFUSED = "지금 키로 한 마지막 통신이 실패했습니다. 연결 확인을 먼저 누르고, 성공하면 이전 키를 지우세요."


class AccountList(PermissionRequired):
    """PG 계정 목록."""

    permission = "settings.view"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {
            "title": "PG 계정",
            "rows": account_rows(timezone.now()),
            "may_edit": staff_of(request).has_perm(EDIT),
        }
        return render(request, "payments/pg_accounts.html", context)


class AccountCreate(PermissionRequired):
    """PG 계정 등록: first the PG, then what that PG needs."""

    permission = EDIT

    def get(self, request: HttpRequest) -> HttpResponse:
        if "provider" not in request.GET:
            return self._choose(request, ProviderForm())
        chosen = ProviderForm(request.GET)
        if not chosen.is_valid():
            return self._choose(request, chosen, status=422)
        provider = chosen.cleaned_data["provider"]
        return self._page(request, PgAccountForm(provider=provider), provider)

    def post(self, request: HttpRequest) -> HttpResponse:
        chosen = ProviderForm({"provider": request.GET.get("provider", "")})
        if not chosen.is_valid():
            return self._choose(request, chosen, status=422)
        provider = chosen.cleaned_data["provider"]
        form = PgAccountForm(request.POST, provider=provider)
        if not form.is_valid():
            return self._page(request, form, provider, status=422)
        try:
            account = pg_settings.create_account(
                code=form.cleaned_data["code"],
                provider=provider,
                given=form.given(),
                key=form.cleaned_data["key"],
                options=form.options(),
                actor=staff_of(request),
                at=timezone.now(),
            )
        except DomainError as error:
            form.add_error("code" if error.code == "code_taken" else None, error.message)
            return self._page(request, form, provider, status=error.status)
        messages.success(request, f"{account.name} 계정을 등록했습니다. 웹훅 주소를 PG 관리자 화면에 등록하세요.")
        if provider in PGS:
            _check(request, account)
        return redirect("payments:pg_account", pk=account.pk)

    def _choose(self, request: HttpRequest, form: ProviderForm, *, status: int = 200) -> HttpResponse:
        context = {"title": "PG 계정 등록", "form": form}
        return render(request, "payments/pg_choose.html", context, status=status)

    def _page(self, request: HttpRequest, form: PgAccountForm, provider: str, *, status: int = 200) -> HttpResponse:
        context = {
            "title": f"{PROVIDERS[provider].label} 계정 등록",
            "form": form,
            "action_url": "",
            "submit_label": "PG 계정 등록",
            "cancel_url": "/settings/pg/",
        }
        return render(request, "payments/pg_new.html", context, status=status)


class AccountEdit(PermissionRequired):
    """PG 계정 수정, 이전 키 지우기, 등록 시험, 연결 확인; which one is in `part`."""

    permission = EDIT

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        account = PgAccount.objects.filter(pk=pk).first()
        if account is None:
            return _lost(request)
        return self._ask_drop(request, account) if request.GET.get("part") == "drop" else self._page(request, account)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        account = PgAccount.objects.filter(pk=pk).first()
        if account is None:
            return _lost(request)
        part, actor, at = request.POST.get("part", ""), staff_of(request), timezone.now()
        if part == "check":
            _check(request, account)
        elif part == "register":
            pg_settings.open_registration(account_id=pk, actor=actor, at=at)
            messages.success(
                request, "10분 동안 서명이 없는 시험 알림에 정상으로 답합니다. 시험 알림은 반영하지 않습니다."
            )
        elif part == "drop":
            try:
                pg_settings.drop_previous(account_id=pk, actor=actor, at=at)
            except DomainError as error:
                return render(request, "409.html", {"error_text": error.message}, status=error.status)
            messages.success(request, "이전 키를 지웠습니다. 지금 키만 씁니다.")
        else:
            return self._save(request, account)
        return redirect("payments:pg_account", pk=pk)

    def _ask_drop(self, request: HttpRequest, account: PgAccount) -> HttpResponse:
        """지우기 전에: nobody can read a key again, and the present one may be the one that the PG refuses."""
        context = {
            "title": "이전 키 지우기",
            "subtitle": account.name,
            "form": DropForm(),
            "action_url": request.path,
            "submit_label": "이전 키 지우기",
            "cancel_url": request.path,
            "intro": SURE,
            "notice": STILL_REFUSED if account.last_error else "",
            "danger": True,
        }
        return render(request, "generic/form.html", context)

    def _save(self, request: HttpRequest, account: PgAccount) -> HttpResponse:
        form = PgAccountForm(request.POST, provider=account.provider, account=account)
        if not form.is_valid():
            return self._page(request, account, form=form, status=422)
        try:
            saved = pg_settings.edit_account(
                account_id=account.pk,
                given=form.given(),
                key=form.cleaned_data["key"],
                options=form.options(),
                seen_at=form.cleaned_data["seen"],
                actor=staff_of(request),
                at=timezone.now(),
            )
        except DomainError as error:
            form.add_error(None, error.message)
            return self._page(request, account, form=form, status=error.status)
        messages.success(request, "PG 계정을 저장했습니다.")
        if saved.provider in PGS and saved.is_active and _speaks_otherwise(account, saved):
            _check(request, saved)
        return redirect("payments:pg_account", pk=account.pk)

    def _page(self, request: HttpRequest, account: PgAccount, *, form: Any = None, status: int = 200) -> HttpResponse:
        context = {
            "title": account.name,
            "subtitle": account.code,
            "account": account,
            "form": form or PgAccountForm(provider=account.provider, account=account),
            "webhook_url": request.build_absolute_uri(webhook_path(account)),
            "action_url": "",
        }
        context |= account_context(account, at=timezone.now())
        return render(request, "payments/pg_account.html", context, status=status)


def _check(request: HttpRequest, account: PgAccount) -> None:
    """연결 확인, told to the person at once: a wrong key must not wait for the next order to be noticed."""
    checked = pg_settings.check_connection(account, at=timezone.now())
    (messages.success if checked.is_ok else messages.error)(request, checked.text)


def _speaks_otherwise(before: PgAccount, after: PgAccount) -> bool:
    """Whether the PG is now called with another key, under another name or at another address."""
    return any(
        getattr(before, name) != getattr(after, name)
        for name in ("sealed_secrets", "sealed_options", "merchant_id", "base_url", "is_active")
    )


def _lost(request: HttpRequest) -> HttpResponse:
    return render(request, "404.html", {"error_text": pg_settings.NOT_FOUND}, status=404)
