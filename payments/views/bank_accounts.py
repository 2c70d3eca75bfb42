"""설정 · 입금계좌: the shop's own accounts to which buyers transfer."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from core.exceptions import DomainError
from payments.details.bank_accounts import bank_account_rows
from payments.details.pg_accounts import changes_of
from payments.forms.bank_accounts import BankAccountForm
from payments.models import BankAccount
from payments.services.deposits import bank_settings

EDIT = "settings.edit"
LIST_URL = "/settings/bank-accounts/"


class BankAccountList(PermissionRequired):
    """입금계좌 목록."""

    permission = "settings.view"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {
            "title": "입금계좌",
            "rows": bank_account_rows(timezone.now()),
            "may_edit": staff_of(request).has_perm(EDIT),
        }
        return render(request, "payments/bank_accounts.html", context)


class BankAccountCreate(PermissionRequired):
    """입금계좌 등록."""

    permission = EDIT

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request, BankAccountForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = BankAccountForm(request.POST)
        if not form.is_valid():
            return self._page(request, form, status=422)
        data = form.cleaned_data
        try:
            bank_settings.create_bank_account(
                code=data["code"],
                given=form.given(),
                number=data["number"],
                actor=staff_of(request),
                at=timezone.now(),
            )
        except DomainError as error:
            form.add_error(_field(error), error.message)
            return self._page(request, form, status=error.status)
        messages.success(request, f"{data['bank']} 계좌를 등록했습니다. 이제 거래내역 파일을 올릴 수 있습니다.")
        return redirect("payments:bank_accounts")

    def _page(self, request: HttpRequest, form: BankAccountForm, *, status: int = 200) -> HttpResponse:
        context = {
            "title": "입금계좌 등록",
            "form": form,
            "action_url": "",
            "submit_label": "입금계좌 등록",
            "cancel_url": LIST_URL,
        }
        return render(request, "generic/form.html", context, status=status)


class BankAccountEdit(PermissionRequired):
    """입금계좌 수정."""

    permission = EDIT

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        account = BankAccount.objects.filter(pk=pk).first()
        return _lost(request) if account is None else self._page(request, account)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        account = BankAccount.objects.filter(pk=pk).first()
        if account is None:
            return _lost(request)
        form = BankAccountForm(request.POST, account=account)
        if not form.is_valid():
            return self._page(request, account, form=form, status=422)
        try:
            bank_settings.edit_bank_account(
                account_id=pk,
                given=form.given(),
                number=form.cleaned_data["number"],
                seen_at=form.cleaned_data["seen"],
                actor=staff_of(request),
                at=timezone.now(),
            )
        except DomainError as error:
            form.add_error(_field(error), error.message)
            return self._page(request, account, form=form, status=error.status)
        messages.success(request, "입금계좌를 저장했습니다.")
        return redirect("payments:bank_account", pk=pk)

    def _page(self, request: HttpRequest, account: BankAccount, *, form: Any = None, status: int = 200) -> HttpResponse:
        context = {
            "title": account.bank,
            "subtitle": account.code,
            "form": form or BankAccountForm(account=account),
            "action_url": "",
            "changes": changes_of(f"{bank_settings.HISTORY}:{account.code}:", bank_settings.LABELS),
        }
        return render(request, "payments/bank_account.html", context, status=status)


def _field(error: DomainError) -> str | None:
    return {"code_taken": "code", "feed_taken": "feed"}.get(error.code)


def _lost(request: HttpRequest) -> HttpResponse:
    return render(request, "404.html", {"error_text": bank_settings.NOT_FOUND}, status=404)
