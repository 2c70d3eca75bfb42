"""Forms of contracts, ranges and 송장 채번."""

import re
from typing import Any

from django import forms

from core.forms import LineField, required
from shipping.couriers import COURIERS
from shipping.models import CourierContract
from shipping.services.issuing import contracts, issuers
from shipping.services.issuing.contracts import ContractFacts
from shipping.states import API_MODES, ContractMode


class IssueForm(forms.Form):
    """송장 채번: by which contract; the default one is chosen already."""

    contract = forms.TypedChoiceField(
        label="택배 계약",
        coerce=int,
        empty_value=None,
        error_messages={
            "required": "번호를 받을 계약을 고르세요.",
            "invalid_choice": "쓰지 않는 계약입니다. 다시 고르세요.",
        },
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["contract"]
        rows = list(CourierContract.objects.filter(is_active=True).order_by("-is_default", "name", "pk"))
        field.choices = [(row.pk, f"{row.name} · {ContractMode(row.mode).label}") for row in rows]
        field.initial = rows[0].pk if rows else None
        field.help_text = " ".join(filter(None, dict.fromkeys(map(contracts.missing_codes, rows))))
        if not rows:
            field.help_text = "등록한 계약이 없습니다. 설정의 송장 번호에서 계약을 먼저 등록하세요."


class ModeForm(forms.Form):
    """번호 받는 방법: what the next page asks for depends on it."""

    mode = forms.ChoiceField(
        label="번호 받는 방법",
        choices=ContractMode.choices,
        error_messages={"required": "방법을 고르세요.", "invalid_choice": "없는 방법입니다. 다시 고르세요."},
    )


class ContractForm(forms.Form):
    """택배 계약: one form for a new contract and a known one; keys are written and never shown."""

    code = forms.CharField(
        label="코드", max_length=20, help_text="영문 소문자와 숫자, 예: cj-main",
        error_messages={"required": "코드를 입력하세요."},
    )  # fmt: skip
    name = LineField(label="이름", max_length=40, error_messages={"required": "이름을 입력하세요."})
    courier = forms.ChoiceField(label="택배사", error_messages={"required": "택배사를 고르세요."})
    customer_code = LineField(label="고객코드", max_length=40, required=False)
    business_number = LineField(label="사업자등록번호", max_length=12, required=False)
    base_url = forms.URLField(
        label="주소", max_length=200, required=False, assume_scheme="https",
        error_messages={"invalid": "https://로 시작하는 주소를 입력하세요."},
    )  # fmt: skip
    is_sandbox = forms.BooleanField(
        label="샌드박스", required=False, help_text="이 컴퓨터의 시험용 택배사만 http 주소를 쓸 수 있습니다."
    )
    box_type = LineField(
        label="상자 크기 코드", max_length=20, required=False, help_text="비워 두면 가장 작은 크기입니다."
    )
    cut_off = forms.TimeField(
        label="집하 마감",
        required=False,
        help_text="예: 17:00. 적어 두는 값이며, 이 시간이 지나도 채번을 막지 않습니다.",
        error_messages={"invalid": "시간은 17:00처럼 입력하세요."},
    )
    day_limit = forms.IntegerField(
        label="하루 발급 한도", required=False, min_value=1, max_value=1_000_000,
        help_text="택배사가 정한 한도가 있을 때만 입력합니다.",
        error_messages={"invalid": "숫자로 입력하세요.", "min_value": "1 이상으로 입력하세요."},
    )  # fmt: skip
    is_default = forms.BooleanField(label="기본 계약", required=False, help_text="송장 채번에서 먼저 골라 둡니다.")
    is_active = forms.BooleanField(label="사용", required=False)
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, mode: str, contract: CourierContract | None = None, **kwargs: Any) -> None:
        self.mode, self.contract = mode, contract
        kwargs["initial"] = _contract_initial(mode, contract)
        super().__init__(*args, **kwargs)
        field: Any = self.fields["courier"]
        field.choices = [(slug, one.name) for slug, one in COURIERS.items()]
        if contract is not None:
            del self.fields["code"]
        if mode not in API_MODES:
            for name in ("base_url", "is_sandbox", "box_type", "day_limit"):
                del self.fields[name]
        kept = "비워 두면 지금 값을 그대로 씁니다." if contract is not None else ""
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})
        for name, label in issuers.KEYS.get(mode, ()):
            self.fields[f"option_{name}"] = forms.CharField(
                label=label, max_length=300, required=contract is None, widget=widget, help_text=kept,
                error_messages=required(label),
            )  # fmt: skip

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,19}", code):
            raise forms.ValidationError("코드는 영문 소문자로 시작하고 소문자, 숫자, -만 씁니다.")
        return code

    def given(self) -> ContractFacts:
        """입력한 내용 without the keys."""
        names = ContractFacts.__dataclass_fields__
        known = {name: value for name, value in self.cleaned_data.items() if name in names}
        return ContractFacts(**known | {"mode": self.mode})

    def options(self) -> dict[str, str]:
        """입력한 키; empty ones stay as they are."""
        return {name: self.cleaned_data[f"option_{name}"] for name, _ in issuers.KEYS.get(self.mode, ())}


def _contract_initial(mode: str, contract: CourierContract | None) -> dict[str, Any]:
    if contract is None:
        couriers = {"EPOST_API": "EPOST", "HANJIN_API": "HANJIN"}
        return {"courier": couriers.get(mode, "CJGLS"), "is_active": True, "base_url": issuers.LIVE_URLS.get(mode, "")}
    found = {name: getattr(contract, name) for name in ContractFacts.__dataclass_fields__}
    return found | {"seen": contract.updated_at.isoformat()}


class RangeForm(forms.Form):
    """대역 등록: bodies as the courier's branch names them, without the check digit."""

    head = forms.RegexField(
        r"\A[0-9]{0,4}\Z", label="앞자리", required=False, help_text="모든 번호 앞에 붙는 숫자입니다.",
        error_messages={"invalid": "앞자리는 숫자 4자리까지 입력합니다."},
    )  # fmt: skip
    start = LineField(
        label="시작 번호", max_length=14, help_text="앞자리와 검증번호(마지막 한 자리)를 뺀 본번호입니다.",
        error_messages={"required": "시작 번호를 입력하세요."},
    )  # fmt: skip
    end = LineField(label="끝 번호", max_length=14, error_messages={"required": "끝 번호를 입력하세요."})
    order = forms.IntegerField(
        label="순서", min_value=1, max_value=99, initial=1, help_text="작은 순서의 대역을 먼저 씁니다.",
        error_messages={"required": "순서를 입력하세요.", "invalid": "순서는 숫자로 입력하세요."},
    )  # fmt: skip


class AbandonForm(forms.Form):
    """번호 포기: why, and that it cannot be taken back."""

    part = forms.CharField(initial="abandon", widget=forms.HiddenInput)
    reason = LineField(
        label="사유", max_length=200, error_messages={"required": "사유를 입력하세요. 번호와 함께 기록에 남습니다."}
    )
