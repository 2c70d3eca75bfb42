"""발급 어댑터: from a contract to the adapter that speaks with its courier.

A courier's protocol is one line of `ISSUERS`: its adapter is made of the opened `Line` of a contract and answers as
`shipping.adapters.issuing.WaybillIssuer` says.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.utils import timezone

from core.http import Client, HttpProblem
from core.sealing import Unreadable
from shipping.adapters import cj_wire, epost_issue, hanjin_wire
from shipping.adapters.cj_issue import CjIssuer
from shipping.adapters.cj_wire import CjWire
from shipping.adapters.epost_issue import EpostIssuer
from shipping.adapters.hanjin_issue import HanjinIssuer
from shipping.adapters.hanjin_wire import HanjinHost
from shipping.adapters.issuing import WaybillIssuer
from shipping.models import CourierContract
from shipping.services.cj_tokens import tokens_of
from shipping.states import ContractMode

PATIENT = (5.0, 30.0)
"""Seconds to connect, and for the whole answer: 한진 takes ten and more (shipping.md 5.2)."""
HURRIED = (2.0, 5.0)
"""While a person waits for 연결 확인."""
IN_FLIGHT = 8
"""Calls of one courier at the same time, and connections that are kept for them."""
KEYS_LOST = "저장한 키를 열 수 없습니다. 설정의 송장 번호에서 키를 다시 입력하세요."
UNFIT = "고객코드, 사업자등록번호, 키나 주소에 빠졌거나 쓸 수 없는 값이 있습니다. 설정의 송장 번호에서 고치세요."
NO_ADAPTER = "이 방법으로 번호를 받는 기능이 아직 없습니다. 다른 계약을 쓰세요."


@dataclass(frozen=True, slots=True)
class Line:
    """계약 정보 for an adapter, opened; `options` are the sealed keys by the names of `KEYS`."""

    address: str
    is_sandbox: bool
    customer_code: str
    business_number: str
    options: Mapping[str, str]
    timeout: tuple[float, float]

    def client(self, address: str = "") -> Client:
        """통신 client of the contract's address, or of another one of the same courier (한진 has two hosts)."""
        url = address or self.address
        loopback = self.is_sandbox and sandboxes_count() and urlsplit(url).scheme == "http"
        return Client(url, timeout=self.timeout, allow_loopback=loopback, connections=IN_FLIGHT)


def _open_cj(line: Line) -> WaybillIssuer:
    tokens = tokens_of(line.address, line.customer_code)
    wire = CjWire(line.client(), customer=line.customer_code, business=line.business_number, tokens=tokens)
    return CjIssuer(wire)


def _open_epost(line: Line) -> WaybillIssuer:
    keys: dict[str, Any] = dict(line.options)
    return EpostIssuer(line.client(), cust_no=line.customer_code, now=timezone.now, **keys)


def _open_hanjin(line: Line) -> WaybillIssuer:
    keys = dict(line.options)
    # Numbers and bookings live on two hosts; the sandbox speaks for both.
    ordering = keys.pop("order_url", "") or (line.address if line.is_sandbox else "")
    if not ordering:
        raise ValueError("the address of the order host is missing")
    printing, booking = (HanjinHost(line.client(url), now=timezone.now, **keys) for url in (line.address, ordering))
    return HanjinIssuer(printing, booking, contract_no=line.customer_code)


Opener = Callable[[Line], WaybillIssuer]
ISSUERS: dict[str, Opener] = {
    ContractMode.CJ_API: _open_cj,
    ContractMode.EPOST_API: _open_epost,
    ContractMode.HANJIN_API: _open_hanjin,
}
"""Mode of a contract -> how its adapter is made: one line for each courier."""
LIVE_URLS: dict[str, str] = {
    ContractMode.CJ_API: cj_wire.LIVE_URL,
    ContractMode.EPOST_API: epost_issue.SHIP_URL,
    ContractMode.HANJIN_API: hanjin_wire.PRINT_URL,
}
"""Mode of a contract -> the courier's own address, for the form."""
KEYS: Mapping[str, tuple[tuple[str, str], ...]] = {
    ContractMode.CJ_API: (),
    ContractMode.EPOST_API: (
        ("key", "인증키"), ("security_key", "보안키"), ("appr_no", "계약승인번호"), ("office_ser", "공급지 코드"),
        ("content_code", "내용품 코드"),
    ),
    ContractMode.HANJIN_API: (
        ("client_id", "Client ID"), ("api_key", "API 키"), ("secret_key", "비밀 키"), ("order_url", "접수 서버 주소"),
    ),
}  # fmt: skip
"""Sealed keys of each mode beside customer code and business number: the adapter's name, and the label of the form."""
_issuers: dict[tuple[str, ...], WaybillIssuer] = {}


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


def issuer_of(contract: CourierContract, *, timeout: tuple[float, float] = PATIENT) -> WaybillIssuer:
    """발급 어댑터 of a contract, one per process: it keeps its connections, and what its courier gave it for the day.

    Raises CannotOpen for keys that do not open, facts that cannot be sent, or an address that is none.
    """
    opener = ISSUERS.get(contract.mode)
    if opener is None:
        raise CannotOpen(NO_ADAPTER)
    address = address_of(contract)
    facts = (contract.mode, contract.customer_code, contract.business_number, str(contract.is_sandbox))
    name = (str(contract.pk), address, *facts, json.dumps(contract.sealed_options, sort_keys=True), str(timeout))
    if name not in _issuers:
        try:
            line = Line(
                address, contract.is_sandbox, contract.customer_code, contract.business_number, contract.options(),
                timeout,
            )  # fmt: skip
            _issuers.setdefault(name, opener(line))
        except Unreadable as problem:
            raise CannotOpen(KEYS_LOST) from problem
        except (HttpProblem, ValueError, KeyError) as problem:
            raise CannotOpen(UNFIT) from problem
    return _issuers[name]


@contextmanager
def callers() -> Iterator[ThreadPoolExecutor]:
    """부르는 줄: threads that make calls of a courier and never touch the database."""
    connection.close_if_unusable_or_obsolete()
    with ThreadPoolExecutor(IN_FLIGHT, "waybills") as pool:
        yield pool
