"""The feed of changes: in order, complete, and never ahead of a transaction that may still add a smaller id."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from channels.services.feed import channel_feed, final_id, proven
from core.events import record
from core.state import Change, Outcome
from orders import events
from orders.models import Order, OrderEvent, SalesChannel
from orders.services import progress
from orders.states import CanceledBy
from tests.channels.conftest import order_body
from tests.fixtures.orders import NOW


def test_events_carry_numbers_codes_and_words(api, staff, make_variant):
    body = order_body()
    body["lines"] = [body["lines"][0] | {"sku": make_variant(on_hand=5, sku="S").sku}]
    number = api.post("/orders", body).json()["number"]
    progress.make_ready(line_ids=[Order.objects.get().lines.get().pk], actor=staff, at=NOW)
    page = api.get("/events").json()
    said = [(one["kind"], one["order"], one["line"], one["from_code"], one["to_code"]) for one in page["events"]]
    assert said == [
        ("order.received", number, "", "", "N10"),
        ("payment.settled", number, "", "", ""),
        ("line.ready", number, f"{number}-01", "N10", "N20"),
    ]
    assert page["events"][2]["label"] == "배송준비중 처리"
    assert page["events"][2]["at"] == "2026-09-21T11:00:00+09:00"
    assert page["more"] is False
    assert api.get("/events", after=page["next"]).json() == {"events": [], "next": page["next"], "more": False}


def test_pages_join_without_a_gap_and_other_channels_are_passed_over(api, channel, make_order):
    other = SalesChannel.objects.create(code="other", name="다른 몰")
    for n in range(6):
        make_order(on=channel if n % 2 else other)
    mine = list(OrderEvent.objects.filter(order__channel=channel).order_by("pk").values_list("pk", flat=True))
    seen: list[int] = []
    after, more = 0, True
    while more:
        page = api.get("/events", after=after, limit=2).json()
        seen += [one["id"] for one in page["events"]]
        after, more = page["next"], page["more"]
    assert seen == mine
    assert after == OrderEvent.objects.latest("pk").pk


def test_the_storefront_hears_what_coupon_and_points_a_canceled_order_gave_back(api, channel, make_order, make_variant):
    lines = [(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 3)]
    order = make_order(on=channel, lines=lines, coupon_amount=3_001, points_amount=700)
    progress.cancel_unpaid(order_ids=[order.pk], actor=None, at=NOW, by=CanceledBy.DEADLINE)
    progress.revive(order_ids=[order.pk], actor=None, at=NOW, reason="늦은 입금")
    told = [(one["kind"], one["benefits"]) for one in api.get("/events").json()["events"]]
    assert told[0] == ("order.received", None)
    for kind, act in (("line.canceled_unpaid", "RESTORED"), ("line.revived", "USED")):
        mine = [benefits for one, benefits in told if one == kind]
        assert [benefits["act"] for benefits in mine] == [act, act]
        assert sum(benefits["coupon"] for benefits in mine) == 3_001
        assert sum(benefits["points"] for benefits in mine) == 700


def test_odd_parameters_are_refused(api):
    for params in ({"after": -1}, {"after": 2**63}, {"after": "x"}, {"limit": 0}, {"limit": 501}):
        answer = api.get("/events", **params)
        assert answer.status_code == 422
        assert set(answer.json()) == {"code", "message", "errors"}


def _event(order: Order, version: int) -> None:
    record(Outcome(changes=[Change(order, "", "", version)]), events.MEMO_ADDED, at=NOW)


class Writer(threading.Thread):
    """A transaction that takes an event id and commits only when it is told to."""

    def __init__(self, order: Order, version: int) -> None:
        super().__init__(daemon=True)
        self.order, self.version = order, version
        self.wrote, self.may_commit = threading.Event(), threading.Event()

    def run(self) -> None:
        try:
            with transaction.atomic():
                _event(self.order, self.version)
                self.wrote.set()
                assert self.may_commit.wait(20)
        finally:
            connection.close()


@pytest.mark.django_db(transaction=True)
def test_an_id_that_becomes_visible_late_is_never_skipped(make_order, channel):
    order = make_order()
    start = final_id()
    slow = Writer(order, 100)
    slow.start()
    assert slow.wrote.wait(10)
    with transaction.atomic():
        _event(order, 101)
    slow_id, fast_id = start + 1, start + 2
    assert OrderEvent.objects.latest("pk").pk == fast_id
    waiting = channel_feed(channel=channel, after=start, limit=10, patience=0.1)
    assert (list(waiting.events), waiting.next_after) == ([], start)
    slow.may_commit.set()
    slow.join()
    found = channel_feed(channel=channel, after=start, limit=10)
    assert [one.id for one in found.events] == [slow_id, fast_id]


@pytest.mark.django_db(transaction=True)
def test_a_reader_waits_for_a_short_transaction_and_gets_both(make_order, channel):
    order = make_order()
    start = final_id()
    slow = Writer(order, 100)
    slow.start()
    assert slow.wrote.wait(10)
    with transaction.atomic():
        _event(order, 101)
    threading.Timer(0.3, slow.may_commit.set).start()
    found = channel_feed(channel=channel, after=start, limit=10)
    assert [one.id for one in found.events] == [start + 1, start + 2]
    slow.join()


@pytest.mark.django_db(transaction=True)
def test_readers_that_follow_next_see_every_event_of_many_writers(make_order, channel):
    orders = [make_order() for _ in range(4)]
    proven.forget()
    start = final_id()
    done = threading.Event()

    def write(order: Order, first: int) -> Callable[[], None]:
        def run() -> None:
            try:
                for n in range(25):
                    with transaction.atomic():
                        _event(order, first + n)
                        if n % 3 == 0:
                            with connection.cursor() as cursor:
                                cursor.execute("SELECT pg_sleep(0.01)")
            finally:
                connection.close()

        return run

    seen: list[int] = []

    def read() -> None:
        after = start
        try:
            while True:
                is_last = done.is_set()
                page = channel_feed(channel=channel, after=after, limit=7)
                seen.extend(one.id for one in page.events)
                after = page.next_after
                if is_last and not page.has_more:
                    return
        finally:
            connection.close()

    writers = [threading.Thread(target=write(order, 100)) for order in orders]
    reader = threading.Thread(target=read)
    for thread in [*writers, reader]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    stored = list(OrderEvent.objects.filter(pk__gt=start).order_by("pk").values_list("pk", flat=True))
    assert len(stored) == 100
    assert seen == stored
