"""Fields that several forms of channels share."""

from typing import Any

from django import forms

from channels.services.limits import MOST_PRICE


class WonField(forms.IntegerField):
    """금액 in won; accepts 12,900."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=MOST_PRICE, **kwargs)
        self.widget.attrs |= {"class": "num", "inputmode": "numeric", "autocomplete": "off"}

    def to_python(self, value: Any) -> int | None:
        return super().to_python(value.replace(",", "").strip() if isinstance(value, str) else value)
