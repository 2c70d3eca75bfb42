"""주문 직접 등록: one form; a search adds lines, and the form's own key makes a double press one order."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from channels.forms import LineFormSet, OrderForm
from channels.pages.manual import line_names, total_text
from channels.services.limits import MOST_LINES
from channels.services.manual import manual_number, place_manual_order
from core.exceptions import DomainError
from core.korean import josa
from core.text import whole_number
from orders.services.intake import LineDraft, OrderDraft
from orders.states import PREPAID_METHODS, DeliveryMethod, PaymentMethod
from products.models import Variant
from products.services.lookup import VariantChoice, search_variants

PREFIX = "line"
LONGEST_SEARCH = 100
_DELIVERIES = {method.value: method for method in DeliveryMethod}


class NewOrder(PermissionRequired):
    """주문 등록."""

    permission = "orders.create"

    def get(self, request: HttpRequest) -> HttpResponse:
        return _page(request, OrderForm(), LineFormSet(prefix=PREFIX))

    def post(self, request: HttpRequest) -> HttpResponse:
        if "save" not in request.POST:
            return _changed(request)
        form, lines = OrderForm(request.POST), LineFormSet(request.POST, prefix=PREFIX)
        is_good = all([form.is_valid(), lines.is_valid()])
        if is_good and not lines.forms:
            form.add_error(None, "품목을 하나 이상 추가하세요.")
        if not is_good or form.errors:
            return _page(request, form, lines, status=422)
        try:
            number = _place(request, form, lines)
        except DomainError as error:
            form.add_error(None, error.message)
            return _page(request, form, lines, status=error.status)
        messages.success(request, f"주문 {josa(number, '을/를')} 등록했습니다.")
        return redirect(f"/orders/{number}/")


def _place(request: HttpRequest, form: OrderForm, lines: Any) -> str:
    data, at = form.cleaned_data, timezone.now()
    rows = [line.cleaned_data for line in lines]
    variants = Variant.objects.select_related("product").in_bulk([row["variant"] for row in rows])
    if gone := [row["variant"] for row in rows if row["variant"] not in variants]:
        raise DomainError(
            f"등록되지 않은 품목이 있습니다. {len(gone)}개를 빼고 다시 추가하세요.", code="unknown_variant"
        )
    method = PaymentMethod(data["payment_method"])
    draft = OrderDraft(
        channel_number=manual_number(data["key"]),
        ordered_at=at,
        paid_at=at if method in PREPAID_METHODS else None,
        payment_method=method,
        delivery_method=_DELIVERIES[data["delivery_method"]],
        discount_amount=data["discount_amount"] or 0,
        shipping_fee_amount=data["shipping_fee_amount"] or 0,
        lines=tuple(_line(row, variants[row["variant"]]) for row in rows),
        **{name: data[name] for name in _COPIED},
    )
    return place_manual_order(key=data["key"], channel=data["channel"], draft=draft, actor=staff_of(request), at=at)


_COPIED = (
    "buyer_name", "buyer_phone", "recipient_name", "recipient_phone", "zip_code", "address1", "address2",
    "jibun_address", "safe_number_end_date", "delivery_note", "depositor_name",
)  # fmt: skip


def _line(row: dict[str, Any], variant: Variant) -> LineDraft:
    return LineDraft(
        product_name=variant.product.name,
        option_name=variant.option_text[:200],
        quantity=row["quantity"],
        unit_price=row["unit_price"],
        variant_id=variant.pk,
        channel_product=variant.product.code,
    )


def _changed(request: HttpRequest) -> HttpResponse:
    """The same form with a line more or less, or with what a search found; nothing is stored."""
    data = request.POST.copy()
    lines = _posted_lines(data)
    if (chosen := whole_number(data.get("add", ""))) is not None and len(lines) < MOST_LINES:
        variant = Variant.objects.filter(pk=chosen, is_active=True).first()
        if variant is not None:
            lines.append({"variant": str(variant.pk), "quantity": "1", "unit_price": str(variant.price)})
    removed = whole_number(data.get("remove", ""))
    if removed is not None and removed < len(lines):
        del lines[removed]
    _write_lines(data, lines)
    text = data.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH]
    choices = search_variants(text) if text and "find" in data else None
    form = OrderForm(initial={name: data.get(name) for name in OrderForm.base_fields})
    return _page(request, form, LineFormSet(data, prefix=PREFIX), choices=choices, text=text)


def _posted_lines(data: QueryDict) -> list[dict[str, str]]:
    number = whole_number(data.get(f"{PREFIX}-TOTAL_FORMS", "")) or 0
    return [
        {name: data.get(f"{PREFIX}-{at}-{name}", "") for name in ("variant", "quantity", "unit_price")}
        for at in range(min(number, MOST_LINES))
    ]


def _write_lines(data: QueryDict, lines: Sequence[dict[str, str]]) -> None:
    for name in [name for name in data if name.startswith(f"{PREFIX}-")]:
        del data[name]
    data[f"{PREFIX}-TOTAL_FORMS"], data[f"{PREFIX}-INITIAL_FORMS"] = str(len(lines)), "0"
    for at, line in enumerate(lines):
        for name, value in line.items():
            data[f"{PREFIX}-{at}-{name}"] = value


def _page(
    request: HttpRequest,
    form: OrderForm,
    lines: Any,
    *,
    choices: Sequence[VariantChoice] | None = None,
    text: str = "",
    status: int = 200,
) -> HttpResponse:
    names = line_names([whole_number(str(line["variant"].value() or "")) for line in lines])
    rows = [(at, line, names.get(whole_number(str(line["variant"].value() or "")))) for at, line in enumerate(lines)]
    context = {
        "title": "주문 등록",
        "form": form,
        "lines": lines,
        "rows": rows,
        "choices": choices,
        "found_none": choices is not None and not choices,
        "q": text,
        "total": total_text(lines, form),
    }
    return render(request, "channels/new_order.html", context, status=status)
