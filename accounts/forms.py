"""What staff type in about accounts; the services decide."""

from typing import Any

from django import forms

from accounts.models import User
from accounts.roles import Role
from accounts.services import PAGE_SIZES

PASSWORD_LENGTH = 128


class LoginForm(forms.Form):
    """로그인 입력."""

    username = forms.CharField(label="아이디", max_length=150, error_messages={"required": "아이디를 입력하세요."})
    password = forms.CharField(
        label="비밀번호",
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": "비밀번호를 입력하세요."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs |= {
            "autocomplete": "username",
            "autocapitalize": "none",
            "autofocus": True,
        }


class InviteForm(forms.Form):
    """초대 입력."""

    username = forms.CharField(
        label="아이디",
        max_length=40,
        validators=User._meta.get_field("username").validators,
        help_text="영문, 숫자, . _ - + @ 를 쓸 수 있습니다.",
        error_messages={"required": "아이디를 입력하세요."},
    )
    display_name = forms.CharField(label="이름", max_length=40, error_messages={"required": "이름을 입력하세요."})
    # No role is offered first: the first one would be 대표.
    role = forms.ChoiceField(
        label="역할", choices=[("", "고르세요"), *Role.choices], error_messages={"required": "역할을 고르세요."}
    )


class ReasonForm(forms.Form):
    """사유 입력."""

    reason = forms.CharField(
        label="사유",
        max_length=200,
        error_messages={"required": "사유를 입력하세요. 처리 이력에 남습니다."},
    )


class RoleForm(ReasonForm):
    """역할 변경 입력."""

    role = forms.ChoiceField(label="역할", choices=Role.choices, error_messages={"required": "역할을 고르세요."})
    field_order = ["role", "reason"]


class NewPasswordForm(forms.Form):
    """새 비밀번호 입력."""

    password = forms.CharField(
        label="새 비밀번호",
        max_length=PASSWORD_LENGTH,
        strip=False,
        help_text="10자 이상으로, 다른 곳에서 쓰지 않는 비밀번호를 입력하세요.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": "새 비밀번호를 입력하세요."},
    )
    again = forms.CharField(
        label="새 비밀번호 확인",
        max_length=PASSWORD_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": "새 비밀번호를 한 번 더 입력하세요."},
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("password") and cleaned.get("again") and cleaned["password"] != cleaned["again"]:
            self.add_error("again", "두 비밀번호가 다릅니다. 다시 입력하세요.")
        return cleaned


class OwnPasswordForm(NewPasswordForm):
    """비밀번호 변경 입력."""

    current = forms.CharField(
        label="지금 비밀번호",
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": "지금 비밀번호를 입력하세요."},
    )
    field_order = ["current", "password", "again"]

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_current(self) -> str:
        current: str = self.cleaned_data["current"]
        if not self.user.check_password(current):
            raise forms.ValidationError("지금 비밀번호가 맞지 않습니다. 다시 입력하세요.")
        return current


class DisplayForm(forms.Form):
    """화면 설정 입력."""

    theme = forms.ChoiceField(label="화면 색", choices=[("system", "시스템"), ("light", "밝게"), ("dark", "어둡게")])
    density = forms.ChoiceField(label="줄 간격", choices=[("compact", "촘촘"), ("normal", "기본"), ("roomy", "넉넉")])
    shortcuts = forms.ChoiceField(label="한 글자 단축키", choices=[("on", "켜기"), ("off", "끄기")])
    page_size = forms.TypedChoiceField(
        label="목록 행 수", coerce=int, choices=[(size, f"{size}개씩") for size in PAGE_SIZES]
    )
