"""GET and POST /rider/<token>/: the one page that a rider without a log-in sees; the token alone opens it, once.

It names neither people nor numbers. Opening it changes nothing, so that a messenger's preview of the link does no harm.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core.exceptions import DomainError
from shipping.services.handover.ending import confirm_by_rider, errand


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rider(request: HttpRequest, token: str) -> HttpResponse:
    """기사 링크."""
    try:
        if request.method == "POST":
            confirm_by_rider(token=token, at=timezone.now())
        found = errand(token=token)
    except DomainError as error:
        return _page(request, {"problem": error.message}, status=error.status)
    return _page(request, {"errand": found})


def _page(request: HttpRequest, context: dict[str, object], *, status: int = 200) -> HttpResponse:
    answer = render(request, "shipping/rider.html", {"title": "퀵서비스 전달", **context}, status=status)
    # The address is the key: it goes to no other site and to no search engine.
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex"
    return answer
