"""목록과 권한: the addresses of a list page behind the gate, and the log row of every file that is taken away."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, path

from accounts.access import requires, staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.lists import ListPage, ListQuery
from core.views import lists as views


def list_urls(page: type[ListPage]) -> list[URLPattern]:
    """목록 주소: page, poll, file, column settings and saved views of a list, each behind the right that it names.

    The addresses follow from the page's `url`; names are `<page>`, `<page>_poll`, `<page>_excel` and so on.
    """
    route, name = page.url.lstrip("/"), page.name.replace("-", "_")
    gate = requires(page.permission)

    def view(kind: type[views.ListView]) -> Any:
        return kind.as_view(page_name=page.name)

    found = [
        path(route, gate(view(views.PageView)), name=name),
        path(f"{route}poll/", gate(view(views.PollView)), name=f"{name}_poll"),
        path(f"{route}columns/", gate(view(views.ColumnsView)), name=f"{name}_columns"),
        path(f"{route}views/", gate(view(views.ViewsView)), name=f"{name}_views"),
        path(f"{route}views/<int:view_id>/<slug:act>/", gate(view(views.OneView)), name=f"{name}_view"),
    ]
    if page.export_permission:
        export = requires(page.export_permission)(view(views.ExcelView))
        found.append(path(f"{route}excel/", export, name=f"{name}_excel"))
    return found


class LoggedExport(ListPage):
    """기록하는 내려받기: mix-in for lists whose file holds personal data (reliability.md R-06)."""

    def record_export(self, *, request: Any, query: ListQuery, reason: str, rows: int, at: datetime) -> None:
        assert isinstance(request, HttpRequest)
        record_access(
            actor=staff_of(request),
            action=AccessAction.EXPORT,
            at=at,
            client=client_of(request),
            purpose=reason,
            row_count=rows,
            detail={"list": self.name, "query": query.text_in_full},
        )
