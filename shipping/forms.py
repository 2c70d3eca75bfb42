"""Forms of shipping; they validate and never save."""

from collections.abc import Sequence
from typing import Any

from django import forms

from shipping.couriers import COURIERS
from shipping.excel.results import KEYS, LABELS

NO_FILE = "파일을 고르거나 엑셀에서 복사한 내용을 붙여 넣으세요."
IGNORED = "무시"


class WaybillFileForm(forms.Form):
    """송장 파일: a file or a pasted range, and what to do with rows that name no courier."""

    file = forms.FileField(
        label="파일",
        required=False,
        allow_empty_file=True,
        help_text="xlsx, xls, csv 파일입니다. 배송번호(고객주문번호)나 주문번호, 택배사, 송장번호 열을 읽습니다.",
    )
    text = forms.CharField(
        label="붙여넣기",
        required=False,
        strip=False,
        max_length=2_000_000,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        help_text="파일 대신 엑셀에서 복사한 범위를 붙여 넣을 수 있습니다.",
    )
    password = forms.CharField(
        label="파일 암호",
        required=False,
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="암호가 걸린 파일일 때만 입력합니다. 저장하지 않습니다.",
    )
    courier = forms.ChoiceField(label="기본 택배사", help_text="택배사가 비어 있는 행에 씁니다.")
    ship = forms.BooleanField(
        label="이어서 배송중 처리",
        required=False,
        help_text="등록한 배송건을 곧바로 배송중으로 바꿉니다. 고객에게 발송 알림을 보냅니다.",
    )

    def __init__(self, *args: Any, couriers: Sequence[tuple[str, str]], default: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["courier"]
        rest = [(slug, courier.name) for slug, courier in COURIERS.items() if slug not in dict(couriers)]
        field.choices = [*couriers, *rest]
        field.initial = default

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not cleaned.get("file") and not (cleaned.get("text") or "").strip() and "file" not in self.errors:
            self.add_error("file", NO_FILE)
        return cleaned


class ColumnsForm(forms.Form):
    """열 맞추기: which column of the file is which of ours."""

    def __init__(self, *args: Any, labels: Sequence[str], found: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", IGNORED), *((label, label) for label in labels if label)]
        for key, label in LABELS.items():
            self.fields[key] = forms.ChoiceField(
                label=label, choices=choices, required=key == "waybill", initial=found.get(key, "")
            )
        self.fields["waybill"].error_messages["required"] = "송장번호가 있는 열을 고르세요."

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        chosen = [cleaned.get(key) for key in LABELS if cleaned.get(key)]
        if not any(cleaned.get(key) for key in KEYS):
            self.add_error(None, "배송번호, 품목별 주문번호, 주문번호 가운데 하나는 열을 골라야 합니다.")
        elif len(chosen) != len(set(chosen)):
            self.add_error(None, "한 열을 두 곳에 쓸 수 없습니다. 열을 하나씩만 고르세요.")
        return cleaned

    @property
    def mapping(self) -> dict[str, str]:
        """고른 열: our key -> label of the file."""
        return {key: self.cleaned_data[key] for key in LABELS if self.cleaned_data.get(key)}
