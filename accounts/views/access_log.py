"""The access log."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.access import PermissionRequired
from accounts.filters import AccessLogFilter
from accounts.models import AccessLog
from accounts.pages import access_page
from core.text import whole_number


class AccessLogPage(PermissionRequired):
    """접속 기록: newest first, filtered, paged by the last row seen."""

    permission = "audit.view"

    def get(self, request: HttpRequest) -> HttpResponse:
        filters = AccessLogFilter(request.GET, queryset=AccessLog.objects.all())
        after = whole_number(asked) if (asked := request.GET.get("after", "")) else None
        if set(request.GET) - filters.known_parameters() or (asked and after is None):
            text = "주소에 알 수 없는 조회 조건이 있습니다. 조건을 지우고 다시 조회하세요."
            return render(request, "400.html", {"error_text": text}, status=400)
        error = filters.period_error()
        if error or not filters.is_valid():
            context: dict[str, Any] = {"title": "접속 기록", "filter": filters, "rows": [], "error": error}
            return render(request, "accounts/access_log.html", context, status=422)
        rows, next_after = access_page(filters.qs, after=after)
        conditions = {name: value for name, value in request.GET.items() if name != "after" and value}
        context = {
            "title": "접속 기록",
            "filter": filters,
            "rows": rows,
            "next_url": "?" + urlencode(conditions | {"after": next_after}) if next_after else "",
            "is_filtered": bool(conditions),
        }
        return render(request, "accounts/access_log.html", context)
