"""주문 직접 등록 입력."""

import secrets
from typing import Any

from django import forms

from channels.forms.fields import WonField
from channels.services.limits import MOST_LINES, MOST_QUANTITY
from core.forms import DayField, LineField, PhoneField, ZipField
from orders.contact import kept_end
from orders.forms import FIRST_FORM, SAFE_NUMBER_END, SECOND_FORM
from orders.models import SalesChannel
from orders.states import DeliveryMethod, PaymentMethod


def new_key() -> str:
    """화면의 키: one per opened form."""
    return secrets.token_hex(16)


class OrderForm(forms.Form):
    """주문 직접 등록: who buys, who receives, how it is paid and sent."""

    key = forms.RegexField(r"\A[0-9a-f]{32}\Z", widget=forms.HiddenInput, initial=new_key)
    channel = forms.ModelChoiceField(
        label="판매채널",
        queryset=SalesChannel.objects.none(),
        empty_label=None,
        error_messages={"required": "판매채널을 고르세요.", "invalid_choice": "없는 판매채널입니다. 다시 고르세요."},
    )
    buyer_name = LineField(label="주문자", max_length=60)
    buyer_phone = PhoneField(label="주문자 연락처", required=False)
    recipient_name = LineField(label="수령자", max_length=60)
    recipient_phone = PhoneField(label="수령자 연락처")
    safe_number_end_date = DayField(label="안심번호 만료일", required=False, help_text=SAFE_NUMBER_END)
    zip_code = ZipField(required=False)
    address1 = LineField(label="주소", max_length=200, help_text=FIRST_FORM)
    address2 = LineField(label="상세주소", max_length=200, required=False)
    jibun_address = LineField(label="지번주소", max_length=200, required=False, help_text=SECOND_FORM)
    delivery_note = LineField(label="배송메시지", max_length=500, required=False)
    delivery_method = forms.ChoiceField(label="배송방법", choices=DeliveryMethod.choices)
    payment_method = forms.ChoiceField(
        label="결제수단",
        choices=PaymentMethod.choices,
        help_text="무통장입금과 가상계좌는 입금대기로, 나머지는 결제한 주문으로 등록합니다.",
    )
    depositor_name = LineField(label="입금자명", max_length=60, required=False)
    discount_amount = WonField(label="할인(원)", initial=0, required=False)
    shipping_fee_amount = WonField(label="배송비(원)", initial=0, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channel = self.fields["channel"]
        assert isinstance(channel, forms.ModelChoiceField)
        channel.queryset = SalesChannel.objects.filter(is_active=True).order_by("pk")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        end = kept_end(cleaned.get("safe_number_end_date"), cleaned.get("recipient_phone", ""))
        return cleaned | {"safe_number_end_date": end}


class LineForm(forms.Form):
    """품목 입력: a variant that a search found, with quantity and price."""

    variant = forms.IntegerField(min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)
    quantity = forms.IntegerField(
        label="수량",
        min_value=1,
        max_value=MOST_QUANTITY,
        initial=1,
        error_messages={"required": "수량을 입력하세요."},
    )
    unit_price = WonField(label="판매가(원)", error_messages={"required": "판매가를 입력하세요."})


LineFormSet = forms.formset_factory(LineForm, extra=0, max_num=MOST_LINES, absolute_max=MOST_LINES, validate_max=True)
