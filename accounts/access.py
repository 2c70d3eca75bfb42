"""The gate before every page and act: log-in first, then the right; refusals are logged."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views import View

from accounts.clients import client_of
from accounts.models import AccessAction, User
from accounts.roles import Role, permission
from accounts.services import record_access

ViewFunction = Callable[..., HttpResponseBase]
LOGIN_ONLY = ""
EDIT_SETTINGS = "settings.edit"
# Names of people to ask, at most.
CONTACTS = 3


def requires(code: str) -> Callable[[ViewFunction], ViewFunction]:
    """권한 확인: decorate a view function with the right it asks for. An unknown code fails at import."""
    permission(code)
    return _gate(code)


def staff_only(view: ViewFunction) -> ViewFunction:
    """로그인 확인: decorate a view function that every member of staff may use."""
    return _gate(LOGIN_ONLY)(view)


class PermissionRequired(View):
    """권한 확인: a class view names its right in `permission`; `LOGIN_ONLY` means every member of staff."""

    permission: ClassVar[str | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.permission:
            permission(cls.permission)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.permission is None:
            raise ImproperlyConfigured(f"{type(self).__name__} names no permission")
        return refusal(request, self.permission) or super().dispatch(request, *args, **kwargs)


class SettingsPage(PermissionRequired):
    """설정 화면의 바탕: everybody with the right looks, only who may edit posts."""

    permission = "settings.view"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        refused = refusal(request, EDIT_SETTINGS) if request.method == "POST" else None
        return refused or super().dispatch(request, *args, **kwargs)


def staff_of(request: HttpRequest) -> User:
    """요청한 운영자: the person behind a request that has passed the gate."""
    assert isinstance(request.user, User)
    return request.user


def permission_of(view: Any) -> str | None:
    """권한 이름: the right that a URL's view asks for; LOGIN_ONLY, or None when the view has no gate."""
    # A gate around a class view stands before the class, whose attributes it carries along.
    for one in (view, getattr(view, "view_class", None)):
        code = getattr(one, "permission", None)
        if isinstance(code, str):
            return code
    return None


def refusal(request: HttpRequest, code: str) -> HttpResponse | None:
    """거절 응답: None when the person may go on; else the way to log in, or the logged 403 page naming the right."""
    user = request.user
    if not isinstance(user, User):
        return _to_login(request)
    if code == LOGIN_ONLY or user.has_perm(code):
        return None
    detail = {"permission": code, "method": request.method, "path": request.path}
    record_access(actor=user, action=AccessAction.DENIED, at=timezone.now(), client=client_of(request), detail=detail)
    return render(request, "403.html", {"error_text": _missing(code)}, status=403)


def _gate(code: str) -> Callable[[ViewFunction], ViewFunction]:
    def decorate(view: ViewFunction) -> ViewFunction:
        @wraps(view)
        def gated(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return refusal(request, code) or view(request, *args, **kwargs)

        gated.permission = code  # type: ignore[attr-defined]
        return gated

    return decorate


def _to_login(request: HttpRequest) -> HttpResponse:
    # A fragment request must not swap the log-in page into a list: 401 lets the page say that the session ended.
    if request.headers.get("HX-Request"):
        return HttpResponse(
            "로그인이 풀렸습니다. 다시 로그인하세요.", status=401, content_type="text/plain; charset=utf-8"
        )
    target = request.get_full_path() if request.method in {"GET", "HEAD"} else ""
    return redirect(f"{settings.LOGIN_URL}?{urlencode({'next': target})}" if target else settings.LOGIN_URL)


def _missing(code: str) -> str:
    owners = User.objects.filter(role=Role.OWNER, is_active=True).order_by("display_name", "pk")
    names = ", ".join(f"{name} 님" for name in owners.values_list("display_name", flat=True)[:CONTACTS])
    return f"이 작업은 {permission(code).label} 권한이 필요합니다. 담당자: {names}"
