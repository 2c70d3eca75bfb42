"""POST /payments/webhooks/<endpoint_token>/: takes a PG's notice, stores it, answers in the PG's own dialect.

Nothing of Django's own request parsing is used: it garbles Korean that is not UTF-8 (payments.md 4). No answer says
more than that the notice is stored; what it means is found out later.
"""

import logging
import time
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from accounts.clients import address_of
from payments.adapters.base import MOST_BODY, Answer, Pg
from payments.models import PgAccount
from payments.services import receiving
from payments.services.pg_accounts import endpoint, pg_of

log = logging.getLogger("payments.webhooks")

SANDBOX_IP = "x-sandbox-client-ip"
"""The sandbox sends from one address; it names the one that the PG would have."""
RETRY_AFTER = "30"


@csrf_exempt
def receive(request: HttpRequest, token: str) -> HttpResponse:
    """웹훅 수신."""
    started = time.perf_counter()
    try:
        account = endpoint(token)
    except DatabaseError:
        log.exception("a notice cannot be stored")
        return _plain(503, b"FAIL")
    if account is None:
        log.warning("a notice for no endpoint from %s", address_of(request))
        return _plain(404, b"")
    if request.method == "HEAD":
        return _plain(200, b"")
    if request.method != "POST":
        return _plain(405, b"", Allow="POST, HEAD")
    pg = pg_of(account)
    try:
        return _answer(_judged(request, account, started=started), pg)
    except DatabaseError:
        log.exception("a notice cannot be stored")
        return _answer(Answer.UNAVAILABLE, pg)


def _judged(request: HttpRequest, account: PgAccount, *, started: float) -> Answer:
    row, refusal = receiving.store(_arrival(request, account), account=account)
    return receiving.settle(row, account=account, refusal=refusal, began=started).answer


def _arrival(request: HttpRequest, account: PgAccount) -> receiving.Arrival:
    headers = {name.lower(): value for name, value in request.headers.items()}
    peer = address_of(request)
    return receiving.Arrival(
        body=_body(request),
        headers=headers,
        content_type=headers.get("content-type", ""),
        peer_ip=peer,
        client_ip=headers.get(SANDBOX_IP, peer) if account.is_sandbox else peer,
        at=timezone.now(),
    )


def _body(request: HttpRequest) -> bytes:
    """The first bytes, one more than may be: without a Content-Length Django would see an empty body."""
    environ: dict[str, Any] = request.META
    if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
        body: bytes = environ["wsgi.input"].read(MOST_BODY + 1)
        return body
    return request.read(MOST_BODY + 1)


def _answer(answer: Answer, pg: Pg) -> HttpResponse:
    spoken = pg.speak(answer)
    extra = {"Retry_After": RETRY_AFTER} if answer is Answer.UNAVAILABLE else {}
    return _plain(spoken.status, spoken.body, content_type=spoken.content_type, **extra)


def _plain(status: int, body: bytes, *, content_type: str = "text/plain", **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(body, status=status, content_type=content_type, headers=named)
