"""PG accounts: where a PG finds us, where we find it, and the keys between us."""

import secrets
from collections.abc import Sequence
from typing import Any

from django.db import models

from core.models import TimeStamped
from core.sealing import seal, unseal

PURPOSE = "pg account"


def new_token() -> str:
    """웹훅 주소의 열쇠: 128 random bits, so that the address itself cannot be guessed."""
    return secrets.token_urlsafe(16)


class PgAccount(TimeStamped):
    """PG 계정; the environment variable OMS_<CODE>_BASE_URL overrides the address."""

    code = models.SlugField("코드", max_length=20, unique=True)
    name = models.CharField("이름", max_length=40)
    provider = models.CharField("PG", max_length=16)
    merchant_id = models.CharField("상점 아이디", max_length=64)
    endpoint_token = models.CharField("웹훅 주소 열쇠", max_length=32, unique=True, default=new_token)
    sealed_secrets = models.TextField("키", blank=True)
    sealed_previous = models.TextField("이전 키", blank=True)
    # What only one PG needs; the values are sealed, the names are not.
    sealed_options = models.JSONField("추가 키", default=dict, blank=True)
    base_url = models.URLField("주소", max_length=200)
    charset = models.CharField("문자셋", max_length=8, default="cp949")
    checks_ip = models.BooleanField("IP 확인", default=False)
    ips = models.JSONField("허용 IP", default=list, blank=True)
    # Off: its PG cannot be asked, and a deposit is believed when all of it is what our payment says (payments.md 5.1).
    asks_back = models.BooleanField("PG에 조회해 확인", default=True, db_default=True)
    # The one account that opens virtual accounts for orders of our own mall; its bank as this PG counts banks.
    issues_accounts = models.BooleanField("가상계좌 발급", default=False)
    bank = models.CharField("발급 은행", max_length=40, blank=True)
    is_sandbox = models.BooleanField("샌드박스", default=False)
    is_active = models.BooleanField("사용", default=True)
    # Until then notices without proof are answered as the PG expects and kept as tests, never applied.
    registering_until = models.DateTimeField("등록 시험", null=True, blank=True)
    last_ok_at = models.DateTimeField("마지막 정상 통신", null=True, blank=True)
    last_error = models.CharField("마지막 오류", max_length=300, blank=True)

    class Meta:
        verbose_name = "PG 계정"
        constraints = [
            models.UniqueConstraint(
                fields=["issues_accounts"], condition=models.Q(issues_accounts=True), name="one_account_issues"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def secrets(self) -> tuple[str, ...]:
        """키: the present one, and during a rotation the previous one."""
        found = (unseal(one, purpose=PURPOSE) for one in (self.sealed_secrets, self.sealed_previous))
        return tuple(filter(None, found))

    def options(self) -> dict[str, str]:
        """추가 키 in the clear."""
        return {name: unseal(text, purpose=PURPOSE) for name, text in self.sealed_options.items()}

    def set_secrets(self, *texts: str, options: dict[str, str] | None = None) -> None:
        """키 저장: the present key, then the previous one; `options` replaces the extra keys."""
        present, previous = (*texts, "", "")[:2]
        self.sealed_secrets = seal(present, purpose=PURPOSE)
        self.sealed_previous = seal(previous, purpose=PURPOSE)
        if options is not None:
            self.sealed_options = {name: seal(text, purpose=PURPOSE) for name, text in options.items()}

    def set_options(self, options: dict[str, str]) -> None:
        """추가 키 저장: these only, and an empty one goes; the others stay as they are, readable or not."""
        fresh = {name: seal(text, purpose=PURPOSE) for name, text in options.items() if text}
        kept = {name: text for name, text in self.sealed_options.items() if name not in options}
        self.sealed_options = kept | fresh

    def allows(self, ip: str, *, standard: Sequence[Any] = ()) -> bool:
        """허용 IP: whether a notice may come from there; the PG's published list while staff wrote none."""
        return ip in (self.ips or standard)
