"""Two at once: codes and variants are stored once, and the loser is told so."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from orders.models import OrderEvent
from products.models import Product, StockLevel, Variant
from products.services.catalog import create_products
from products.services.drafts import CatalogRefused, ProductDraft, VariantDraft
from products.services.unknown import WantedVariant, get_or_create_variants
from tests.fixtures.products import STOCK_DAY

WORKERS = 8
pytestmark = pytest.mark.django_db(transaction=True)


def together(work):
    """`work(n)` in eight threads that start at the same moment; results or exceptions in order."""
    start = Barrier(WORKERS)

    def run(n: int):
        try:
            connection.ensure_connection()
            start.wait(20)
            return work(n)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(run, range(WORKERS)))


def test_eight_imports_of_one_file_create_each_variant_once():
    wanted = [WantedVariant(f"SS-{n % 7}", "상품", (f"옵션 {n}",)) for n in range(40)]
    results = together(lambda n: get_or_create_variants(wanted=wanted[n:] + wanted[:n], at=STOCK_DAY, actor=None))
    assert results == [results[0]] * WORKERS
    assert Product.objects.count() == 7 == OrderEvent.objects.filter(kind="product.created").count()
    assert Variant.objects.count() == 40 == StockLevel.objects.count()


def test_one_code_under_eight_product_names_becomes_one_variant():
    def work(n: int):
        one = WantedVariant(f"SS-{n}", "상품", sku="SAME")
        return get_or_create_variants(wanted=[one], at=STOCK_DAY, actor=None)[one]

    results = together(work)
    assert len(set(results)) == 1 == Variant.objects.count()


def test_eight_people_who_store_one_code_make_one_product():
    draft = ProductDraft("TEE", "티셔츠", variants=(VariantDraft(sku="TEE"),))
    results = together(lambda n: create_products(drafts=[draft], at=STOCK_DAY, actor=None))
    refused = [result for result in results if isinstance(result, CatalogRefused)]
    assert [result.status for result in refused] == [409] * (WORKERS - 1)
    assert Product.objects.count() == Variant.objects.count() == StockLevel.objects.count() == 1
