"""Forms of the settings: they validate, they never save."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from core.calendar import kst_date, public_holidays
from core.forms import DayField, LineField, required
from core.models.calendar import HolidayKind
from orders.models import SalesChannel
from orders.models.channel import DeadlineKind

FIRST_YEAR, LAST_YEAR = 2020, 2060
HOLIDAY_RANGE = f"{FIRST_YEAR}년부터 {LAST_YEAR}년까지 등록할 수 있습니다."
RULE_WITHIN = timedelta(days=3653)


def _date(label: str, **words: str) -> DayField:
    return DayField(label=label, error_messages=required(label) | words)


class RuleForm(forms.Form):
    """기한 규칙: days that a channel, or every channel, grants from a date on."""

    kind = forms.ChoiceField(label="종류", choices=DeadlineKind.choices)
    channel = forms.ModelChoiceField(
        label="판매채널",
        queryset=SalesChannel.objects.none(),
        required=False,
        empty_label="모든 채널",
        error_messages={"invalid_choice": "없는 판매채널입니다. 다시 고르세요."},
    )
    days = forms.IntegerField(
        label="일수",
        min_value=1,
        max_value=90,
        error_messages={
            "required": "일수를 입력하세요.",
            "invalid": "1부터 90까지의 숫자로 입력하세요.",
            "min_value": "1부터 90까지의 숫자로 입력하세요.",
            "max_value": "1부터 90까지의 숫자로 입력하세요.",
        },
        help_text="발송기한은 결제일 다음 날부터 세는 영업일, 입금기한은 주문한 시각부터 세는 날입니다.",
    )
    valid_from = _date("적용 시작일")

    def clean_valid_from(self) -> date:
        day: date = self.cleaned_data["valid_from"]
        today = kst_date(timezone.now())
        if abs(day - today) > RULE_WITHIN:
            raise forms.ValidationError("적용 시작일은 오늘의 앞뒤 10년 안에서 고르세요.")
        return day

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channel: Any = self.fields["channel"]
        channel.queryset = SalesChannel.objects.order_by("name", "pk")


class HolidayForm(forms.Form):
    """휴일: a day on which the shop rests although others work, or the other way round."""

    day = _date("날짜", range=HOLIDAY_RANGE)
    kind = forms.ChoiceField(label="구분", choices=HolidayKind.choices)
    name = LineField(label="이름", max_length=60)

    def clean_day(self) -> Any:
        day = self.cleaned_data["day"]
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise forms.ValidationError(HOLIDAY_RANGE)
        return day

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        day, kind = cleaned.get("day"), cleaned.get("kind")
        if day and kind == HolidayKind.REST and day in public_holidays(day.year):
            self.add_error("day", f"이미 공휴일({public_holidays(day.year)[day]})인 날입니다.")
        return cleaned
