"""The number of orders that the API says is the one of the list, its tab and its card (architecture.md 1.8)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.lists import counting, get_page
from orders.models import SalesChannel
from tests.channels.conftest import order_body
from tests.fixtures.orders import NOW


@pytest.fixture
def three(make_order, channel):
    return [make_order(at=NOW + timedelta(minutes=n)) for n in range(3)]


def test_the_first_page_counts_what_the_list_counts(api, three, channel, make_order, staff):
    make_order(at=NOW, paid=True)
    on_screen = get_page("orders").query(f"period=all&channel={channel.pk}", user=staff, at=timezone.now()).count()
    said = api.get("/orders", size="20").json()["count"]
    assert said == {"total": 4, "lines": 4, "is_least": False}
    assert said == on_screen.as_data()
    one_tab = get_page("orders").query(f"period=all&tab=awaiting&channel={channel.pk}", user=staff, at=timezone.now())
    assert api.get("/orders", tab="awaiting").json()["count"] == one_tab.count().as_data()
    assert api.get("/orders", q=three[0].number).json()["count"]["total"] == 1


def test_orders_of_other_channels_are_not_counted(api, three, make_order):
    other = SalesChannel.objects.create(code="other", name="다른 몰")
    make_order(on=other)
    said = api.get("/orders").json()
    assert (said["count"]["total"], len(said["items"])) == (3, 3)


def test_pages_behind_a_cursor_are_not_counted_again(api, three):
    first = api.get("/orders", size="20").json()
    assert first["count"]["total"] == 3
    page = get_page("orders").query("period=all", user=None, at=timezone.now())
    page.size = 1
    after = page.api()["after"]
    behind = api.get("/orders", after=after).json()
    assert (behind["count"], len(behind["items"])) == (None, 2)


def test_a_capped_count_says_so_and_is_exact_when_asked(api, three, monkeypatch):
    monkeypatch.setattr(counting, "CAP", 2)
    monkeypatch.setattr(counting, "TAB_CAP", 2)
    assert api.get("/orders").json()["count"] == {"total": 2, "lines": None, "is_least": True}
    assert api.get("/orders", exact="1").json()["count"] == {"total": 3, "lines": 3, "is_least": False}


def test_the_count_is_documented(client):
    parts = client.get("/api/v1/openapi.json").json()["components"]["schemas"]
    assert set(parts["CountOut"]["properties"]) == {"total", "lines", "is_least"}
    assert "count" in parts["OrderPage"]["properties"]


def test_an_order_taken_twice_names_it_with_the_right_particle(api):
    number = api.post("/orders", order_body("M-7")).json()["number"]
    other = order_body("M-7")
    other["lines"] = other["lines"][:1]
    said = api.post("/orders", other)
    particle = "을" if number[-1] in "013678" else "를"
    assert said.status_code == 409
    assert f"주문번호 {number}{particle} 조회해" in said.json()["message"]
