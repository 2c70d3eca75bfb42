"""목록 주소: the page and its fragment, the poll, the file, column settings and saved views.

These views ask for no log-in: accounts/lists.py wraps them with the right that the page names.
"""

import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views import View

from core.exceptions import DomainError
from core.forms import LOGGED, DownloadReasonField
from core.lists import views
from core.lists.export import AT_ONCE, file_name, open_job, write_export
from core.lists.page import ListPage, Moved
from core.lists.presenter import present, reset_url, since_token, tabs_of, total_of
from core.lists.query import BadParameter, ListQuery
from core.lists.registry import lists
from core.lists.rendering import render_rows
from core.paging import SIZES
from core.text import whole_number
from core.views.downloads import XLSX, as_download

MOST_POLLED = max(SIZES)
OVERLAP = timedelta(seconds=15)
"""A change may be committed a little after the instant it carries: that far back the versions of the rows tell."""


class ReasonForm(forms.Form):
    """내려받는 이유."""

    reason = DownloadReasonField()


class ListView(View):
    """목록 화면의 바탕: knows its page by name; expected errors become answers in Korean."""

    page_name: ClassVar[str] = ""

    @property
    def page(self) -> ListPage:
        return lists.page(self.page_name)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            answer = super().dispatch(request, *args, **kwargs)
        except DomainError as error:
            answer = refused(request, error)
        patch_vary_headers(answer, ["HX-Request", "HX-Target"])
        return answer

    def read(self, params: Any) -> ListQuery:
        return self.page.query(params, user=self.request.user, at=timezone.now())


class SeeOther(HttpResponseRedirect):
    """조회로 이동: what was posted is to be read at another address, by GET whatever the browser."""

    status_code = 303


class PageView(ListView):
    """목록: the full page, the list alone when htmx swaps it, or the fields of 상세조건 when they are opened."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if request.headers.get("HX-Target") == "filters":
            query = self.read(request.GET)
            context = {"filters": query.filterset.form, "reset_url": reset_url(query)}
            return render(request, "generic/_filters.html", context)
        if not request.GET and (view := views.default_view(self.page.name, request.user)):
            joint = "&" if view.query else ""
            return HttpResponseRedirect(f"{self.page.url}?{view.query}{joint}view={view.pk}")
        return answer_list(request, self.read(request.GET))

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """조회: to the address of the conditions; a search too long for an address is kept under a short key."""
        params = request.POST.copy()
        params.pop("csrfmiddlewaretoken", None)
        query = self.read(params)
        return SeeOther(query.url()) if query.keep_search() else answer_list(request, query)


class PollView(ListView):
    """새 소식: rows on the screen that somebody else has moved since; 204 when there are none."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        shown, since = _polled(request)
        page, query = self.page, self.read("")
        moved = page.moved_since(list(shown), since=since - OVERLAP, user=request.user)
        moved = _unseen(page, moved, shown=shown, since=since)
        if not moved:
            return HttpResponse(status=204)
        notes = {one.id: one.note for one in moved}
        columns = query.columns()
        groups = page.load(list(notes), columns=columns, at=query.at, whole=True)
        rows = render_rows(page, groups, columns, notes=notes)
        return render(request, "generic/_rows.html", {"rows": rows, "since": since_token(query)})


class CountsView(ListView):
    """건수: the numbers of tabs and total as they are now; a list on the screen asks every 30 s (ux.md 2.3)."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        query = self.read(request.GET)
        if not query.is_valid:
            return HttpResponse(status=204)
        counts = query.count()
        context = {"tabs": tabs_of(query, counts), "total": total_of(query, counts)}
        return render(request, "generic/_counts.html", context)


class ExcelView(ListView):
    """내려받기: asks for the reason, writes down who takes the file, then sends it."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        query = self.read(request.GET)
        query.require_valid()
        return self._form(request, query, ReasonForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        query = self.read(request.GET)
        query.require_valid()
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self._form(request, query, form, status=422)
        return self._file(request, query, form.cleaned_data["reason"])

    def _file(self, request: HttpRequest, query: ListQuery, reason: str) -> HttpResponseBase:
        total = query.count().total
        if total.capped or total.number > AT_ONCE:
            job = open_job(query, reason=reason, rows=total.number)
            return HttpResponseRedirect(reverse("core:job", args=[job.uuid]))
        # A file on disk instead of a stream: an error in row 9,000 is an answer, not half a workbook.
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
        rows = write_export(query, file)
        self.page.record_export(request=request, query=query, reason=reason, rows=rows, at=query.at)
        file.seek(0)
        return as_download(FileResponse(file, content_type=XLSX), file_name(query), plain=f"{self.page.name}.xlsx")

    def _form(self, request: HttpRequest, query: ListQuery, form: ReasonForm, *, status: int = 200) -> HttpResponse:
        counts = query.count()
        unit = self.page.line_unit
        if not any(column.personal for column in self.page.all_columns):
            form.fields["reason"].help_text = LOGGED
        lines = f", {unit} {counts.lines:,}건" if unit and counts.lines is not None else ""
        context = {
            "title": f"{self.page.title} 내려받기",
            "form": form,
            "action_url": request.get_full_path(),
            "submit_label": "내려받기",
            "cancel_url": query.url(),
            "notice": self.page.export_notice(query),
            "intro": f"{self.page.unit} {counts.total.text(unit='건')}{lines}을 지금 보이는 열과 순서로 내려받습니다.",
        }
        return render(request, "generic/form.html", context, status=status)


class ColumnsView(ListView):
    """열 설정: keeps which columns a person sees, in which order, and how many stay at the left."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponseBase:
        freeze = whole_number(request.POST.get("freeze", str(self.page.freeze)), digits=2)
        known = {column.key for column in self.page.all_columns}
        columns = request.POST.getlist("columns")
        if freeze is None or set(columns) - known:
            raise BadParameter("열 설정을 읽을 수 없습니다. 화면을 새로고침하세요.")
        views.set_columns(page=self.page.name, columns=columns, freeze=freeze, user=request.user)
        return HttpResponse(status=204)


class ViewsView(ListView):
    """보기 저장: keeps the conditions under a name and shows the list under that view."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponseBase:
        query = self.read(request.POST.get("query", ""))
        query.require_valid()
        state = self.read(query.url(view=None).partition("?")[2])
        view = views.save_view(
            page=self.page.name,
            name=request.POST.get("name", ""),
            query=state.text_of_state,
            columns=[column.key for column in query.columns()],
            owner=request.user,
            is_shared=request.POST.get("shared") in {"on", "1", "true"},
        )
        url = query.url(view=view.pk)
        if not request.headers.get("HX-Request"):
            return HttpResponseRedirect(url)
        answer = answer_list(request, self.read(url.partition("?")[2]), fragment="list")
        answer["HX-Push-Url"] = url
        return answer


class OneView(ListView):
    """보기 하나: rename, delete, or make it the one that opens with the menu."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, view_id: int, act: str) -> HttpResponseBase:
        page, user = self.page.name, request.user
        if act == "rename":
            views.rename_view(view_id=view_id, page=page, name=request.POST.get("name", ""), owner=user)
        elif act == "delete":
            views.delete_view(view_id=view_id, page=page, owner=user)
        elif act == "default":
            views.set_default(view_id=view_id, page=page, user=user)
        elif act == "no-default":
            views.set_default(view_id=None, page=page, user=user)
        else:
            raise Http404
        return HttpResponse(status=204) if request.headers.get("HX-Request") else HttpResponseRedirect(self.page.url)


def answer_list(request: HttpRequest, query: ListQuery, *, fragment: str = "") -> HttpResponse:
    """목록 응답: the list alone for htmx with target `list`, else the whole page; 400 when a condition is wrong."""
    query.page.record_search(request=request, query=query)
    is_fragment = fragment or (request.headers.get("HX-Request") and request.headers.get("HX-Target") == "list")
    template = "generic/_list.html" if is_fragment else "generic/list.html"
    view = present(query)
    if view.whole is not None:
        # The menu around the list says the number that the list has found.
        request.known_counts = {view.name: view.whole}  # type: ignore[attr-defined]
    return render(request, template, {"page": view}, status=400 if query.errors else 200)


def answer_detail(request: HttpRequest, inside: str, whole: str, context: dict[str, Any]) -> HttpResponse:
    """상세 응답: the template `inside` for the slide-over of a list, else `whole`, the page."""
    is_inside = request.headers.get("HX-Request") and request.headers.get("HX-Target") == "detail"
    answer = render(request, inside if is_inside else whole, context)
    patch_vary_headers(answer, ["HX-Request", "HX-Target"])
    return answer


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """거절 응답: the sentence of an expected error, as a page or as plain text for a fragment."""
    if request.headers.get("HX-Request") or "text/html" not in request.headers.get("Accept", "text/html"):
        return HttpResponse(error.message, status=error.status, content_type="text/plain; charset=utf-8")
    status = error.status if error.status in {400, 403, 404, 409} else 400
    context = {"error_text": error.message, "error_status": error.status}
    return render(request, f"{status}.html", context, status=error.status)


def _polled(request: HttpRequest) -> tuple[dict[int, int | None], datetime]:
    """Rows on the screen with their versions there (`ids=12:3,15:1`), and since when; a bare id has no version."""
    since, ids = request.GET.get("since", ""), request.GET.get("ids", "").split(",")
    pairs = [one.partition(":") for one in ids]
    numbers = [since, *(pk for pk, _, _ in pairs), *(version for _, colon, version in pairs if colon)]
    is_wrong = any(whole_number(one) is None for one in numbers) or int(since) > 7_000_000_000_000
    if set(request.GET) - {"since", "ids"} or len(ids) > MOST_POLLED or is_wrong:
        raise BadParameter("새 소식을 물을 수 없는 주소입니다. 화면을 새로고침하세요.")
    shown = {int(pk): int(version) if colon else None for pk, colon, version in pairs}
    return shown, datetime.fromtimestamp(int(since) / 1000, tz=UTC)


def _unseen(page: ListPage, moved: list[Moved], *, shown: dict[int, int | None], since: datetime) -> list[Moved]:
    """Without the rows whose change was on the screen already: it is older than the list, and so is their version."""
    early = [one.id for one in moved if one.at <= since]
    now = page.versions(early) if early else {}
    seen = {pk for pk in early if now.get(pk) == shown.get(pk)}
    return [one for one in moved if one.id not in seen]
