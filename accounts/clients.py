"""Where a request comes from, as far as the access log keeps it."""

import hashlib
import ipaddress
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

HASH_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Client:
    """접속지: address, and hashes of browser and session; empty for work without a browser."""

    ip: str | None = None
    agent_hash: str = ""
    session_hash: str = ""

    @property
    def is_local(self) -> bool:
        """이 컴퓨터 여부: whether the request came over loopback or a local socket."""
        return self.ip is None or ipaddress.ip_address(self.ip).is_loopback


NO_CLIENT = Client()


def client_of(request: HttpRequest) -> Client:
    """접속지: read from a request; behind a trusted proxy the address is the last one that the proxy added."""
    agent = request.headers.get("User-Agent", "")
    session_key = getattr(request, "session", None) and request.session.session_key
    return Client(
        ip=address_of(request),
        agent_hash=hashlib.sha256(agent.encode()).hexdigest()[:HASH_LENGTH] if agent else "",
        session_hash=_session_hash(session_key) if session_key else "",
    )


def _session_hash(session_key: str) -> str:
    # Keyed: a reader of the log must not be able to test guesses at session keys.
    return salted_hmac("accounts.session", session_key, algorithm="sha256").hexdigest()[:HASH_LENGTH]


def address_of(request: HttpRequest) -> str | None:
    """접속 IP: behind a trusted proxy the address that the proxy added; None for what is no address."""
    address = request.META.get("REMOTE_ADDR", "")
    if settings.SECURE_PROXY_SSL_HEADER:
        address = request.headers.get("X-Forwarded-For", address).rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None
