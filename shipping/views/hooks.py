"""POST /hooks/tracking/<token>/: a tracking source says that something happened to a parcel, a hint and no proof.

Anybody who knows the address may call: nothing changes a state, unknown numbers leave no trace and are answered as
known ones, and at most 30 % of the account's quota follows. Source: shipping.md 1.1, 11.
"""

import json
import logging
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from shipping.models import TrackingAccount
from shipping.services.polling.pushes import account_of_token
from shipping.services.polling.wanting import hint

log = logging.getLogger("oms.tracking")

MOST_BODY = 4096
LONGEST = 60
PATIENCE = "SET LOCAL lock_timeout = '300ms'; SET LOCAL statement_timeout = '600ms'"
"""The source wants its answer within a second; a hint that is lost is made good by the daily question."""


@csrf_exempt
def receive(request: HttpRequest, token: str) -> HttpResponse:
    """알림 수신: 202 for whatever has the right form, whether we know the number or not."""
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        return _empty(403)
    account = account_of_token(token)
    if account is None:
        return _empty(404)
    if request.method != "POST":
        return _empty(405, Allow="POST")
    body = _body(request)
    if body is None or len(body) > MOST_BODY:
        return _empty(400 if body is None else 413)
    told = _told(body)
    if told is None:
        return _empty(400)
    _pass_on(account, *told)
    return _empty(202)


def _body(request: HttpRequest) -> bytes | None:
    """At most one byte more than may be; None when the line was cut."""
    try:
        environ: dict[str, Any] = request.META
        if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
            # Sent in chunks: Django would see an empty body.
            chunked: bytes = environ["wsgi.input"].read(MOST_BODY + 1)
            return chunked
        return request.read(MOST_BODY + 1)
    except Exception:
        # Every web server has its own words for a line that was cut: none is our fault.
        return None


def _told(body: bytes) -> tuple[str, str] | None:
    """Carrier and number; None where the body has another form."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    carrier, number = document.get("carrierId"), document.get("trackingNumber")
    if not isinstance(carrier, str) or not isinstance(number, str) or not carrier or not number:
        return None
    return carrier, number


def _pass_on(account: TrackingAccount, carrier: str, number: str) -> None:
    if len(number) > LONGEST or not (number.isascii() and number.isalnum()):
        return
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(PATIENCE)
            hint(source=account.code, carrier=carrier, number=number, at=timezone.now())
    except DatabaseError:
        log.warning("a hint of tracking account %s was dropped", account.code)


def _empty(status: int, **headers: str) -> HttpResponse:
    return HttpResponse(b"", status=status, content_type="text/plain", headers=headers)
