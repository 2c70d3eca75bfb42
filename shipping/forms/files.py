"""Forms of files of couriers: upload, columns, templates, download."""

from collections.abc import Sequence
from typing import Any

from django import forms

from core.forms import DownloadReasonField, FilePasswordField, LineField
from core.upload_forms import HeldFileForm
from shipping.couriers import COURIERS, usable_couriers
from shipping.file_columns import KEYS, LABELS, names_people
from shipping.file_fields import CHOICES, unknown_places
from shipping.models import MergedRows, RowPer, RowSort

IGNORED = "무시"
NO_KEY_COLUMN = "번호 열이 없는 파일이면 받는 분 열을 둘 이상 고르세요."


class WaybillFileForm(HeldFileForm):
    """송장 파일: a file or a pasted range, and what to do with rows that name no courier."""

    no_file = "파일을 고르거나 엑셀에서 복사한 내용을 붙여 넣으세요."
    sheet_help = "시트가 여러 개인 파일입니다. 송장번호가 있는 시트를 고르세요."
    field_order = ("file", "sheet", "text", "password", "courier", "ship", "whole")

    file = forms.FileField(
        label="파일",
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".xlsx,.xls,.csv"}),
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
    courier = forms.ChoiceField(label="기본 택배사", help_text="택배사가 비어 있는 행에 씁니다.")
    ship = forms.BooleanField(
        label="이어서 배송중 처리",
        required=False,
        help_text="등록한 배송건을 곧바로 배송중으로 바꿉니다. 고객에게 발송 알림을 보냅니다.",
    )
    whole = forms.BooleanField(
        label="하나라도 오류면 전체 취소",
        required=False,
        help_text="미리보기에 오류인 행이 하나라도 있으면 파일의 어떤 행도 반영하지 않습니다.",
    )

    def __init__(self, *args: Any, couriers: Sequence[tuple[str, str]], default: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.made_of |= {"couriers": couriers, "default": default}
        field: Any = self.fields["courier"]
        rest = [(slug, name) for slug, name in usable_couriers() if slug not in dict(couriers)]
        field.choices = [*couriers, *rest]
        field.initial = default

    def has_content(self, cleaned: dict[str, Any]) -> bool:
        return super().has_content(cleaned) or bool((cleaned.get("text") or "").strip())


class ColumnsForm(forms.Form):
    """열 맞추기: which column of the file is which of ours, whose file it is; the password of a locked one again."""

    sender = forms.CharField(
        label="보낸 곳",
        required=False,
        max_length=60,
        help_text="택배사나 물류사 이름입니다. 같은 열 이름의 다음 파일은 이 이름으로 바로 읽습니다.",
    )

    def __init__(
        self, *args: Any, labels: Sequence[str], found: dict[str, str], is_locked: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", IGNORED), *((label, label) for label in labels if label)]
        for key, label in LABELS.items():
            self.fields[key] = forms.ChoiceField(
                label=label, choices=choices, required=key == "waybill", initial=found.get(key, "")
            )
        self.fields["waybill"].error_messages["required"] = "송장번호가 있는 열을 고르세요."
        if is_locked:
            self.fields["password"] = FilePasswordField(label="파일 암호를 다시 입력하세요", is_shown_again=True)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        chosen = [cleaned.get(key) for key in LABELS if cleaned.get(key)]
        if not any(cleaned.get(key) for key in KEYS) and not names_people([key for key in LABELS if cleaned.get(key)]):
            self.add_error(
                None, "배송번호, 품목별 주문번호, 주문번호 가운데 하나는 열을 골라야 합니다. " + NO_KEY_COLUMN
            )
        elif len(chosen) != len(set(chosen)):
            self.add_error(None, "한 열을 두 곳에 쓸 수 없습니다. 열을 하나씩만 고르세요.")
        return cleaned

    @property
    def mapping(self) -> dict[str, str]:
        """고른 열: our key -> label of the file."""
        return {key: self.cleaned_data[key] for key in LABELS if self.cleaned_data.get(key)}


class TemplateForm(forms.Form):
    """엑셀 양식: what is not a column."""

    name = LineField(label="이름", max_length=60, error_messages={"required": "양식 이름을 입력하세요."})
    courier = forms.ChoiceField(label="택배사", required=False)
    row_per = forms.ChoiceField(label="한 줄의 단위", choices=RowPer.choices)
    join_text = forms.CharField(
        label="품목 사이 글자",
        max_length=10,
        strip=False,
        required=False,
        help_text="한 줄에 여러 품목을 이어 쓸 때 사이에 넣는 글자입니다.",
    )
    merged_rows = forms.ChoiceField(
        label="합포장한 배송건",
        required=False,
        choices=MergedRows.choices,
        help_text="한 줄의 단위가 배송건일 때, 여러 주문을 담은 배송건을 몇 줄로 쓸지 정합니다.",
    )
    sort = forms.ChoiceField(label="줄의 순서", required=False, choices=RowSort.choices)
    joins_same = forms.BooleanField(
        label="동일상품 한 줄", required=False, help_text="한 배송건의 같은 상품·옵션은 수량을 더해 하나로 씁니다."
    )
    omits_header = forms.BooleanField(
        label="열 이름 줄 빼기",
        required=False,
        help_text="첫 줄부터 배송건을 씁니다. 이름 줄을 받지 않는 프로그램에 씁니다.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["courier"]
        field.choices = [("", "정하지 않음"), *((slug, courier.name) for slug, courier in COURIERS.items())]

    def clean_merged_rows(self) -> str:
        return self.cleaned_data["merged_rows"] or MergedRows.ONE

    def clean_sort(self) -> str:
        return self.cleaned_data["sort"] or RowSort.LISTED


class TemplateColumnForm(forms.Form):
    """양식의 열 하나: header, and a field of ours or a fixed text."""

    header = forms.CharField(label="열 이름", max_length=60, required=False, strip=False)
    field = forms.ChoiceField(label="내용", choices=CHOICES, required=False)
    fixed = forms.CharField(label="고정 글자", max_length=200, required=False, strip=False)

    def clean_fixed(self) -> str:
        text: str = self.cleaned_data["fixed"]
        unknown = [] if self.data.get("field") else unknown_places(text)
        if unknown:
            raise forms.ValidationError(f"'{{{unknown[0]}}}' 항목이 없습니다. 내용에 있는 이름을 쓰세요.")
        return text


class TemplateNameForm(forms.Form):
    """양식 이름: of a copy or of a new one."""

    name = LineField(label="새 양식 이름", max_length=60, error_messages={"required": "양식 이름을 입력하세요."})


class CourierFileForm(forms.Form):
    """송장 양식 내려받기: which template, and why the personal data leaves the house."""

    template = forms.ChoiceField(label="엑셀 양식")
    reason = DownloadReasonField(initial="택배사 송장 출력")
    ids = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, templates: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["template"]
        field.choices = templates
