"""설정 · 송장 번호: contracts with couriers, their ranges and keys, and numbers that wait."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import EDIT_SETTINGS, PermissionRequired, SettingsPage, refusal, staff_of
from core.exceptions import DomainError
from core.text import whole_number
from shipping.details.contracts import contract_context, contract_rows, waiting_rows
from shipping.forms.issuing import AbandonForm, ContractForm, ModeForm, RangeForm
from shipping.models import CourierContract, WaybillNumber
from shipping.services.issuing import contracts, giving_up
from shipping.states import ContractMode

ABANDON = "shipping.abandon_number"
LIST_URL = "/settings/waybills/"
SURE = (
    "이 번호를 다시 쓰지 않습니다. 택배사가 이미 접수했을 수 있으니 택배사에 먼저 확인하세요. 접수되어 있으면 기사가 "
    "두 번 오거나 운임이 두 번 나올 수 있습니다."
)


class ContractList(SettingsPage):
    """송장 번호: contracts, and numbers that wait."""

    def get(self, request: HttpRequest) -> HttpResponse:
        at, staff = timezone.now(), staff_of(request)
        waiting, waiting_count = waiting_rows(at)
        context = {
            "title": "송장 번호",
            "subtitle": "설정",
            "rows": contract_rows(at),
            "waiting": waiting,
            "waiting_count": waiting_count,
            "may_edit": staff.has_perm(EDIT_SETTINGS),
            "may_abandon": staff.has_perm(ABANDON),
        }
        return render(request, "shipping/contracts.html", context)


class ContractCreate(PermissionRequired):
    """계약 등록: first the way, then what that way needs."""

    permission = EDIT_SETTINGS

    def get(self, request: HttpRequest) -> HttpResponse:
        chosen = ModeForm(request.GET or None)
        if not chosen.is_valid():
            return self._choose(request, chosen)
        return self._page(request, ContractForm(mode=chosen.cleaned_data["mode"]))

    def post(self, request: HttpRequest) -> HttpResponse:
        chosen = ModeForm({"mode": request.GET.get("mode", "")})
        if not chosen.is_valid():
            return self._choose(request, chosen)
        form = ContractForm(request.POST, mode=chosen.cleaned_data["mode"])
        if not form.is_valid():
            return self._page(request, form, status=422)
        try:
            contract = contracts.save_contract(
                code=form.cleaned_data["code"], given=form.given(), options=form.options(),
                actor=staff_of(request), at=timezone.now(),
            )  # fmt: skip
        except DomainError as error:
            put(form, error)
            return self._page(request, form, status=error.status)
        messages.success(request, f"{contract.name} 계약을 등록했습니다.")
        if contract.is_api:
            check(request, contract)
        return redirect("shipping:contract", pk=contract.pk)

    def _choose(self, request: HttpRequest, form: ModeForm) -> HttpResponse:
        status = 422 if form.is_bound else 200
        return render(request, "shipping/contract_choose.html", {"title": "계약 등록", "form": form}, status=status)

    def _page(self, request: HttpRequest, form: ContractForm, *, status: int = 200) -> HttpResponse:
        context = {
            "title": "계약 등록",
            "subtitle": ContractMode(form.mode).label,
            "form": form,
            "action_url": "",
            "submit_label": "계약 등록",
            "cancel_url": LIST_URL,
        }
        return render(request, "generic/form.html", context, status=status)


class ContractEdit(SettingsPage):
    """계약 하나: everybody with the right looks; 수정, 대역 등록 and its acts, 연결 확인 by `part` for who may edit."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        contract = CourierContract.objects.filter(pk=pk).first()
        return lost(request) if contract is None else self._page(request, contract)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        contract = CourierContract.objects.filter(pk=pk).first()
        if contract is None:
            return lost(request)
        match request.POST.get("part", ""):
            case "check":
                check(request, contract)
            case "range":
                return self._add_range(request, contract)
            case "on" | "off" as part:
                return self._switch(request, contract, is_active=part == "on")
            case "drop":
                return self._drop(request, contract)
            case _:
                return self._save(request, contract)
        return redirect("shipping:contract", pk=pk)

    def _add_range(self, request: HttpRequest, contract: CourierContract) -> HttpResponse:
        form = RangeForm(request.POST)
        if not form.is_valid():
            return self._page(request, contract, range_form=form, status=422)
        try:
            given = form.cleaned_data
            made = contracts.add_range(
                contract_id=contract.pk, prefix=given["head"], start=given["start"], end=given["end"],
                order=given["order"], actor=staff_of(request), at=timezone.now(),
            )  # fmt: skip
        except DomainError as error:
            put(form, error)
            return self._page(request, contract, range_form=form, status=error.status)
        messages.success(request, f"대역을 등록했습니다. 번호 {made.total:,}개를 쓸 수 있습니다.")
        return redirect("shipping:contract", pk=contract.pk)

    def _switch(self, request: HttpRequest, contract: CourierContract, *, is_active: bool) -> HttpResponse:
        mine = contract.ranges.filter(pk=whole_number(request.POST.get("range", "")) or 0).first()
        if mine is None:
            return lost(request)
        try:
            contracts.switch_range(range_id=mine.pk, is_active=is_active, actor=staff_of(request), at=timezone.now())
        except DomainError as error:
            messages.error(request, error.message)
            return self._page(request, contract, status=error.status)
        said = (
            "이 대역을 다시 씁니다."
            if is_active
            else "이 대역에서 번호를 더 꺼내지 않습니다. 받은 번호는 그대로입니다."
        )
        messages.success(request, f"{mine}: {said}")
        return redirect("shipping:contract", pk=contract.pk)

    def _drop(self, request: HttpRequest, contract: CourierContract) -> HttpResponse:
        mine = contract.ranges.filter(pk=whole_number(request.POST.get("range", "")) or 0).first()
        if mine is None:
            return lost(request)
        try:
            kept = contracts.drop_rest(range_id=mine.pk, actor=staff_of(request), at=timezone.now())
        except DomainError as error:
            messages.error(request, error.message)
            return self._page(request, contract, status=error.status)
        said = f"남은 번호를 버렸습니다. 이제 {kept}입니다." if kept else "번호를 쓰지 않은 대역이라 지웠습니다."
        messages.success(request, f"{mine}: {said}")
        return redirect("shipping:contract", pk=contract.pk)

    def _save(self, request: HttpRequest, contract: CourierContract) -> HttpResponse:
        form = ContractForm(request.POST, mode=contract.mode, contract=contract)
        if not form.is_valid():
            return self._page(request, contract, form=form, status=422)
        try:
            saved = contracts.save_contract(
                contract_id=contract.pk, code=contract.code, given=form.given(), options=form.options(),
                seen_at=form.cleaned_data["seen"], actor=staff_of(request), at=timezone.now(),
            )  # fmt: skip
        except DomainError as error:
            put(form, error)
            return self._page(request, contract, form=form, status=error.status)
        messages.success(request, "계약을 저장했습니다.")
        if saved.is_api and saved.is_active:
            check(request, saved)
        return redirect("shipping:contract", pk=saved.pk)

    def _page(
        self, request: HttpRequest, contract: CourierContract, *, form: Any = None, range_form: Any = None,
        status: int = 200,
    ) -> HttpResponse:  # fmt: skip
        context = {
            "title": contract.name,
            "subtitle": contract.code,
            "contract": contract,
            "form": form or ContractForm(mode=contract.mode, contract=contract),
            "range_form": range_form or RangeForm(),
            "action_url": "",
            "may_edit": staff_of(request).has_perm(EDIT_SETTINGS),
        }
        context |= contract_context(contract, at=timezone.now())
        return render(request, "shipping/contract.html", context, status=status)


class NumberAct(PermissionRequired):
    """발급 대기 처리: 다시 시도, 취소 확인, and 번호 포기 with its reason."""

    permission = "settings.view"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return refusal(request, ABANDON) or self._ask(request, pk, AbandonForm())  # type: ignore[return-value]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        part, staff, at = request.POST.get("part"), staff_of(request), timezone.now()
        is_simple = part in {"retry", "settle"}
        refused = refusal(request, EDIT_SETTINGS if is_simple else ABANDON)
        if refused is not None:
            return refused
        form = AbandonForm(request.POST)
        if not is_simple and not form.is_valid():
            return self._ask(request, pk, form, status=422)
        try:
            if part == "retry":
                giving_up.retry(number_id=pk, at=at)
                messages.success(request, "곧 다시 시도합니다.")
            elif part == "settle":
                giving_up.settle(number_id=pk, actor=staff, at=at)
                messages.success(request, "택배사에서 접수를 취소한 것으로 적었습니다.")
            else:
                gone = giving_up.abandon(number_id=pk, reason=form.cleaned_data["reason"], actor=staff, at=at)
                messages.success(request, f"{gone.key} 번호를 포기했습니다. 배송건은 다시 채번할 수 있습니다.")
        except DomainError as error:
            return render(request, f"{error.status}.html", {"error_text": error.message}, status=error.status)
        return redirect("shipping:contracts")

    def _ask(self, request: HttpRequest, pk: int, form: AbandonForm, *, status: int = 200) -> HttpResponse:
        number = WaybillNumber.objects.filter(pk=pk).first()
        if number is None:
            return render(request, "404.html", {"error_text": giving_up.NOT_FOUND}, status=404)
        context = {
            "title": "번호 포기",
            "subtitle": number.key,
            "form": form,
            "action_url": request.path,
            "submit_label": "번호 포기",
            "cancel_url": LIST_URL,
            "intro": SURE,
            "danger": True,
        }
        return render(request, "generic/form.html", context, status=status)


def check(request: HttpRequest, contract: CourierContract) -> None:
    """연결 확인, told to the person at once."""
    works, text = contracts.check_contract(contract, at=timezone.now())
    (messages.success if works else messages.error)(request, text)


def put(form: Any, error: DomainError) -> None:
    """오류 문장 at the field that it is about."""
    field = getattr(error, "field", None)
    form.add_error(field if field in form.fields else None, error.message)


def lost(request: HttpRequest) -> HttpResponse:
    """없는 계약."""
    return render(request, "404.html", {"error_text": contracts.NOT_FOUND}, status=404)
