"""The one way out: a small HTTP client that cannot be talked into visiting an inner address (reliability.md T15)."""

import json as jsonlib
import logging
import os
import socket
import ssl
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError

from core.connections import (
    DeadlineTlsSocket,
    ForbiddenAddress,
    Guard,
    GuardedHTTP,
    GuardedHTTPS,
    Resolve,
    budget,
)

_CHUNK: Final = 65_536
_AGAIN: Final = frozenset({"GET", "HEAD"})

# At DEBUG it writes down whole URLs, and some services want their key in the query.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class HttpProblem(Exception):
    """통신 오류: no usable answer. `sent` is False only when the request surely never left this machine."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class Unreachable(HttpProblem):
    """No connection: name unknown, refused, network down, certificate not trusted."""


class Timeout(HttpProblem):
    """No connection, or no complete answer, within the time."""


class TooLarge(HttpProblem):
    """The answer is above the cap, as sent or after unpacking."""


class BadResponse(HttpProblem):
    """The answer broke off or is not what it says it is."""


class Refused(HttpProblem):
    """Our own refusal: an address or URL this client does not visit. `address` is the offender."""

    def __init__(self, address: str) -> None:
        super().__init__(f"refused to connect to {address}", sent=False)
        self.address = address


@dataclass(frozen=True, slots=True)
class Response:
    """응답: status, headers with lower-case names, and the unpacked body; redirects arrive as what they are."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises BadResponse."""
        try:
            return jsonlib.loads(self.body)
        except (ValueError, RecursionError):
            raise BadResponse("the answer is not JSON") from None

    def text(self, encoding: str = "utf-8") -> str:
        """The body as text; characters that the encoding does not know become U+FFFD."""
        return self.body.decode(encoding, "replace")


class Client:
    """외부 통신: one per account of a PG, courier or channel; thread-safe, keeps connections open.

    `base_url` is https, or http to a loopback address with `allow_loopback`. Every new connection resolves the name
    once, refuses it when any address is private, loopback, link-local, multicast or a metadata service, and connects to
    the address it checked; with `allow_loopback` exactly loopback is allowed and nothing else. No redirects, proxies,
    cookies. `timeout` is (seconds to connect, seconds for the whole answer), `max_bytes` the cap of the body before
    and after gunzip. Name look-ups take as long as the system's resolver lets them. Raises Refused for an unfit URL.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: tuple[float, float] = (3, 10),
        allow_loopback: bool = False,
        max_bytes: int = 2**20,
        headers: Mapping[str, str] | None = None,
        connections: int = 8,
        ca_file: str | None = None,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        self._scheme, self._host, self._port, self._base = _split(base_url, allow_loopback=allow_loopback)
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._headers = {"User-Agent": "oms", "Accept-Encoding": "gzip", **(headers or {})}
        self._guard = Guard(resolve, allow_loopback)
        self._connections = connections
        self._ca_file = ca_file
        self._lock = threading.Lock()
        self._pool = self._new_pool()
        self._process = os.getpid()

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        body: bytes | None = None,
        fields: Mapping[str, str | int] | None = None,
        timeout: tuple[float, float] | None = None,
        max_bytes: int | None = None,
        is_repeatable: bool | None = None,
    ) -> Response:
        """요청: send and return any answer, whatever its status.

        `path` begins with "/" and is put behind the base URL's own path; `params` become the query; at most one of
        `json`, `body` and `fields` (form) is the content. Nothing is sent twice, except what `is_repeatable` (GET and
        HEAD unless told) and met a kept connection that the other side had closed. Raises HttpProblem: Refused,
        Unreachable, Timeout, TooLarge, BadResponse. ValueError for a wrong call.
        """
        if not path.startswith("/") or path.startswith("//") or (json, body, fields).count(None) < 2:
            raise ValueError("a path begins with one slash and a request has one content at most")
        content, content_type = _content(json, body, fields)
        sent_headers = {**self._headers, **({"Content-Type": content_type} if content_type else {}), **(headers or {})}
        target = self._base + quote(path, safe="/%?=&:@!$'()*+,;~-._[]")
        if params:
            target += ("&" if "?" in target else "?") + urlencode(params)
        connect, read = timeout or self._timeout
        cap = self._max_bytes if max_bytes is None else max_bytes
        if is_repeatable is None:
            is_repeatable = method.upper() in _AGAIN
        try:
            return self._send(method.upper(), target, sent_headers, content, (connect, read), cap)
        except _Stale:
            if not is_repeatable:
                raise
            return self._send(method.upper(), target, sent_headers, content, (connect, read), cap)

    def close(self) -> None:
        """Drop the open connections; the client can be used again."""
        self._pool.close()
        self._pool = self._new_pool()

    def _send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        content: bytes | None,
        timeout: tuple[float, float],
        cap: int,
    ) -> Response:
        budget.seconds = timeout[1]
        budget.restart()
        budget.is_new = False
        response = None
        try:
            response = self._open_pool().urlopen(
                method,
                target,
                body=content,
                headers=dict(headers),
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=timeout[0], read=timeout[1]),
                preload_content=False,
                decode_content=False,
            )
            body = _read(response, cap)
            response.release_conn()
            return Response(response.status, {name.lower(): value for name, value in response.headers.items()}, body)
        except HTTPError as error:
            raise _problem(error) from error
        except ForbiddenAddress as error:
            raise Refused(error.address) from None
        except ValueError:  # http.client's text would show the header, which may be a secret
            raise HttpProblem("a header holds characters that cannot be sent", sent=False) from None
        finally:
            # What was not read to its end cannot be used again.
            if response is not None and not response.closed:
                response.close()

    def _open_pool(self) -> HTTPConnectionPool:
        # Connections must not be shared with a forked worker: two processes would read each other's answers.
        if self._process != os.getpid():
            with self._lock:
                if self._process != os.getpid():
                    self._pool, self._process = self._new_pool(), os.getpid()
        return self._pool

    def _new_pool(self) -> HTTPConnectionPool:
        if self._scheme == "http":
            plain = HTTPConnectionPool(self._host, self._port, maxsize=self._connections)
            plain.ConnectionCls = type("GuardedHTTP", (GuardedHTTP,), {"guard": self._guard})
            return plain
        context = _trust(self._ca_file)
        secure = HTTPSConnectionPool(self._host, self._port, maxsize=self._connections, ssl_context=context)
        secure.ConnectionCls = type("GuardedHTTPS", (GuardedHTTPS,), {"guard": self._guard})
        return secure


@cache
def _trust(ca_file: str | None) -> ssl.SSLContext:
    """Whom we trust, read once by each process: 20 ms, longer than asking a courier about thirty parcels."""
    context = ssl.create_default_context(cafile=ca_file)
    context.sslsocket_class = DeadlineTlsSocket
    return context


class _Stale(BadResponse):
    """A kept connection had been closed by the other side before it took the request."""


def _split(base_url: str, *, allow_loopback: bool) -> tuple[str, str, int, str]:
    try:
        url = urlsplit(base_url)
        host = (url.hostname or "").encode("idna").decode()
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError:
        raise Refused(base_url) from None
    secure = url.scheme == "https" or (url.scheme == "http" and allow_loopback)
    if not host or not secure or url.username is not None or url.query or url.fragment:
        raise Refused(f"{url.scheme}://{host}")
    return url.scheme, host, port, url.path.rstrip("/")


def _content(json: Any, body: bytes | None, fields: Mapping[str, str | int] | None) -> tuple[bytes | None, str]:
    if json is not None:
        return jsonlib.dumps(json, ensure_ascii=False).encode(), "application/json"
    if fields is not None:
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"
    return body, "application/octet-stream" if body is not None else ""


def _read(response: urllib3.BaseHTTPResponse, cap: int) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise BadResponse(f"content encoding {encoding!r} was not asked for")
    unpack = _Gunzip(cap) if "gzip" in encoding else None
    pieces, size = [], 0
    while piece := response.read(_CHUNK, decode_content=False):
        size += len(piece)
        if size > cap:
            raise TooLarge(f"the answer is above {cap} bytes")
        pieces.append(unpack.feed(piece) if unpack else piece)
    if unpack:
        unpack.finish(anything=size > 0)
    return b"".join(pieces)


class _Gunzip:
    """Unpacks gzip, several members if need be, and never holds more than the cap."""

    def __init__(self, cap: int) -> None:
        self._left = cap
        self._stream = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        pieces = []
        while data:
            if self._stream.eof:
                self._stream = zlib.decompressobj(wbits=31)
            try:
                piece = self._stream.decompress(data, self._left + 1)
            except zlib.error:
                raise BadResponse("the answer is not gzip") from None
            self._left -= len(piece)
            if self._left < 0:
                raise TooLarge("the answer is too large once unpacked")
            pieces.append(piece)
            data = self._stream.unused_data or self._stream.unconsumed_tail
        return b"".join(pieces)

    def finish(self, *, anything: bool) -> None:
        """The end of the body must be the end of the gzip stream."""
        if anything and not self._stream.eof:
            raise BadResponse("the gzip stream breaks off")


def _problem(error: HTTPError) -> HttpProblem:
    if isinstance(error, NewConnectionError):  # a subclass of the next one
        return Unreachable(f"no connection: {error}", sent=False)
    if isinstance(error, ConnectTimeoutError):
        return Timeout("no connection within the time", sent=False)
    if isinstance(error, ReadTimeoutError):
        return Timeout("no complete answer within the time")
    cause = error.args[1] if isinstance(error, ProtocolError) and len(error.args) > 1 else None
    if isinstance(cause, TimeoutError):
        return Timeout("no complete answer within the time")
    if isinstance(cause, (ConnectionResetError, BrokenPipeError)) and not budget.is_new:
        return _Stale("the connection was closed before the answer")
    return BadResponse(f"the answer broke off: {type(error).__name__}")
