"""A search for a thousand numbers: posted once, then named by a short key wherever its address goes."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AccessLog
from accounts.roles import Role
from core.lists import lists
from core.lists.query import BadParameter, ListRefused
from core.lists.searches import GONE, KEPT_FOR, UNKEPT, forget_old
from core.models import SavedView, StoredSearch
from orders.models import Order
from tests.fixtures.order_rows import NOW

FEW = 60


@pytest.fixture
def numbers(some_orders) -> list[str]:
    """Numbers of 60 orders that are there and of 940 that are not."""
    known = list(Order.objects.order_by("pk").values_list("number", flat=True)[:FEW])
    return known + [f"20200101-{n:07d}" for n in range(1_000 - FEW)]


def search(client, numbers, **more) -> str:
    """Post the search form; the address that it leads to."""
    answer = client.post("/orders/", {"q": "\n".join(numbers)} | more)
    assert answer.status_code == 303
    assert len(answer["Location"]) < 200
    return answer["Location"]


def test_a_thousand_numbers_are_found_under_a_short_address(sign_in, numbers):
    client = sign_in(Role.OWNER)
    url = search(client, numbers, size="20")
    assert "qs=" in url
    assert client.get(url).context["page"].total.count == FEW
    view = sign_in(Role.CS).get(url).context["page"]
    assert (view.total.count, len(view.rows)) == (FEW, 20)
    assert view.search.q.split(", ") == numbers
    links = [
        *(tab.url for tab in view.tabs),
        view.pager.next_url,
        *(head.sort_url for head in view.heads if head.sort_url),
    ]
    assert all("qs=" in link and len(link) < 400 for link in links)
    assert client.get(view.pager.next_url).context["page"].rows[0].id not in {row.id for row in view.rows}
    assert "qs=" not in view.chips[0].remove_url
    assert b'name="qs"' not in client.get(url).content


def test_the_same_words_have_the_same_key_and_short_ones_need_none(sign_in, numbers):
    client = sign_in(Role.OWNER)
    assert search(client, numbers) == search(client, numbers)
    assert StoredSearch.objects.count() == 1
    answer = client.post("/orders/", {"q": numbers[0], "kind": "order", "from": "", "period": "auto"})
    assert (answer.status_code, answer["Location"]) == (303, f"/orders/?kind=order&q={numbers[0]}")
    assert StoredSearch.objects.count() == 1


def test_acts_files_and_saved_views_keep_the_search(sign_in, numbers, staff):
    client = sign_in(Role.OWNER)
    url = search(client, numbers)
    page, state = lists.page("orders"), client.get(url).context["page"].full_query
    wanted = set(Order.objects.order_by("pk").values_list("pk", flat=True)[:FEW])
    assert {pk for pk, _ in page.selection(state, timezone.now(), staff)} == wanted
    file = client.post(url.replace("/orders/?", "/orders/excel/?"), {"reason": "확인용"})
    assert file.status_code == 200
    assert numbers[0] in AccessLog.objects.latest("pk").detail["query"]
    kept = client.post("/orders/views/", {"query": state, "name": "천 건"})
    assert client.get(kept["Location"]).context["page"].total.count == FEW
    assert not client.get(kept["Location"]).context["page"].view_changed


def test_a_key_is_forgotten_after_its_time_unless_a_view_needs_it(sign_in, numbers, staff):
    client = sign_in(Role.OWNER)
    first, second = search(client, numbers), search(client, numbers[1:])
    SavedView.objects.create(page="orders", name="천 건", owner=staff, query=second.partition("?")[2])
    assert forget_old(at=timezone.now() + KEPT_FOR - timedelta(hours=1)) == 0
    assert forget_old(at=timezone.now() + KEPT_FOR + timedelta(hours=1)) == 1
    assert client.get(second).context["page"].total.count == FEW - 1
    gone = client.get(first)
    view = gone.context["page"]
    assert (gone.status_code, view.rows, view.total.count, view.errors["q"]) == (400, [], 0, GONE)
    with pytest.raises(ListRefused):
        lists.page("orders").selection(view.full_query, NOW, staff)
    assert client.post(first.replace("/orders/?", "/orders/excel/?"), {"reason": "확인용"}).status_code == 422


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("1234567," * 6_000, "검색어가 너무 깁니다."), ("홍길동\x00" * 600, "검색어에 쓸 수 없는 글자가 있습니다.")],
)
def test_words_that_cannot_be_kept_are_refused_and_name_no_rows(text, sentence, sign_in, some_orders, staff):
    answer = sign_in(Role.OWNER).post("/orders/", {"q": text})
    view = answer.context["page"]
    assert (answer.status_code, view.rows) == (400, [])
    assert sentence in view.errors["q"]
    assert view.full_query == f"qs={UNKEPT}"
    with pytest.raises(ListRefused):
        lists.page("orders").selection(view.full_query, NOW, staff)
    assert not StoredSearch.objects.exists()


def test_too_many_numbers_keep_what_was_typed_beside_the_sentence(sign_in, numbers):
    client = sign_in(Role.OWNER)
    answer = client.get(search(client, [*numbers, "20200102-0000001"]))
    assert answer.status_code == 400
    view = answer.context["page"]
    assert view.errors["q"] == "한 번에 1,000개까지 찾을 수 있습니다. 나누어서 조회하세요."
    assert view.search.q.endswith("20200102-0000001")


def test_a_form_with_a_wrong_date_comes_back_as_it_was_typed(sign_in, some_orders):
    client = sign_in(Role.OWNER)
    answer = client.post("/orders/", {"from": "13월", "q": "홍길동"}, follow=True)
    view = answer.context["page"]
    assert (answer.status_code, view.search.date_from, view.search.q, view.rows) == (400, "13월", "홍길동", [])


def test_unknown_fields_are_refused_and_keys_are_for_staff_only(sign_in, numbers):
    client = sign_in(Role.OWNER)
    assert client.post("/orders/", {"q": "\n".join(numbers), "zz": "1"}).status_code == 400
    assert not StoredSearch.objects.exists()
    for key in ("-", "x", "x" * 12, "한", "x" * 3_000):
        assert client.get("/orders/", {"qs": key}).status_code == 400
    with pytest.raises(BadParameter):
        lists.page("orders").query(search(client, numbers).partition("?")[2], user=None, at=NOW)
