"""POST /payments/webhooks/<endpoint_token>/: takes a PG's notice, stores it, answers in the PG's own dialect.

Nothing of Django's own request parsing is used: it garbles Korean that is not UTF-8 (payments.md 4). No answer says
more than that the notice is stored; what it means is found out later.
"""

import logging
import time
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from accounts.clients import address_of, peer_of
from core.networks import address
from payments.adapters.base import MOST_BODY, Answer, Pg
from payments.models import PgAccount
from payments.services.notices import receiving
from payments.services.pg_accounts import endpoint, pg_of, remembered

log = logging.getLogger("payments.webhooks")

SANDBOX_IP = "x-sandbox-client-ip"
"""The sandbox sends from one address; it names the one that the PG would have."""
RETRY_AFTER = "30"


class BrokenBody(Exception):
    """깨진 본문: bytes that are no body at all, or the line was cut before its end; nothing can be stored."""


@csrf_exempt
def receive(request: HttpRequest, token: str) -> HttpResponse:
    """웹훅 수신."""
    try:
        return _received(request, token)
    except BrokenBody as problem:
        log.warning("a notice without a body that can be read, from %s: %s", address_of(request), problem)
        return _plain(400, b"FAIL")


def _received(request: HttpRequest, token: str) -> HttpResponse:
    started = time.perf_counter()
    known = remembered(token) if request.method == "POST" else None
    body = _body(request) if known else None
    try:
        # The usual way costs a question less: storing finds out by itself whether the account is still the one we know.
        stored = _stored(request, body, *known) if known and body is not None else None
        account = stored[0].account if stored else endpoint(token)
    except (DatabaseError, InterfaceError):
        log.exception("a notice cannot be stored")
        return _plain(503, b"FAIL", Retry_After=RETRY_AFTER)
    if account is None:
        log.warning("a notice for no endpoint from %s", address_of(request))
        return _plain(404, b"")
    if request.method == "HEAD":
        return _plain(200, b"")
    if request.method != "POST":
        return _plain(405, b"", Allow="POST, HEAD")
    pg = pg_of(account)
    try:
        if stored is None:
            arrival = _arrival(request, account, _body(request) if body is None else body)
            stored = receiving.store(arrival, account=account)
        row, refusal = stored
        return _answer(receiving.settle(row, account=account, refusal=refusal, began=started).answer, pg)
    except (DatabaseError, InterfaceError):
        log.exception("a notice cannot be stored")
        return _answer(Answer.UNAVAILABLE, pg)


def _stored(request: HttpRequest, body: bytes, mark: str, account: PgAccount) -> receiving.Stored | None:
    """At once, or None: the account has changed, or the database refuses, perhaps only on this old connection.

    Should it have been stored all the same, the sweep reads it and finds the event that the second try has stored.
    """
    # The statement finds out by itself whether the connection still lives.
    connection.health_check_done = True  # type: ignore[attr-defined]
    try:
        return receiving.store(_arrival(request, account, body), account=account, mark=mark)
    except receiving.AccountChanged:
        return None
    except (DatabaseError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        return None


def _arrival(request: HttpRequest, account: PgAccount, body: bytes) -> receiving.Arrival:
    headers = {name.lower(): value for name, value in request.headers.items()}
    client = address_of(request)
    if account.is_sandbox and (named := address(headers.get(SANDBOX_IP, ""))):
        client = str(named)
    return receiving.Arrival(
        body=body,
        headers=headers,
        content_type=headers.get("content-type", ""),
        peer_ip=peer_of(request),
        client_ip=client,
        at=timezone.now(),
    )


def _body(request: HttpRequest) -> bytes:
    """The first bytes, one more than may be: without a Content-Length Django would see an empty body.

    Raises BrokenBody.
    """
    environ: dict[str, Any] = request.META
    try:
        if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
            body: bytes = environ["wsgi.input"].read(MOST_BODY + 1)
            return body
        return request.read(MOST_BODY + 1)
    except Exception as problem:
        # Every web server has its own words for chunks that are none and for a line that was cut: none is our fault.
        raise BrokenBody(f"{type(problem).__name__}: {problem}"[:200]) from problem


def _answer(answer: Answer, pg: Pg) -> HttpResponse:
    spoken = pg.speak(answer)
    extra = {"Retry_After": RETRY_AFTER} if answer is Answer.UNAVAILABLE else {}
    return _plain(spoken.status, spoken.body, content_type=spoken.content_type, **extra)


def _plain(status: int, body: bytes, *, content_type: str = "text/plain", **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(body, status=status, content_type=content_type, headers=named)
