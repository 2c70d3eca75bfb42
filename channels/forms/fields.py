"""Fields that several forms of channels share."""

from typing import Any

from django import forms

from channels.services.limits import MOST_PRICE
from core.forms import LineField
from core.korean import josa
from core.phones import is_phone, normalize_phone


def required(label: str) -> dict[str, str]:
    """빈칸 안내 for a field."""
    return {"required": f"{josa(label, '을/를')} 입력하세요."}


class PhoneField(LineField):
    """연락처: stored as digits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=20, **kwargs)
        self.widget.attrs |= {"inputmode": "tel", "autocomplete": "off"}

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        digits = normalize_phone(text)
        if text and not is_phone(digits):
            raise forms.ValidationError("전화번호는 010-1234-5678처럼 입력하세요.")
        return digits


class WonField(forms.IntegerField):
    """금액 in won; accepts 12,900."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=MOST_PRICE, **kwargs)
        self.widget.attrs |= {"class": "num", "inputmode": "numeric", "autocomplete": "off"}

    def to_python(self, value: Any) -> int | None:
        return super().to_python(value.replace(",", "").strip() if isinstance(value, str) else value)
