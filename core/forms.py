"""Fields of forms that every app shares."""

from datetime import date
from typing import Any

from django import forms

from core.calendar import FIRST_DAY, LAST_DAY, OutOfCalendar
from core.excel.protect import MAX_PASSWORD
from core.korean import josa
from core.phones import PHONE_HINT, is_phone, normalize_phone
from core.text import one_line

DATE = "날짜는 2025-11-21처럼 입력하세요."
ZIP = "우편번호는 숫자 5자리로 입력하세요."


LOGGED = "누가 왜 내려받았는지 기록이 남습니다."


def required(label: str) -> dict[str, str]:
    """빈칸 안내: the sentence for a field that was left empty, as its `error_messages`."""
    return {"required": f"{josa(label, '을/를')} 입력하세요."}


def chosen(label: str) -> dict[str, str]:
    """고르지 않음 안내: the sentence for a list of which nothing was chosen, as its `error_messages`."""
    return {"required": f"{josa(label, '을/를')} 고르세요."}


class DayField(forms.DateField):
    """날짜: a day between 2000 and 2099; what lies outside is a slip of the hand, and is refused beside its field.

    `error_messages["range"]` replaces the sentence for such a day.
    """

    def __init__(self, **kwargs: Any) -> None:
        words = {"invalid": DATE, "range": OutOfCalendar().message} | kwargs.pop("error_messages", {})
        super().__init__(error_messages=words, **kwargs)

    def to_python(self, value: Any) -> date | None:
        day: date | None = super().to_python(value)
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            raise forms.ValidationError(self.error_messages["range"], code="range")
        return day


class LineField(forms.CharField):
    """한 줄 글자: trimmed, without control, zero-width and bidirectional characters; asks for itself by its label."""

    def __init__(self, *, label: str, **kwargs: Any) -> None:
        words = required(label) | kwargs.pop("error_messages", {})
        super().__init__(label=label, error_messages=words, **kwargs)

    def to_python(self, value: Any) -> str:
        return one_line(super().to_python(value) or "")


class PhoneField(LineField):
    """연락처: typed as people write it, stored as digits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=20, **kwargs)
        self.widget.attrs |= {"inputmode": "tel", "autocomplete": "off"}

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        digits = normalize_phone(text)
        if text and not is_phone(digits):
            raise forms.ValidationError(PHONE_HINT)
        return digits


class ZipField(forms.RegexField):
    """우편번호: five digits; asks for itself by its label."""

    def __init__(self, *, label: str = "우편번호", **kwargs: Any) -> None:
        words = required(label) | {"invalid": ZIP} | kwargs.pop("error_messages", {})
        super().__init__(r"\A[0-9]{5}\Z", label=label, error_messages=words, **kwargs)


class FilePasswordField(forms.CharField):
    """파일 암호: of a locked workbook, taken to the letter and stored nowhere.

    `is_shown_again` puts it back into its field while a file needs several steps.
    """

    def __init__(self, *, label: str = "파일 암호", is_shown_again: bool = False, **kwargs: Any) -> None:
        widget = forms.PasswordInput(render_value=is_shown_again, attrs={"autocomplete": "off"})
        super().__init__(label=label, required=False, max_length=MAX_PASSWORD, strip=False, widget=widget, **kwargs)


class DownloadReasonField(forms.CharField):
    """내려받는 이유: why personal data leaves the house, two letters at least; it stands in the access log."""

    def __init__(self, **kwargs: Any) -> None:
        words = {"required": "내려받는 이유를 입력하세요."}
        told = f"개인정보가 들어 있는 파일입니다. {LOGGED}"
        super().__init__(label="내려받는 이유", max_length=200, help_text=told, error_messages=words, **kwargs)

    def clean(self, value: Any) -> str:
        reason = " ".join(super().clean(value).split())
        if len(reason) < 2:
            raise forms.ValidationError("내려받는 이유를 두 글자 이상 입력하세요.")
        return reason
