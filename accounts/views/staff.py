"""Staff: list, invitation, roles, ends of access."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.auth.tokens import default_token_generator
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlsafe_base64_encode

from accounts import services
from accounts.access import PermissionRequired, staff_of
from accounts.forms import InviteForm, ReasonForm, RoleForm
from accounts.models import User
from accounts.pages import history_rows, staff_rows
from accounts.roles import Role
from core.exceptions import DomainError, NotFound


class StaffList(PermissionRequired):
    """운영자 목록."""

    permission = "accounts.view"

    def get(self, request: HttpRequest) -> HttpResponse:
        return staff_list(request, InviteForm())


class InviteView(PermissionRequired):
    """운영자 초대."""

    permission = "accounts.manage"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        form = InviteForm(request.POST)
        if not form.is_valid():
            return staff_list(request, form, status=422)
        try:
            user = services.invite(
                username=form.cleaned_data["username"],
                display_name=form.cleaned_data["display_name"],
                role=Role(form.cleaned_data["role"]),
                actor=staff_of(request),
                at=timezone.now(),
            )
        except DomainError as error:
            form.add_error("username", error.message)
            return staff_list(request, form, status=error.status)
        messages.success(request, f"{user.display_name} 님을 초대했습니다. 비밀번호 설정 링크를 만들어 전해 주세요.")
        return redirect("accounts:staff_detail", pk=user.pk)


def staff_list(request: HttpRequest, form: InviteForm, *, status: int = 200) -> HttpResponse:
    """운영자 목록 화면."""
    context = {
        "title": "운영자",
        "rows": staff_rows(),
        "form": form,
        "may_manage": staff_of(request).has_perm("accounts.manage"),
    }
    return render(request, "accounts/staff_list.html", context, status=status)


class StaffDetail(PermissionRequired):
    """운영자 상세."""

    permission = "accounts.view"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return staff_detail(request, pk)


def staff_detail(
    request: HttpRequest,
    pk: int,
    *,
    status: int = 200,
    link: str = "",
    error: str = "",
    forms: Mapping[str, Form] | None = None,
) -> HttpResponse:
    """운영자 상세 화면, with the forms that did not pass and the link that was just made."""
    person = User.objects.filter(pk=pk).first()
    if person is None:
        return render(request, "404.html", {"error_text": services.UNKNOWN}, status=404)
    context = {
        "title": person.display_name,
        "person": person,
        "history": history_rows(person),
        "may_manage": staff_of(request).has_perm("accounts.manage"),
        "is_self": person.pk == staff_of(request).pk,
        "link": link,
        "error": error,
        "role_form": RoleForm(initial={"role": person.role}, prefix="role"),
        "active_form": ReasonForm(prefix="active"),
    }
    return render(request, "accounts/staff_detail.html", context | dict(forms or {}), status=status)


class StaffAct(PermissionRequired, ABC):
    """운영자 처리: one act on one person; a refusal shows the person again with the reason."""

    permission = "accounts.manage"
    http_method_names = ["post", "options"]
    form_class: ClassVar[type[Form]] = Form
    form_name: ClassVar[str] = ""
    done: ClassVar[str] = ""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        form = self.form_class(request.POST, prefix=self.form_name or None)
        if not form.is_valid():
            return staff_detail(request, pk, status=422, forms={f"{self.form_name}_form": form})
        common = {"user_id": pk, "actor": staff_of(request), "at": timezone.now()}
        try:
            user = self.act(common, form.cleaned_data)
        except NotFound as error:
            return render(request, "404.html", {"error_text": error.message}, status=404)
        except DomainError as error:
            return staff_detail(request, pk, status=error.status, error=error.message)
        return self.answer(request, user)

    @abstractmethod
    def act(self, common: dict[str, Any], data: dict[str, Any]) -> User:
        """Call the one service of this act."""

    def answer(self, request: HttpRequest, user: User) -> HttpResponse:
        """Say what was done on the person's page."""
        messages.success(request, self.done.format(name=user.display_name, role=user.role_label))
        return redirect("accounts:staff_detail", pk=user.pk)


class ChangeRole(StaffAct):
    """역할 변경."""

    form_class, form_name, done = RoleForm, "role", "{name} 님의 역할을 {role} 역할로 바꿨습니다."

    def act(self, common: dict[str, Any], data: dict[str, Any]) -> User:
        return services.change_role(role=Role(data["role"]), reason=data["reason"], **common)


class Disable(StaffAct):
    """사용 중지."""

    form_class, form_name, done = ReasonForm, "active", "{name} 님의 계정을 중지하고 로그아웃했습니다."

    def act(self, common: dict[str, Any], data: dict[str, Any]) -> User:
        return services.disable(reason=data["reason"], **common)


class Enable(StaffAct):
    """사용 재개."""

    form_class, form_name, done = ReasonForm, "active", "{name} 님이 다시 로그인할 수 있습니다."

    def act(self, common: dict[str, Any], data: dict[str, Any]) -> User:
        return services.enable(reason=data["reason"], **common)


class EndSessions(StaffAct):
    """모든 기기에서 로그아웃."""

    done = "{name} 님을 모든 기기에서 로그아웃했습니다."

    def act(self, common: dict[str, Any], data: dict[str, Any]) -> User:
        return services.end_sessions(**common)


class Unlock(StaffAct):
    """로그인 잠금 해제."""

    done = "{name} 님의 로그인 잠금을 풀었습니다."

    def act(self, common: dict[str, Any], data: dict[str, Any]) -> User:
        return services.unlock(**common)


class MakeLink(StaffAct):
    """비밀번호 설정 링크: shown once, on the answer itself."""

    def act(self, common: dict[str, Any], data: dict[str, Any]) -> User:
        return services.record_link(**common)

    def answer(self, request: HttpRequest, user: User) -> HttpResponse:
        uid, token = urlsafe_base64_encode(str(user.pk).encode()), default_token_generator.make_token(user)
        link = request.build_absolute_uri(reverse("accounts:invitation", args=[uid, token]))
        return staff_detail(request, user.pk, link=link)
