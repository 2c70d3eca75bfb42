"""웹훅 지름길: notices of PGs skip sessions, log-in, forms and pages, of which they need nothing."""

import logging
import re
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from accounts.clients import address_of
from payments.views.webhooks import receive

log = logging.getLogger("payments.webhooks")

_FOLDERS = re.compile(r"/payments/(?:webhooks|bank-feed)(?:/|$)")
_ADDRESS = re.compile(r"/payments/(?:webhooks|bank-feed)/([^/\x00]+)/?")


class WebhookMiddleware:
    """Stands behind SecurityMiddleware, which redirects plain HTTP everywhere but here: a PG follows no redirect.

    Where pages are redirected a notice over plain HTTP is refused, because its line shows keys and names to anybody.
    A PG gets no page of ours, whatever goes wrong: in so many words there may be its "OK" (payments.md A70).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _FOLDERS.match(request.path_info):
            return self.get_response(request)
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            log.warning("a notice over plain HTTP from %s", address_of(request))
            return _short(403)
        found = _ADDRESS.fullmatch(request.path_info)
        if found is None:
            return _short(404)
        try:
            # Refuses a foreign Host, as CommonMiddleware does.
            request.get_host()
            return receive(request, found[1])
        except DisallowedHost as problem:
            log.warning("a notice for a foreign host: %s", problem)
            return _short(400)
        except Exception:
            # Whatever broke, a PG must read FAIL and come again: an error page of Django may hold its word for success.
            log.exception("a notice ended in an error of ours")
            return _short(500)


def _short(status: int) -> HttpResponse:
    return HttpResponse(b"FAIL", status=status, content_type="text/plain")
