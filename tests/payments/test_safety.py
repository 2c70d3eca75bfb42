"""Nothing is lost when a process, the database, the broker or the PG is away, and nothing is paid twice."""

import json
from datetime import timedelta

import pgtrigger
import pytest
from django.db import connection
from django.utils import timezone

from core import drains, relay
from core import processes as system
from core.models import Message
from orders.models import OrderEvent
from orders.services import progress
from orders.states import LineState
from payments import tasks
from payments.models import LedgerEntry, Payment, PgNotice, PgRequest
from payments.services.notices import draining, sweeping
from payments.states import EntryKind, NoticeState, PaymentState
from tests.fixtures.orders import reloaded
from tests.fixtures.posts import Post, all_at_once
from tests.payments.pg import portone_case

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]
WAITING, PREPARING = LineState.AWAITING_PAYMENT, LineState.PREPARING


def paid_once(order):
    """The order, its ledger and its history as one deposit makes them."""
    assert list(LedgerEntry.objects.values_list("kind", "amount")) == [(EntryKind.DEPOSIT, 33_000)]
    assert reloaded(order).stage == PREPARING
    assert reloaded(order).paid_amount == 33_000
    assert OrderEvent.objects.filter(order=order, kind="line.paid").count() == 1


@pytest.mark.parametrize("point", ["notice_request_stored", "notice_before_commit"])
def test_a_request_whose_process_was_killed_is_read_again(pg_shop, caught, processes, point):  # A63
    order = pg_shop.order(pg_shop.account("toss"))
    posts = caught(order)
    web = processes.start("web", env={"OMS_FAILPOINTS": f"{point}=kill"}).wait_ready()
    assert [post.to(web.url) for post in posts] == [None] * len(posts)
    assert set(PgRequest.objects.values_list("status", flat=True)) == {None}
    assert not PgNotice.objects.exists()
    assert sweeping.read_unread(at=timezone.now()) == 0, "a request this young may still be at work"
    later = timezone.now() + timedelta(seconds=31)
    assert sweeping.read_unread(at=later) == len(posts)
    assert sweeping.read_unread(at=later) == 0
    assert set(PgRequest.objects.values_list("status", flat=True)) == {200}
    drains.run_all()
    paid_once(order)


@pytest.mark.parametrize("point", ["notice_after_fetch", "notice_after_apply"])
def test_a_drain_that_was_killed_leaves_its_notices_to_the_next(pg_shop, caught, processes, point):
    order = pg_shop.order(pg_shop.account("toss"))
    posts = caught(order)
    assert {post.to(pg_shop.url) for post in posts} == {200}
    doomed = processes.start("relay", env={"OMS_FAILPOINTS": f"{point}=kill"})
    assert system.wait_until(lambda: not doomed.is_alive, timeout=60), doomed.log()
    assert not PgNotice.objects.filter(finished_at__isnull=False).exists()
    assert draining.drain(at=timezone.now()) == 0, "the lease of the dead one still runs"
    later = timezone.now() + draining.LEASE + timedelta(seconds=1)
    while draining.drain(at=later):
        pass
    assert not PgNotice.objects.filter(finished_at=None).exists()
    paid_once(order)


def test_the_periodic_job_does_what_the_relay_does(pg_shop, caught):
    order = pg_shop.order(pg_shop.account("toss"))
    for post in caught(order):
        assert post.to(pg_shop.url) == 200
    with pgtrigger.ignore("payments.PgRequest:as_it_came"):
        PgRequest.objects.update(status=None, notice=None, at=timezone.now() - timedelta(minutes=1))
    PgNotice.objects.all().delete()
    assert tasks.process_notices(at=timezone.now() + timedelta(seconds=1)) > 0
    paid_once(order)


def test_a_request_that_its_reader_cannot_stand_does_not_hold_up_others(pg_shop, caught, monkeypatch, caplog):
    account = pg_shop.account("toss")
    order = pg_shop.order(account)
    for post in caught(order):
        assert post.to(pg_shop.url) == 200
    long_ago = timezone.now() - timedelta(minutes=1)
    with pgtrigger.ignore("payments.PgRequest:as_it_came"):
        PgRequest.objects.update(status=None, notice=None, at=long_ago)
    poison = PgRequest.objects.create(account=account, at=long_ago - timedelta(minutes=1), body=b"x", size=1)
    PgNotice.objects.all().delete()
    judge_again = sweeping.receiving.judge_again

    def judge(row, *, account):
        if row.pk == poison.pk:
            raise ValueError("a bug")
        return judge_again(row, account=account)

    monkeypatch.setattr(sweeping.receiving, "judge_again", judge)
    drains.run_all()
    drains.run_all()
    assert (reloaded(poison).status, reloaded(poison).reason) == (500, "judge_failed")
    assert f"request {poison.pk} cannot be judged" in caplog.text
    paid_once(order)


def test_without_a_database_the_pg_is_told_to_come_again(pg_shop, caught, processes):  # A62
    order = pg_shop.order(pg_shop.account("toss"))
    posts = caught(order)
    web = processes.start("web").wait_ready()
    name = connection.settings_dict["NAME"]
    _allow(name, False)
    try:
        assert [post.to(web.url) for post in posts] == [503] * len(posts)
        # Of an account that this process does not remember too.
        for post in (*posts, Post("/payments/webhooks/unknown/", b"{}", {"Content-Type": "application/json"})):
            said = post.said_by(web.url)
            assert (said.status, said.headers["Retry-After"], said.body) == (503, "30", b"FAIL")
    finally:
        _allow(name, True)
    assert not PgRequest.objects.exists()
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)
    assert [post.to(web.url) for post in posts] == [200] * len(posts)
    drains.run_all()
    paid_once(order)


def _allow(name, is_open):
    """Let nobody into the database of this test and throw out who is in, or let everybody in again."""
    connection.close()
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {is_open}')
        if not is_open:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def test_without_a_broker_money_still_comes_in(pg_shop, caught, processes):  # A64
    order = pg_shop.order(pg_shop.account("toss"))
    posts = caught(order)
    nowhere = {"REDIS_URL": "redis://127.0.0.1:9/0"}
    web = processes.start("web", env=nowhere).wait_ready()
    processes.start("relay", env=nowhere)
    assert [post.to(web.url) for post in posts] == [200] * len(posts)
    assert system.wait_until(lambda: reloaded(order).stage == PREPARING, timeout=60)
    paid_once(order)


def test_a_pg_that_is_away_for_an_hour_delays_and_loses_nothing(pg_shop):  # A65
    order = pg_shop.order(pg_shop.account("toss"))
    fault = pg_shop.pgs.fault("status", pg="toss", method="GET", times=None)
    pg_shop.deposit(order)
    pg_shop.heard()
    began = timezone.now()
    for minutes in (1, 2, 7, 12, 42, 60):
        draining.drain(at=began + timedelta(minutes=minutes))
    assert {(one.state, one.reason) for one in PgNotice.objects.all()} == {(NoticeState.RETRY, "no_answer")}
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)
    assert not LedgerEntry.objects.exists()
    pg_shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    draining.drain(at=began + timedelta(hours=4))
    paid_once(order)


def test_a_bug_leaves_the_notice_for_a_person_and_others_alone(pg_shop, monkeypatch, caplog):  # A68
    account = pg_shop.account("toss")
    order, other = pg_shop.order(account), pg_shop.order(account)
    confirm = progress.confirm_payment

    def confirm_payment(*, order_ids, **facts):
        if order.pk in order_ids:
            raise ZeroDivisionError("a bug")
        return confirm(order_ids=order_ids, **facts)

    monkeypatch.setattr(progress, "confirm_payment", confirm_payment)
    pg_shop.deposit(order)
    pg_shop.deposit(other)
    pg_shop.heard()
    assert "2 answers cannot be applied at once\nTraceback" in caplog.text
    assert pg_shop.state(other) == (PREPARING, 33_000, PaymentState.PAID)
    mine = PgNotice.objects.filter(order_ref=Payment.objects.get(order=order).order_ref)
    assert set(mine.values_list("state", "reason")) == {(NoticeState.RETRY, "failed")}
    at = timezone.now()
    for _ in range(8):
        at += timedelta(days=2)
        draining.drain(at=at)
    assert set(mine.values_list("state", "reason", "attempts")) == {(NoticeState.DEAD, "failed", 9)}
    assert "ZeroDivisionError: a bug" in mine.first().last_error
    assert f"notice {mine.first().pk} is dead: failed" in caplog.text
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)
    monkeypatch.undo()
    mine.update(state=NoticeState.RETRY, due_at=at, finished_at=None, attempts=0)
    while draining.drain(at=at + timedelta(days=1)):
        pass
    assert pg_shop.state(order) == (PREPARING, 33_000, PaymentState.PAID)
    assert LedgerEntry.objects.filter(payment__order=order).count() == 1


def test_a_notice_that_kills_whoever_takes_it_ends(pg_shop, caught):
    order = pg_shop.order(pg_shop.account("toss"))
    for post in caught(order):
        post.to(pg_shop.url)
    PgNotice.objects.update(attempts=draining.LEASES_LOST)
    drains.run_all()
    assert set(PgNotice.objects.values_list("state", "reason")) == {(NoticeState.DEAD, "process_died")}
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)


def test_fifty_copies_of_one_notice_at_the_same_moment_pay_once(pg_shop, caught, processes):  # A54
    order = pg_shop.order(pg_shop.account("toss"))
    [post, *_] = caught(order)
    web = processes.start("web").wait_ready()
    assert set(all_at_once([post] * 50, web.url)) == {200}
    assert PgRequest.objects.count() == 50
    drains.run_all()
    assert PgNotice.objects.get().state == NoticeState.PROCESSED
    paid_once(order)
    relay.run_once(at=timezone.now() + timedelta(minutes=1))
    assert Message.objects.filter(template="payment_confirmed").count() == 1


def test_fifty_notices_of_one_deposit_pay_once(pg_shop, caught, processes):  # A55
    order = pg_shop.order(pg_shop.account("portone"))
    post = next(one for one in caught(order) if json.loads(one.body)["type"] == "Transaction.Paid")
    stamp = str(int(timezone.now().timestamp()))
    signed = [
        Post(
            post.path,
            post.body,
            {
                "Content-Type": "application/json",
                **portone_case.headers(post.body, event=f"wh_{n}", stamp=stamp),
            },
        )
        for n in range(50)
    ]
    web = processes.start("web").wait_ready()
    assert set(all_at_once(signed, web.url)) == {200}
    drains.run_all()
    states = list(PgNotice.objects.values_list("state", flat=True))
    assert sorted(states) == [NoticeState.IGNORED] * 49 + [NoticeState.PROCESSED]
    ignored = PgNotice.objects.filter(state=NoticeState.IGNORED)
    assert set(ignored.values_list("reason", flat=True)) == {"no_change"}
    paid_once(order)
