"""Forms of the acts on 배송 예외; they validate and never save."""

from typing import Any

from django import forms

from accounts.models import User
from accounts.roles import may
from orders.forms import ReasonForm
from shipping.states import ExceptionOutcome

BY_HAND = (
    ExceptionOutcome.SOLVED, ExceptionOutcome.AGREED, ExceptionOutcome.CLAIMED, ExceptionOutcome.NOTHING,
)  # fmt: skip
RESOLVE = "shipping.resolve_exception"


class AssignForm(forms.Form):
    """담당자: a colleague who may decide cases."""

    assignee = forms.ChoiceField(
        label="담당자",
        error_messages={"required": "담당자를 고르세요.", "invalid_choice": "목록에서 담당자를 고르세요."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(is_active=True).order_by("display_name", "pk")
        field: Any = self.fields["assignee"]
        field.choices = [(str(one.pk), one.display_name) for one in people if may(one.role, RESOLVE)]

    def clean_assignee(self) -> int:
        return int(self.cleaned_data["assignee"])


class NoteForm(forms.Form):
    """메모."""

    text = forms.CharField(label="메모", max_length=300, error_messages={"required": "메모를 입력하세요."})


class InquiryForm(forms.Form):
    """택배사에 문의함: what was asked and answered, as far as it is worth keeping."""

    text = forms.CharField(label="문의 내용", max_length=300, required=False)


class CloseForm(ReasonForm):
    """처리 완료: what came of it."""

    result = forms.ChoiceField(
        label="결과", choices=[(one.value, one.label) for one in BY_HAND],
        error_messages={"required": "결과를 고르세요.", "invalid_choice": "목록에서 결과를 고르세요."},
    )  # fmt: skip
    field_order = ("result", "reason")
