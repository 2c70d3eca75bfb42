"""웹훅 수신함 화면: one event, one refused request, and the raw body for who gives a reason."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from accounts.access import PermissionRequired, staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.exceptions import DomainError
from core.views.gate import is_fragment
from core.views.lists import refused
from orders.forms import RevealForm
from payments.bodies import decoded
from payments.details.notice import charset_of, find_notice, find_request, notice_context, request_context

REVEAL_SECONDS = 30


def shown(request: HttpRequest, inside: str, whole: str, context: dict[str, Any]) -> HttpResponse:
    """상세 응답: the slide-over for htmx, else the page."""
    is_inside = is_fragment(request) and request.headers.get("HX-Target") == "detail"
    answer = render(request, inside if is_inside else whole, context)
    patch_vary_headers(answer, ["HX-Request", "HX-Target"])
    return answer


class NoticeDetail(PermissionRequired):
    """알림 상세."""

    permission = "payments.view_notices"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            notice = find_notice(pk)
        except DomainError as error:
            return refused(request, error)
        charset = charset_of(request.GET.get("charset", ""), notice.account)
        context = notice_context(notice, user=staff_of(request), charset=charset)
        return shown(request, "payments/_notice.html", "payments/notice.html", context)


class RequestDetail(PermissionRequired):
    """거절된 요청 상세."""

    permission = "payments.view_notices"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            found = find_request(pk)
        except DomainError as error:
            return refused(request, error)
        charset = charset_of(request.GET.get("charset", ""), found.account)
        context = request_context(found, user=staff_of(request), charset=charset)
        return shown(request, "payments/_notice.html", "payments/notice.html", context)


class BodyReveal(PermissionRequired):
    """원문 보기: a reason first, then the log row, then the raw body for 30 seconds (reliability.md R-06)."""

    permission = "orders.reveal"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            found = find_request(pk)
        except DomainError as error:
            return refused(request, error)
        if "hide" in request.GET:
            return HttpResponse("")
        return self._form(request, found, RevealForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            found = find_request(pk)
        except DomainError as error:
            return refused(request, error)
        form = RevealForm(request.POST)
        if not form.is_valid():
            return self._form(request, found, form, status=422)
        # What the retention has masked is text of ours.
        charset = "utf-8" if found.masked_at else charset_of(request.POST.get("charset", ""), found.account)
        subjects = [found.notice.order_ref] if found.notice else []
        record_access(
            actor=staff_of(request),
            action=AccessAction.VIEW,
            at=timezone.now(),
            client=client_of(request),
            purpose=form.cleaned_data["reason"],
            subjects=[one[:40] for one in subjects],
            detail={"fields": ["pg_request_body"], "request": found.pk, "pg": found.account.code},
        )
        context = {"request_id": found.pk, "text": decoded(bytes(found.body), charset), "seconds": REVEAL_SECONDS}
        answer = render(request, "payments/_body_revealed.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    def _form(self, request: HttpRequest, found: Any, form: RevealForm, *, status: int = 200) -> HttpResponse:
        charset = charset_of(request.POST.get("charset", request.GET.get("charset", "")), found.account)
        context = {"request_id": found.pk, "form": form, "charset": charset}
        return render(request, "payments/_body_reveal.html", context, status=status)
