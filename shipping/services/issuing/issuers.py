"""발급 어댑터: from a contract to the adapter that speaks with its courier.

A courier's protocol is one line of `ISSUERS`: its adapter is built from the client of the contract's address and the
opened `Credentials`, and answers as `shipping.adapters.issuing.WaybillIssuer` says.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings

from core.http import Client
from core.sealing import Unreadable
from shipping.adapters.issuing import WaybillIssuer
from shipping.models import CourierContract
from shipping.states import ContractMode

PATIENT = (5.0, 30.0)
"""Seconds to connect, and for the whole answer: 한진 takes ten and more (shipping.md 5.2)."""
HURRIED = (2.0, 5.0)
"""While a person waits for 연결 확인."""
IN_FLIGHT = 8
KEYS_LOST = "저장한 키를 열 수 없습니다. 설정의 송장 번호에서 키를 다시 입력하세요."
NO_ADAPTER = "이 방법으로 번호를 받는 기능이 아직 없습니다. 다른 계약을 쓰세요."


@dataclass(frozen=True, slots=True)
class Credentials:
    """계약 정보 for an adapter, opened; `options` are the sealed keys by the names of `KEYS`."""

    customer_code: str
    business_number: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


Opener = Callable[[Client, Credentials], WaybillIssuer]
ISSUERS: dict[str, Opener] = {}
"""Mode of a contract -> how its adapter is made."""
LIVE_URLS: dict[str, str] = {}
"""Mode of a contract -> the courier's own address, for the form."""
KEYS: Mapping[str, tuple[tuple[str, str], ...]] = {
    ContractMode.CJ_API: (("api_key", "API 키"), ("secret", "비밀 키")),
    ContractMode.EPOST_API: (("api_key", "인증키"), ("secret", "보안키")),
    ContractMode.HANJIN_API: (("api_key", "API 키"), ("secret", "비밀 키")),
}
"""Sealed keys of each mode: the name that its adapter reads, and the label of the form."""


class CannotOpen(Exception):
    """계약을 열 수 없음: keys that do not open, or no adapter; `text` is for staff."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def sandboxes_count() -> bool:
    """샌드박스 허용: contracts with a sandbox and addresses without TLS are for demo and tests only."""
    return settings.OMS_ENV != "production"


def address_of(contract: CourierContract) -> str:
    """발급 주소 that is really called: OMS_<CODE>_BASE_URL wins over the stored one."""
    name = f"OMS_{contract.code.upper().replace('-', '_')}_BASE_URL"
    url = os.environ.get(name) or contract.base_url
    is_plain = urlsplit(url).scheme == "http"
    # A row from another environment must not show its keys.
    return url if not is_plain or (contract.is_sandbox and sandboxes_count()) else f"https{url[4:]}"


@contextmanager
def open_issuer(
    contract: CourierContract, *, timeout: tuple[float, float] = PATIENT
) -> Iterator[WaybillIssuer]:
    """발급 어댑터 of a contract. Raises CannotOpen, and ValueError or core.http problems for an address that is none."""
    opener = ISSUERS.get(contract.mode)
    if opener is None:
        raise CannotOpen(NO_ADAPTER)
    try:
        options = contract.options()
    except Unreadable as problem:
        raise CannotOpen(KEYS_LOST) from problem
    url = address_of(contract)
    loopback = contract.is_sandbox and sandboxes_count() and urlsplit(url).scheme == "http"
    client = Client(url, timeout=timeout, allow_loopback=loopback, connections=IN_FLIGHT)
    try:
        yield opener(client, Credentials(contract.customer_code, contract.business_number, options))
    finally:
        client.close()
