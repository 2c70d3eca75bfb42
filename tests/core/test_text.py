"""One line of text: what is dropped, what becomes a blank, and letters that were lost on the way."""

import pytest
from django import forms
from django.apps import apps

from core.text import BROKEN, one_line


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("  홍길동 ", "홍길동"),
        ("홍\u200b길\u200d동\ufeff", "홍길동"),
        ("\u202e길동\u202c", "길동"),
        ("이\x07영\x00희", "이영희"),
        ("a\tb\r\nc\u2028d", "a b c d"),
        ("서울\u00a0강남구\u3000역삼동", "서울 강남구 역삼동"),
        ("가\u1102\u1161", "가나"),
        ("\u200b \u2066", ""),
        ("가  나", "가  나"),
    ],
)
def test_a_line_holds_what_people_can_see(typed, stored):
    assert one_line(typed) == stored


def own_forms(kind: type = forms.BaseForm) -> set[type]:
    """Every form of the shop."""
    found = {one for one in kind.__subclasses__() if one.__module__.split(".")[0] in apps.app_configs}
    return found.union(*(own_forms(one) for one in kind.__subclasses__()))


def test_every_text_field_of_every_form_refuses_lost_letters():
    forms_seen = own_forms()
    fields = {
        (form.__name__, name): field
        for form in forms_seen
        for name, field in form.base_fields.items()  # type: ignore[attr-defined]
        if isinstance(field, forms.CharField) and not isinstance(field, forms.UUIDField)
    }
    assert {("HolidayForm", "name"), ("TemplateNameForm", "name"), ("RecipientForm", "address1")} <= set(fields)
    for place, field in fields.items():
        with pytest.raises(forms.ValidationError) as caught:
            field.clean("가\ufffd")
        assert BROKEN in caught.value.messages, place
