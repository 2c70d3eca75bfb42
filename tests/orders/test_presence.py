"""보고 있습니다: two sessions over HTTP, a broker that is emptied or gone, and no row written by a heartbeat."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import AccessLog
from accounts.roles import Role
from core import presence
from core.broker import redis_client
from core.presence import FADES_AFTER, Viewer
from orders.views.presence import sentence
from tests.fixtures.orders import NOW

HX = {"HX-Request": "true"}


@pytest.fixture
def people(make_staff, sign_in):
    """Browsers of 김하은 and 이도윤."""
    return [
        sign_in(make_staff(role, display_name=name)) for role, name in ((Role.CS, "김하은"), (Role.LOGISTICS, "이도윤"))
    ]


def poll(client, order, query=""):
    answer = client.get(f"/orders/{order.number}/poll/{query}", headers=HX)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert f'id="presence-{order.pk}" hx-swap-oob="innerHTML"' in html
    return html.split(">", 1)[1].split("<")[0]


def test_two_people_with_one_order_open_see_each_other(valkey, make_order, people):
    redis_client(valkey.url, timeout=2).flushall()
    haeun, doyun = people
    order, other = make_order(), make_order()
    assert poll(haeun, order) == ""
    assert poll(doyun, order) == "김하은 님이 보고 있습니다"
    assert poll(haeun, order) == "이도윤 님이 보고 있습니다"
    assert poll(haeun, other) == ""
    assert poll(doyun, order, "?editing") == "김하은 님이 보고 있습니다"
    assert poll(haeun, order) == "이도윤 님이 수정 중입니다"
    assert poll(doyun, order) == "김하은 님이 보고 있습니다"
    assert poll(haeun, order) == "이도윤 님이 보고 있습니다"


def test_two_windows_of_one_person_are_nobody_else(valkey, make_order, make_staff, sign_in):
    redis_client(valkey.url, timeout=2).flushall()
    person = make_staff(Role.CS)
    order = make_order()
    first, second = sign_in(person), sign_in(person)
    assert [poll(first, order), poll(second, order, "?editing"), poll(first, order)] == ["", "", ""]


def test_an_order_that_moved_on_says_so_to_who_has_it_open(valkey, make_order, people):
    haeun, doyun = people
    order = make_order()
    url = f"/orders/{order.number}/poll/?version={order.version}"
    assert "data-changed" not in doyun.get(url, headers=HX).content.decode()
    haeun.post(f"/orders/{order.number}/memos/", {"text": "전화 주세요"}, headers=HX)
    said = doyun.get(url, headers=HX).content.decode()
    assert "data-changed" in said
    assert "김하은 님이 내용을 바꿨습니다(" in said
    for unclear in ("?version=x", "?version=99999999999999999999"):
        assert "data-changed" in doyun.get(f"/orders/{order.number}/poll/{unclear}", headers=HX).content.decode()


def test_who_stops_asking_fades(valkey, db):
    redis_client(valkey.url, timeout=2).flushall()
    one, two = Viewer(1, "김하은", False), Viewer(2, "이도윤", False)
    presence.beat(subject="order:1", viewer=one, at=NOW)
    assert presence.beat(subject="order:1", viewer=two, at=NOW + timedelta(seconds=FADES_AFTER - 1)) == [one]
    assert presence.beat(subject="order:1", viewer=two, at=NOW + timedelta(seconds=FADES_AFTER)) == []


def test_an_emptied_broker_merely_shows_nobody_until_the_next_heartbeat(valkey, make_order, people):
    haeun, doyun = people
    order = make_order()
    poll(haeun, order)
    redis_client(valkey.url, timeout=2).flushall()
    assert poll(doyun, order) == ""
    assert poll(haeun, order) == "이도윤 님이 보고 있습니다"


def test_without_a_broker_nobody_is_shown_and_nothing_breaks(settings, make_order, people):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    order = make_order()
    assert [poll(one, order) for one in people] == ["", ""]


def test_a_heartbeat_writes_no_row_and_keeps_nobody_logged_in(valkey, make_order, people):
    order = make_order()
    poll(people[0], order)
    before = people[0].session.get("seen_at")
    with CaptureQueriesContext(
        connection,
    ) as seen:
        poll(people[0], order)
    assert [query["sql"].split()[0] for query in seen.captured_queries] == ["SELECT"] * 3
    assert people[0].session.get("seen_at") == before


def test_the_order_carries_the_place_in_page_and_slide_over(make_order, people):
    order = make_order()
    for headers in ({}, HX | {"HX-Target": "detail"}):
        html = people[0].get(f"/orders/{order.number}/", headers=headers).content.decode()
        assert html.count(f'data-presence="/orders/{order.number}/poll/"') == 1


def test_strangers_and_unknown_orders_get_nothing(valkey, make_order, people):
    order = make_order()
    assert Client().get(f"/orders/{order.number}/poll/", headers=HX).status_code in {302, 401, 403}
    assert people[0].get("/orders/20200101-0000009/poll/", headers=HX).status_code == 404
    assert redis_client(valkey.url, timeout=2).zcard(f"presence:order:{order.pk}") == 0
    assert not AccessLog.objects.exists()


def test_many_viewers_are_counted():
    some = [Viewer(pk, f"직원{pk}", False) for pk in range(1, 6)]
    assert sentence(some) == "직원5 님, 직원4 님, 직원3 님 외 2명이 보고 있습니다"
    assert sentence([Viewer(9, "박", True), *some[:1]]) == "박 님이 수정 중입니다 · 직원1 님이 보고 있습니다"
