"""Where a request comes from, as far as the access log keeps it."""

import hashlib
import ipaddress
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from core.networks import Address, address

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
    """접속지: read from a request."""
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
    """접속 IP: of the client, None for what is no address.

    It is the other end of the line, unless that is one of our own proxies: then X-Forwarded-For is read from the right,
    where each proxy has written who asked it, and the first address that is no proxy of ours counts. Whatever stands
    further left the client may have written itself (payments.md 5.3).
    """
    found = address(request.META.get("REMOTE_ADDR", ""))
    for part in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        if not is_trusted(found) or not part.strip():
            break
        found = address(part)
    return str(found) if found else None


def peer_of(request: HttpRequest) -> str | None:
    """접속 상대: the other end of the line, be it a proxy."""
    found = address(request.META.get("REMOTE_ADDR", ""))
    return str(found) if found else None


def is_trusted(found: Address | None) -> bool:
    """우리 프록시 여부."""
    return found is not None and any(found in network for network in settings.TRUSTED_PROXIES)
