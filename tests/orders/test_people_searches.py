"""Who may look for whom, and whose looking is written down (reliability.md 4.1, "Search by full phone/name")."""

import pytest
from django.test import Client

from accounts.models import AccessAction, AccessLog
from accounts.roles import Role
from orders.models import Order

WAITING = "/orders/awaiting-payment/"


@pytest.fixture
def orders(make_order) -> list[Order]:
    """Three unpaid orders; 박입금 pays for one, buys another and receives the third."""
    return [
        make_order(buyer_name="홍길동", depositor_name="박입금"),
        make_order(buyer_name="박입금", depositor_name="이서연"),
        make_order(recipient_name="박입금", depositor_name="(주)한빛 상사"),
    ]


def numbers(client: Client, url: str, **params: str) -> set[str]:
    answer = client.get(url, params)
    assert answer.status_code == 200
    return {row.number for row in answer.context["page"].rows}


def looks() -> list[tuple[str, str, int]]:
    """(list, words, hits) of every search in the access log, oldest first."""
    rows = AccessLog.objects.filter(action=AccessAction.VIEW).order_by("pk")
    return [(row.detail["list"], row.detail["search"], row.row_count) for row in rows]


@pytest.mark.parametrize("url", [WAITING, "/orders/"])
def test_finance_finds_orders_by_who_pays_and_by_nobody_else(orders, sign_in, url):
    client = sign_in(Role.FINANCE)
    for text in ("박입금", "박입", "박 입금"):
        assert numbers(client, url, q=text) == {orders[0].number}, text
    assert numbers(client, url, q="한빛상사") == {orders[2].number}
    assert numbers(client, url, q="이서연", kind="depositor") == {orders[1].number}
    assert numbers(client, url, q="홍길동") == set()
    assert numbers(client, url, q="박입금, 이서연") == {orders[0].number, orders[1].number}


@pytest.mark.parametrize("text", ["01012345678", "5678", "0101234-5678"])
def test_finance_finds_nobody_by_phone(orders, sign_in, text):
    client = sign_in(Role.FINANCE)
    answer = client.get(WAITING, {"q": text, "kind": "phone"})
    assert answer.status_code == 400
    rows = client.get(WAITING, {"q": text}).context
    assert not (rows and rows["page"].rows)


def test_finance_finds_nobody_by_address(orders, sign_in):
    client = sign_in(Role.FINANCE)
    assert numbers(client, WAITING, q="테헤란로") == set()
    assert client.get(WAITING, {"q": "테헤란로", "kind": "address"}).status_code == 400


@pytest.mark.parametrize("role", [Role.LOGISTICS, Role.VIEWER])
def test_the_depositor_is_no_way_in_for_other_roles(orders, sign_in, role):
    client = sign_in(role)
    assert client.get(WAITING, {"q": "박입금"}).status_code == 400
    assert client.get(WAITING, {"q": "박입금", "kind": "depositor"}).status_code == 400
    assert looks() == []


def test_every_search_of_an_auditor_for_people_is_written_down(orders, sign_in):
    client = sign_in(Role.AUDITOR)
    assert len(numbers(client, WAITING, q="박입금")) == 3
    assert len(numbers(client, "/orders/", q="5678")) == 3
    assert looks() == [("awaiting-payment", "박입금", 3), ("orders", "5678", 3)]
    row = AccessLog.objects.filter(action=AccessAction.VIEW).first()
    assert (row.actor.role, row.ip, len(row.session_hash)) == (Role.AUDITOR, "127.0.0.1", 16)
    client.post(WAITING, {"q": "이서연"}, follow=True)
    assert looks()[2:] == [("awaiting-payment", "이서연", 1)]
    log = client.get("/access-log/").content.decode()
    assert "검색 &#x27;박입금&#x27; · 3건" in log


def test_the_next_page_of_a_search_is_no_search_but_other_words_on_it_are(orders, make_order, sign_in):
    for _ in range(25):
        make_order()
    client = sign_in(Role.AUDITOR)
    view = client.get("/orders/", {"q": "홍길동", "size": "20"}).context["page"]
    assert view.pager.next_url
    second = client.get(view.pager.next_url).context["page"]
    client.get(second.pager.prev_url)
    assert [words for _, words, _ in looks()] == ["홍길동"]
    client.get(view.pager.next_url.replace("%ED%99%8D%EA%B8%B8%EB%8F%99", "김수령"))
    assert [words for _, words, _ in looks()] == ["홍길동", "김수령"]
    client.get("/orders/", {"q": "홍길동", "size": "20"})
    assert [words for _, words, _ in looks()] == ["홍길동", "김수령", "홍길동"]


def test_what_shows_nobody_is_not_written_down(orders, sign_in):
    client = sign_in(Role.AUDITOR)
    assert numbers(client, "/orders/", q=orders[0].number) == {orders[0].number}
    client.get("/orders/")
    assert client.get("/orders/", {"q": "박", "kind": "name"}).status_code == 400
    assert looks() == []


@pytest.mark.parametrize("role", [Role.OWNER, Role.CS, Role.FINANCE])
def test_searches_of_other_roles_are_not_written_down(orders, sign_in, role):
    assert numbers(sign_in(role), WAITING, q="박입금")
    assert looks() == []


def test_a_search_that_cannot_be_written_down_shows_nothing(orders, sign_in, monkeypatch):
    client = sign_in(Role.AUDITOR)
    client.raise_request_exception = False

    def full(**facts: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("accounts.lists.record_access", full)
    answer = client.get(WAITING, {"q": "박입금"})
    assert answer.status_code == 500
    assert orders[0].number not in answer.content.decode()
    assert looks() == []
