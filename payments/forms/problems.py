"""Forms of the acts on money that does not fit."""

from django import forms

from orders.forms import ReasonForm
from orders.models import Order


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
