"""Forms of couriers and of what their words mean; they validate and never save."""

import re
from typing import Any

from django import forms

from core.forms import LineField
from shipping.couriers import COURIERS, CheckLevel, CheckRule, usable_couriers
from shipping.services.couriers import LONGEST, SYSTEMS
from shipping.services.tracking.statuses import SOURCES, Meaning
from shipping.states import Reason, RuleKind, TrackingStage

NUMBERS = f"1부터 {LONGEST}까지의 숫자를 쉼표로 나누어 입력하세요."
WRONG_LINE = f"'{{line}}' 줄을 읽을 수 없습니다. 시스템({', '.join(SYSTEMS)}), 쇼핑몰, 코드를 빈칸으로 나누어 쓰세요."
LAST = ("mall_codes", "is_active")
STAGES = [(stage.value, stage.label) for stage in TrackingStage if stage != TrackingStage.UNKNOWN]
REASONS = [("", "낱말에서 판단"), *((one.value, one.label) for one in Reason if one != Reason.NONE)]


class NumbersField(forms.CharField):
    """숫자 여럿: "12, 10" as [12, 10]."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=60, **kwargs)

    def clean(self, value: Any) -> Any:
        found = [one for one in re.split(r"[\s,]+", super().clean(value)) if one]
        if not all(one.isascii() and one.isdigit() and len(one) <= 2 and 0 < int(one) <= LONGEST for one in found):
            raise forms.ValidationError(NUMBERS)
        return list(dict.fromkeys(map(int, found)))


class CourierForm(forms.Form):
    """택배사: everything but its slug; `codes` has what was typed for other systems."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, required=False)
    name = LineField(label="이름", max_length=40)
    aliases = forms.CharField(
        label="별칭",
        required=False,
        max_length=1500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="파일에 적힌 택배사 이름을 알아보는 말입니다. 쉼표로 나눕니다.",
    )
    digits = NumbersField(label="자릿수", help_text="보통 쓰는 자릿수입니다. 비우면 최소 자릿수만 봅니다.")
    rare_digits = NumbersField(label="드문 자릿수", help_text="받아들이고 알리기만 하는 자릿수입니다.")
    shortest = forms.IntegerField(
        label="최소 자릿수",
        min_value=1,
        max_value=LONGEST,
        help_text="이보다 짧으면 검증 수준과 관계없이 막습니다.",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), f"1부터 {LONGEST}까지의 숫자로 입력하세요."
        ),
    )
    check_rule = forms.ChoiceField(label="검증 규칙", choices=CheckRule.choices)
    level = forms.ChoiceField(
        label="검증 수준",
        choices=CheckLevel.choices,
        help_text="자릿수나 검증번호가 맞지 않을 때 막을지, 알리기만 할지, 확인하지 않을지 정합니다.",
    )
    has_letters = forms.BooleanField(label="번호에 영문자 사용", required=False)
    link = LineField(
        label="배송조회 주소",
        required=False,
        max_length=200,
        help_text="구매자가 여는 주소입니다. https://로 시작하고 송장번호 자리에 {n}을 씁니다.",
    )
    is_active = forms.BooleanField(
        label="새 송장번호에 사용",
        required=False,
        help_text="끄면 새 송장번호를 받지 않습니다. 이미 보낸 상자의 조회와 주소는 그대로입니다.",
    )
    mall_codes = forms.CharField(
        label="쇼핑몰별 코드",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="쇼핑몰마다 코드가 다를 때 한 줄에 하나씩, 시스템 쇼핑몰 코드 순서로 씁니다. 예: cafe24 myshop 0018",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for system, label in SYSTEMS.items():
            self.fields[f"code_{system}"] = LineField(label=f"{label} 코드", required=False, max_length=40)
        codes = [f"code_{system}" for system in SYSTEMS]
        self.order_fields(["slug", *(name for name in self.base_fields if name not in LAST), *codes, *LAST])

    def clean_aliases(self) -> list[str]:
        words = [" ".join(word.split()) for word in re.split(r"[,\n]", self.cleaned_data["aliases"])]
        if any(len(word) > 40 for word in words):
            raise forms.ValidationError("별칭은 하나에 40자까지 쓸 수 있습니다.")
        return list(dict.fromkeys(filter(None, words)))

    def clean_mall_codes(self) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for line in filter(str.strip, self.cleaned_data["mall_codes"].splitlines()):
            parts = line.split()
            if len(parts) != 3 or parts[0] not in SYSTEMS or max(map(len, parts)) > 40:
                raise forms.ValidationError(WRONG_LINE.format(line=line.strip()[:40]))
            if (parts[0], parts[1]) in found:
                raise forms.ValidationError(f"{parts[0]} {parts[1]}: 코드를 하나만 쓰세요.")
            found[parts[0], parts[1]] = parts[2]
        return found

    def facts(self) -> dict[str, Any]:
        """택배사의 값 for the service."""
        names = ("name", "aliases", "digits", "rare_digits", "shortest", "check_rule", "level", "has_letters", "link",
                 "is_active")  # fmt: skip
        return {name: self.cleaned_data[name] for name in names}

    def codes(self) -> dict[tuple[str, str], str]:
        """코드 by (system, mall) for the service."""
        general = {(system, ""): self.cleaned_data[f"code_{system}"] for system in SYSTEMS}
        return {key: code for key, code in (general | self.cleaned_data["mall_codes"]).items() if code}


class NewCourierForm(CourierForm):
    """새 택배사: with its slug, which never changes."""

    slug = forms.RegexField(
        r"^[A-Z][A-Z0-9]{1,11}$",
        label="코드",
        help_text="우리 시스템에서 쓰는 코드입니다. 영문 대문자와 숫자 2~12자, 나중에 바꿀 수 없습니다.",
        error_messages={
            "required": "코드를 입력하세요.",
            "invalid": "코드는 영문 대문자로 시작하는 영문 대문자와 숫자 2~12자로 입력하세요.",
        },
    )


class ForcedWaybillForm(forms.Form):
    """규칙과 다른 송장: one number that the courier's rule blocks, and why it is right nevertheless."""

    courier = forms.ChoiceField(label="택배사", choices=usable_couriers)
    waybill = LineField(
        label="송장번호",
        max_length=40,
        help_text="자릿수나 검증번호가 규칙과 다른 번호만 받습니다. 다른 주문에서 쓰는 번호는 등록할 수 없습니다.",
    )
    reason = LineField(label="사유", max_length=200, help_text="주문 이력에 남습니다.")


class BoxCorrectionForm(forms.Form):
    """송장 정정: the right number of a box that has left, and why."""

    waybill = LineField(label="바른 송장번호", max_length=40)
    courier = forms.ChoiceField(
        label="택배사", choices=lambda: [("", "지금 택배사 그대로"), *usable_couriers()], required=False
    )
    forced = forms.BooleanField(
        label="택배사 규칙과 달라도 등록",
        required=False,
        help_text="'규칙과 다른 송장 등록' 권한이 있어야 합니다. 다른 주문에서 쓰는 번호는 등록할 수 없습니다.",
    )
    reason = LineField(label="사유", max_length=200, help_text="주문 이력에 남습니다.")


class CorrectionForm(BoxCorrectionForm):
    """송장 정정 of a shipment, which may have several boxes."""

    was = LineField(
        label="틀린 송장번호", max_length=40, required=False, help_text="상자가 여럿인 배송건에서만 적습니다."
    )
    # The number first: a scanner may type it as soon as the dialog is open.
    field_order = ("waybill", "courier", "was", "forced", "reason")


class MeaningForm(forms.Form):
    """뜻: the stage that a value stands for, and the reason of a failed attempt or an accident."""

    stage = forms.ChoiceField(
        label="단계",
        choices=[("", "고르세요"), *STAGES],
        error_messages={"required": "어느 단계인지 고르세요."},
    )
    reason = forms.ChoiceField(label="사유", choices=REASONS, required=False, help_text="미배달과 배송사고에만 씁니다.")

    def meaning(self) -> Meaning:
        """The chosen stage and reason."""
        return Meaning(stage=TrackingStage(self.cleaned_data["stage"]), reason=Reason(self.cleaned_data["reason"]))


class RuleChangeForm(MeaningForm):
    """상태 규칙 고치기: what it means; `version` is the one on the page."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, required=False)


class RuleForm(MeaningForm):
    """새 상태 규칙."""

    source = forms.ChoiceField(label="조회처", choices=[("", "모든 조회처"), *SOURCES.items()], required=False)
    courier = forms.ChoiceField(label="택배사", required=False)
    kind = forms.ChoiceField(label="비교", choices=RuleKind.choices)
    value = LineField(
        label="값",
        max_length=200,
        help_text="택배사가 보낸 문구나 코드, 또는 문구 속 낱말입니다. 낱말은 |로 나누어 여럿 쓸 수 있습니다.",
    )
    field_order = ("source", "courier", "kind", "value", "stage", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["courier"]
        field.choices = [("", "모든 택배사"), *((slug, courier.name) for slug, courier in COURIERS.items())]

    def facts(self) -> dict[str, Any]:
        """규칙의 값 for the service."""
        cleaned = self.cleaned_data
        return {
            "source": cleaned["source"], "courier": cleaned["courier"], "kind": RuleKind(cleaned["kind"]),
            "value": cleaned["value"], "meaning": self.meaning(),
        }  # fmt: skip
