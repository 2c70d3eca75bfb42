"""What several forms of payments ask for alike: a bank account, an account of ours under a code."""

import re
from datetime import datetime
from typing import Any, Final

from django import forms
from django.utils.dateparse import parse_datetime

from core.form_words import STALE
from core.forms import required

CODE: Final = re.compile(r"[a-z][a-z0-9-]{1,19}")
NUMBER: Final = re.compile(r"[0-9]{6,20}", re.ASCII)
_GAPS: Final = re.compile(r"[\s-]")


class AccountNumberField(forms.CharField):
    """계좌번호: typed with or without hyphens and blanks, kept as 6 to 20 digits; empty stays empty."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"inputmode": "numeric", "autocomplete": "off", "spellcheck": "false"}
        super().__init__(label="계좌번호", max_length=40, widget=forms.TextInput(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> str:
        number = _GAPS.sub("", super().clean(value))
        if number and not NUMBER.fullmatch(number):
            raise forms.ValidationError("계좌번호는 숫자 6~20자리로 입력하세요.")
        return number


class AccountSettingsForm(forms.Form):
    """계정 설정의 바탕: one form for a new account (with `code`) and a known one (with what the screen saw)."""

    code = forms.CharField(label="코드", max_length=20, error_messages=required("코드"))
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, account: Any = None, **kwargs: Any) -> None:
        self.account = account
        super().__init__(*args, **kwargs)
        if account is not None:
            del self.fields["code"]

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if not CODE.fullmatch(code):
            raise forms.ValidationError("코드는 영문 소문자로 시작하고 소문자, 숫자, -만 씁니다.")
        return code

    def clean_seen(self) -> datetime | None:
        if self.account is None:
            return None
        try:
            found = parse_datetime(self.cleaned_data["seen"])
        except ValueError:
            found = None
        if found is None:
            raise forms.ValidationError(STALE)
        return found
