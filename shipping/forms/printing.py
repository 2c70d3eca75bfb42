"""Forms of printing labels."""

from django import forms

from shipping.models import Paper

LABEL_PAPERS = [("", "내 용지 설정대로"), *((one.value, one.label) for one in (Paper.CJ, Paper.ROLL, Paper.SHEET))]


class LabelForm(forms.Form):
    """송장 출력: the paper in the printer."""

    paper = forms.ChoiceField(label="용지", choices=LABEL_PAPERS, required=False)


class ReprintForm(LabelForm):
    """송장 다시 출력: and why there must be one more label with the same number."""

    field_order = ("reason", "paper")
    reason = forms.CharField(
        label="사유",
        max_length=200,
        help_text="같은 송장번호로 한 장 더 출력하고, 송장에 '재출력'이라고 적습니다.",
        error_messages={"required": "다시 출력하는 사유를 입력하세요."},
    )


class BatchReprintForm(ReprintForm):
    """출력 묶음 다시 출력: some labels of a batch, or all; `key` makes of two presses of the button one batch."""

    key = forms.UUIDField(widget=forms.HiddenInput)
