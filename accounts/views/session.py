"""Log-in, log-out and the page behind an invitation link."""

from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.tokens import default_token_generator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme, urlsafe_base64_decode
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import services
from accounts.clients import client_of
from accounts.forms import LoginForm, NewPasswordForm
from accounts.lockout import minutes_left
from accounts.middleware import mark_session
from accounts.models import AccessAction, User
from core.exceptions import DomainError

LONGEST_NEXT = 2000
WRONG = "아이디 또는 비밀번호가 맞지 않습니다. 다시 확인하고 입력하세요."
LINK_DEAD = "링크의 기한이 지났거나 이미 쓴 링크입니다. 대표에게 새 링크를 요청하세요."


def safe_next(request: HttpRequest) -> str:
    """돌아갈 주소: the `next` of a request when it is a path of this site, else the dashboard."""
    target = request.POST.get("next") or request.GET.get("next") or "/"
    is_path = target.startswith("/") and len(target) <= LONGEST_NEXT
    # Without allowed hosts only a path passes; "//host" and "/\\host" are none.
    return target if is_path and url_has_allowed_host_and_scheme(target, None) else "/"


@method_decorator([never_cache, sensitive_post_parameters("password")], name="dispatch")
class LoginView(View):
    """로그인: answers a wrong name and a wrong password alike; a locked name hears for how long."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            return HttpResponseRedirect(safe_next(request))
        return self._page(request, LoginForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = LoginForm(request.POST)
        if not form.is_valid():
            return self._page(request, form, status=422)
        username = form.cleaned_data["username"]
        user = authenticate(request, username=username, password=form.cleaned_data["password"])
        if not isinstance(user, User):
            return self._failed(request, form, username)
        now = timezone.now()
        login(request, user)
        mark_session(request.session, at=now)
        request.session.save()
        services.record_access(actor=user, action=AccessAction.LOGIN, at=now, client=client_of(request))
        return HttpResponseRedirect(safe_next(request))

    def _failed(self, request: HttpRequest, form: LoginForm, username: str) -> HttpResponse:
        now = timezone.now()
        # A name nobody has may be a password typed into the wrong field: it is not kept.
        known = User.objects.filter(username=username).exists()
        detail = {"username": username} if known else {}
        services.record_access(
            actor=None, action=AccessAction.LOGIN_FAILED, at=now, client=client_of(request), detail=detail
        )
        if getattr(request, "axes_locked_out", False):
            left = minutes_left(username, at=now)
            form.add_error(
                None, f"로그인을 여러 번 실패해 잠갔습니다. {left}분 뒤에 다시 시도하거나 대표에게 풀어 달라고 하세요."
            )
            return self._page(request, form, status=429)
        form.add_error(None, WRONG)
        return self._page(request, form, status=401)

    def _page(self, request: HttpRequest, form: LoginForm, status: int = 200) -> HttpResponse:
        return render(request, "accounts/login.html", {"form": form, "next": safe_next(request)}, status=status)


class LogoutView(View):
    """로그아웃: by POST only; the browser forgets pages and cookies."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        if isinstance(request.user, User):
            services.record_access(
                actor=request.user, action=AccessAction.LOGOUT, at=timezone.now(), client=client_of(request)
            )
        logout(request)
        response = redirect("accounts:login")
        response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
        return response


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class InvitationView(View):
    """비밀번호 정하기: opened by the link that a 대표 hands over; works once and for three days."""

    def get(self, request: HttpRequest, uid: str, token: str) -> HttpResponse:
        user = self._user(uid, token)
        return self._page(request, user, NewPasswordForm(), status=200 if user else 410)

    def post(self, request: HttpRequest, uid: str, token: str) -> HttpResponse:
        user = self._user(uid, token)
        form = NewPasswordForm(request.POST)
        if user is None:
            return self._page(request, None, form, status=410)
        if form.is_valid():
            try:
                services.set_password(user=user, password=form.cleaned_data["password"], at=timezone.now())
            except DomainError as error:
                form.add_error("password", error.message)
            else:
                messages.success(request, "비밀번호를 정했습니다. 로그인하세요.")
                return redirect("accounts:login")
        return self._page(request, user, form, status=422)

    def _page(self, request: HttpRequest, user: User | None, form: forms.Form, *, status: int) -> HttpResponse:
        context = {"form": form, "invited": user, "error": "" if user else LINK_DEAD}
        return render(request, "accounts/invitation.html", context, status=status)

    def _user(self, uid: str, token: str) -> User | None:
        try:
            user = User.objects.filter(pk=int(urlsafe_base64_decode(uid).decode()), is_active=True).first()
        except (ValueError, OverflowError):
            return None
        return user if user and default_token_generator.check_token(user, token) else None
