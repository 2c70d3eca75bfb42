"""Form fields that several apps need alike."""

from typing import Any

from django import forms

from core.excel.protect import MAX_PASSWORD
from core.text import one_line


class LineField(forms.CharField):
    """한 줄 글자: trimmed, without control, zero-width and bidirectional characters."""

    def to_python(self, value: Any) -> str:
        return one_line(super().to_python(value) or "")


class FilePasswordField(forms.CharField):
    """파일 암호: of a locked workbook, taken to the letter and stored nowhere.

    `is_shown_again` puts it back into its field while a file needs several steps.
    """

    def __init__(self, *, label: str = "파일 암호", is_shown_again: bool = False, **kwargs: Any) -> None:
        widget = forms.PasswordInput(render_value=is_shown_again, attrs={"autocomplete": "off"})
        super().__init__(label=label, required=False, max_length=MAX_PASSWORD, strip=False, widget=widget, **kwargs)
