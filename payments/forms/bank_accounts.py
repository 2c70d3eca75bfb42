"""입금계좌 입력: the number is written and shown masked."""

from typing import Any

from django import forms

from core.forms import required
from core.masking import mask_account
from payments.adapters.registry import FEEDS
from payments.banks import BANK_NAMES
from payments.forms.fields import AccountNumberField, AccountSettingsForm
from payments.models import BankAccount, PgAccount
from payments.services.deposits.bank_settings import BankFacts


class BankAccountForm(AccountSettingsForm):
    """입금계좌: one form for a new account and a known one."""

    bank = forms.ChoiceField(
        label="은행",
        error_messages={"required": "은행을 고르세요.", "invalid_choice": "목록에 없는 은행입니다. 다시 고르세요."},
    )
    number = AccountNumberField(error_messages=required("계좌번호"))
    holder = forms.CharField(label="예금주", max_length=60, error_messages=required("예금주"))
    feed = forms.ModelChoiceField(
        label="입금 알림 서비스",
        queryset=PgAccount.objects.filter(provider__in=FEEDS, is_active=True).order_by("name", "pk"),
        required=False,
        empty_label="쓰지 않음",
        help_text="이 계좌의 입금을 알려 주는 서비스가 있으면 고릅니다. 없으면 거래내역 파일을 올립니다.",
        error_messages={"invalid_choice": "등록한 입금 알림 서비스가 아닙니다. 다시 고르세요."},
    )
    is_active = forms.BooleanField(
        label="사용", required=False, initial=True, help_text="끄면 이 계좌의 거래내역을 더 받지 않습니다."
    )

    def __init__(self, *args: Any, account: BankAccount | None = None, **kwargs: Any) -> None:
        if account is not None:
            names = ("bank", "holder", "feed", "is_active")
            stored = {name: getattr(account, name) for name in names} | {"seen": account.updated_at.isoformat()}
            kwargs["initial"] = stored | kwargs.get("initial", {})
        super().__init__(*args, account=account, **kwargs)
        present = [account.bank] if account is not None and account.bank not in BANK_NAMES else []
        bank, feed, number = (self.fields[name] for name in ("bank", "feed", "number"))
        bank.choices = [("", "고르기"), *((name, name) for name in (*present, *BANK_NAMES))]  # type: ignore[attr-defined]
        feed.label_from_instance = lambda one: one.name  # type: ignore[attr-defined]
        if account is None:
            self.fields["code"].help_text = "영문 소문자와 숫자, 예: main"
        else:
            number.required, number.label = False, "새 계좌번호"
            number.help_text = f"지금 번호는 {mask_account(account.number())}입니다. 비워 두면 그대로 씁니다."

    def given(self) -> BankFacts:
        """입력한 내용 without the number."""
        return BankFacts(**{name: self.cleaned_data[name] for name in BankFacts.__dataclass_fields__})
