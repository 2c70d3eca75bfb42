"""What staff change on one order: where it goes, and what they note on it."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.exceptions import Conflict, DomainError
from core.jobs.shown import Result
from orders.detail import find_order
from orders.forms import MemoForm, RecipientForm, initial_recipient
from orders.models import Order
from orders.panels import MemoPanel
from orders.services import changes
from orders.services.changes import Recipient

CHANGED = "oms:changed"


def is_fragment(request: HttpRequest) -> bool:
    """조각 요청: asked for by htmx, so that a dialog answers instead of a page."""
    return request.headers.get("HX-Request") == "true"


class RecipientView(PermissionRequired):
    """배송지 변경: the form with the present values; a newer version opens the comparison, never last-write-wins."""

    permission = "orders.change_address"

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        order = find_order(number)
        record_access(
            actor=staff_of(request),
            action=AccessAction.VIEW,
            at=timezone.now(),
            client=client_of(request),
            purpose="배송지 변경",
            subjects=[order.number],
            detail={"fields": list(Recipient.__slots__)},
        )
        return _ask(request, order, RecipientForm(initial=initial_recipient(order)))

    def post(self, request: HttpRequest, number: str) -> HttpResponseBase:
        order = find_order(number)
        form = RecipientForm(request.POST)
        if not form.is_valid():
            return _ask(request, order, form, status=422)
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
            return _compare(request, find_order(number), form, problem)
        except DomainError as problem:
            form.add_error(None, problem.message)
            return _ask(request, order, form, status=problem.status)
        if not is_fragment(request):
            return redirect("orders:detail", number=number)
        answer = render(request, "generic/_strip.html", {"result": Result("", ok_text="배송지를 바꿨습니다.")})
        answer["HX-Trigger"] = CHANGED
        return answer


def _ask(request: HttpRequest, order: Order, form: RecipientForm, *, status: int = 200) -> HttpResponse:
    template = "orders/_recipient.html" if is_fragment(request) else "orders/recipient.html"
    context = {
        "title": "배송지 변경",
        "subtitle": order.number,
        "order": order,
        "form": form,
        "action_url": request.path,
        "submit_label": "배송지 저장",
        "cancel_url": f"/orders/{order.number}/",
    }
    answer = render(request, template, context, status=status)
    answer["Cache-Control"] = "no-store"
    return answer


def _compare(request: HttpRequest, order: Order, form: RecipientForm, problem: Conflict) -> HttpResponse:
    """비교: what is stored now beside what was typed; saving again is a decision of the person."""
    now = initial_recipient(order)
    rows = [
        (form.fields[name].label, now[name], form.cleaned_data[name])
        for name in Recipient.__slots__
        if now[name] != form.cleaned_data[name]
    ]
    again = request.POST.copy()
    again["version"] = str(order.version)
    template = "orders/_compare.html" if is_fragment(request) else "orders/compare.html"
    context = {
        "title": "배송지 변경",
        "subtitle": order.number,
        "order": order,
        "form": RecipientForm(again),
        "rows": rows,
        "problem": problem.message,
    }
    answer = render(request, template, context, status=409)
    answer["Cache-Control"] = "no-store"
    return answer


class MemoView(PermissionRequired):
    """메모 작성."""

    permission = "orders.memo"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, number: str) -> HttpResponseBase:
        order = find_order(number)
        form = MemoForm(request.POST)
        if not form.is_valid():
            errors = [str(error) for found in form.errors.values() for error in found]
            return _memo_box(request, order, errors=errors, typed=request.POST.get("text", ""), status=422)
        try:
            changes.add_memo(order_id=order.pk, actor=staff_of(request), at=timezone.now(), **form.cleaned_data)
        except DomainError as problem:
            typed = form.cleaned_data["text"]
            return _memo_box(request, order, errors=[problem.message], typed=typed, status=problem.status)
        return _memo_box(request, order)


class MemoDeleteView(PermissionRequired):
    """메모 삭제: one's own only."""

    permission = "orders.memo"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, number: str, pk: int) -> HttpResponseBase:
        order = find_order(number)
        try:
            changes.delete_memo(memo_id=pk, order_number=number, actor=staff_of(request), at=timezone.now())
        except DomainError as problem:
            return _memo_box(request, order, errors=[problem.message], status=problem.status)
        return _memo_box(request, order)


def _memo_box(
    request: HttpRequest, order: Order, *, errors: list[str] | None = None, typed: str = "", status: int = 200
) -> HttpResponseBase:
    """메모 상자 as it is now; the version of the order rose, so that lists and buttons are read again."""
    if not is_fragment(request) and not errors:
        return redirect("orders:detail", number=order.number)
    context: dict[str, Any] = MemoPanel().load(order, request=request, at=timezone.now())
    answer = render(
        request, MemoPanel.template, {"order": order, "errors": errors, "typed": typed, **context}, status=status
    )
    if not errors:
        answer["HX-Trigger"] = CHANGED
    return answer
