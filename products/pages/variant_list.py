"""상품 목록: one row per variant with its stock; base of search, tabs, file and API."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.http import urlencode

from core import cells
from core.excel.columns import Kind
from core.lists import (
    NUMBER,
    WORD,
    Group,
    ListColumn,
    ListPage,
    ListQuery,
    ListTab,
    RowHead,
    SearchArm,
    Sort,
    Tool,
    lists,
)
from products.models import SaleState, Variant
from products.pages.conditions import NOTHING_LEFT, SHORT, VariantFilter

SALE_CSS = {SaleState.ON_SALE: "s-shipping", SaleState.SOLD_OUT: "s-ready", SaleState.STOPPED: "s-closed"}
MOST_PREFIXES = 20
"""Up to so many codes are also found by how they begin; longer pasted lists are compared exactly."""


class VariantRecord(NamedTuple):
    """품목 한 줄: the columns of a row."""

    id: int
    sku: str
    option_values: list[str]
    product_code: str
    product_name: str
    sale_state: str
    version: int
    price: int
    barcode: str
    location: str
    is_active: bool
    on_hand: int | None
    demand: int | None
    allocated: int | None

    @property
    def available(self) -> int:
        return (self.on_hand or 0) - (self.allocated or 0)

    @property
    def option(self) -> str:
        return " / ".join(str(value) for value in self.option_values)

    @property
    def url(self) -> str:
        address = reverse("products:detail", args=[self.product_code])
        return f"{address}?{urlencode({'variant': self.sku})}"


def _begins(column: str, values: Sequence[str]) -> Q:
    if len(values) > MOST_PREFIXES:
        return Q(**{f"{column}__in": values})
    found = Q()
    for value in values:
        found |= Q(**{f"{column}__startswith": value})
    return found


def _by_code(values: Sequence[str]) -> QuerySet[Any]:
    return Variant.objects.filter(_begins("sku", values)).values_list("id")


def _by_product_code(values: Sequence[str]) -> QuerySet[Any]:
    return Variant.objects.filter(_begins("product__code", values)).values_list("id")


def _by_barcode(values: Sequence[str]) -> QuerySet[Any]:
    return Variant.objects.filter(barcode__in=values).values_list("id")


def _by_word(values: Sequence[str]) -> QuerySet[Any]:
    """Names that hold the word, or codes that begin with it: codes without a digit look like words."""
    found = Q()
    for value in values:
        found |= Q(product__name__icontains=value) | Q(sku__startswith=value) | Q(product__code__startswith=value)
    return Variant.objects.filter(found).values_list("id")


# A code has a digit and a mark between its parts, or is a long number; everything else may be a name.
_CODE = r"(?=[\x21-\x7e]*[0-9])(?=[\x21-\x7e]*[-_])[\x21-\x7e]{2,60}|[0-9]{5,40}"


def _tags(record: VariantRecord) -> list[cells.Tag]:
    found = []
    if (record.demand or 0) > record.available:
        found.append(cells.Tag("재고부족", "t-late"))
    if not record.is_active:
        found.append(cells.Tag("사용 안 함"))
    return found


def _units(key: str, label: str, name: str) -> ListColumn:
    return ListColumn(
        key,
        label,
        cell=lambda group, line: cells.number(getattr(group.record, name) or 0),
        plain=lambda group, line: getattr(group.record, name) or 0,
        kind=Kind.INTEGER,
        width=10,
        css="num",
    )


COLUMNS = (
    ListColumn(
        "sku",
        "품목코드",
        cell=lambda group, line: cells.opener(group.record.url, group.record.sku),
        plain=lambda group, line: group.record.sku,
        width=20,
        sort="sku",
    ),
    ListColumn(
        "product",
        "상품명",
        cell=lambda group, line: cells.with_note(group.record.product_name, group.record.option),
        plain=lambda group, line: group.record.product_name,
        width=32,
        more=(
            ListColumn(
                "option",
                "옵션",
                cell=lambda group, line: cells.text(group.record.option),
                plain=lambda group, line: group.record.option,
                width=20,
            ),
        ),
    ),
    ListColumn(
        "sale_state",
        "판매 상태",
        cell=lambda group, line: cells.badge(
            SALE_CSS[SaleState(group.record.sale_state)], SaleState(group.record.sale_state).label
        ),
        plain=lambda group, line: SaleState(group.record.sale_state).label,
        width=10,
    ),
    ListColumn(
        "price",
        "판매가",
        cell=lambda group, line: cells.won(group.record.price),
        plain=lambda group, line: group.record.price,
        kind=Kind.WON,
        width=12,
        css="num",
    ),
    _units("on_hand", "실재고", "on_hand"),
    _units("demand", "수요", "demand"),
    _units("allocated", "할당", "allocated"),
    _units("available", "가용", "available"),
    ListColumn(
        "location",
        "보관 위치",
        cell=lambda group, line: cells.text(group.record.location),
        plain=lambda group, line: group.record.location,
    ),
    ListColumn(
        "tags",
        "표시",
        cell=lambda group, line: cells.tags(_tags(group.record)),
        plain=lambda group, line: ", ".join(tag.label for tag in _tags(group.record)),
    ),
    ListColumn(
        "product_code",
        "상품코드",
        cell=lambda group, line: cells.text(group.record.product_code),
        plain=lambda group, line: group.record.product_code,
        visible=False,
    ),
    ListColumn(
        "barcode",
        "바코드",
        cell=lambda group, line: cells.text(group.record.barcode),
        plain=lambda group, line: group.record.barcode,
        visible=False,
    ),
)


@lists.register
class VariantList(ListPage):
    """상품 관리: variants with their stock."""

    name, title, url, permission = "products", "상품 관리", "/products/", "products.view"
    unit = "품목"
    model, record = Variant, VariantRecord
    paths = {
        "product_code": "product__code",
        "product_name": "product__name",
        "sale_state": "product__sale_state",
        "version": "product__version",
        "on_hand": "stock__on_hand",
        "demand": "stock__demand",
        "allocated": "stock__allocated",
    }
    sorts = {
        "-id": Sort("최신 등록순", ("-id",)),
        "sku": Sort("품목코드순", ("sku",)),
        "-sku": Sort("품목코드 거꾸로", ("-sku",)),
    }
    filterset_class = VariantFilter
    columns = COLUMNS
    tabs = (
        ListTab("all", "전체"),
        ListTab("short", "재고부족", SHORT),
        ListTab("none", "재고 없음", NOTHING_LEFT),
    )
    arms = (
        SearchArm("sku", "품목코드", _CODE, _by_code),
        SearchArm("product_code", "상품코드", _CODE, _by_product_code),
        SearchArm("barcode", "바코드", r"[0-9]{5,40}", _by_barcode, group=NUMBER),
        SearchArm("name", "상품명", r".{2,}", _by_word, group=WORD, hint="상품명은 두 글자 이상 입력하세요."),
    )
    empty_text = "등록한 상품이 없습니다. 상품을 등록하거나 주문 파일을 올리면 여기에 나타납니다."

    def head(self, group: Group) -> RowHead:
        record = group.record
        return RowHead(record.id, record.version, record.sku, record.sale_state)

    def tools(self, query: ListQuery) -> list[Tool]:
        found = []
        if query.user is not None and query.user.has_perm("products.edit"):
            found.append(Tool("상품 등록", reverse("products:create"), "create"))
        if query.user is not None and query.user.has_perm("products.adjust_stock"):
            found.append(Tool("재고 파일 올리기", reverse("products:stock_upload"), "upload"))
        state = query.text_of_state
        excel = reverse("products:products_excel") + (f"?{state}" if state else "")
        return [*found, Tool("내려받기", excel, "excel"), Tool("열 설정", "", "columns")]
