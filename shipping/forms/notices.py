"""Form of 고객 안내; it validates and never saves."""

from typing import Any

from django import forms

from core.forms import LineField
from core.settings_registry import get_settings
from shipping.options import NOTICE_TEXTS
from shipping.states import NoticeKind


class NoticeForm(forms.Form):
    """고객 안내: which of the shop's sentences, or one of its own for this once."""

    notice = forms.ChoiceField(
        label="안내",
        error_messages={"required": "안내를 고르세요.", "invalid_choice": "목록에서 안내를 고르세요."},
    )
    text = LineField(
        label="다른 문구",
        required=False,
        max_length=150,
        help_text="고른 안내의 문구 대신 이번에만 보낼 글입니다. 처리 이력에 남습니다.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = get_settings(*(one.key for one in NOTICE_TEXTS.values()))
        field: Any = self.fields["notice"]
        told = [(kind.value, f"{kind.label}: {words[one.key]}") for kind, one in NOTICE_TEXTS.items()]
        field.choices = [("", "고르세요"), *told]

    def clean_notice(self) -> NoticeKind:
        return NoticeKind(self.cleaned_data["notice"])
