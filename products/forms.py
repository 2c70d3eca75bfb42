"""What staff type in about products and stock; the services decide."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms

from core.forms import required
from core.upload_forms import HeldFileForm
from products.models import SaleState
from products.services.corrections import MOST_ON_HAND
from products.services.drafts import MOST_OPTIONS, MOST_PRICE, clean_text

VARIANTS_PER_FORM = 50
MOST_NEW = 20
PAGE_BROKEN = "입력한 줄을 알아볼 수 없습니다. 화면을 새로 고친 뒤 다시 입력하세요."


class PlainField(forms.CharField):
    """한 줄 글자: trimmed, without control characters; `size` is the width in a table."""

    def __init__(self, *, size: int = 20, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs |= {"autocomplete": "off", "size": size}

    def clean(self, value: Any) -> str:
        return clean_text(super().clean(value), self.max_length or 200)


class CountField(forms.IntegerField):
    """수: a whole number as people write it, 12,900."""

    def __init__(self, *, digits: int = 9, **kwargs: Any) -> None:
        attrs = {"class": "num", "inputmode": "numeric", "autocomplete": "off", "size": digits}
        super().__init__(min_value=0, widget=forms.TextInput(attrs=attrs), **kwargs)

    def to_python(self, value: Any) -> int | None:
        return super().to_python(value.replace(",", "").strip() if isinstance(value, str) else value)


class PriceField(CountField):
    """판매가 in won."""

    def __init__(self, **kwargs: Any) -> None:
        words = {"label": "판매가(원)", "error_messages": required("판매가")}
        super().__init__(max_value=MOST_PRICE, **words | kwargs)


class ProductForm(forms.Form):
    """상품 등록 입력: every combination of the option values becomes a variant."""

    code = PlainField(
        label="상품코드",
        max_length=40,
        help_text="주소에 쓰이는 코드입니다. 빈칸과 / 없이 입력하세요.",
        error_messages=required("상품코드"),
    )
    name = PlainField(label="상품명", max_length=200, error_messages=required("상품명"))
    sale_state = forms.ChoiceField(label="판매 상태", choices=SaleState.choices, initial=SaleState.ON_SALE)
    price = PriceField(initial=0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for n in range(1, MOST_OPTIONS + 1):
            self.fields[f"option{n}_name"] = PlainField(
                label=f"옵션 {n} 이름", max_length=40, required=False, help_text="예: 색상" if n == 1 else ""
            )
            self.fields[f"option{n}_values"] = forms.CharField(
                label=f"옵션 {n} 값",
                max_length=1000,
                required=False,
                help_text="쉼표로 나누어 입력하세요. 예: 화이트, 블랙" if n == 1 else "",
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        options = []
        for n in range(1, MOST_OPTIONS + 1):
            name, typed = cleaned.get(f"option{n}_name", ""), cleaned.get(f"option{n}_values", "")
            values = tuple(dict.fromkeys(value for part in typed.split(",") if (value := clean_text(part, 100))))
            if name and not values:
                self.add_error(f"option{n}_values", "옵션 값을 입력하세요.")
            elif values and not name:
                self.add_error(f"option{n}_name", "옵션 이름을 입력하세요.")
            elif name:
                options.append((name, values))
        cleaned["options"] = options
        return cleaned


class ProductEditForm(forms.Form):
    """상품 수정 입력."""

    name = PlainField(label="상품명", max_length=200, error_messages=required("상품명"))
    sale_state = forms.ChoiceField(label="판매 상태", choices=SaleState.choices)
    version = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)


class VariantForm(forms.Form):
    """품목 수정 입력: one row of the table."""

    pk = forms.IntegerField(min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)
    sku = PlainField(label="품목코드", size=16, max_length=60, error_messages=required("품목코드"))
    barcode = PlainField(label="바코드", size=14, max_length=40, required=False)
    price = PriceField()
    weight_grams = CountField(label="무게(g)", max_value=1_000_000, required=False, digits=6)
    location = PlainField(label="보관 위치", size=10, max_length=40, required=False)
    is_active = forms.BooleanField(label="사용", required=False)


class NewVariantForm(forms.Form):
    """품목 추가 입력: a value for each option of the product; a row left empty adds nothing."""

    def __init__(self, *args: Any, option_names: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for position, name in enumerate(option_names):
            self.fields[f"option_{position}"] = PlainField(label=name, max_length=100, required=False)
        self.fields["sku"] = PlainField(label="품목코드", max_length=60, required=False)
        self.fields["price"] = PriceField(required=False)

    @property
    def option_values(self) -> tuple[str, ...]:
        """옵션 값 in the order of the options."""
        return tuple(self.cleaned_data[name] for name in self.fields if name.startswith("option_"))


class RowSet(forms.BaseFormSet):
    """여러 줄 입력: the number of rows is a hidden field, so a wrong one means a page that we did not make."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "missing_management_form": PAGE_BROKEN,
        "too_many_forms": PAGE_BROKEN,
    }


class VariantRows(RowSet):
    """품목 줄: every one of them is a stored variant, none may be left out."""

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return super().get_form_kwargs(index) | {"empty_permitted": False, "use_required_attribute": False}


VariantFormSet = forms.formset_factory(
    VariantForm, VariantRows, extra=0, max_num=VARIANTS_PER_FORM, absolute_max=VARIANTS_PER_FORM, validate_max=True
)
NewVariantFormSet = forms.formset_factory(
    NewVariantForm, RowSet, extra=2, max_num=MOST_NEW, absolute_max=MOST_NEW, validate_max=True
)


class StockForm(forms.Form):
    """재고 조정 입력: a figure for each variant that changes, one reason for all of them."""

    COUNT, RECEIVE = "COUNT", "RECEIVE"

    kind = forms.ChoiceField(
        label="구분",
        choices=[(COUNT, "실재고를 입력한 수로 맞춤"), (RECEIVE, "입력한 수만큼 입고")],
        widget=forms.RadioSelect,
        initial=COUNT,
    )
    reason = PlainField(
        label="사유", max_length=200, error_messages={"required": "사유를 입력하세요. 재고 이력에 남습니다."}
    )
    reference = forms.RegexField(r"\A[0-9a-f]{32}\Z", widget=forms.HiddenInput)

    def __init__(self, *args: Any, variant_ids: Sequence[int] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.variant_ids = tuple(variant_ids)
        for pk in variant_ids:
            self.fields[f"units_{pk}"] = CountField(label="수량", max_value=MOST_ON_HAND, required=False)
            self.fields[f"seen_{pk}"] = forms.IntegerField(
                min_value=0, max_value=2**31 - 1, required=False, widget=forms.HiddenInput
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["units"] = {
            pk: cleaned[f"units_{pk}"] for pk in self.variant_ids if cleaned.get(f"units_{pk}") is not None
        }
        cleaned["seen"] = {
            pk: cleaned[f"seen_{pk}"] for pk in cleaned["units"] if cleaned.get(f"seen_{pk}") is not None
        }
        if not cleaned["units"] and not self.errors:
            raise forms.ValidationError("바꿀 품목의 수량을 하나 이상 입력하세요.")
        return cleaned


class StockFileForm(HeldFileForm):
    """재고 파일 입력."""

    sheet_help = "시트가 여러 개인 파일입니다. 재고가 있는 시트를 고르세요."
    field_order = ("file", "sheet", "password", "reason")

    file = forms.FileField(
        label="파일",
        required=False,
        widget=forms.FileInput(attrs={"accept": ".xlsx,.xls,.csv"}),
        help_text="xlsx, xls, csv 파일입니다. 품목코드, 실재고, 사유 열을 읽습니다. 암호가 걸린 파일도 됩니다.",
        allow_empty_file=True,
        error_messages={"invalid": HeldFileForm.no_file},
    )
    reason = PlainField(
        label="사유가 없는 행의 사유",
        max_length=200,
        required=False,
        help_text="파일에 사유 열이 없거나 비어 있는 행에 씁니다.",
    )
