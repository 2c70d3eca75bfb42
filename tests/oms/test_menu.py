"""The menu: every entry has an address, asks for a right of the table, and shows each role what it may open."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from accounts.access import permission_of
from accounts.roles import PERMISSIONS, Role
from core.lists import lists
from oms.menu import MENU, menu_for

ENTRIES = [entry for _, entries in MENU for entry in entries]
SAMPLES = {"<uuid:": "0b5f3a34-9c0e-4f5e-8a0e-5a1f0f6f2f11", "<int:": "7", "<slug:": "word", "<str:": "word"}
OUTSIDE = (
    "/t/", "/rider/",
    "/login/", "/logout/", "/invitation/", "/me/", "/acts/", "/menu/counts/", "/api/", "/healthz", "/readyz",
    "/payments/webhooks/", "/hooks/tracking/", "/payments/bank-feed/", "/payments/7/",
)  # fmt: skip
"""No page of the menu: before log-in, one's own page, dialogs, boxes of the order, and what is not read by people."""


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
        ("/shipping/waybills/upload/", "/orders/ready/"),
        ("/shipping/waybills/file/", "/orders/ready/"),
        ("/shipping/waybills/batches/20261123-001/", "/orders/ready/"),
        ("/shipping/waybills/merges/", "/orders/ready/"),
        ("/shipping/waybills/", "/shipping/waybills/"),
    ],
)
def test_one_entry_is_current_and_it_is_the_nearest(path, current, sign_in, db):
    html = sign_in(Role.OWNER).get(path).content.decode()
    assert re.findall(r'<a href="([^"]+)"[^>]*aria-current="page"[^>]*>\s*<i\b', html) == [current]


def addresses(patterns, start="/"):
    """Every address of the project with a sample for each part that varies."""
    for pattern in patterns:
        route = start + re.sub(r"<\w+:", lambda kind: SAMPLES[kind[0]] + "<", str(pattern.pattern))
        route = re.sub(r"<\w+>", "", route)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


def test_every_page_lies_under_one_entry():
    owner = get_user_model()(role=Role.OWNER)
    without = []
    for address in addresses(get_resolver().url_patterns):
        current = [item for group in menu_for(owner, path=address, counts={}) for item in group.items if item.current]
        if len(current) != 1 and not address.startswith(OUTSIDE):
            without.append(address)
    assert without == []
