"""Forms of what no courier carries: they validate and never save."""

from collections.abc import Collection
from typing import Any, ClassVar

from django import forms

from core.forms import LineField, PhoneField
from orders.states import DeliveryMethod
from shipping.services.seals import CODE_DIGITS

CODE_OR_NAME = "수령 코드나 받은 사람의 이름을 입력하세요."


class RiderForm(forms.Form):
    """배차: who carries it; both may be unknown."""

    sealed_fields: ClassVar[Collection[str]] = ("phone",)

    carried_by = LineField(label="퀵 업체나 담당자", required=False, max_length=60)
    phone = PhoneField(label="기사나 담당자 연락처", required=False, help_text="모르면 비워 둡니다.")


class HandedForm(forms.Form):
    """전달 완료: what should stay in the history."""

    memo = LineField(
        label="메모", required=False, max_length=200, help_text="누구에게 어디서 전달했는지 처리 이력에 남습니다."
    )


class ReceivedForm(forms.Form):
    """수령 확인: the buyer's code, or the name of whoever came."""

    sealed_fields: ClassVar[Collection[str]] = ("code", "name")

    code = LineField(
        label="수령 코드",
        required=False,
        max_length=20,
        help_text=f"고객이 알림으로 받은 숫자 {CODE_DIGITS}자리입니다.",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    name = LineField(
        label="받은 사람",
        required=False,
        max_length=60,
        help_text="코드가 없으면 신분을 확인하고 이름을 입력합니다.",
    )

    def clean_code(self) -> str:
        text = "".join(self.cleaned_data["code"].split())
        if text and not (text.isascii() and text.isdecimal() and len(text) == CODE_DIGITS):
            raise forms.ValidationError(f"수령 코드는 숫자 {CODE_DIGITS}자리로 입력하세요.")
        return text

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and not (cleaned.get("code") or cleaned.get("name")):
            raise forms.ValidationError(CODE_OR_NAME)
        return cleaned


class MethodForm(forms.Form):
    """배송방법 변경: the new way, and why."""

    method = forms.ChoiceField(label="배송방법", choices=DeliveryMethod.choices)
    reason = LineField(label="사유", required=False, max_length=200, help_text="처리 이력에 남습니다.")

    def clean_method(self) -> DeliveryMethod:
        return DeliveryMethod(self.cleaned_data["method"])
