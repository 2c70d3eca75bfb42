"""KG Inicis: PC and mobile or PRO notices, INIAPI (payments.md 2.6)."""

from typing import Final

from core.http import Client
from payments.adapters import inicis_api, inicis_notice
from payments.adapters.base import (
    STATUS,
    Account,
    Answer,
    Capabilities,
    Inbound,
    IssueAsk,
    Notice,
    Ref,
    RefundAnswer,
    RefundAsk,
    SecretOf,
    Snapshot,
    Spoken,
)
from payments.adapters.form_body import MEDIA_TYPE


class Inicis:
    """KG이니시스."""

    name = "inicis"
    label = "KG이니시스"
    media_types = frozenset({MEDIA_TYPE})
    capabilities = Capabilities(
        is_signed=False,
        has_event_id=False,
        has_amount=True,
        tells_reversals=True,
        is_exact_amount=False,
        can_issue=True,
        can_close=True,
        can_refund_part=True,
        repeats_refund_key=False,
        tells_payouts=False,
        needs_ip=True,
    )
    default_ips = ("203.238.37.15", "118.129.210.25", "183.109.71.153")
    live_url = inicis_api.LIVE_URL

    def read(self, request: Inbound, *, account: Account, secret_of: SecretOf) -> Notice:
        """알림 읽기: merchant id, and P_NOTI where option `notice_key` is set; the sender's address was checked before.

        Raises Rejected, nothing else.
        """
        return inicis_notice.read(request, account=account)

    def speak(self, answer: Answer) -> Spoken:
        """응답 말하기: exactly OK and nothing else, or it is sent again."""
        return Spoken(STATUS[answer], "text/plain", b"OK" if answer == Answer.ACK else b"FAIL")

    def fetch(self, client: Client, *, account: Account, ref: Ref) -> Snapshot:
        """결제 조회."""
        return inicis_api.fetch(client, account=account, ref=ref)

    def issue(self, client: Client, *, account: Account, ask: IssueAsk) -> Snapshot:
        """가상계좌 발급."""
        return inicis_api.issue(client, account=account, ask=ask)

    def close(self, client: Client, *, account: Account, ref: Ref, reason: str) -> None:
        """입금 전 계좌 닫기."""
        inicis_api.close(client, account=account, ref=ref, reason=reason)

    def refund(self, client: Client, *, account: Account, ask: RefundAsk) -> RefundAnswer:
        """환불."""
        return inicis_api.refund(client, account=account, ask=ask)


INICIS: Final = Inicis()
