"""One's own page: display choices and password."""

import json
import re
from collections.abc import Mapping

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from accounts import services
from accounts.access import LOGIN_ONLY, PermissionRequired, staff_of
from accounts.forms import DisplayForm, OwnPasswordForm
from core.exceptions import DomainError


class MyPage(PermissionRequired):
    """내 정보: who I am, how my pages look, my password."""

    permission = LOGIN_ONLY

    def get(self, request: HttpRequest) -> HttpResponse:
        return my_page(request)


class MyPasswordView(PermissionRequired):
    """비밀번호 변경: ends every other session of mine."""

    permission = LOGIN_ONLY
    http_method_names = ["post", "options"]

    @method_decorator(sensitive_post_parameters())
    def post(self, request: HttpRequest) -> HttpResponse:
        form = OwnPasswordForm(request.POST, user=staff_of(request))
        if not form.is_valid():
            return my_page(request, form, status=422)
        password = form.cleaned_data["password"]
        try:
            user = services.set_password(user=staff_of(request), password=password, at=timezone.now())
        except DomainError as error:
            form.add_error("password", error.message)
            return my_page(request, form, status=422)
        update_session_auth_hash(request, user)
        messages.success(request, "비밀번호를 바꿨습니다. 다른 기기에서는 로그아웃됩니다.")
        return redirect("accounts:me")


def my_page(request: HttpRequest, form: OwnPasswordForm | None = None, *, status: int = 200) -> HttpResponse:
    """내 정보 화면."""
    user = staff_of(request)
    defaults = {"theme": "system", "density": "normal", "shortcuts": "on", "page_size": user.page_size}
    context = {
        "title": "내 정보",
        "person": user,
        "display_form": DisplayForm(initial=defaults | user.prefs),
        "password_form": form or OwnPasswordForm(user=user),
    }
    return render(request, "accounts/me.html", context, status=status)


class PreferencesView(PermissionRequired):
    """화면 설정 저장: a form or JSON with any of theme, density, sidebar, shortcuts, page_size."""

    permission = LOGIN_ONLY
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            changes = dict(self._changes(request))
            page_size = changes.pop("page_size", None)
            if page_size is not None and not re.fullmatch(r"[0-9]{1,4}", page_size):
                raise DomainError("목록 행 수는 숫자로 입력하세요.", code="unknown_page_size")
            services.set_preferences(
                user=staff_of(request), changes=changes, page_size=int(page_size) if page_size else None
            )
        except DomainError as error:
            return self._answer(request, error)
        return self._answer(request, None)

    def _changes(self, request: HttpRequest) -> Mapping[str, str]:
        if request.content_type != "application/json":
            return {name: str(value) for name, value in request.POST.items() if name != "csrfmiddlewaretoken"}
        try:
            sent = json.loads(request.body)
        except (ValueError, RecursionError):
            sent = None
        if not isinstance(sent, dict) or not all(isinstance(value, str | int) for value in sent.values()):
            raise DomainError("화면 설정을 읽을 수 없습니다. 화면을 새로고침하세요.", code="bad_json")
        return {name: str(value) for name, value in sent.items()}

    def _answer(self, request: HttpRequest, error: DomainError | None) -> HttpResponse:
        if "text/html" not in request.headers.get("Accept", "") or request.headers.get("HX-Request"):
            text = error.message if error else ""
            return HttpResponse(text, status=400 if error else 204, content_type="text/plain; charset=utf-8")
        if error:
            return render(request, "400.html", {"error_text": error.message}, status=400)
        messages.success(request, "화면 설정을 저장했습니다.")
        return redirect("accounts:me")
