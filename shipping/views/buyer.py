"""고객용 배송조회: the one page that people without an account see; reads only, says nothing that a link could leak."""

from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views import View

from accounts.clients import address_of
from shipping.details.buyer import buyer_context
from shipping.services.links import KEPT, find_shipment, is_given_up, is_past

MOST, WINDOW = 60, 60
"""Pages that one address may open within so many seconds, counted by each web process for itself."""
GONE = "끝난 배송의 링크입니다. 취소되었거나 새 송장으로 다시 보낸 상품입니다. 최근에 받은 발송 알림의 링크를 여세요."
PAST = f"배송이 끝난 지 {KEPT.days}일이 지나 더는 보여 드리지 않습니다. 궁금한 점은 판매자에게 문의하세요."
UNKNOWN = "배송을 찾을 수 없습니다. 발송 알림의 링크를 처음부터 끝까지 그대로 여세요."
TOO_MANY = "너무 자주 조회했습니다. 잠시 뒤 다시 여세요."


class BuyerPage(View):
    """배송조회 by the link of a message."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        at = timezone.now()
        if _is_too_much(request):
            answer = _answer(request, {"problem": TOO_MANY}, status=429)
            answer["Retry-After"] = str(WINDOW)
            return answer
        shipment = find_shipment(token)
        if shipment is None:
            return _answer(request, {"problem": UNKNOWN}, status=404)
        if is_given_up(shipment):
            return _answer(request, {"problem": GONE}, status=410)
        if is_past(shipment, at=at):
            return _answer(request, {"problem": PAST}, status=410)
        return _answer(request, buyer_context(shipment, at=at))


def _is_too_much(request: HttpRequest) -> bool:
    key = f"buyer-page/{address_of(request)}"
    if cache.add(key, 1, WINDOW):
        return False
    try:
        return cache.incr(key) > MOST
    except ValueError:
        # The window ended between the two questions.
        return False


def _answer(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """No copy anywhere, no search engine, and no address of ours in the courier's log."""
    answer = render(request, "shipping/buyer.html", context | {"title": "배송조회"}, status=status)
    answer["Cache-Control"] = "no-store"
    answer["X-Robots-Tag"] = "noindex, nofollow"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
