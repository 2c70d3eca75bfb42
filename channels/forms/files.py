"""주문 파일과 품목 연결 입력."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms

from channels.adapters.layouts import FIELDS, Pick, Reads, Rule
from channels.models import OrderProfile
from core.excel import normalize
from core.forms import FilePasswordField, required
from core.upload_forms import HeldFileForm
from orders.models import SalesChannel

DATE_FORMATS = (
    ("", "자동"),
    ("%m/%d/%Y", "월/일/년"),
    ("%d/%m/%Y", "일/월/년"),
    ("%m-%d-%Y", "월-일-년"),
    ("%d.%m.%Y", "일.월.년"),
    ("%Y-%m-%d", "년-월-일"),
    ("%y%m%d", "연월일 6자리"),
)
PICKS = ((Pick.SAME.value, "같아야 함"), (Pick.FIRST.value, "첫 행"), (Pick.LAST.value, "마지막 행"))
AUTOMATIC = "자동으로 찾기"
LEAST_FACTOR, MOST_FACTOR = Decimal("0.0001"), Decimal(1_000_000)
"""No money in use is worth less or more in won."""
WRONG_FACTOR = "환산은 1350.5처럼 0.0001부터 1,000,000까지의 수로, 소수점 아래 8자리까지 입력하세요."
_FACTOR = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,8})?|\.[0-9]{1,8}")


class ImportForm(HeldFileForm):
    """주문 파일 입력."""

    sheet_help = "시트가 여러 개인 파일입니다. 주문이 있는 시트를 고르세요."
    field_order = ("file", "sheet", "password", "profile")

    file = forms.FileField(
        label="파일",
        required=False,
        allow_empty_file=True,
        help_text="xlsx, xls, csv 파일입니다. 암호가 걸린 파일도 올릴 수 있습니다.",
        widget=forms.FileInput(attrs={"accept": ".xlsx,.xls,.csv,.xlsb,.ods,.html,.htm"}),
    )
    profile = forms.ModelChoiceField(
        label="양식",
        queryset=OrderProfile.objects.none(),
        required=False,
        empty_label=AUTOMATIC,
        error_messages={"invalid_choice": "없는 양식입니다. 다시 고르세요."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        profile = self.fields["profile"]
        assert isinstance(profile, forms.ModelChoiceField)
        profile.queryset = OrderProfile.objects.select_related("channel").order_by("name", "pk")


class ColumnsForm(forms.Form):
    """열 맞추기 입력: for every field of ours a column of the file or a fixed value, and what is done to it."""

    held = forms.CharField(max_length=1000, widget=forms.HiddenInput)
    password = FilePasswordField(is_shown_again=True)
    sheet = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)
    # The preview that showed the columns to be wrong; it is thrown away once they are right.
    preview = forms.UUIDField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(label="양식 이름", max_length=60, error_messages=required("양식 이름"))
    channel = forms.ModelChoiceField(
        label="판매채널",
        queryset=SalesChannel.objects.none(),
        empty_label="고르세요",
        error_messages={"required": "판매채널을 고르세요.", "invalid_choice": "없는 판매채널입니다. 다시 고르세요."},
    )
    is_prepaid = forms.BooleanField(
        label="모두 결제한 주문",
        required=False,
        help_text="끄면 결제일시가 비어 있는 주문은 입금대기로 접수합니다.",
    )
    creates_products = forms.BooleanField(
        label="모르는 상품을 새로 등록",
        required=False,
        help_text="끄면 모르는 상품은 품목 연결에서 기다립니다.",
    )

    def __init__(self, *args: Any, labels: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channel = self.fields["channel"]
        assert isinstance(channel, forms.ModelChoiceField)
        channel.queryset = SalesChannel.objects.filter(is_active=True).order_by("name", "pk")
        columns = [("", "—"), *((label, label[:60]) for label in labels if label)]
        for one in FIELDS:
            self.fields[f"{one.key}_column"] = forms.ChoiceField(
                label=f"{one.label} 열",
                choices=columns,
                required=False,
                error_messages={"invalid_choice": "파일에 없는 열입니다. 다시 고르세요."},
            )
            self.fields[f"{one.key}_fixed"] = forms.CharField(
                label=f"{one.label} 고정값", max_length=200, required=False
            )
            if one.reads == Reads.WON:
                self.fields[f"{one.key}_factor"] = FactorField(label=f"{one.label} 환산")
            if one.reads == Reads.MOMENT:
                self.fields[f"{one.key}_date_format"] = forms.ChoiceField(
                    label=f"{one.label} 형식", choices=DATE_FORMATS, required=False
                )
            if one.of_order:
                self.fields[f"{one.key}_pick"] = forms.ChoiceField(
                    label=f"{one.label} 여러 행", choices=PICKS, required=False
                )

    def table(self) -> list[dict[str, Any]]:
        """화면의 표: one row per field of ours with its inputs."""
        parts = ("column", "fixed", "factor", "date_format", "pick")
        return [
            {"label": one.label, "help": one.help}
            | {part: self[f"{one.key}_{part}"] for part in parts if f"{one.key}_{part}" in self.fields}
            for one in FIELDS
        ]

    @staticmethod
    def shown_rules(rules: Mapping[str, Rule], *, labels: Sequence[str]) -> dict[str, str]:
        """기억한 규칙 as first values of the inputs; a column that this file does not have stays unchosen."""
        spelled = {normalize(label): label for label in reversed(labels) if label}
        found: dict[str, str] = {}
        for key, rule in rules.items():
            said = {"column": spelled.get(normalize(rule.column), ""), "fixed": rule.fixed, "pick": rule.pick.value}
            said |= {"factor": rule.factor, "date_format": rule.date_format}
            found |= {f"{key}_{part}": value for part, value in said.items() if value}
        return found

    def rules(self) -> dict[str, Rule]:
        """입력한 규칙 of the fields that got a column or a value."""
        found = {}
        for one in FIELDS:
            said = {
                part: self.cleaned_data.get(f"{one.key}_{part}") or ""
                for part in ("column", "fixed", "factor", "date_format")
            }
            if said["column"] or said["fixed"]:
                pick = self.cleaned_data.get(f"{one.key}_pick") or Pick.SAME
                found[one.key] = Rule(**said, pick=Pick(pick))
        return found


class FactorField(forms.CharField):
    """환산: won for one unit of the file's money, 0.0001 to 1,000,000; 1 and blank mean won already."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=20, required=False, **kwargs)
        self.widget.attrs |= {"inputmode": "decimal", "placeholder": "× 1"}

    def clean(self, value: Any) -> str:
        text = str(super().clean(value)).replace(",", "").strip()
        if not text:
            return ""
        # The shape is checked first: written out, 1e-999999 alone is a megabyte.
        factor = Decimal(text) if _FACTOR.fullmatch(text) else Decimal(0)
        if not LEAST_FACTOR <= factor <= MOST_FACTOR:
            raise forms.ValidationError(WRONG_FACTOR)
        return "" if factor == 1 else format(factor.normalize(), "f")


class ConnectForm(forms.Form):
    """품목 연결 입력: which group, and which variant of ours it is."""

    channel = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    product = forms.CharField(max_length=100, strip=False)
    option = forms.CharField(max_length=200, required=False, strip=False)
    variant = forms.IntegerField(min_value=1, max_value=2**63 - 1)

    def is_valid(self, *needed: str) -> bool:  # type: ignore[override]
        """Whether these of the fields can be used."""
        return not set(needed or self.fields) & set(self.errors)

    @property
    def key(self) -> tuple[str, str]:
        """What the channel calls it."""
        return self.cleaned_data["product"], self.cleaned_data.get("option") or ""


class ListingForm(forms.Form):
    """연결 바꾸기 입력."""

    CHANGE, REMOVE = "change", "remove"

    act = forms.ChoiceField(choices=[(CHANGE, "바꾸기"), (REMOVE, "지우기")])
    version = forms.IntegerField(min_value=0, max_value=2**31 - 1)
    variant = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("act") == self.CHANGE and not cleaned.get("variant"):
            self.add_error("variant", "바꿀 품목을 고르세요.")
        return cleaned
