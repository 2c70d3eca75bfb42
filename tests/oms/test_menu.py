"""The menu: every entry has an address, asks for a right of the table, and shows each role what it may open."""

import re

import pytest
from django.urls import resolve

from accounts.access import permission_of
from accounts.roles import PERMISSIONS, Role
from core.lists import lists
from oms.menu import MENU

ENTRIES = [entry for _, entries in MENU for entry in entries]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.url)
def test_an_entry_leads_to_a_page_that_asks_for_the_same_right(entry):
    view = resolve(entry.url).func
    assert permission_of(view) == entry.permission
    assert not entry.permission or entry.permission in PERMISSIONS
    assert not entry.count or lists.page(entry.count).url == entry.url


@pytest.mark.parametrize("role", list(Role))
def test_whoever_sees_an_entry_may_open_it(role, sign_in, db):
    client = sign_in(role)
    shown = client.get("/").content.decode()
    for entry in ENTRIES:
        may = not entry.permission or role in PERMISSIONS[entry.permission].roles
        assert (f'<a href="{entry.url}" title="{entry.label}"' in shown) is may
        answer = client.get(entry.url)
        assert answer.status_code == (200 if may else 403), entry.url


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/orders/", "/orders/"),
        ("/orders/import/", "/orders/import/"),
        ("/orders/new/", "/orders/new/"),
        ("/products/mapping/", "/products/mapping/"),
        ("/settings/channels/", "/settings/"),
    ],
)
def test_one_entry_is_current_and_it_is_the_nearest(path, current, sign_in, db):
    html = sign_in(Role.OWNER).get(path).content.decode()
    assert re.findall(r'<a href="([^"]+)"[^>]*aria-current="page"[^>]*>\s*<i\b', html) == [current]
