"""품목 연결 화면."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from channels.forms import ConnectForm, ListingForm
from channels.models import ChannelListing
from channels.pages.mapping import choice_page, listing_page, shown_variant, waiting_page
from channels.services import connecting
from core.exceptions import DomainError
from core.text import whole_number

TABS = {"waiting": "연결 대기", "listings": "기억한 연결"}
LONGEST_SEARCH = 100
MOST_PAGES = 10_000


class MappingPage(PermissionRequired):
    """품목 연결: groups that wait, and what was connected before."""

    permission = "channels.map"

    def get(self, request: HttpRequest) -> HttpResponse:
        tab, page = request.GET.get("tab", "waiting"), whole_number(request.GET.get("page", "1"), digits=5) or 0
        if tab not in TABS or not 1 <= page <= MOST_PAGES or set(request.GET) - {"tab", "page", "q"}:
            text = "주소에 알 수 없는 조회 조건이 있습니다. 품목 연결을 다시 여세요."
            return render(request, "400.html", {"error_text": text}, status=400)
        found = waiting_page(page) if tab == "waiting" else listing_page(page, _search(request))
        context = {"title": "품목 연결", "tab": tab, "tabs": [(key, label, key == tab) for key, label in TABS.items()]}
        return render(request, "channels/mapping.html", context | found)


class Connect(PermissionRequired):
    """품목 고르기: one group, a search, and the answer that maps all of its lines."""

    permission = "channels.map"

    def get(self, request: HttpRequest) -> HttpResponse:
        form = ConnectForm(request.GET)
        if not form.is_valid("channel", "product"):
            return _lost(request, "품목 연결에서 다시 고르세요.")
        try:
            group = connecting.waiting_group(channel_id=form.cleaned_data["channel"], key=form.key)
        except DomainError as error:
            return _lost(request, error.message)
        text = _search(request) if "q" in request.GET else group.product_name
        context = {"title": "품목 고르기", "group": group} | choice_page(text)
        return render(request, "channels/choose.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ConnectForm(request.POST)
        if not form.is_valid("channel", "product", "variant"):
            return _lost(request, "연결할 품목을 고르세요.", status=422)
        try:
            found = connecting.connect(
                channel_id=form.cleaned_data["channel"],
                key=form.key,
                variant_id=form.cleaned_data["variant"],
                actor=staff_of(request),
                at=timezone.now(),
            )
        except DomainError as error:
            return _lost(request, error.message, status=error.status)
        messages.success(request, f"품목 {found.lines:,}건을 연결했습니다. 다음 주문부터는 바로 연결합니다.")
        if found.refused:
            messages.warning(
                request, f"품목 {len(found.refused):,}건은 연결하지 못했습니다. {min(found.refused.values())}"
            )
        return redirect("channels:mapping")


class EditListing(PermissionRequired):
    """연결 바꾸기: another variant for later orders, or asking again."""

    permission = "channels.map"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return _listing(request, pk)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        form = ListingForm(request.POST)
        if not form.is_valid():
            return _listing(request, pk, error="바꿀 품목을 고르세요.", status=422)
        facts: dict[str, Any] = {"listing_id": pk, "seen": form.cleaned_data["version"]}
        facts |= {"actor": staff_of(request), "at": timezone.now()}
        try:
            if form.cleaned_data["act"] == ListingForm.REMOVE:
                connecting.remove_listing(**facts)
                messages.success(request, "연결을 지웠습니다. 다음 주문은 품목 연결에서 다시 묻습니다.")
            else:
                connecting.change_listing(**facts, variant_id=form.cleaned_data["variant"] or 0)
                messages.success(request, "연결을 바꿨습니다. 다음 주문부터 바뀐 품목으로 접수합니다.")
        except DomainError as error:
            return _listing(request, pk, error=error.message, status=error.status)
        return redirect("/products/mapping/?tab=listings")


def _search(request: HttpRequest) -> str:
    return request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH]


def _lost(request: HttpRequest, text: str, *, status: int = 404) -> HttpResponse:
    template = f"{status}.html" if status in {400, 404, 409} else "400.html"
    return render(request, template, {"error_text": text, "error_status": status}, status=status)


def _listing(request: HttpRequest, pk: int, *, error: str = "", status: int = 200) -> HttpResponse:
    row = ChannelListing.objects.select_related("channel", "variant__product").filter(pk=pk).first()
    if row is None:
        return _lost(request, connecting.NO_LISTING)
    context = {"title": "연결 바꾸기", "listing": row, "now": shown_variant(row.variant), "error_text": error}
    return render(request, "channels/listing.html", context | choice_page(_search(request)), status=status)
