"""Forms of the acts on exceptional money."""

from typing import Any

from django import forms

from orders.forms import ReasonForm
from orders.models import Order
from payments.adapters.banks import CHOICES
from payments.models import RefundAccount

ACCOUNT_FIELDS = ("bank", "number", "holder")


class AttachForm(ReasonForm):
    """주문에 연결: which order the money is for."""

    order = forms.CharField(
        label="주문번호", max_length=40, error_messages={"required": "주문번호를 입력하세요."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    field_order = ("order", "reason")

    def clean_order(self) -> int:
        found = Order.objects.filter(number=self.cleaned_data["order"].strip()).values_list("pk", flat=True).first()
        if found is None:
            raise forms.ValidationError("주문을 찾을 수 없습니다. 주문번호를 확인하세요.")
        return found


class RefundForm(ReasonForm):
    """환불 신청: where the money goes, when it cannot go back the way it came."""

    bank = forms.ChoiceField(label="은행", choices=[("", "고르지 않음"), *CHOICES], required=False)
    number = forms.CharField(
        label="계좌번호", max_length=30, required=False,
        help_text="계좌로 받은 돈은 환불계좌가 필요합니다. 카드는 비워 두세요.",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )  # fmt: skip
    holder = forms.CharField(label="예금주", max_length=60, required=False)
    field_order = ("reason", *ACCOUNT_FIELDS)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        given = [str(cleaned.pop(name, "") or "").strip() for name in ACCOUNT_FIELDS]
        if any(given) and not all(given):
            raise forms.ValidationError("환불계좌는 은행, 계좌번호, 예금주를 모두 입력하세요.")
        bank, number, holder = given
        cleaned["account"] = RefundAccount(bank, number.replace("-", ""), holder) if bank else None
        return cleaned
