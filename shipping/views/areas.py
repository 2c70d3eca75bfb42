"""설정 · 도서산간: the amounts of zones and the table of areas; settings.view looks, settings.edit changes."""

from django.contrib import messages
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.access import EDIT_SETTINGS, PermissionRequired, SettingsPage, staff_of
from core.exceptions import DomainError, NotFound
from core.setting_forms import SettingsForm, settings_form
from core.settings_registry import change_settings
from orders.states import RemoteZone
from shipping.details.areas import area_changes, area_rows
from shipping.forms.areas import AreaForm
from shipping.models import RemoteArea
from shipping.options import REMOTE_GROUP
from shipping.services.area_rules import add_area, save_area

AFTERWARDS = "저장했습니다. 앞으로 들어오는 주문부터 적용합니다."


class AreaList(SettingsPage):
    """도서산간 지역, and a new one."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return _list(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        return _save_settings(request) if request.POST.get("part") == "settings" else _add(request)


def _save_settings(request: HttpRequest) -> HttpResponse:
    form = settings_form(REMOTE_GROUP, data=request.POST)
    if not form.is_valid():
        return _list(request, amounts=form, status=422)
    try:
        change_settings(
            changes=form.changes(), shown=form.cleaned_data["was"], actor=staff_of(request), at=timezone.now()
        )
    except DomainError as error:
        form.add_error(None, error.message)
        return _list(request, amounts=form, status=error.status)
    messages.success(request, AFTERWARDS)
    return redirect("shipping:remote_areas")


def _add(request: HttpRequest) -> HttpResponse:
    form = AreaForm(request.POST)
    if not form.is_valid():
        return _list(request, form=form, status=422)
    try:
        add_area(facts=form.facts(), actor=staff_of(request), at=timezone.now())
    except DomainError as error:
        form.add_error(None, error.message)
        return _list(request, form=form, status=error.status)
    messages.success(request, AFTERWARDS)
    return redirect("shipping:remote_areas")


class AreaPage(PermissionRequired):
    """도서산간 지역 하나."""

    permission = EDIT_SETTINGS

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        area = _area(pk)
        return _page(request, area, AreaForm(initial=model_to_dict(area)))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        area, form = _area(pk), AreaForm(request.POST)
        if not form.is_valid():
            return _page(request, area, form, status=422)
        seen = form.cleaned_data["version"]
        try:
            changed = save_area(
                area_id=pk, seen_version=-1 if seen is None else seen, facts=form.facts(), actor=staff_of(request),
                at=timezone.now(),
            )  # fmt: skip
        except DomainError as error:
            form.add_error(None, error.message)
            return _page(request, area, form, status=error.status)
        messages.success(request, AFTERWARDS if changed else "바뀐 내용이 없습니다.")
        return redirect("shipping:remote_areas")


def _area(pk: int) -> RemoteArea:
    area = RemoteArea.objects.filter(pk=pk).first()
    if area is None:
        raise NotFound("도서산간 지역을 찾을 수 없습니다.")
    return area


def _list(
    request: HttpRequest, *, form: AreaForm | None = None, amounts: SettingsForm | None = None, status: int = 200
) -> HttpResponse:
    rows = area_rows()
    context = {
        "title": "도서산간",
        "subtitle": "설정",
        "rows": rows,
        "form": form or AreaForm(initial={"is_active": True, "zone": RemoteZone.ISLAND.value}),
        "settings_form": amounts or settings_form(REMOTE_GROUP),
        "changes": area_changes(rows),
        "may_edit": staff_of(request).has_perm(EDIT_SETTINGS),
    }
    return render(request, "shipping/areas.html", context, status=status)


def _page(request: HttpRequest, area: RemoteArea, form: AreaForm, *, status: int = 200) -> HttpResponse:
    context = {
        "title": str(area),
        "intro": "이미 들어온 주문의 권역과 추가 배송비는 바뀌지 않습니다.",
        "form": form,
        "action_url": request.path,
        "submit_label": "저장",
        "cancel_url": reverse("shipping:remote_areas"),
    }
    return render(request, "generic/form.html", context, status=status)
