"""웹훅 지름길: notices of PGs skip sessions, log-in, forms and pages, of which they need nothing."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from payments.views.webhooks import receive

_ADDRESS = re.compile(r"/payments/(?:webhooks|bank-feed)/([^/]+)/?")


class WebhookMiddleware:
    """Stands behind SecurityMiddleware, so that plain HTTP is turned away in production as everywhere."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        found = _ADDRESS.fullmatch(request.path_info)
        if found is None:
            return self.get_response(request)
        # Refuses a foreign Host, as CommonMiddleware does.
        request.get_host()
        return receive(request, found[1])
