"""Steps on the real lists of a seeded shop, and more work for it."""

from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from core.models import Source
from orders.models import Order, OrderLine, SalesChannel
from orders.services.intake import LineDraft, create_orders
from orders.states import PaymentMethod
from payments.services.ledger.openings import open_payments
from products.services.catalog import create_products
from products.services.drafts import ProductDraft, VariantDraft
from shipping.models import Shipment
from shipping.services import shipments
from tests.fixtures.orders import draft
from tests.fixtures.products import put_stock

IDS = "[...document.querySelectorAll('.scroller tbody[data-id]')].map(row => row.dataset.id)"


def ids(page: Page) -> list[str]:
    """Ids of the rows on the screen."""
    found: list[str] = page.evaluate(IDS)
    return found


def settled(page: Page) -> None:
    """Nothing is on its way any more."""
    page.wait_for_load_state("networkidle")
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def until(page: Page, expression: str) -> None:
    """Waits for an expression of the page; `wait_for_function` evaluates text in the page, which the CSP refuses."""
    for _ in range(300):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(expression)


def travel(page: Page, way: Callable[[], object]) -> None:
    """To another page, back and forward in the history as well: nothing is read or done on the page that is left."""
    page.evaluate("document.documentElement.dataset.leftBehind = 1")
    way()
    expect(page.locator("html[data-left-behind]")).to_have_count(0)
    settled(page)


def box(page: Page, row_id: str | int) -> Locator:
    """The check box of a row."""
    return page.locator(f"#row-{row_id} td.check input")


def hold(page: Page, reason: str = "고객 부재") -> None:
    """배송보류 of the selection."""
    page.locator(".acts [data-action=hold]").click()
    page.locator("#dialog [name=reason]").fill(reason)
    page.locator("#dialog button[type=submit]").click()
    expect(page.locator("#dialog")).to_be_hidden()
    settled(page)


def paid_orders(count: int, *, stock: int, code: str) -> list[Order]:
    """So many paid orders of one unit of a new product, of which `stock` units are there."""
    at = timezone.now()
    names = ProductDraft(code, f"상품 {code}", option_names=("색상",), variants=(VariantDraft(("검정",), price=9_900),))
    variant = create_products(drafts=[names], at=at, actor=None)[0].variants.get()
    if stock:
        put_stock(variant, stock, reference=f"opening-{code}")
    line = LineDraft(names.name, 1, 9_900, option_name="검정", variant_id=variant.pk, channel_product=code)
    facts = {"ordered_at": at - timedelta(hours=1), "payment_method": PaymentMethod.CARD}
    with transaction.atomic():
        made = create_orders(
            channel=SalesChannel.objects.get(code="mall"),
            drafts=[draft(line, **facts) for _ in range(count)],
            actor=None,
            at=at,
            source=Source.API,
        )
        orders = list(made.created.values())
        open_payments(orders=orders, at=at)
    return list(Order.objects.filter(pk__in=[order.pk for order in orders]).order_by("pk"))


def parcels(count: int, *, code: str) -> list[Shipment]:
    """So many shipments of one line that wait for their number."""
    orders = paid_orders(count, stock=count, code=code)
    ids = list(OrderLine.objects.filter(order__in=orders).values_list("pk", flat=True))
    assert shipments.make_ready(line_ids=ids, actor=None, at=timezone.now()).refused == {}
    return list(Shipment.objects.filter(order__in=orders).select_related("order").order_by("pk"))
