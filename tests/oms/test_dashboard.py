"""대시보드: every card equals its list, the file and the API of that list; hours, jobs, rights, a fixed cost."""

import html
import io
import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from accounts.roles import Role
from core.calendar import KST
from core.lists import lists
from core.models import Job, JobKind, JobState
from core.models.events import DeliveryState
from oms.dashboard import hours
from orders.models import Delivery, Order
from payments.models import Payment
from payments.services.ledger import problems
from payments.states import ProblemKind
from shipping.models import Shipment
from tests.fixtures.answers import body
from tests.fixtures.order_rows import fill_orders

QUERIES = json.loads((Path(settings.BASE_DIR) / "tests" / "query_counts.json").read_text())["dashboard"]
SESSION = re.compile("django_session|SAVEPOINT")
"""What keeps the person logged in; the same for every page."""
LISTS = {page.url: page for page in lists.pages()}


@pytest.fixture
def shop(db, make_staff):
    """Orders in every state with locks and deadlines, some without parcels, and work that failed."""
    fill_orders(300, now=timezone.now(), done=0.4)
    owner = make_staff(Role.OWNER)
    for n in range(3):
        Job.objects.create(kind=JobKind.ACT, act="hold", label=f"배송보류 {n}", actor=owner, state=JobState.PREVIEW)
    jobs = list(Job.objects.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE core_job SET state = 'FAILED' WHERE id = ANY(%s)", [jobs[:2]])
        cursor.execute("UPDATE core_job SET state = 'DONE', total = 7, done = 7 WHERE id = %s", [jobs[2]])
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    for n in range(4):
        Delivery.objects.create(subscriber="a", state=DeliveryState.DEAD, event_ids=[n], due_at=timezone.now())
    return owner


@pytest.fixture
def strange(shop, make_order):
    """Money that does not fit: one payment too small, two too large."""
    for kind in (ProblemKind.UNDERPAID, ProblemKind.OVERPAID, ProblemKind.DUPLICATE_DEPOSIT):
        payment = Payment.objects.get(order=make_order(at=timezone.now()))
        problems.open_for(payment, kind, amount=3_000, at=timezone.now())


@pytest.fixture
def parcels(shop, make_sent):
    """Shipments on their way; the tracking of two has failed."""
    sent = make_sent(5, at=timezone.now() - timedelta(hours=3))
    Shipment.objects.filter(pk__in=[one.pk for one in sent[:2]]).update(tracking_failed=True)
    return sent


def cards(client):
    """Key -> (number, address) of every card on the page."""
    shown = body(client.get("/"))
    found = re.findall(r'href="([^"]+)" data-card="([^"]+)">.*?<b data-count="card-[^"]+">([\d,]+)건</b>', shown)
    return {key: (int(number.replace(",", "")), html.unescape(url)) for url, key, number in found}


def total_of(client, url):
    shown = body(client.get(url))
    found = re.search(r'data-total="(\d+)"', shown)
    if found:
        return int(found.group(1))
    return len(re.findall(r"<tr data-job=|<tr data-dead=|<tr data-letter=", shown))


def in_file(client, path, query):
    """Orders, shipments or rows of their own in the file of a list."""
    file = client.post(f"{path}excel/?{query}", {"reason": "대시보드 대조"})
    sheet = load_workbook(io.BytesIO(b"".join(file.streaming_content)), read_only=True).active
    rows = list(sheet.iter_rows(values_only=True))
    if not {"배송번호", "주문번호"} & set(rows[0]):
        return len(rows) - 1
    head = rows[0].index("배송번호" if "배송번호" in rows[0] else "주문번호")
    return len({row[head] for row in rows[1:]})


def test_every_card_is_the_total_of_its_list_its_file_and_its_api(parcels, strange, shop, sign_in):
    client = sign_in(shop)
    found = cards(client)
    assert set(found) == {
        "today", "awaiting-payment", "preparing", "ready", "shipping", "delivered", "confirmed",
        "late", "due-today", "held", "unmapped", "tracking", "exceptions", "money-short", "money-over",
        "failed-jobs", "dead",
        "matching", "refund-draft", "refund-pay", "refund-failed", "stuck-notices",
    }  # fmt: skip
    assert (found["money-short"][0], found["money-over"][0]) == (1, 2)
    assert found["tracking"][0] == 2
    assert found["shipping"][0] == 5
    assert all(found[key][0] > 0 for key in ("today", "awaiting-payment", "preparing", "confirmed", "late", "held"))
    for key, (number, url) in found.items():
        if key in {"failed-jobs", "dead"}:
            continue
        path, _, query = url.partition("?")
        assert total_of(client, url) == number, key
        if LISTS[path].export_permission:
            assert number == in_file(client, path, query), key
        page, items, more = LISTS[path], 0, query + "&size=200"
        while more:
            api = page.query(more, user=shop, at=timezone.now()).api()
            items += len(api["items"])
            more = f"{query}&size=200&after={api['after']}" if api["after"] else ""
        assert items == number, key
        assert len(page.selection(query, timezone.now(), shop)) == number, key


def test_without_money_that_does_not_fit_one_card_leads_to_the_empty_list(shop, sign_in):
    client = sign_in(shop)
    found = cards(client)
    assert found["money"] == (0, "/payments/problems/")
    assert not any(key.startswith("money-") for key in found)
    assert total_of(client, found["money"][1]) == 0


def test_failed_jobs_and_dead_deliveries_are_what_their_screens_show(shop, sign_in):
    client = sign_in(shop)
    found = cards(client)
    assert found["failed-jobs"][0] == 2 == body(client.get(found["failed-jobs"][1])).count("<tr data-job=")
    assert found["dead"][0] == 4 == Delivery.objects.filter(state=DeliveryState.DEAD).count()
    page = body(client.get(found["dead"][1]))
    assert "<h1>실패한 전달" in page
    assert "실패한 전달" in body(client.get("/"))
    assert "미발송" not in body(client.get("/"))


def test_the_numbers_of_menu_and_cards_are_the_same(parcels, shop, sign_in):
    client = sign_in(shop)
    shown, found = body(client.get("/")), cards(client)
    for name in ("awaiting-payment", "preparing", "ready", "shipping", "delivered", "confirmed"):
        menu = re.search(rf'data-count="menu-{name}"[^>]*>([\d,]+)<', shown).group(1)
        assert int(menu.replace(",", "")) == found[name][0]


def test_a_card_without_work_is_calm_and_one_with_work_is_not(shop, sign_in, make_staff):
    shown = body(sign_in(shop).get("/"))
    assert re.search(r'<a class="figure danger"[^>]*data-card="late"', shown)
    assert re.search(r'<a class="figure"[^>]*data-card="tracking"', shown)


@pytest.mark.parametrize("role", list(Role))
def test_everybody_gets_the_page_with_what_the_role_may_see(shop, sign_in, role):
    client = sign_in(role)
    found = cards(client)
    sees_jobs = role is not Role.VIEWER
    assert ("failed-jobs" in found) is sees_jobs
    assert ("dead" in found) is sees_jobs
    assert {"awaiting-payment", "late"} <= set(found)
    assert ("배송보류 0" in body(client.get("/"))) is sees_jobs


def test_strangers_are_sent_to_the_log_in(client):
    assert client.get("/").headers["Location"].startswith("/login/")


def test_the_last_ten_jobs_are_shown_newest_first(db, sign_in, staff):
    for n in range(12):
        Job.objects.create(kind=JobKind.UPLOAD, act="waybills", label=f"작업 {n}", actor=staff, state=JobState.QUEUED)
    shown = body(sign_in(staff).get("/"))
    assert re.findall(r"작업 (\d+)</a>", shown) == [str(n) for n in range(11, 1, -1)]


def test_hours_are_counted_in_seoul(db, make_order):
    noon = datetime(2026, 9, 21, 12, 0, tzinfo=KST)
    at = {"midnight": noon.replace(hour=0), "last": noon.replace(hour=23, minute=59), "ten": noon.replace(hour=10)}
    for moment in (at["midnight"], at["last"], at["ten"], at["ten"], at["ten"] - timedelta(days=1)):
        order = make_order(at=moment)
        Order.objects.filter(pk=order.pk).update(ordered_at=moment)
    bars = hours(noon)
    assert len(bars) == 24
    assert {bar.hour: bar.today for bar in bars if bar.today} == {0: 1, 10: 2, 23: 1}
    assert {bar.hour: bar.yesterday for bar in bars if bar.yesterday} == {10: 1}
    ten = bars[10]
    assert (ten.x, ten.today_y, ten.today_height, ten.yesterday_height) == (300, 0, 100, 50)


def test_the_page_keeps_the_rules_of_the_browser_policy(shop, sign_in):
    shown = body(sign_in(shop).get("/"))
    assert "<svg" in shown
    assert "style=" not in shown
    assert "<script>" not in shown


def test_the_page_costs_the_same_for_few_orders_and_many(db, sign_in, make_staff):
    owner = make_staff(Role.OWNER)
    client = sign_in(owner)

    def cost():
        with CaptureQueriesContext(connection) as captured:
            client.get("/")
        return [one["sql"] for one in captured.captured_queries if not SESSION.search(one["sql"])]

    few = cost()
    fill_orders(400, now=timezone.now(), done=0.4)
    many = cost()
    assert len(few) == len(many) == QUERIES, [sql[:60] + " ... " + sql[-60:] for sql in many]
    assert QUERIES <= 20
