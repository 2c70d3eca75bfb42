"""One line of text: what is dropped, what becomes a blank, and letters that were lost on the way."""

import pytest
from django import forms
from django.apps import apps
from django.core.checks.urls import check_url_config

from core.text import BROKEN, one_line, whole_number
from orders.forms import RecipientForm
from tests.fixtures.orders import ADDRESS


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
    """Every form of the shop that an address can reach."""
    check_url_config(None)
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


def test_a_typed_recipient_is_cleaned_like_one_that_was_sent():
    typed = {
        "recipient_name": "이\u200b새\x07로",
        "address1": "서울\t중구\u202e",
        "delivery_note": "문\r\n앞",
    }
    form = RecipientForm(ADDRESS | typed | {"version": "1"})
    assert form.is_valid()
    kept = {name: form.cleaned_data[name] for name in typed}
    assert kept == {"recipient_name": "이새로", "address1": "서울 중구", "delivery_note": "문 앞"}


def test_a_recipient_whom_nobody_can_see_is_refused():
    form = RecipientForm(ADDRESS | {"recipient_name": "\u200b\u202e", "version": "1"})
    assert form.errors == {"recipient_name": ["수령자를 입력하세요."]}


def test_a_whole_number_is_read_from_plain_digits_only():
    assert [whole_number(text) for text in ("0", "42", "007", "9" * 18)] == [0, 42, 7, 10**18 - 1]
    refused = ("", " 1", "-1", "+1", "1_0", "1.0", "\u0661", "\u00b2", "\uff11", "x", "9" * 19, "9" * 5_000)
    assert [whole_number(text) for text in refused] == [None] * len(refused)
    assert [whole_number(text, digits=2) for text in ("99", "100")] == [99, None]
