"""재고 조정과 재고 파일 올리기."""

import secrets
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from accounts.models import User
from core.exceptions import DomainError
from core.state import Outcome
from products.forms import StockForm
from products.models import Product, Variant
from products.pages.product import find_product
from products.services import stock
from products.services.lookup import available
from products.views.catalog import not_found, page_count, page_of


class StockAdjust(PermissionRequired):
    """재고 조정: counted or received figures of up to fifty variants of a product, with one reason."""

    permission = "products.adjust_stock"

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        product = find_product(code)
        if product is None:
            return not_found(request)
        shown = page_of(product, request)
        initial: dict[str, Any] = {f"seen_{variant.pk}": _version(variant) for variant in shown}
        initial["reference"] = secrets.token_hex(16)
        form = StockForm(initial=initial, variant_ids=[variant.pk for variant in shown])
        return _page(request, product, shown, form)

    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        product = find_product(code)
        if product is None:
            return not_found(request)
        shown = page_of(product, request)
        form = StockForm(request.POST, variant_ids=[variant.pk for variant in shown])
        if not form.is_valid():
            return _page(request, product, shown, form, status=422)
        try:
            outcome = _correct(form, actor=staff_of(request))
        except DomainError as error:
            form.add_error(None, error.message)
            return _page(request, product, shown, form, status=error.status)
        if outcome.refused:
            return _part(request, product, shown, outcome)
        if outcome.changes:
            messages.success(request, f"품목 {len(outcome.changes):,}개의 재고를 바꿨습니다.")
        else:
            messages.info(request, "입력한 수가 지금 실재고와 같아 바꾼 것이 없습니다.")
        return redirect("products:detail", code=product.code)


def _correct(form: StockForm, *, actor: User) -> Outcome:
    data = form.cleaned_data
    common: dict[str, Any] = {"at": timezone.now(), "actor": actor, "reason": data["reason"]}
    if data["kind"] == StockForm.RECEIVE:
        return stock.receive(units=data["units"], reference=data["reference"], **common)
    return stock.adjust(changes=data["units"], seen=data["seen"], reference=data["reference"], **common)


def _part(request: HttpRequest, product: Product, shown: list[Variant], outcome: Outcome) -> HttpResponse:
    """What was refused stays in the form with its reason and today's figures; what was stored leaves it."""
    changed = {change.row.variant_id for change in outcome.changes}
    data = request.POST.copy()
    data["reference"] = secrets.token_hex(16)
    fresh = page_of(product, request)
    for variant in fresh:
        data[f"seen_{variant.pk}"] = str(_version(variant))
        if variant.pk in changed:
            data[f"units_{variant.pk}"] = ""
    form = StockForm(data, variant_ids=[variant.pk for variant in shown])
    form.is_valid()
    for pk, reason in outcome.refused.items():
        form.add_error(f"units_{pk}", reason)
    if changed:
        messages.success(request, f"품목 {len(changed):,}개의 재고를 바꿨습니다.")
    return _page(request, product, fresh, form, status=422)


def _page(
    request: HttpRequest, product: Product, shown: list[Variant], form: StockForm, *, status: int = 200
) -> HttpResponse:
    rows = [
        {
            "sku": variant.sku,
            "option": variant.option_text or "단일 품목",
            "on_hand": variant.stock.on_hand if hasattr(variant, "stock") else 0,
            "allocated": variant.stock.allocated if hasattr(variant, "stock") else 0,
            "available": available(variant),
            "units": form[f"units_{variant.pk}"],
            "seen": form[f"seen_{variant.pk}"],
        }
        for variant in shown
    ]
    context = {
        "title": f"{product.name} 재고 조정",
        "product": product,
        "form": form,
        "rows": rows,
        "pages": range(1, page_count(product) + 1),
    }
    return render(request, "products/stock.html", context, status=status)


def _version(variant: Variant) -> int:
    return variant.stock.version if hasattr(variant, "stock") else 0
