"""Webhooks of tracker.delivery (shipping.md 1.1): a bare hint, carrier and number, to whoever registered for it.

Nothing is signed. A call that is not answered with 2xx is repeated, later each time, and given up in the end.
"""

import json
import math
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sandbox.courier.books import Books
from sandbox.courier.carriers import CARRIERS
from sandbox.courier.graphql import GraphQLFailure
from sandbox.courier.lives import happened, life
from sandbox.courier.service import Service

SERVICE, KIND = "tracker", "hook"
LOOK_EVERY = 0.2
ANSWER_WITHIN = 1.0
"""Seconds; whoever takes longer is told again."""
TRIES = 5
LONGEST_LIFE = timedelta(days=7)


def register(books: Books, arguments: Mapping[str, Any]) -> bool:
    """registerTrackWebhook: the same parcel and address prolong; an expiry that has passed ends it."""
    given = arguments.get("input")
    names = ("carrierId", "trackingNumber", "callbackUrl", "expirationTime")
    if not isinstance(given, Mapping) or not all(isinstance(given.get(name), str) for name in names):
        raise GraphQLFailure('Variable "$input" got an invalid value.', "BAD_USER_INPUT")
    carrier, number, address, expiry = (given[name] for name in names)
    if carrier not in CARRIERS:
        raise GraphQLFailure("Carrier not found", "NOT_FOUND")
    try:
        until = datetime.fromisoformat(expiry)
    except ValueError:
        until = None
    url = urlsplit(address)
    if until is None or until.tzinfo is None or url.scheme not in {"http", "https"} or not url.hostname:
        raise GraphQLFailure("callbackUrl or expirationTime is invalid", "BAD_REQUEST")
    if until.timestamp() > books.now() + LONGEST_LIFE.total_seconds():
        raise GraphQLFailure("expirationTime is too far ahead", "BAD_REQUEST")
    key = "|".join((carrier, number, address))
    with books.lock:
        known = books.record(SERVICE, KIND, key) or {"told": _count(books, carrier, number), "times": 0}
        row = {"carrier": carrier, "number": number, "address": address, "until": until.timestamp()}
        books.put(SERVICE, KIND, {key: {**known, **row, "times": known["times"] + 1}})
    return True


def _count(books: Books, carrier: str, number: str) -> int:
    parcel = life(books, carrier, number)
    return len(happened(books, parcel)) if parcel is not None else 0


class Sender:
    """Calls whoever registered, once for each change of a parcel; only addresses of this computer."""

    def __init__(self, service: Service) -> None:
        self._service, self._books = service, service.books
        # Calls that failed: key -> how often, and the rounds until the next try.
        self._failed: dict[str, tuple[int, int]] = {}

    def run(self, stopping: threading.Event) -> None:
        """Round after round."""
        while not stopping.wait(LOOK_EVERY):
            self._round()

    def _round(self) -> None:
        due = [(key, row) for key, row in self._books.records(SERVICE, KIND).items() if self._is_due(key, row)]
        if self._service.option("is_shuffled"):
            random.shuffle(due)
        for key, row in due:
            count = _count(self._books, row["carrier"], row["number"])
            copies = 1 + int(self._service.option("duplicates"))
            answers = [self._call(row["address"], row["carrier"], row["number"]) for _ in range(copies)]
            if all(answers):
                self._failed.pop(key, None)
                self._note(key, count)
                for _ in range(int(self._service.option("forged"))):
                    self._call(row["address"], row["carrier"], str(random.randrange(10**11, 10**12)))
            else:
                self._fail(key, count)

    def _is_due(self, key: str, row: dict[str, Any]) -> bool:
        until = math.inf if self._service.option("is_late") else row["until"]
        if self._books.now() >= until or urlsplit(row["address"]).hostname not in {"127.0.0.1", "localhost", "::1"}:
            return False
        if _count(self._books, row["carrier"], row["number"]) <= row["told"]:
            return False
        tries, rounds = self._failed.get(key, (0, 0))
        if rounds > 0:
            self._failed[key] = (tries, rounds - 1)
        return rounds <= 0

    def _fail(self, key: str, count: int) -> None:
        tries = self._failed.pop(key, (0, 0))[0] + 1
        if tries >= TRIES:
            self._note(key, count)
        else:
            self._failed[key] = (tries, 2**tries)

    def _note(self, key: str, count: int) -> None:
        with self._books.lock:
            row = self._books.record(SERVICE, KIND, key)
            if row is not None:
                self._books.put(SERVICE, KIND, {key: {**row, "told": count}})

    def _call(self, address: str, carrier: str, number: str) -> bool:
        body = json.dumps({"carrierId": carrier, "trackingNumber": number}).encode()
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN) as answer:  # noqa: S310 - loopback
                return 200 <= answer.status < 300
        except (OSError, urllib.error.URLError):
            return False
