"""Forms of 배송조회; they validate and never save."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from core.forms import required
from shipping.models import TrackingAccount
from shipping.services.polling.accounts import ODD_KEY, Terms
from shipping.services.polling.sources import KINDS, Kind

RANKS = ("1순위", "2순위", "3순위")
MINUTE = 60
NO_KIND = "모르는 조회 방식입니다. 목록에서 다시 고르세요."
KEPT = "저장한 키는 다시 보여 주지 않습니다. 비워 두면 지금 키를 그대로 씁니다."
PRINTABLE = RegexValidator(r"^[\x20-\x7e]*$", ODD_KEY)
LIMITS = {
    "per_second": "0.01부터 1000까지의 숫자로 입력하세요.",
    "per_day": "1부터 100,000,000까지의 숫자로 입력하세요.",
    "min_minutes": "0부터 1440까지의 숫자로 입력하세요.",
    "concurrency": "1부터 64까지의 숫자로 입력하세요.",
}


class TrackingAccountForm(forms.Form):
    """배송조회 계정; the stored key is never shown."""

    kind = forms.ChoiceField(
        choices=[(one.name, one.label) for one in KINDS.values()],
        widget=forms.HiddenInput,
        error_messages=dict.fromkeys(("required", "invalid_choice"), NO_KIND),
    )
    name = forms.CharField(label="이름", max_length=40, error_messages={"required": "이름을 입력하세요."})
    base_url = forms.CharField(label="주소", max_length=200, error_messages={"required": "주소를 입력하세요."})
    per_second = forms.FloatField(
        label="초당 조회 한도",
        required=False,
        min_value=0.01,
        max_value=1000,
        help_text="계약한 건수입니다. 비우면 한도 없이 조회합니다.",
    )
    per_day = forms.IntegerField(
        label="하루 조회 한도",
        required=False,
        min_value=1,
        max_value=100_000_000,
        help_text="계약한 건수입니다. 비우면 한도 없이 조회합니다.",
    )
    min_minutes = forms.IntegerField(
        label="같은 송장 조회 간격(분)",
        required=False,
        min_value=0,
        max_value=1440,
        help_text="같은 송장을 이보다 자주 조회하지 않습니다. 계약에 정해져 있으면 그대로 적습니다.",
    )
    concurrency = forms.IntegerField(
        label="동시 조회", min_value=1, max_value=64, help_text="한 번에 보내는 요청의 수입니다."
    )
    is_active = forms.BooleanField(label="이 계정으로 조회", required=False)
    is_called = forms.BooleanField(
        label="배송 알림 받기",
        required=False,
        help_text=(
            "배송 현황이 바뀌면 알려 주도록 신청합니다. 클라우드에만 있는 기능이며, 고객용 주소로 알림이 옵니다."
            " 껐다가 다시 켜면 알림 주소가 새로 바뀝니다."
        ),
    )

    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any = None, *, account: TrackingAccount | None = None, kind: str = "") -> None:
        """`kind` of a new account; a known one has its own."""
        self.protocol = KINDS.get(account.kind if account else kind) or next(iter(KINDS.values()))
        super().__init__(data, initial=_initial(account, self.protocol))
        for name, label in self.protocol.keys:
            self.fields[name] = forms.CharField(
                label=label,
                required=account is None and self.protocol.needs_key,
                max_length=300,
                validators=[PRINTABLE],
                widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
                help_text=KEPT if account else "",
                error_messages=required(label),
            )
        if not self.protocol.base_url:
            self.fields["base_url"].help_text = "계약할 때 받은 조회 서버의 주소입니다."
        self.order_fields(["kind", "name", "base_url", *(name for name, _ in self.protocol.keys)])
        for name, words in LIMITS.items():
            field = self.fields[name]
            field.error_messages |= {"invalid": words, "required": words}
            for validator in field.validators:
                validator.message = words  # type: ignore[attr-defined]
        if account is not None:
            del self.fields["kind"]
        if not self.protocol.has_push:
            del self.fields["is_called"]

    def given(self) -> dict[str, Any]:
        """What `save_account` takes."""
        found = self.cleaned_data
        terms = Terms(
            per_second=found["per_second"],
            per_day=found["per_day"],
            min_interval=(found["min_minutes"] or 0) * MINUTE,
            concurrency=found["concurrency"],
        )
        plain = {name: found[name] for name in ("name", "base_url", "is_active")}
        options = {name: found[name] for name, _ in self.protocol.keys}
        calls = {"is_called": found.get("is_called", False)}
        kind = {"kind": found.get("kind", ""), "seen_at": found["seen"]}
        return {**plain, **calls, **kind, "options": options, "terms": terms}


def _initial(account: TrackingAccount | None, kind: Kind) -> dict[str, Any]:
    if account is None:
        return {
            "kind": kind.name,
            "name": kind.label,
            "base_url": kind.base_url,
            "per_second": kind.per_second,
            "per_day": kind.per_day,
            "min_minutes": kind.min_interval // MINUTE or None,
            "concurrency": 16,
            "is_active": True,
        }
    names = ("name", "base_url", "per_second", "per_day", "concurrency", "is_active")
    own = {
        "min_minutes": account.min_interval // MINUTE or None, "is_called": bool(account.hook_token),
        "seen": account.updated_at.isoformat(),
    }  # fmt: skip
    return {name: getattr(account, name) for name in names} | own


class RouteForm(forms.Form):
    """조회 경로: for each courier that more than one account can ask, which of them asks first, second and third."""

    ranks = RANKS

    def __init__(
        self, data: Any = None, *, choices: Mapping[str, tuple[str, Sequence[tuple[int, str]], Sequence[int]]]
    ):
        """`choices`: by courier its name, its accounts (id, name) and the ids of its route now."""
        super().__init__(data)
        self._couriers = {courier: name for courier, (name, _, _) in choices.items()}
        for courier, (name, accounts, chosen) in choices.items():
            for rank, label in enumerate(RANKS):
                self.fields[f"{courier}-{rank}"] = forms.ChoiceField(
                    label=f"{name} {label}",
                    required=False,
                    choices=[("", "모든 계정" if rank == 0 else "없음"), *((str(pk), text) for pk, text in accounts)],
                    initial=str(chosen[rank]) if rank < len(chosen) else "",
                    widget=forms.Select(attrs={"aria-label": f"{name} {label}"}),
                    error_messages={"invalid_choice": "목록에 없는 계정입니다. 다시 고르세요."},
                )

    def rows(self) -> list[tuple[str, list[forms.BoundField]]]:
        """택배사 한 줄: its name and a field for each rank."""
        return [(name, [self[f"{one}-{rank}"] for rank in range(len(RANKS))]) for one, name in self._couriers.items()]

    def clean(self) -> dict[str, Any]:
        """A rank without the one before it says nothing: whoever reads "모든 계정" beside it would take it for all."""
        for courier in self._couriers:
            picked = [bool(self.data.get(f"{courier}-{rank}")) for rank in range(len(RANKS))]
            if picked != sorted(picked, reverse=True):
                gap = picked.index(False)
                self.add_error(f"{courier}-{gap}", f"{RANKS[gap]} 계정을 먼저 고르세요.")
        return self.cleaned_data

    def chosen(self) -> dict[str, list[int]]:
        """Ids of accounts by courier, the best first."""
        picked = {one: [self.cleaned_data[f"{one}-{rank}"] for rank in range(len(RANKS))] for one in self._couriers}
        return {courier: [int(text) for text in texts if text] for courier, texts in picked.items()}
