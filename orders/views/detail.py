"""주문 상세: the slide-over over a list and the full page, and what staff change there."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST
from orders.pages import DETAIL_PAGE

from accounts.access import PermissionRequired, requires, staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.actions import PRIMARY, actions_for
from core.exceptions import Conflict, DomainError
from core.panels import draw
from core.phones import format_phone
from orders.forms import MemoForm, RecipientForm, RevealForm, initial_recipient
from orders.models import Order, OrderLine
from orders.services import changes
from orders.services.changes import Recipient
from orders.states import CODE, CSS, LineState
from orders.why import why_order

REVEAL_SECONDS = 30
MOST_SECONDARY = 3


def find_order(number: str) -> Order:
    """The order of a number with its lines loaded as `detail_lines`; 404 with a search box when there is none."""
    order = Order.objects.select_related("channel", "parent").filter(number=number).first()
    if order is None:
        raise Http404(f"주문 {number}을 찾을 수 없습니다. 주문번호를 확인하고 다시 찾아보세요.")
    lines = list(OrderLine.objects.filter(order=order).order_by("seq"))
    for line in lines:
        line.order = order
    order.detail_lines = lines  # type: ignore[attr-defined]
    return order


class OrderDetailView(PermissionRequired):
    """주문 상세: fragment for the slide-over, full page otherwise; both from the same panels."""

    permission = "orders.view"

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        context = detail_context(request, find_order(number))
        is_fragment = bool(request.htmx)  # type: ignore[attr-defined]
        response = render(request, "orders/_detail.html" if is_fragment else "orders/detail.html", context)
        response["Vary"] = "HX-Request"
        return response


def detail_context(request: HttpRequest, order: Order) -> dict[str, Any]:
    """Everything the detail shows: head, reason, panels and the acts that fit its lines."""
    at = timezone.now()
    lines = order.detail_lines  # type: ignore[attr-defined]
    acts = actions_for({line.state for line in lines}, request.user)
    primary = [act for act in acts if act.style == PRIMARY][:1]
    others = [act for act in acts if act not in primary]
    return {
        "order": order,
        "title": order.number,
        "number": order.number,
        "detail_url": f"/orders/{order.number}/",
        "badge": {
            "label": LineState(order.stage).label,
            "css": CSS[LineState(order.stage)],
            "code": CODE[LineState(order.stage)],
        },
        "why": why_order(lines, at=at),
        "panels": draw(order, request=request, at=at),
        "primary": primary,
        "secondary": others[:MOST_SECONDARY],
        "more": others[MOST_SECONDARY:],
        "page_name": DETAIL_PAGE,
        "family": family_of(order),
    }


def family_of(order: Order) -> list[Order]:
    """Orders that were split from the same one, without this one."""
    root_id = order.root_id or order.pk
    found = Order.objects.filter(root_id=root_id) | Order.objects.filter(pk=root_id)
    return [one for one in found.order_by("pk") if one.pk != order.pk]


class RevealView(PermissionRequired):
    """개인정보 보기: a reason first, then the log row, then the clear text for 30 seconds."""

    permission = "orders.reveal"

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        order = find_order(number)
        form = RevealForm(request.POST)
        if not form.is_valid():
            context = {"order": order, "form": form}
            return render(request, "orders/panels/reveal_form.html", context, status=422)
        record_access(
            actor=staff_of(request),
            action=AccessAction.VIEW,
            at=timezone.now(),
            client=client_of(request),
            purpose=form.cleaned_data["reason"],
            subjects=[order.number],
            detail={"fields": ["buyer", "recipient", "phone", "address"]},
        )
        context = {
            "order": order,
            "phone": format_phone(order.recipient_phone),
            "phone2": format_phone(order.recipient_phone2) if order.recipient_phone2 else "",
            "buyer_phone": format_phone(order.buyer_phone) if order.buyer_phone else "",
            "address": f"{order.address1} {order.address2}".strip(),
            "seconds": REVEAL_SECONDS,
        }
        return render(request, "orders/panels/revealed.html", context)

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        context = {"order": find_order(number), "form": RevealForm()}
        return render(request, "orders/panels/reveal_form.html", context)


class RecipientView(PermissionRequired):
    """배송지 변경: the form with the present values; a newer version opens the comparison, never last-write-wins."""

    permission = "orders.change_address"

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        order = find_order(number)
        record_access(
            actor=staff_of(request), action=AccessAction.VIEW, at=timezone.now(), client=client_of(request),
            purpose="배송지 변경", subjects=[order.number],
        )  # fmt: skip
        form = RecipientForm(initial=initial_recipient(order))
        return self._page(request, order, form)

    def post(self, request: HttpRequest, number: str) -> HttpResponseBase:
        order = find_order(number)
        form = RecipientForm(request.POST)
        if not form.is_valid():
            return self._page(request, order, form, status=422)
        values = {name: form.cleaned_data[name] for name in Recipient.__slots__}
        try:
            changes.change_recipient(
                order_id=order.pk,
                recipient=Recipient(**values),
                expected_version=form.cleaned_data["version"],
                actor=staff_of(request),
                at=timezone.now(),
            )
        except Conflict as problem:
            return self._compare(request, find_order(number), form, problem)
        except DomainError as problem:
            form.add_error(None, problem.message)
            return self._page(request, order, form, status=problem.status)
        return redirect("orders:detail", number=number)

    def _page(self, request: HttpRequest, order: Order, form: RecipientForm, *, status: int = 200) -> HttpResponse:
        context = {
            "title": "배송지 변경",
            "subtitle": order.number,
            "form": form,
            "submit_label": "배송지 저장",
            "cancel_url": f"/orders/{order.number}/",
        }
        return render(request, "generic/form.html", context, status=status)

    def _compare(self, request: HttpRequest, order: Order, form: RecipientForm, problem: Conflict) -> HttpResponse:
        now = initial_recipient(order)
        rows = [
            (form.fields[name].label, now[name], form.cleaned_data[name])
            for name in Recipient.__slots__
            if now[name] != form.cleaned_data[name]
        ]
        form.data = form.data.copy()
        form.data["version"] = str(order.version)
        context = {"title": "배송지 변경", "order": order, "form": form, "rows": rows, "problem": problem.message}
        return render(request, "orders/compare.html", context, status=409)


class MemoView(PermissionRequired):
    """메모 작성."""

    permission = "orders.memo"

    def post(self, request: HttpRequest, number: str) -> HttpResponseBase:
        order = find_order(number)
        form = MemoForm(request.POST)
        if form.is_valid():
            changes.add_memo(order_id=order.pk, actor=staff_of(request), at=timezone.now(), **form.cleaned_data)
        return _memo_box(request, number, form if form.errors else None)


@requires("orders.memo")
@require_POST
def delete_memo(request: HttpRequest, number: str, pk: int) -> HttpResponseBase:
    """메모 삭제: one's own only."""
    find_order(number)
    try:
        changes.delete_memo(memo_id=pk, order_number=number, actor=staff_of(request), at=timezone.now())
    except DomainError as problem:
        return render(request, "partials/alert.html", {"kind": "error", "text": problem.message}, status=problem.status)
    return _memo_box(request, number, None)


def _memo_box(request: HttpRequest, number: str, form: MemoForm | None) -> HttpResponseBase:
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("orders:detail", number=number)
    order = find_order(number)
    boxes = {panel.key: panel for panel in draw(order, request=request, at=timezone.now())}
    errors = [str(error) for errors in form.errors.values() for error in errors] if form else []
    context = {"order": order, "html": boxes["memo"].html, "errors": errors}
    return render(request, "orders/panels/memo_box.html", context, status=422 if errors else 200)
