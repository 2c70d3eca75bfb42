"""상품 상세, 등록, 수정."""

from itertools import product as combinations
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from core.exceptions import DomainError
from core.text import whole_number
from products.forms import VARIANTS_PER_FORM, NewVariantFormSet, ProductEditForm, ProductForm, VariantFormSet
from products.models import Product, SaleState, Variant
from products.pages.product import find_product, ledger, variant_rows, variants_of
from products.pages.variant_list import SALE_CSS
from products.services.catalog import VariantEdit, create_products, edit_product
from products.services.drafts import ProductDraft, VariantDraft

EDITED = ("sku", "barcode", "price", "weight_grams", "location", "is_active")


def not_found(request: HttpRequest) -> HttpResponse:
    """상품 없음 화면."""
    return render(request, "404.html", {"error_text": "상품을 찾을 수 없습니다. 상품코드를 확인하세요."}, status=404)


class ProductDetail(PermissionRequired):
    """상품 상세: variants with their stock, and the ledger of one of them."""

    permission = "products.view"

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        product = find_product(code)
        if product is None:
            return not_found(request)
        rows = variant_rows(product)
        wanted = request.GET.get("variant", "")
        chosen = next((row for row in rows if row.sku == wanted), None if wanted else next(iter(rows), None))
        if wanted and chosen is None:
            return not_found(request)
        try:
            history = ledger(chosen.pk, cursor=request.GET.get("older", "")) if chosen else None
        except ValueError:
            text = "쪽 주소가 올바르지 않습니다. 재고 이력의 첫 쪽부터 다시 조회하세요."
            return render(request, "400.html", {"error_text": text}, status=400)
        staff = staff_of(request)
        context = {
            "title": product.name,
            "product": product,
            "sale_css": SALE_CSS[SaleState(product.sale_state)],
            "variants": rows,
            "chosen": chosen,
            "ledger": history,
            "may_edit": staff.has_perm("products.edit"),
            "may_adjust": staff.has_perm("products.adjust_stock"),
        }
        return render(request, "products/detail.html", context)


class ProductCreate(PermissionRequired):
    """상품 등록."""

    permission = "products.edit"

    def get(self, request: HttpRequest) -> HttpResponse:
        return _form_page(request, ProductForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ProductForm(request.POST)
        if not form.is_valid():
            return _form_page(request, form, status=422)
        try:
            created = create_products(drafts=[_draft(form.cleaned_data)], at=timezone.now(), actor=staff_of(request))
        except DomainError as error:
            form.add_error(None, error.message)
            return _form_page(request, form, status=error.status)
        messages.success(request, f"{created[0].name} 상품을 등록했습니다.")
        return redirect("products:detail", code=created[0].code)


def _form_page(request: HttpRequest, form: ProductForm, *, status: int = 200) -> HttpResponse:
    context = {"title": "상품 등록", "form": form, "submit_label": "상품 등록", "cancel_url": ".."}
    return render(request, "products/create.html", context, status=status)


def _draft(data: dict[str, Any]) -> ProductDraft:
    options = data["options"]
    return ProductDraft(
        code=data["code"],
        name=data["name"],
        sale_state=SaleState(data["sale_state"]),
        option_names=tuple(name for name, _ in options),
        variants=tuple(
            VariantDraft(option_values=values, price=data["price"])
            for values in combinations(*(values for _, values in options))
        ),
    )


class ProductEdit(PermissionRequired):
    """상품 수정: the product and up to fifty of its variants at a time."""

    permission = "products.edit"

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        product = find_product(code)
        if product is None:
            return not_found(request)
        shown = page_of(product, request)
        names = {"name": product.name, "sale_state": product.sale_state, "version": product.version}
        initial = [{"pk": row.pk, **{name: getattr(row, name) for name in EDITED}} for row in shown]
        variants = VariantFormSet(initial=initial, prefix="variant")
        return _edit_page(request, product, ProductEditForm(initial=names), variants, _new_variants(product, None))

    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        product = find_product(code)
        if product is None:
            return not_found(request)
        form = ProductEditForm(request.POST)
        variants = VariantFormSet(request.POST, prefix="variant")
        added = _new_variants(product, request.POST)
        if not all([form.is_valid(), variants.is_valid(), added.is_valid()]):
            for problem in dict.fromkeys([*variants.non_form_errors(), *added.non_form_errors()]):
                form.add_error(None, problem)
            return _edit_page(request, product, form, variants, added, status=422)
        try:
            edit_product(
                product_id=product.pk,
                seen=form.cleaned_data["version"],
                name=form.cleaned_data["name"],
                sale_state=form.cleaned_data["sale_state"],
                edits={row.cleaned_data["pk"]: _edit(row.cleaned_data) for row in variants},
                added=[
                    VariantDraft(row.option_values, price=row.cleaned_data["price"] or 0, sku=row.cleaned_data["sku"])
                    for row in added
                    if row.has_changed()
                ],
                at=timezone.now(),
                actor=staff_of(request),
            )
        except DomainError as error:
            form.add_error(None, error.message)
            return _edit_page(request, product, form, variants, added, status=error.status)
        messages.success(request, "상품을 저장했습니다.")
        return redirect("products:detail", code=product.code)


def page_of(product: Product, request: HttpRequest) -> list[Variant]:
    """품목 한 쪽: the fifty variants that `?page=` names; the first ones for anything else."""
    number = whole_number(request.GET.get("page", "1"), digits=4) or 1
    start = (number - 1) * VARIANTS_PER_FORM
    return list(variants_of(product)[start : start + VARIANTS_PER_FORM])


def page_count(product: Product) -> int:
    """품목 쪽 수 of the forms."""
    return max(1, -(-Variant.objects.filter(product=product).count() // VARIANTS_PER_FORM))


def _edit(data: dict[str, Any]) -> VariantEdit:
    return VariantEdit(**{name: data[name] for name in EDITED})


def _new_variants(product: Product, data: Any) -> Any:
    # A product without options is one thing; there is nothing to add to it.
    options = {"option_names": product.option_names}
    if product.option_names:
        return NewVariantFormSet(data, prefix="new", form_kwargs=options)
    return NewVariantFormSet({"new-TOTAL_FORMS": "0", "new-INITIAL_FORMS": "0"}, prefix="new", form_kwargs=options)


def _edit_page(
    request: HttpRequest, product: Product, form: ProductEditForm, variants: Any, added: Any, *, status: int = 200
) -> HttpResponse:
    options = {row.pk: row.option_text or "단일 품목" for row in Variant.objects.filter(product=product)}
    rows = [(row, options.get(_pk(row), "")) for row in variants]
    context = {
        "title": f"{product.name} 수정",
        "product": product,
        "form": form,
        "variants": variants,
        "rows": rows,
        "added": added,
        "pages": range(1, page_count(product) + 1),
    }
    return render(request, "products/edit.html", context, status=status)


def _pk(row: Any) -> int:
    return whole_number(str(row["pk"].value())) or 0
