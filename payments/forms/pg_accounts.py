"""PG 계정 입력: keys are written and never shown."""

import ipaddress
from typing import Any

from django import forms

from core.forms import required
from payments.adapters.registry import FEEDS, PROVIDERS
from payments.banks import banks_at
from payments.forms.fields import AccountSettingsForm
from payments.models import PgAccount
from payments.services.gateway.pg_settings import NO_SANDBOX, PREVIOUS_OF, AccountFacts, facts
from payments.services.pg_accounts import sandboxes_count
from payments.services.snapshots.believing import CAN_BE_BELIEVED

OPTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "portone": (("api_secret", "API 시크릿"), ("channel_key", "채널 키")),
    "nicepay": (("client_key", "클라이언트 키"),),
    "nicepay_form": (("client_key", "클라이언트 키"), ("rest_secret", "REST 시크릿 키")),
    "inicis": (
        ("iv", "INIAPI IV"), ("notice_key", "입금통보 확인값"),
        ("client_ip", "요청 서버 IP"), ("site_url", "상점 주소"),
    ),
}  # fmt: skip
"""Extra keys by PG, under the names that its adapter reads."""
CHARSETS = (("utf-8", "UTF-8"), ("cp949", "CP949 (EUC-KR)"))
OF_ISSUERS: dict[str, Any] = {"issues_accounts": False, "bank": ""}
"""What a service that only tells of our bank accounts is not asked for, with what is stored instead."""
KEPT = "비워 두면 지금 값을 그대로 씁니다."
MOST_IPS = 50


def _key(label: str, **facts: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})
    return forms.CharField(label=label, max_length=300, required=False, widget=widget, **facts)


class ProviderForm(forms.Form):
    """PG 고르기: what the next page asks for depends on it."""

    provider = forms.ChoiceField(
        label="PG",
        choices=[(name, pg.label) for name, pg in PROVIDERS.items()],
        error_messages={"required": "PG를 고르세요.", "invalid_choice": "지원하지 않는 PG입니다. 다시 고르세요."},
    )


class DropForm(forms.Form):
    """이전 키 지우기: nothing to fill in, only to be sure."""

    part = forms.CharField(initial="drop", widget=forms.HiddenInput)


class PgAccountForm(AccountSettingsForm):
    """PG 계정: one form for a new account and a known one."""

    name = forms.CharField(label="이름", max_length=40, error_messages=required("이름"))
    merchant_id = forms.CharField(label="상점 아이디", max_length=64, error_messages=required("상점 아이디"))
    key = _key("키")
    base_url = forms.URLField(
        label="PG 주소",
        max_length=200,
        assume_scheme="https",
        error_messages=required("PG 주소") | {"invalid": "https://로 시작하는 주소를 입력하세요."},
    )
    is_sandbox = forms.BooleanField(
        label="샌드박스", required=False, help_text="이 컴퓨터의 시험용 PG만 http 주소를 쓸 수 있습니다."
    )
    charset = forms.ChoiceField(label="문자셋", choices=CHARSETS)
    checks_ip = forms.BooleanField(label="보낸 IP 확인", required=False)
    ips = forms.CharField(
        label="허용 IP",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text="한 줄에 하나씩 입력합니다. 비워 두면 PG가 공개한 주소를 씁니다.",
    )
    asks_back = forms.BooleanField(
        label="PG에 조회해 확인",
        required=False,
        help_text="조회 키가 없을 때만 끕니다. 상점 아이디, TID, 주문, 계좌번호, 금액이 모두 같은 입금만 반영합니다.",
    )
    issues_accounts = forms.BooleanField(
        label="가상계좌 발급", required=False, help_text="우리 쇼핑몰 주문의 가상계좌를 이 계정으로 발급합니다."
    )
    bank = forms.ChoiceField(label="발급 은행", required=False)
    is_active = forms.BooleanField(label="사용", required=False, help_text="끄면 알림을 받지 않습니다.")

    def __init__(self, *args: Any, provider: str, account: PgAccount | None = None, **kwargs: Any) -> None:
        self.account, self.provider, self.pg = account, provider, PROVIDERS[provider]
        kwargs["initial"] = self._initial() | kwargs.get("initial", {})
        super().__init__(*args, account=account, **kwargs)
        self.fields["key"].required = account is None
        self.fields["key"].error_messages["required"] = "키를 입력하세요."
        if account is None:
            self.fields["code"].help_text = "영문 소문자와 숫자, 예: toss-main"
        else:
            self.fields["key"].label, self.fields["key"].help_text = (
                "새 키",
                f"{KEPT} 새 키를 넣어도 지금 키는 이전 키로 남습니다.",
            )
        if provider not in CAN_BE_BELIEVED:
            del self.fields["asks_back"]
        if provider in FEEDS:
            for name in OF_ISSUERS:
                del self.fields[name]
        else:
            bank: Any = self.fields["bank"]
            bank.choices = [("", "고르지 않음"), *banks_at(provider)]
        for name, label in OPTIONS.get(provider, ()):
            rotates = f"{KEPT} 새 값을 넣어도 지금 값은 이전 값으로 남습니다." if name in PREVIOUS_OF else KEPT
            self.fields[f"option_{name}"] = _key(label, help_text=rotates if account else "")
        place = list(self.fields)
        order = [name for name in place if name.startswith("option_")]
        at = place.index("key") + 1
        self.order_fields([*place[:at], *order, *[name for name in place[at:] if name not in order]])

    def _initial(self) -> dict[str, Any]:
        if self.account is None:
            return {
                "base_url": self.pg.live_url,
                "charset": "utf-8" if "application/json" in self.pg.media_types else "cp949",
                "checks_ip": self.pg.capabilities.needs_ip,
                "is_active": True,
                "asks_back": True,
            }
        stored = facts(self.account)
        found = {name: getattr(stored, name) for name in stored.__dataclass_fields__}
        return found | {"ips": "\n".join(stored.ips), "seen": self.account.updated_at.isoformat()}

    def clean_ips(self) -> tuple[str, ...]:
        texts = self.cleaned_data["ips"].replace(",", "\n").split()
        for text in texts:
            try:
                ipaddress.ip_address(text)
            except ValueError as error:
                raise forms.ValidationError(f"IP 주소가 아닙니다: {text[:40]}") from error
        if len(texts) > MOST_IPS:
            raise forms.ValidationError(f"허용 IP는 {MOST_IPS}개까지 등록할 수 있습니다.")
        return tuple(dict.fromkeys(texts))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        url, is_sandbox = cleaned.get("base_url", ""), cleaned.get("is_sandbox")
        if is_sandbox and cleaned.get("is_active") and not sandboxes_count():
            self.add_error("is_sandbox", NO_SANDBOX)
        if url and not url.startswith("https://") and not is_sandbox:
            self.add_error("base_url", "PG 주소는 https://로 시작해야 합니다. 키가 그대로 보이지 않게 합니다.")
        if cleaned.get("issues_accounts") and not cleaned.get("bank"):
            self.add_error("bank", "가상계좌를 발급할 은행을 고르세요.")
        return cleaned

    def given(self) -> AccountFacts:
        """입력한 내용 without the keys."""
        known = OF_ISSUERS | {"asks_back": True} | self.cleaned_data
        return AccountFacts(**{name: known[name] for name in AccountFacts.__dataclass_fields__})

    def options(self) -> dict[str, str]:
        """입력한 추가 키; empty ones stay as they are."""
        return {name: self.cleaned_data[f"option_{name}"] for name, _ in OPTIONS.get(self.provider, ())}
