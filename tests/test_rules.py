"""Rules of CONTRIBUTING that no linter knows: short files, closed addresses, a glossary of names that exist."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import RoutePattern

from accounts.access import LOGIN_ONLY, permission_of
from accounts.roles import PERMISSIONS
from core.registry import own_apps

ROOT = Path(settings.BASE_DIR)
MOST_LINES = 400
FOLDERS = (*own_apps(), "sandbox", "bench", "static", "templates", "tests", "scripts")
KINDS = {".py", ".js", ".css", ".html"}

HOOKS = {f"payments/{way}/<str:token>{end}" for way in ("webhooks", "bank-feed") for end in ("/", "")}
CALLED = {"hooks/tracking/<str:token>/"}
BUYERS = {"t/<str:token>/", "rider/<slug:token>/"}
PUBLIC = (
    {"login/", "logout/", "invitation/<str:uid>/<str:token>/", "api/v1/openapi.json", "api/v1/", "api/v1"}
    | HOOKS
    | BUYERS
    | CALLED
)
"""Addresses for people without a session: the doors, the description of the API, and where PGs and banks tell of money:
their notices prove themselves (payments/views/webhooks.py). Tracking sources drop hints, which prove nothing. Buyers
have a link that nobody can guess."""
KEYED = "api/v1/"
"""Addresses below ask for the key of a channel instead (channels/api/gate.py)."""
VALUES = {"int": "1", "slug": "some", "str": "some", "uuid": "00000000-0000-4000-8000-000000000000"}


def files() -> Iterator[Path]:
    """Source files of ours, without migrations."""
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in KINDS and "migrations" not in path.parts:
                yield path


def addresses(patterns: Any = None, before: str = "") -> Iterator[tuple[str, Any]]:
    """(route, view) of every address of the shop."""
    for one in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(one.pattern)
        if hasattr(one, "url_patterns"):
            yield from addresses(one.url_patterns, route)
        else:
            assert isinstance(one.pattern, RoutePattern) or route.startswith(KEYED), route
            yield route, one.callback


def filled(route: str) -> str:
    """An address of a route, with something in the place of each value."""
    return "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda found: VALUES[found[1] or "str"], route)


def test_no_file_is_longer_than_a_person_reads_at_once():
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files()}
    assert len(long) > 500
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


def test_rows_that_a_statement_locks_are_read_once():
    """In an IN or a FROM they may be read anew for each row, past their LIMIT; in a WITH never, whatever is planned."""
    locking = re.compile(r"\b(?:IN|FROM)[\s\"]*\([\s\"]*SELECT\b(?:[^()]|\([^()]*\))*\bFOR (?:NO KEY )?UPDATE\b")
    texts = {path.relative_to(ROOT): path.read_text() for path in files() if path.suffix == ".py"}
    assert sum("SKIP LOCKED" in text for text in texts.values()) > 10
    assert locking.search("DELETE FROM a WHERE id IN (SELECT id FROM a WHERE b = lower('x') FOR UPDATE)")
    assert locking.search('"UPDATE a SET b = 1 FROM ("\n  " SELECT id FROM a LIMIT 5 FOR UPDATE SKIP LOCKED) AS due"')
    assert not locking.search(
        "WITH due AS (SELECT id FROM a FOR UPDATE) UPDATE a SET b = 1 FROM due WHERE a.id = due.id"
    )
    assert [str(name) for name, text in texts.items() if name.parts[0] != "tests" and locking.search(text)] == []


def test_every_view_behind_the_log_in_names_a_right_of_the_table():
    seen = 0
    for route, view in addresses():
        if route in PUBLIC or route.startswith(KEYED):
            continue
        code = permission_of(view)
        assert code is not None, f"{route} has no gate"
        assert code == LOGIN_ONLY or code in PERMISSIONS, (route, code)
        seen += 1
    assert seen > 100


def test_the_list_of_public_addresses_is_not_longer_than_it_need_be():
    known = dict(addresses())
    assert known.keys() >= PUBLIC
    assert {route for route in PUBLIC if permission_of(known[route]) is not None} == set()


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_gets_in_without_a_log_in(db, method):
    client = Client()
    for route, _ in addresses():
        if route in PUBLIC or route.startswith(f"{KEYED}^"):
            continue
        body = {"data": {}, "content_type": "application/json"} if route.startswith(KEYED) else {}
        answer = getattr(client, method)(filled(route), **body)
        where = answer.headers.get("Location", "")
        if route.startswith(KEYED):
            assert answer.status_code in {401, 405}, (route, answer.status_code)
        else:
            assert (answer.status_code, where.partition("?")[0]) == (302, settings.LOGIN_URL), (route, answer, where)


def test_every_identifier_of_the_glossary_is_a_name_in_the_code():
    """Words in code style; dotted ones by their parts. Comments, texts and tests do not count."""
    names = set()
    for path in files():
        if path.suffix == ".py" and "tests" not in path.parts:
            with path.open("rb") as source:
                names |= {one.string for one in tokenize.tokenize(source.readline) if one.type == tokenize.NAME}
    wanted = re.findall(r"`([^`]+)`", (ROOT / "docs" / "glossary.md").read_text())
    parts = {part for one in wanted for part in re.split(r"[^A-Za-z0-9_]+", one) if re.match(r"[A-Za-z_]\w+$", part)}
    assert len(parts) > 80
    assert sorted(parts - names - {"YYYYMMDD", "NNNNNNN", "NN"}) == []
