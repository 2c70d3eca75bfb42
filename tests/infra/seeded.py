"""One seeded shop for a whole module of browser checks: the database is filled once and given back at the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from accounts.services import create_demo_staff
from oms.seed.plan import plan_for
from oms.seed.shop import seed_shop
from shipping.models import TrackingAccount
from shipping.services.polling.polls import SOURCE
from tests.infra import database

ORDERS = 700


@dataclass(frozen=True)
class Shop:
    """주소와 열쇠: the address of the running shop and a session for each demo log-in."""

    url: str
    sessions: dict[str, str]

    def enter(self, page: Page, name: str = "owner") -> Page:
        """The page, logged in."""
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": self.sessions[name], "url": self.url}
        page.context.add_cookies([cookie])
        return page

    def open(self, page: Page, path: str) -> Page:
        """A page of the shop, loaded and quiet."""
        page.goto(self.url + path)
        page.wait_for_load_state("networkidle")
        return page

    def client(self, name: str = "owner") -> Client:
        """The same person without a browser."""
        client = Client()
        client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[name]
        return client


def running_shop(blocker: Any) -> Iterator[Shop]:
    """Fill the database of this worker, serve it, and restore it afterwards; tests share what they do to it."""
    with blocker.unblock():
        at = timezone.now().replace(microsecond=0)
        create_demo_staff(at=at)
        TrackingAccount.objects.create(code=SOURCE, name="배송조회", base_url="http://127.0.0.1:9", is_sandbox=True)
        seed_shop(plan_for(orders=ORDERS, seed=7, at=at), say=lambda text: None)
        server = LiveServer("localhost")
        server._live_server_modified_settings.enable()
        try:
            yield Shop(server.url, {user.username: _session(user) for user in User.objects.filter(is_demo=True)})
        finally:
            server.stop()
            server._live_server_modified_settings.disable()
            database.restore()


def _session(user: User) -> str:
    client = Client(REMOTE_ADDR="127.0.0.1")
    client.force_login(user)
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


@pytest.fixture(scope="module")
def seeded(django_db_setup: None, django_db_blocker: Any) -> Iterator[Shop]:
    """The seeded shop of this module."""
    yield from running_shop(django_db_blocker)


@pytest.fixture
def list_at(seeded: Shop, page: Page) -> Callable[..., Page]:
    """`list_at("/orders/ready/")`: the list for the owner, loaded and quiet."""

    def at(path: str, who: str = "owner") -> Page:
        return seeded.open(seeded.enter(page, who), path)

    return at
