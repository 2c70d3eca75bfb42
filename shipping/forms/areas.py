"""Forms of remote areas; they validate and never save."""

from typing import Any

from django import forms
from django.utils import timezone

from core.calendar import kst_date
from core.forms import DayField, LineField, ZipField, chosen
from orders.states import RemoteZone
from shipping.couriers import COURIERS
from shipping.models import AreaLevel

MOST = 1_000_000


class AreaForm(forms.Form):
    """도서산간 지역."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, required=False)
    level = forms.ChoiceField(
        label="비교 기준",
        choices=AreaLevel.choices,
        error_messages=chosen("비교 기준"),
        help_text="주소에 든 말, 우편번호, 주소의 첫머리 순서로 봅니다.",
    )
    text = LineField(
        label="주소의 말", required=False, max_length=100, help_text="예: 울릉읍, 한산면. 띄어쓰기는 보지 않습니다."
    )
    zip_from = ZipField(label="우편번호 처음", required=False)
    zip_to = ZipField(label="우편번호 끝", required=False)
    courier = forms.ChoiceField(label="택배사", required=False)
    zone = forms.TypedChoiceField(
        label="권역",
        choices=RemoteZone.choices,
        coerce=int,
        error_messages=chosen("권역"),
        help_text="내륙을 고르면 넓은 규칙에서 뺍니다.",
    )
    surcharge = forms.IntegerField(
        label="추가 배송비(원)",
        required=False,
        min_value=0,
        max_value=MOST,
        help_text="비우면 위에서 정한 권역의 금액을 씁니다.",
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), f"0부터 {MOST:,}까지의 숫자로 입력하세요."),
    )
    valid_from = DayField(label="적용 시작일", error_messages={"required": "적용 시작일을 입력하세요."})
    source = LineField(label="출처", required=False, max_length=200, help_text="예: 2026년 택배사 운임표")
    is_active = forms.BooleanField(label="사용", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["courier"]
        field.choices = [("", "모든 택배사"), *((slug, courier.name) for slug, courier in COURIERS.items())]
        self.fields["valid_from"].initial = kst_date(timezone.now())

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("level") == AreaLevel.ZIP:
            first, last = cleaned.get("zip_from", ""), cleaned.get("zip_to", "") or cleaned.get("zip_from", "")
            if not first and "zip_from" not in self.errors:
                self.add_error("zip_from", "우편번호를 입력하세요.")
            elif first and last < first:
                self.add_error("zip_to", "끝 번호는 처음 번호보다 작을 수 없습니다.")
            cleaned |= {"text": "", "zip_from": first, "zip_to": last}
        else:
            if len("".join(cleaned.get("text", "").split())) < 2 and "text" not in self.errors:
                self.add_error("text", "주소의 말을 두 글자 이상 입력하세요.")
            cleaned |= {"zip_from": "", "zip_to": ""}
        return cleaned

    def facts(self) -> dict[str, Any]:
        """지역의 값 for the service."""
        names = ("level", "text", "zip_from", "zip_to", "courier", "zone", "surcharge", "valid_from", "source",
                 "is_active")  # fmt: skip
        return {name: self.cleaned_data[name] for name in names}
