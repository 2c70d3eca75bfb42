"""Forms of refunds: where the money goes, and why."""

from collections.abc import Collection
from typing import Any, ClassVar

from django import forms

from orders.forms import ReasonForm
from orders.states import Fault
from payments.adapters.banks import CHOICES
from payments.forms.fields import AccountNumberField
from payments.models import RefundAccount
from payments.states import RefundWay

MISSING = {"bank": "환불 은행을 고르세요.", "number": "계좌번호를 입력하세요.", "holder": "예금주를 입력하세요."}
ACCOUNT_FIELDS = tuple(MISSING)
ACCOUNT_HELP = "무통장입금과 가상계좌는 환불계좌가 필요합니다. 카드와 간편결제는 비워 두세요."

RETRY_HELP = "비워 두면 전에 입력한 계좌를 씁니다. 카드 결제를 은행 이체로 바꾸면 환불계좌를 입력하세요."


class AccountForm(forms.Form):
    """환불계좌: all three facts, or none."""

    sealed_fields: ClassVar[Collection[str]] = ACCOUNT_FIELDS

    bank = forms.ChoiceField(label="환불 은행", choices=[("", "고르지 않음"), *CHOICES], required=False)
    number = AccountNumberField(required=False, help_text=ACCOUNT_HELP)
    holder = forms.CharField(
        label="예금주", max_length=60, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        facts = [cleaned.pop(name, "") for name in ACCOUNT_FIELDS]
        if any(facts) and not all(facts):
            is_only = not self.errors
            self.name_missing()
            if is_only:
                raise forms.ValidationError("환불계좌는 은행, 계좌번호, 예금주를 모두 입력하세요.")
        bank, number, holder = facts
        cleaned["account"] = RefundAccount(bank=bank, number=number, holder=holder.strip()) if all(facts) else None
        return cleaned

    def require_account(self, why: str) -> None:
        """환불계좌 필요: the rows want an account that is not there; says why, and at its fields what is missing."""
        if not self.errors.keys() & MISSING.keys():
            self.add_error(None, why)
        self.name_missing()

    def name_missing(self) -> None:
        """빠진 항목: each part of the account that was left empty says so at its field, beside what else is wrong."""
        for name, text in MISSING.items():
            if name not in self.errors and not str(self.data.get(self.add_prefix(name), "")).strip():
                self.add_error(name, text)


class RefundForm(AccountForm, ReasonForm):
    """환불 신청: where the money goes, when it cannot go back the way it came."""

    field_order = ("reason", *ACCOUNT_FIELDS)

    def mark_account(self) -> None:
        """환불계좌 필수: marked as such where the money can go nowhere else."""
        for name in ACCOUNT_FIELDS:
            self.fields[name].required = True
            self.fields[name].error_messages["required"] = MISSING[name]
        self.fields["number"].help_text = ""


class CancelForm(AccountForm, ReasonForm):
    """주문취소(환불): why, by whose fault, and where the money goes."""

    fault = forms.ChoiceField(
        label="귀책",
        choices=Fault.choices,
        initial=Fault.SELLER,
        help_text="고객 귀책으로 일부만 취소해 무료배송 기준에 못 미치면 배송비를 뺍니다.",
    )
    field_order = ("reason", "fault", *ACCOUNT_FIELDS)


class RetryForm(AccountForm):
    """환불 다시 신청: another way or account, where the first did not work."""

    way = forms.ChoiceField(label="환불 방법", choices=[("", "그대로"), *RefundWay.choices], required=False)
    field_order = ("way", *ACCOUNT_FIELDS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["number"].help_text = RETRY_HELP
