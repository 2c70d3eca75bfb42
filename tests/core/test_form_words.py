"""What Django says about input, in our words: no doubled particles, no English, nothing about hidden fields."""

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.forms import formset_factory

from accounts.models import User
from accounts.roles import Role
from core.form_words import CHOICE, CHOOSE, STALE, stale_text
from orders.forms import RecipientForm
from products.forms import StockFileForm


class Choosing(forms.Form):
    one = forms.ChoiceField(choices=[("a", "가")])
    typed = forms.TypedChoiceField(choices=[("1", "하나")], coerce=int)
    many = forms.MultipleChoiceField(choices=[("a", "가")])
    row = forms.ModelChoiceField(queryset=User.objects.none())
    rows = forms.ModelMultipleChoiceField(queryset=User.objects.none())
    own = forms.ChoiceField(choices=[], error_messages={"invalid_choice": "없는 열입니다."})


@pytest.mark.django_db
def test_every_choice_that_is_none_gets_the_same_sentence():
    form = Choosing({"one": "abc", "typed": "abc", "many": ["abc"], "row": "abc", "rows": ["abc"], "own": "abc"})
    found = {name: list(errors) for name, errors in form.errors.items()}
    assert found == dict.fromkeys(["one", "typed", "many", "row", "rows"], [CHOICE]) | {"own": ["없는 열입니다."]}


@pytest.mark.django_db
def test_a_list_of_which_nothing_is_chosen_says_where_to_choose():
    found = {name: list(errors) for name, errors in Choosing({}).errors.items()}
    assert found == dict.fromkeys(["one", "typed", "many", "row", "rows", "own"], [CHOOSE])


@pytest.mark.parametrize("url", ["/orders/?channel=abc", "/orders/?payment=abc"])
def test_a_filter_that_has_no_such_choice_names_no_doubled_particle(url, sign_in):
    page = sign_in(Role.OWNER).get(url).content.decode()
    assert CHOICE in page
    assert "이/가" not in page


def test_hidden_inputs_have_one_sentence():
    assert stale_text(RecipientForm({"version": "x"})) == STALE
    assert stale_text(StockFileForm({})) == ""
    formset = formset_factory(Choosing)({"form-TOTAL_FORMS": "x"})
    assert list(formset.non_form_errors()) == [STALE]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("가나다라", "3자까지 입력할 수 있습니다. 지금은 4자입니다."),
        ("가", "2자 이상 입력하세요. 지금은 1자입니다."),
    ],
)
def test_a_text_of_a_wrong_length_says_how_long_it_may_be(text, said):
    with pytest.raises(ValidationError) as refused:
        forms.CharField(min_length=2, max_length=3).clean(text)
    assert refused.value.messages == [said]
