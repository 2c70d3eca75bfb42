"""웹훅 수신함 화면: one event, one refused request, and the raw body for who gives a reason."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.access import PermissionRequired, staff_of
from core.exceptions import DomainError
from core.views.lists import answer_detail, refused
from orders.views.reveal import Clear, Reveal
from payments.bodies import decoded, form_lines
from payments.details.notice import charset_for, find_notice, find_request, notice_context, request_context


class NoticeDetail(PermissionRequired):
    """알림 상세."""

    permission = "payments.view_notices"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            notice = find_notice(pk)
        except DomainError as error:
            return refused(request, error)
        context = notice_context(notice, user=staff_of(request), wanted=request.GET.get("charset", ""))
        return answer_detail(request, "payments/_notice.html", "payments/notice.html", context)


class RequestDetail(PermissionRequired):
    """거절된 요청 상세."""

    permission = "payments.view_notices"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            found = find_request(pk)
        except DomainError as error:
            return refused(request, error)
        context = request_context(found, user=staff_of(request), wanted=request.GET.get("charset", ""))
        return answer_detail(request, "payments/_notice.html", "payments/notice.html", context)


class BodyReveal(Reveal):
    """원문 보기: the raw body (reliability.md R-06)."""

    permission = "orders.reveal"
    template = "payments/_body_revealed.html"
    what = "원문을"

    def clear(self, request: HttpRequest, **where: Any) -> Clear:
        found = find_request(where["pk"])
        wanted = request.POST.get("charset", request.GET.get("charset", ""))
        charset = charset_for(found, wanted)
        text = decoded(bytes(found.body), charset)
        return Clear(
            f"body-{found.pk}",
            [found.notice.order_ref] if found.notice else [],
            {"fields": ["pg_request_body"], "request": found.pk, "pg": found.account.code},
            {"text": text, "lines": form_lines(bytes(found.body), charset) if "%" in text else []},
            hidden={"charset": wanted},
        )
