"""Forms of bank deposits: which orders a deposit goes to, which file of which account."""

from typing import Any

from django import forms

from core.masking import mask_account
from core.upload_forms import HeldFileForm
from orders.models import Order
from payments.models import BankAccount
from payments.services.deposits.allocating import Canceled

MOST_ORDERS = 20


class AllocateForm(forms.Form):
    """입금 연결: ticked candidates, and further orders by their numbers."""

    order: Any = forms.ModelMultipleChoiceField(queryset=Order.objects.all(), required=False)
    numbers = forms.CharField(
        required=False, max_length=400, error_messages={"max_length": f"주문번호는 {MOST_ORDERS}건까지 입력하세요."}
    )
    accepts_difference = forms.BooleanField(required=False)
    canceled = forms.ChoiceField(choices=[(one.value, one.value) for one in Canceled], required=False)

    def clean_numbers(self) -> list[int]:
        texts = list(dict.fromkeys(self.cleaned_data["numbers"].replace(",", " ").split()))
        found = dict(Order.objects.filter(number__in=texts).values_list("number", "pk"))
        missing = [text for text in texts if text not in found]
        if missing:
            raise forms.ValidationError(f"주문번호를 찾을 수 없습니다: {missing[0][:40]}")
        return [found[text] for text in texts]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        ticked = [order.pk for order in cleaned.get("order") or ()]
        cleaned["order_ids"] = list(dict.fromkeys([*ticked, *cleaned.get("numbers", ())]))
        if len(cleaned["order_ids"]) > MOST_ORDERS:
            raise forms.ValidationError(f"한 번에 주문 {MOST_ORDERS}건까지 연결할 수 있습니다.")
        cleaned["canceled"] = Canceled(cleaned.get("canceled") or Canceled.REFUSE)
        return cleaned


class AccountField(forms.ModelChoiceField):
    """입금계좌 고르기: by bank, holder and the last digits of the number."""

    def label_from_instance(self, account: Any) -> str:
        return f"{account.bank} {mask_account(account.number())} {account.holder}"


class StatementFileForm(HeldFileForm):
    """거래내역 파일: as the bank's site gives it."""

    no_file = "거래내역 파일을 고르세요."
    sheet_help = "시트가 여러 개인 파일입니다. 거래내역이 있는 시트를 고르세요."
    field_order = ("account", "file", "sheet", "password")

    account = AccountField(
        label="입금계좌",
        queryset=BankAccount.objects.filter(is_active=True).order_by("code"),
        empty_label=None,
        error_messages={"required": "입금계좌를 고르세요."},
    )
    file = forms.FileField(
        label="거래내역 파일",
        required=False,
        help_text="은행에서 내려받은 xlsx, xls, csv 파일을 그대로 올립니다. 출금은 읽지 않습니다.",
        allow_empty_file=True,
        error_messages={"invalid": no_file},
    )
