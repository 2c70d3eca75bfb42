"""목록과 권한: the addresses of a list page behind the gate, and the log row of every file that is taken away."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path

from accounts.access import requires, staff_of
from accounts.clients import client_of
from accounts.models import AccessAction, AccessLog, User
from accounts.roles import LOGGED_SEARCHES, PERSONAL_EXPORT_ROWS, Role
from accounts.services import record_access
from core.exceptions import NotAllowed
from core.lists import ListPage, ListQuery
from core.lists.search import ID_CAP
from core.views import lists as views


def list_urls(page: type[ListPage]) -> list[URLPattern]:
    """목록 주소: page, poll, counts, file, columns and saved views of a list, each behind the right that it names.

    The addresses follow from the page's `url`; names are `<page>`, `<page>_poll`, `<page>_excel` and so on.
    """
    route, name = page.url.lstrip("/"), page.name.replace("-", "_")
    gate = requires(page.permission)

    def view(kind: type[views.ListView]) -> Any:
        return kind.as_view(page_name=page.name)

    found = [
        path(route, gate(view(views.PageView)), name=name),
        path(f"{route}poll/", gate(view(views.PollView)), name=f"{name}_poll"),
        path(f"{route}counts/", gate(view(views.CountsView)), name=f"{name}_counts"),
        path(f"{route}columns/", gate(view(views.ColumnsView)), name=f"{name}_columns"),
        path(f"{route}views/", gate(view(views.ViewsView)), name=f"{name}_views"),
        path(f"{route}views/<int:view_id>/<slug:act>/", gate(view(views.OneView)), name=f"{name}_view"),
    ]
    if page.export_permission:
        kind = LimitedExcelView if issubclass(page, LoggedPage) else views.ExcelView
        export = requires(page.export_permission)(view(kind))
        found.append(path(f"{route}excel/", export, name=f"{name}_excel"))
    return found


def _is_logged(staff: User, words: Mapping[str, str], *, session_hash: str) -> bool:
    """Whether these words were written down for this person's session."""
    mine = AccessLog.objects.filter(actor=staff, action=AccessAction.VIEW, session_hash=session_hash)
    return mine.filter(detail__contains=words).exists()


class ExportLimited(NotAllowed):
    """내려받기 한도: more rows with personal data than the role takes away by itself (reliability.md 4.1)."""

    code = "export_limit"


class LimitedExcelView(views.ExcelView):
    """내려받기 of personal data: says before it asks for the reason that the file is too large for the role."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        self._check_limit(request)
        return super().get(request)

    def _file(self, request: HttpRequest, query: ListQuery, reason: str) -> HttpResponseBase:
        self._check_limit(request)
        return super()._file(request, query, reason)

    def _check_limit(self, request: HttpRequest) -> None:
        staff = staff_of(request)
        query = self.read(request.GET)
        if staff.role in PERSONAL_EXPORT_ROWS and query.is_valid:
            counts = query.count()
            refuse_above_limit(staff, rows=max(counts.total.number, counts.lines or 0), is_least=counts.total.capped)


def refuse_above_limit(staff: User, *, rows: int, is_least: bool = False) -> None:
    """내려받기 한도: raises ExportLimited when the role may not take so many rows away; `is_least` means or more."""
    limit = PERSONAL_EXPORT_ROWS.get(Role(staff.role))
    if limit is not None and rows > limit:
        more = " 이상" if is_least else ""
        raise ExportLimited(
            f"개인정보가 든 파일은 {staff.role_label} 역할이 한 번에 {limit:,}행까지 내려받을 수 있습니다. "
            f"지금 파일은 {rows:,}행{more}입니다. "
            f"기간이나 조건을 줄이거나 {Role.OWNER.label}에게 내려받아 달라고 요청하세요."
        )


class LoggedPage(ListPage):
    """기록하는 목록: mix-in for lists of personal data, whose files and searches are logged (reliability.md R-06)."""

    def record_search(self, *, request: Any, query: ListQuery) -> None:
        """One row for each search for people by a role that may do it logged only, none for the next pages of it."""
        assert isinstance(request, HttpRequest)
        staff = staff_of(request)
        asked = {code for code in query.search.permissions if staff.role in LOGGED_SEARCHES.get(code, ())}
        if not asked or query.errors or query.found is None:
            return
        client = client_of(request)
        words = {"list": self.name, "search": query.text, "kind": query.kind}
        # The parameters of a next page can be written by hand: words that nobody has logged are a search of their own.
        if query.is_continued and _is_logged(staff, words, session_hash=client.session_hash):
            return
        record_access(
            actor=staff,
            action=AccessAction.VIEW,
            at=query.at,
            client=client,
            row_count=ID_CAP if query.found.ids is None else len(query.found.ids),
            detail=words | {"query": query.text_in_full},
        )

    def record_export(self, *, request: Any, query: ListQuery, reason: str, rows: int, at: datetime) -> None:
        assert isinstance(request, HttpRequest)
        staff = staff_of(request)
        # Also the file that a job wrote for somebody else, and rows that came in since they were counted.
        refuse_above_limit(staff, rows=rows)
        record_access(
            actor=staff,
            action=AccessAction.EXPORT,
            at=at,
            client=client_of(request),
            purpose=reason,
            row_count=rows,
            detail={"list": self.name, "query": query.text_in_full},
        )
