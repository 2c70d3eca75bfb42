"""Numbers of a list that stays on the screen: asked for alone, they are those of the list read anew (ux.md 2.3)."""

import re

import pytest

from accounts.roles import Role
from core.lists import lists

OUT_OF_BAND = re.compile(r'<b hx-swap-oob="innerHTML:#list \[data-count=\'([\w-]+)\'\]">([^<]*)</b>')


@pytest.fixture
def browser(some_orders, sign_in, make_staff):
    return sign_in(make_staff(Role.CS))


def asked(browser, name, query):
    answer = browser.get(f"{lists.page(name).url}counts/?{query}")
    assert answer.status_code == 200
    return dict(OUT_OF_BAND.findall(answer.content.decode()))


@pytest.mark.parametrize("query", ["period=all", "period=all&tab=held", "period=1m&q=9999", "exact=1"])
@pytest.mark.parametrize("name", ["orders", "awaiting-payment", "preparing", "confirmed"])
def test_the_numbers_are_those_of_the_list(browser, name, query):
    query = query if name == "preparing" else query.replace("&tab=held", "")
    page = browser.get(f"{lists.page(name).url}?{query}").context["page"]
    shown = {f"tab-{tab.key}": tab.count_text for tab in page.tabs} | {"total": page.total.text}
    assert asked(browser, name, query) == shown


def test_an_order_that_comes_in_is_counted(browser, make_lines):
    def number():
        return int(asked(browser, "preparing", "period=all")["tab-all"].replace(",", ""))

    before = number()
    make_lines(1)
    assert number() == before + 1


def test_conditions_with_an_error_have_no_numbers(browser):
    assert browser.get("/orders/counts/?amount_min=x").status_code == 204
    assert browser.get("/orders/counts/?nothing=1").status_code == 400


def test_who_may_not_see_the_list_gets_no_numbers(client):
    assert client.get("/orders/counts/").status_code in {302, 401}
