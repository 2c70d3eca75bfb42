"""GET and POST /rider/<token>/: the one page that a rider without a log-in sees; the token alone opens it, once.

It names neither people nor numbers. Opening it changes nothing, so that a messenger's preview of the link does no harm.
No cookie and no session count here, so there is nothing that another site could ride on: the press needs the token, and
asks for no second one. A page that tells no referrer could not send one either: browsers post from it with Origin null.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from core.exceptions import DomainError
from core.settings_registry import get_setting
from shipping.services.handover.ending import LinkUsed, confirm_by_rider, errand


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rider(request: HttpRequest, token: str) -> HttpResponse:
    """기사 링크."""
    try:
        if request.method == "POST":
            confirm_by_rider(token=token, at=timezone.now())
        found = errand(token=token)
    except LinkUsed as used:
        # The second of two presses shows what the first one has done.
        return _page(request, {"errand": errand(token=token)}, status=used.status)
    except DomainError as error:
        return _page(request, {"problem": error.message}, status=error.status)
    return _page(request, {"errand": found})


def _page(request: HttpRequest, context: dict[str, object], *, status: int = 200) -> HttpResponse:
    context |= {"title": "퀵서비스 전달", "shop": get_setting("shop_name")}
    answer = render(request, "shipping/rider.html", context, status=status)
    # The address is the key: it goes to no other site and to no search engine.
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex"
    return answer
