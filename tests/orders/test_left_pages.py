"""A page of a list whose rows have all left meanwhile: after a bulk act on the last page, or at an old address."""

from django.utils import timezone

from core.lists import lists
from core.lists.presenter import present
from core.paging import encode
from orders.models import Order


def query(params, user=None):
    return lists.page("orders").query(params, user=user, at=timezone.now())


def test_a_page_whose_rows_have_all_left_shows_the_first_one_and_not_an_empty_list(some_orders, staff):
    whole = present(query("period=all&size=20", staff))
    last = Order.objects.earliest("ordered_at", "pk")
    behind = encode([last.ordered_at], last.pk)
    shown = present(query(f"period=all&size=20&page=9&after={behind}", staff))
    assert len(whole.rows) == 20
    assert [row.number for row in shown.rows] == [row.number for row in whole.rows]
    assert (shown.empty, shown.pager.position_text, shown.pager.prev_url) == ("", whole.pager.position_text, "")
    # A program that pages must come to an end.
    assert query(f"period=all&size=20&after={behind}").api()["items"] == []


def test_an_empty_list_at_the_address_of_a_later_page_still_says_that_it_is_empty(some_orders, staff):
    last = Order.objects.earliest("ordered_at", "pk")
    shown = present(query(f"period=all&q=29991231-9999999&page=2&after={encode([last.ordered_at], last.pk)}", staff))
    assert (shown.rows, shown.empty, shown.total.text) == ([], "filter", "주문 0건 · 품목 0건")
