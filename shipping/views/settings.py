"""설정 · 택배사: couriers in use and the sender."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import EDIT_SETTINGS, SettingsPage, staff_of
from core.exceptions import DomainError
from core.setting_forms import SettingsForm, settings_form
from core.settings_registry import change_settings
from shipping.options import GROUP, METHOD_GROUP, SENDER_GROUP

GROUPS = (GROUP, SENDER_GROUP, METHOD_GROUP)


class CourierSettings(SettingsPage):
    """택배사 설정."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return _page(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        return _save_settings(request)


def _save_settings(request: HttpRequest) -> HttpResponse:
    form = settings_form(*GROUPS, data=request.POST)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    changes, shown = form.changes(), form.cleaned_data["was"]
    try:
        change_settings(changes=changes, shown=shown, actor=staff_of(request), at=timezone.now())
    except DomainError as error:
        form.add_error(None, error.message)
        return _page(request, form=form, status=error.status)
    messages.success(request, "저장했습니다." if changes else "바뀐 내용이 없습니다.")
    return redirect("shipping:courier_settings")


def _page(request: HttpRequest, *, form: SettingsForm | None = None, status: int = 200) -> HttpResponse:
    context = {
        "title": "택배사",
        "subtitle": "설정",
        "settings_form": form or settings_form(*GROUPS),
        "may_edit": staff_of(request).has_perm(EDIT_SETTINGS),
    }
    return render(request, "shipping/settings.html", context, status=status)
