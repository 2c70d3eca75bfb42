"""입금계좌 입력: the number is written and shown masked."""

import re
from datetime import datetime
from typing import Any, Final

from django import forms
from django.utils.dateparse import parse_datetime

from core.form_words import STALE
from core.korean import josa
from core.masking import mask_account
from payments.adapters.registry import FEEDS
from payments.banks import BANK_NAMES
from payments.models import BankAccount, PgAccount
from payments.pg_forms import CODE
from payments.services.bank_settings import BankFacts

NUMBER: Final = re.compile(r"[0-9]{6,20}", re.ASCII)


def _required(label: str) -> dict[str, str]:
    return {"required": f"{josa(label, '을/를')} 입력하세요."}


class BankAccountForm(forms.Form):
    """입금계좌: one form for a new account (with `code`) and a known one (with what the screen saw)."""

    code = forms.CharField(
        label="코드", max_length=20, error_messages=_required("코드"), help_text="영문 소문자와 숫자, 예: main"
    )
    bank = forms.ChoiceField(
        label="은행",
        error_messages={"required": "은행을 고르세요.", "invalid_choice": "목록에 없는 은행입니다. 다시 고르세요."},
    )
    number = forms.CharField(
        label="계좌번호",
        max_length=40,
        error_messages=_required("계좌번호"),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "spellcheck": "false"}),
    )
    holder = forms.CharField(label="예금주", max_length=60, error_messages=_required("예금주"))
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
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, account: BankAccount | None = None, **kwargs: Any) -> None:
        self.account = account
        if account is not None:
            names = ("bank", "holder", "feed", "is_active")
            stored = {name: getattr(account, name) for name in names} | {"seen": account.updated_at.isoformat()}
            kwargs["initial"] = stored | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        present = [account.bank] if account is not None and account.bank not in BANK_NAMES else []
        bank, feed, number = (self.fields[name] for name in ("bank", "feed", "number"))
        bank.choices = [("", "고르기"), *((name, name) for name in (*present, *BANK_NAMES))]  # type: ignore[attr-defined]
        feed.label_from_instance = lambda one: one.name  # type: ignore[attr-defined]
        if account is not None:
            del self.fields["code"]
            number.required, number.label = False, "새 계좌번호"
            number.help_text = f"지금 번호는 {mask_account(account.number())}입니다. 비워 두면 그대로 씁니다."

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if not CODE.fullmatch(code):
            raise forms.ValidationError("코드는 영문 소문자로 시작하고 소문자, 숫자, -만 씁니다.")
        return code

    def clean_number(self) -> str:
        number = re.sub(r"[\s-]", "", self.cleaned_data["number"])
        if number and not NUMBER.fullmatch(number):
            raise forms.ValidationError("계좌번호는 숫자 6~20자리로 입력하세요.")
        return number

    def clean_seen(self) -> datetime | None:
        if self.account is None:
            return None
        try:
            found = parse_datetime(self.cleaned_data["seen"])
        except ValueError:
            found = None
        if found is None:
            raise forms.ValidationError(STALE)
        return found

    def given(self) -> BankFacts:
        """입력한 내용 without the number."""
        return BankFacts(**{name: self.cleaned_data[name] for name in BankFacts.__dataclass_fields__})
