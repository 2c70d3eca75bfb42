"""How the database answers the lists, the searches and the counts on a shop of 20,000 orders: by index, not by reading.

Sequential scans are priced out, so that the size of the test shop does not decide; what remains one has no index at
all. An index that is read in full gives itself away by the rows that its filter throws out: a page may read the work
that is open, never the history behind it (performance.md 5).
"""

import json
from collections.abc import Iterator
from datetime import datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from core.calendar import KST
from core.lists.counting import CAP
from core.lists.registry import lists
from oms.seed.plan import plan_for
from oms.seed.shop import seed_shop
from orders.models import Order, OrderLine
from orders.states import OPEN_BITS
from shipping.models import Parcel, Shipment
from tests.infra import database

ORDERS = 20_000
CASES, OPEN_CASES = 60_000, 90
LARGE = {
    "orders_order", "orders_orderline", "orders_orderevent", "orders_ordersearch", "orders_delivery",
    "shipping_shipment", "shipping_shipmentline", "shipping_parcel", "shipping_parcelline", "shipping_trackingevent",
    "payments_payment", "payments_ledgerentry", "orders_benefitentry", "products_stockmovement",
}  # fmt: skip
STEPS = ("orders", "awaiting-payment", "preparing", "ready", "shipping", "delivered", "confirmed")


@pytest.fixture(scope="module")
def shop(django_db_setup: None, django_db_blocker) -> Iterator[Client]:
    """A seeded shop in a database of its own, and a 대표 logged in to it."""
    name = f"{database.MINE}_plans"
    with django_db_blocker.unblock():
        database._copy(database.TEMPLATE, name)
        database._use(name)
        at = datetime.now(KST).replace(microsecond=0)
        seed_shop(plan_for(orders=ORDERS, seed=3, at=at), say=lambda text: None, strip=True)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
        client = Client()
        client.force_login(User.objects.get(username="owner"))
        yield client
        database._use(database.MINE)
        database._drop(name)


@pytest.fixture(autouse=True)
def _reach(shop: Client, django_db_blocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


def plans(client: Client, url: str) -> list[tuple[str, dict]]:
    """Every query of a page with its plan, as it ran."""
    # The first visit reads what is read once for a process.
    assert client.get(url, follow=True).status_code == 200
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url, follow=True).status_code == 200
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        for query in captured.captured_queries:
            sql = query["sql"]
            if sql.lstrip("( \n").upper().startswith(("SELECT", "WITH")) and "FOR UPDATE" not in sql:
                cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}")
                answer = cursor.fetchone()[0]
                plan = answer if isinstance(answer, list) else json.loads(answer)
                found.append((sql, plan[0]["Plan"]))
        cursor.execute("RESET enable_seqscan")
    return found


def open_work() -> int:
    """Lines of orders that are not finished: nothing on a page may throw out more rows than these."""
    return OrderLine.objects.filter(order__in=Order.objects.filter(steps__bit=OPEN_BITS)).count()


def nodes(plan: dict) -> Iterator[dict]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def complaints(client: Client, url: str) -> list[str]:
    """What the plans of a page do that they should not."""
    found = []
    most = open_work()
    for sql, plan in plans(client, url):
        for node in nodes(plan):
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE:
                found.append(f"{url}: Seq Scan on {node['Relation Name']}: {sql[:400]}")
            thrown = node.get("Rows Removed by Filter", 0) * node.get("Actual Loops", 1)
            if thrown > most and node.get("Relation Name") in LARGE:
                found.append(f"{url}: {thrown:.0f} rows thrown out of {node['Relation Name']}: {sql[:400]}")
    return found


def test_the_shop_is_as_large_as_it_says(shop):
    assert Order.objects.count() == ORDERS
    assert 2000 < open_work() < OrderLine.objects.count() / 2


def test_reading_the_history_is_noticed(shop):
    names = [text for text in complaints(shop, "/orders/") if "orders_order" in text]
    assert names == []
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN (FORMAT JSON) SELECT 1 FROM orders_order WHERE buyer_email = 'nobody'")
        answer = cursor.fetchone()[0]
        cursor.execute("RESET enable_seqscan")
    plan = answer if isinstance(answer, list) else json.loads(answer)
    assert [node["Node Type"] for node in nodes(plan[0]["Plan"])] == ["Seq Scan"]


@pytest.mark.parametrize("name", STEPS)
def test_a_step_reads_its_rows_by_index(shop, name):
    url = lists.page(name).url
    assert complaints(shop, url) == []


@pytest.mark.parametrize("name", STEPS)
def test_every_tab_reads_its_rows_by_index(shop, name):
    page = lists.page(name)
    found = [text for tab in page.all_tabs for text in complaints(shop, f"{page.url}?tab={tab.key}")]
    assert found == []


@pytest.mark.parametrize("name", STEPS)
def test_every_sort_and_its_second_page_read_by_index(shop, name):
    page = lists.page(name)
    found = []
    for sort in page.sorts:
        url = f"{page.url}?sort={sort}&size=20"
        found += complaints(shop, url)
        view = shop.get(url).context["page"]
        if view.pager.next_url:
            found += complaints(shop, view.pager.next_url)
    assert found == []


def _needles() -> dict[str, str]:
    order = Order.objects.order_by("pk")[ORDERS // 2]
    parcel = Parcel.objects.order_by("pk")[100]
    shipment = Shipment.objects.order_by("-pk")[10]
    return {
        "order number": order.number,
        "line number": f"{order.number}-01",
        "day": order.number[:8],
        "channel number": order.channel_number,
        "phone": order.recipient_phone,
        "tail": order.recipient_phone[-4:],
        "two syllables": order.recipient_name.replace(" ", "")[-2:],
        "name": order.recipient_name,
        "address": " ".join(order.address1.split()[-2:]),
        "waybill": parcel.waybill,
        "shipping number": shipment.number,
    }


@pytest.mark.parametrize("name", ["orders", "preparing", "ready", "shipping"])
def test_searches_find_by_index(shop, name):
    page = lists.page(name)
    found = [text for needle in _needles().values() for text in complaints(shop, f"{page.url}?q={needle}")]
    assert found == []


def test_the_badges_count_by_index(shop):
    assert complaints(shop, "/menu/counts/") == []


@pytest.fixture
def cases(shop) -> Iterator[int]:
    """A year of 배송 예외 decided by people, and a few still to do: how many of these; gone after the test."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO shipping_shippingexception (
                created_at, updated_at, kind, parcel_id, shipment_id, detail, opened_at, evidence_at, due_at, memo,
                closed_at, outcome, reason
            )
            SELECT now(), now(), (ARRAY['STALLED', 'ADDRESS', 'NO_PICKUP'])[1 + n %% 3], p.id, p.shipment_id, '', t, t,
                   t + interval '1 day', '', CASE WHEN n > %s THEN t + interval '9 hours' END,
                   CASE WHEN n > %s THEN 'SOLVED' ELSE '' END, ''
              FROM generate_series(1, %s) AS n
              JOIN (SELECT id, shipment_id, row_number() OVER (ORDER BY id) AS place FROM shipping_parcel) AS p
                ON p.place = 1 + n %% 1000,
                   LATERAL (SELECT now() - n * interval '8 minutes') AS c(t)
            """,
            [OPEN_CASES, OPEN_CASES, CASES],
        )
        cursor.execute("VACUUM (ANALYZE) shipping_shippingexception")
        yield OPEN_CASES
        cursor.execute("TRUNCATE shipping_shippingexception")


def cases_read(client: Client, url: str) -> list[tuple[int, str]]:
    """(rows read from 배송 예외, the statement) of every query of a page."""
    return [
        (
            sum(
                (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
                for node in nodes(plan)
                if node.get("Relation Name") == "shipping_shippingexception"
            ),
            sql[:400],
        )
        for sql, plan in plans(client, url)
    ]


@pytest.mark.parametrize("tab", ["open", "stalled", "due", "done"])
def test_no_tab_of_the_cases_reads_what_was_decided_long_ago(shop, cases, tab):
    """What is to do is counted whole by its index, what is decided up to the cap and no further."""
    url = f"{lists.page('exceptions').url}?tab={tab}"
    assert [sql for number, sql in cases_read(shop, url) if number > 2 * cases + CAP + 1] == []
    shown = {one.key: one.count_text for one in shop.get(url).context["page"].tabs}
    assert (shown["open"], shown["done"], shown["stalled"]) == (f"{cases}", f"{CAP:,}+", f"{cases // 3}")


def test_tables_that_counts_read_by_index_alone_are_vacuumed_early(shop):
    """An index answers alone only for pages that a vacuum has marked since they were written."""
    counted = {
        node["Relation Name"]
        for url in ("/menu/counts/", *(lists.page(name).url for name in STEPS))
        for sql, plan in plans(shop, url)
        for node in nodes(plan)
        if node["Node Type"] == "Index Only Scan" and node["Relation Name"] in LARGE and "count(" in sql.lower()
    }
    assert {"orders_order", "shipping_shipment"} <= counted
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND reloptions @> "
            "'{autovacuum_vacuum_scale_factor=0.01,autovacuum_vacuum_insert_scale_factor=0.01}'",
            [list(counted)],
        )
        assert {name for (name,) in cursor.fetchall()} == counted
