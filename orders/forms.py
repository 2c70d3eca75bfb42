"""Forms of the acts on orders: they validate, they never save."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from core.calendar import kst_date
from core.forms import DayField, LineField, ZipField
from core.phones import is_phone, normalize_phone
from orders.contact import kept_end
from orders.models import DelayReason
from orders.services.changes import DELAY_RANGE, is_delay_possible

REASON = "사유를 입력하세요. 처리 이력에 남습니다."
FIRST_FORM = "택배사와 송장에 쓰는 주소입니다. 도로명과 지번을 다 알면 도로명주소를 입력하세요."
SECOND_FORM = "도로명주소와 함께 받은 지번주소가 있을 때만 입력하세요. 송장에 자리가 있으면 괄호로 적습니다."
SAFE_NUMBER_END = "050 번호를 쓸 수 있는 마지막 날입니다. 안심번호가 아니면 저장하지 않습니다."
LONGEST_HOLD = timedelta(days=365)


class ReasonForm(forms.Form):
    """사유: one sentence that goes into the history."""

    reason = forms.CharField(label="사유", max_length=200, error_messages={"required": REASON})


class HoldForm(forms.Form):
    """배송보류: the reason everybody reads, and when to look again."""

    reason = forms.CharField(label="보류 사유", max_length=200, error_messages={"required": REASON})
    until = DayField(label="예정일", required=False, help_text="보류를 풀 날짜를 아는 경우에만 입력합니다.")

    def clean_until(self) -> date | None:
        until: date | None = self.cleaned_data["until"]
        today = kst_date(timezone.now())
        if until is not None and not today <= until <= today + LONGEST_HOLD:
            raise forms.ValidationError(f"예정일은 오늘부터 {LONGEST_HOLD.days}일 안에서 고르세요.")
        return until


class DelayForm(forms.Form):
    """발송지연 안내: new date, reason and the words the buyer gets."""

    new_date = DayField(
        label="발송예정일", error_messages={"required": "발송예정일을 입력하세요.", "range": DELAY_RANGE}
    )
    delay_reason = forms.ChoiceField(label="사유", choices=DelayReason.choices)
    detail = forms.CharField(label="안내 문구", max_length=1000, required=False, widget=forms.Textarea)

    def clean_new_date(self) -> date:
        day: date = self.cleaned_data["new_date"]
        if not is_delay_possible(day, today=kst_date(timezone.now())):
            raise forms.ValidationError(DELAY_RANGE)
        return day


class MemoForm(forms.Form):
    """메모: a note on the order."""

    text = forms.CharField(
        label="메모", max_length=2000, widget=forms.Textarea, error_messages={"required": "메모를 입력하세요."}
    )
    is_pinned = forms.BooleanField(label="포장할 때 경고로 보이기", required=False)


class RevealForm(forms.Form):
    """개인정보 보기: why the clear text is needed."""

    reason = forms.CharField(
        label="보는 이유",
        min_length=4,
        max_length=200,
        error_messages={
            "required": "보는 이유를 입력하세요.",
            "min_length": "보는 이유를 네 글자 이상 입력하세요.",
        },
    )


class RecipientForm(forms.Form):
    """배송지 변경: what is printed on the label; phones with or without hyphens, zip as 5 digits."""

    recipient_name = LineField(label="수령자", max_length=60)
    recipient_phone = forms.CharField(
        label="연락처", max_length=20, error_messages={"required": "연락처를 입력하세요."}
    )
    recipient_phone2 = forms.CharField(label="연락처2", max_length=20, required=False)
    safe_number_end_date = DayField(label="안심번호 만료일", required=False, help_text=SAFE_NUMBER_END)
    zip_code = ZipField()
    address1 = LineField(label="주소", max_length=200, help_text=FIRST_FORM)
    address2 = LineField(label="상세주소", max_length=200, required=False)
    jibun_address = LineField(label="지번주소", max_length=200, required=False, help_text=SECOND_FORM)
    delivery_note = LineField(label="배송메시지", max_length=500, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def clean_recipient_phone(self) -> str:
        return _phone(self.cleaned_data["recipient_phone"])

    def clean_recipient_phone2(self) -> str:
        value = self.cleaned_data["recipient_phone2"]
        return _phone(value) if value else ""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        phones = [cleaned.get(name, "") for name in ("recipient_phone", "recipient_phone2")]
        return cleaned | {"safe_number_end_date": kept_end(cleaned.get("safe_number_end_date"), *phones)}


def _phone(text: str) -> str:
    digits = normalize_phone(text)
    if not is_phone(digits):
        raise forms.ValidationError("전화번호 형식이 아닙니다. 010-1234-5678처럼 입력하세요.")
    return digits


def initial_recipient(order: Any) -> dict[str, Any]:
    """Values of the recipient form for an order."""
    names = [name for name in RecipientForm.base_fields if name != "version"]
    return {name: getattr(order, name) for name in names} | {"version": order.version}
