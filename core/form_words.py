"""입력 오류 문장: what Django says in words that staff do not use is said in ours, for every form at once.

Every text field also refuses letters that were lost on the way: Django reads broken UTF-8 as U+FFFD without a word.

Django's Korean catalogue writes "abc 이/가 선택가능항목에 없습니다." and "hidden 필드": a particle that nobody chose,
the wrong value repeated, and a field that nobody sees. A project catalogue would need a compiled file in the
repository; the default messages of the field classes are data that every field copies when it is made, so they are set
once, before any form of ours is imported. A field that knows better still says so with `error_messages`.
"""

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MinLengthValidator
from django.forms.formsets import BaseFormSet

from core.text import BROKEN, REPLACED

CHOOSE = "목록에서 고르세요."
CHOICE = "고를 수 없는 값입니다. 목록에 있는 값에서 다시 고르세요."
STALE = "화면이 오래되었거나 화면에 든 값이 바뀌었습니다. 화면을 새로 고치고 다시 입력해 주세요."
"""What is wrong with a hidden input: people can neither see nor correct it."""
TOO_LONG = "%(limit_value)d자까지 입력할 수 있습니다. 지금은 %(show_value)d자입니다."
TOO_SHORT = "%(limit_value)d자 이상 입력하세요. 지금은 %(show_value)d자입니다."

_CHOICES = (forms.ChoiceField, forms.MultipleChoiceField, forms.ModelChoiceField, forms.ModelMultipleChoiceField)


def use_our_words() -> None:
    """우리 문장 쓰기: called once when the project starts, before forms are made."""
    for field in _CHOICES:
        codes = {"invalid_choice", "invalid_pk_value"} & set(field.default_error_messages) | {"invalid_choice"}
        words = dict.fromkeys(codes, CHOICE) | {"required": CHOOSE}
        field.default_error_messages = {**field.default_error_messages, **words}
    BaseFormSet.default_error_messages = {
        **BaseFormSet.default_error_messages,
        "missing_management_form": STALE,
    }
    MaxLengthValidator.message, MinLengthValidator.message = TOO_LONG, TOO_SHORT  # type: ignore[assignment]
    # Those with validators of their own do not have the ones of CharField.
    for text in (forms.CharField, forms.EmailField, forms.SlugField, forms.URLField):
        text.default_validators = [*text.default_validators, whole_text]


def whole_text(value: object) -> None:
    """깨진 글자 확인: refuses U+FFFD in what a text field made of its input. Raises ValidationError."""
    if isinstance(value, str) and REPLACED in value:
        raise ValidationError(BROKEN, code="broken_text")


def stale_text(form: forms.BaseForm) -> str:
    """숨은 입력의 오류: one sentence for all hidden inputs that are wrong, "" when none is."""
    return STALE if any(field.errors for field in form.hidden_fields()) else ""
