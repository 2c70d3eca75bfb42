"""Connections that go where they were allowed to go, and end when they should (reliability.md T15)."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.ssl_match_hostname import CertificateError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[..., list[tuple[Any, ...]]]

# Reached from inside a cloud although ipaddress takes them for public: metadata services of Azure and Oracle.
_INNER: Final = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
_PUBLIC_IPV6: Final = ipaddress.ip_network("2000::/3")
_NAT64: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_IPV4_COMPATIBLE: Final = ipaddress.ip_network("::/96")


class ForbiddenAddress(Exception):
    """The name led to an address that is out of bounds."""

    def __init__(self, address: str) -> None:
        super().__init__(f"forbidden address {address}")
        self.address = address


class Budget(threading.local):
    """The seconds that the present request of this thread has for its answer, and whether its connection is new."""

    seconds = 10.0
    until = 0.0
    is_new = False

    def restart(self) -> None:
        """Count from now."""
        self.until = time.monotonic() + self.seconds

    def left(self) -> float:
        """Seconds left, more than 0. Raises TimeoutError."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        return left


budget = Budget()


class DeadlineSocket(socket.socket):
    """A socket whose every read and write ends at the request's deadline: a slow drip cannot stretch it."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(budget.left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(budget.left())
        super().sendall(*args, **kwargs)


class DeadlineTlsSocket(DeadlineSocket, ssl.SSLSocket):
    """The same around TLS: what waits is the reading and writing of the encrypted stream."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Resolves a name once, checks what came out, and connects to exactly that."""

    resolve: Resolve
    allow_loopback: bool

    def addresses(self, host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
        """(family, socket address) of every address of the name. Raises ForbiddenAddress when one is out of bounds."""
        found = []
        for family, _, _, _, address in self.resolve(host, port, type=socket.SOCK_STREAM):
            if not is_allowed(ipaddress.ip_address(address[0]), allow_loopback=self.allow_loopback):
                raise ForbiddenAddress(str(address[0]))
            found.append((family, address))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
        return found

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connection to one of the checked addresses, all attempts within `timeout` seconds. Raises OSError."""
        until = time.monotonic() + timeout
        failure: OSError = TimeoutError("no time to connect")
        for family, address in self.addresses(host, port):
            connection = DeadlineSocket(family, socket.SOCK_STREAM)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(max(until - time.monotonic(), 0.001))
                connection.connect(address)
                return connection
            except OSError as error:
                connection.close()
                failure = error
        raise failure


def is_allowed(address: Address, *, allow_loopback: bool) -> bool:
    """주소 검사: public addresses only; with `allow_loopback` loopback only. IPv4 inside IPv6 is looked through."""
    if allow_loopback:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return (mapped or address).is_loopback
    real = _embedded(address)
    if isinstance(real, ipaddress.IPv6Address):
        return real in _PUBLIC_IPV6 and real.is_global
    return real.is_global and not (real.is_multicast or real.is_reserved or any(real in inner for inner in _INNER))


def _embedded(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    hidden = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
    if hidden:
        return hidden
    if any(address in network for network in _NAT64) or (address in _IPV4_COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class _Guarded(HTTPConnection):
    guard: Guard

    def _new_conn(self) -> socket.socket:
        try:
            connection = self.guard.connect(self._dns_host.strip("[]"), self.port, float(self.timeout or 0))
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection within the time") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, str(error)) from error
        budget.restart()
        budget.is_new = True
        return connection


class GuardedHTTP(_Guarded):
    """Plain HTTP, for the sandbox on loopback."""


class GuardedHTTPS(_Guarded, HTTPSConnection):
    """TLS to the checked address; certificate and server name are still those of the host in the URL."""

    def connect(self) -> None:
        # A failed handshake means that the request never left; urllib3 would report it like a broken answer.
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no handshake within the time") from error
        except (OSError, CertificateError) as error:
            raise NewConnectionError(self, str(error)) from error
