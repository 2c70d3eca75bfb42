"""What taking a notice costs, and that the short way sees, stores and survives what the long way did."""

import json
import threading

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core import drains
from core import processes as system
from orders.states import LineState
from payments.models import LedgerEntry, Payment, PgAccount, PgNotice, PgRequest
from payments.services import pg_accounts
from payments.services.notices import sweeping
from payments.states import EntryKind
from tests.fixtures.orders import reloaded
from tests.fixtures.pg_shop import empty_inbox


@pytest.fixture
def account(db):
    found = PgAccount(code="toss", name="토스", provider="toss", merchant_id="m", base_url="https://pg.example")
    found.set_secrets("test_sk_1234567890")
    found.save()
    return found


def body(ref="20260908-0000001-1"):
    data = {"paymentKey": f"k-{ref}", "orderId": ref, "status": "DONE"}
    told = {"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-11-21T11:59:57.203000", "data": data}
    return json.dumps(told).encode()


def send(client, account, data):
    return client.post(f"/payments/webhooks/{account.endpoint_token}/", data, content_type="application/json")


def verdicts():
    return list(PgRequest.objects.order_by("pk").values_list("status", "reason", "notice_id"))


def test_a_notice_costs_two_statements_new_or_known(account, client):
    send(client, account, body())
    for ref, reason in (("20260908-0000002-1", ""), ("20260908-0000002-1", "duplicate")):
        with CaptureQueriesContext(connection) as captured:
            assert send(client, account, body(ref)).status_code == 200
        asked = [one["sql"] for one in captured.captured_queries]
        assert len(asked) == 2, [sql[:140] for sql in asked]
        assert verdicts()[-1] == (200, reason, PgNotice.objects.latest("pk").pk)
    assert PgNotice.objects.count() == 2
    assert PgRequest.objects.exclude(milliseconds=None).count() == 3


def test_what_is_changed_about_an_account_counts_for_its_next_notice(account, client):
    assert send(client, account, body()).status_code == 200
    assert pg_accounts.endpoint(account.endpoint_token) is pg_accounts.endpoint(account.endpoint_token)
    PgAccount.objects.update(checks_ip=True, ips=["192.0.2.1"])
    assert send(client, account, body("20260908-0000003-1")).status_code == 403
    PgAccount.objects.update(checks_ip=False)
    assert send(client, account, body("20260908-0000003-1")).status_code == 200
    account.set_secrets("test_sk_0987654321", "test_sk_1234567890")
    account.save()
    assert pg_accounts.endpoint(account.endpoint_token).secrets() == ("test_sk_0987654321", "test_sk_1234567890")
    PgAccount.objects.update(is_active=False)
    assert send(client, account, body("20260908-0000004-1")).status_code == 404
    PgAccount.objects.update(is_active=True, endpoint_token="another-token")
    assert send(client, account, body("20260908-0000004-1")).status_code == 404
    assert [status for status, *_ in verdicts()] == [200, 403, 200]
    assert PgNotice.objects.count() == 2


def test_a_request_that_cannot_be_read_is_kept_like_before(account, client):
    answer = send(client, account, b"\x00\xff" * 10)
    row = PgRequest.objects.get()
    assert answer.status_code == row.status == 400
    assert (bytes(row.body), row.size, row.notice_id) == (b"\x00\xff" * 10, 20, None)
    assert row.headers["content-type"] == "application/json"
    assert (row.peer_ip, row.client_ip) == ("127.0.0.1", "127.0.0.1")
    assert not PgNotice.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_at_once_wait_for_each_other_and_are_one_event(account, client):
    """The other transaction holds the same event, not committed: nobody sees it, and it may not be stored twice."""
    stored, answered, waited = threading.Event(), threading.Event(), []

    def hold():
        try:
            with transaction.atomic():
                PgNotice.objects.create(
                    account=account, event_key=key, kind="DONE", order_ref="20260908-0000001-1", is_proven=False,
                    body_hash=b"x", due_at=timezone.now(), received_at=timezone.now(),
                )  # fmt: skip
                stored.set()
                waited.append(not answered.wait(0.5))
        finally:
            stored.set()
            connection.close()

    send(client, account, body())
    key = PgNotice.objects.get().event_key
    empty_inbox()
    other = threading.Thread(target=hold)
    other.start()
    assert stored.wait(60)
    assert send(client, account, body()).status_code == 200
    answered.set()
    other.join(60)
    assert waited == [True]
    notice = PgNotice.objects.get()
    assert verdicts() == [(200, "duplicate", notice.pk)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.processes
def test_a_connection_that_the_database_dropped_costs_no_notice(pg_shop, caught, processes):
    order = pg_shop.order(pg_shop.account("toss"))
    posts = caught(order)
    web = processes.start("web", env={"OMS_WEB_WORKERS": "1", "OMS_WEB_THREADS": "1"}).wait_ready()
    assert posts[0].to(web.url) == 200
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] > 0
    assert [post.to(web.url) for post in posts] == [200] * len(posts)
    drains.run_all()
    assert reloaded(order).stage == LineState.PREPARING


@pytest.mark.django_db(transaction=True)
@pytest.mark.processes
def test_a_notice_whose_answer_was_lost_comes_again_and_pays_once(pg_shop, caught, processes):
    order = pg_shop.order(pg_shop.account("toss"))
    posts = caught(order)
    dying = processes.start("web", env={"OMS_FAILPOINTS": "notice_before_answer=kill"}).wait_ready()
    assert [post.to(dying.url) for post in posts] == [None] * len(posts)
    assert set(PgRequest.objects.values_list("status", flat=True)) == {200}
    web = processes.start("web").wait_ready()
    assert [post.to(web.url) for post in posts] == [200] * len(posts)
    assert set(PgRequest.objects.values_list("reason", flat=True)) == {"", "duplicate"}
    assert sweeping.read_unread(at=timezone.now()) == 0
    drains.run_all()
    assert system.wait_until(lambda: reloaded(order).stage == LineState.PREPARING, timeout=60)
    payment = Payment.objects.get(order=order)
    assert list(LedgerEntry.objects.filter(payment=payment).values_list("kind", "amount")) == [
        (EntryKind.DEPOSIT, 33_000)
    ]


_BEGINNINGS = """
SELECT short.indexrelid::regclass::text FROM pg_index short JOIN pg_index long USING (indrelid)
WHERE short.indexrelid <> long.indexrelid AND indrelid::regclass::text LIKE 'payments%' AND NOT short.indisunique
  AND short.indpred IS NULL AND long.indpred IS NULL AND short.indexprs IS NULL AND long.indexprs IS NULL
  AND long.indkey::text || ' ' LIKE short.indkey::text || ' %' AND short.indexrelid::regclass::text NOT LIKE '%_like'
"""


def test_no_index_of_money_is_the_beginning_of_another_one(db):
    """Each row pays for it; and a new PG account, of which no statistics tell, was asked for all its payments by it."""
    with connection.cursor() as cursor:
        cursor.execute(_BEGINNINGS)
        assert cursor.fetchall() == []
