"""No bytes make the receiver fail or move money: broken notices against every endpoint, by socket and in process.

OMS_FUZZ_REQUESTS tells how many go through the whole receiver in process per endpoint, bank feed included; `make soak`
sends 100,000. The adapters alone are proven by tests/payments/pg/test_fuzz.py.
"""

import gc
import http.client
import json
import logging
import os
import sys
import time
from collections import Counter
from io import BytesIO
from itertools import islice
from pathlib import Path

import pgtrigger
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.utils import timezone

from core import drains
from payments.models import BankDeposit, MoneyProblem, PgAccount, PgNotice, PgRequest
from payments.states import ProblemKind
from tests.payments.pg.every import CASES
from tests.payments.wire.golden_shop import SENT_BY, effects, golden_shop
from tests.payments.wire.mutants import Samples, mutants, samples_of

pytestmark = pytest.mark.django_db(transaction=True)
REQUESTS = int(os.environ.get("OMS_FUZZ_REQUESTS", "3000"))
BY_SOCKET = 300
ANSWERS = {200, 400, 401, 403, 413, 415}
AT_ONCE = min(500, max(1, REQUESTS // 20))
"""Requests between two looks at what they did."""
STEPS = REQUESTS // AT_ONCE
MOST_GROWTH = 32 * 2**20
"""Bytes that a process may grow by after its first tenth of the work."""
SHOWN = {ProblemKind.CURRENCY, ProblemKind.UNCLEARED_CHEQUE, ProblemKind.MISMATCH_WITH_PG}
"""Cases that are shown beside the order which their notice names; of another number at the PG, for instance."""
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.pg.name)


def moved(before):
    """What changed of money and orders; a notice may ask for a person."""
    now = effects()
    return {name for name in before if name != "problems" and now[name] != before[name]}


def of_orders():
    """Kinds of the cases that stand beside an order."""
    return set(MoneyProblem.objects.filter(order__isnull=False).values_list("kind", flat=True))


def memory():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Every refusal is a line of the log, which pytest would keep in memory."""
    for name in ("django.request", "payments.notices"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)


@every_case
def test_by_socket_nothing_fails_and_nothing_moves(pg_shop, case):
    shop = golden_shop(pg_shop, case)
    before = effects()
    statuses, wrong = by_socket(pg_shop.url, shop.path, samples_of(case, at=timezone.now()), case)
    shop.settle()
    assert wrong == []
    assert set(statuses) <= ANSWERS, statuses
    assert PgRequest.objects.filter(status__isnull=True).count() == 0
    assert PgRequest.objects.count() == BY_SOCKET
    assert moved(before) == set()
    assert of_orders() <= SHOWN


def by_socket(url, path, samples, case):
    """Sends them all over one connection; statuses, and answers that are not in the words of the PG."""
    connection, statuses, wrong = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20), Counter(), []
    for one in mutants(samples, seed=7, count=BY_SOCKET):
        headers = {name: value.encode() for name, value in one.headers.items()} | {SENT_BY: one.client_ip}
        connection.request("POST", path, one.body, headers)
        answer = connection.getresponse()
        said = (answer.headers["Content-Type"], answer.read())
        statuses[answer.status] += 1
        expected = (case.ack[1:] if answer.status == 200 else case.failure) if case else said
        if said != expected:
            wrong.append((answer.status, said, one.body[:200]))
    connection.close()
    return statuses, wrong


@every_case
def test_in_process_nothing_fails_nothing_moves_and_memory_stays(pg_shop, case):
    shop = golden_shop(pg_shop, case)
    before = effects()

    def look():
        shop.settle()
        assert moved(before) == set()

    flood(case.pg.name, shop.path, samples_of(case, at=timezone.now()), look)


def posted(app, path, one):
    """One request as a web server hands it to the application; its status. What the receiver raises is a 500."""
    environ = {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in {**one.headers, SENT_BY: one.client_ip}.items()
    }
    environ |= {
        "CONTENT_TYPE": environ.pop("HTTP_CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(len(one.body)),
        "wsgi.input": BytesIO(one.body),
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "HTTP_HOST": "localhost",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
    }
    said = []
    answer = app(environ, lambda status, headers: said.append(status))
    answer.close()
    return int(said[0].split()[0])


def flood(name, path, samples, look):
    """All of them through the whole receiver; `look` works on what was told and sees that nothing came of it."""
    app, statuses, kept, began, grown_from = WSGIHandler(), Counter(), 0, time.perf_counter(), 0
    requests = mutants(samples, seed=11, count=REQUESTS)
    for number in range(STEPS):
        for one in islice(requests, AT_ONCE):
            statuses[posted(app, path, one)] += 1
        look()
        kept += PgNotice.objects.count()
        forget()
        if number == STEPS // 10:
            grown_from = memory()
    assert set(statuses) <= ANSWERS, statuses
    assert sum(statuses.values()) == STEPS * AT_ONCE
    grown = memory() - grown_from
    assert grown < MOST_GROWTH, f"{grown / 2**20:.1f} MiB"
    rate = REQUESTS / (time.perf_counter() - began)
    sys.stdout.write(
        f"\n{name}: {REQUESTS:,} requests, {rate:.0f}/s, answers {dict(sorted(statuses.items()))}, "
        f"{kept:,} notices kept, memory {grown / 2**20:+.1f} MiB\n"
    )


def forget():
    """Keep the inbox small, so that it is the receiver that is measured; what waits for a person has moved nothing."""
    assert of_orders() <= SHOWN
    with pgtrigger.ignore("payments.PgRequest:kept"), connection.cursor() as cursor:
        # Django would load every row with its body.
        cursor.execute(
            "DELETE FROM payments_moneyproblem; DELETE FROM payments_depositcandidate;"
            "DELETE FROM payments_bankdeposit; DELETE FROM payments_pgrequest; DELETE FROM payments_pgnotice"
        )


@pytest.fixture
def bank_feed(make_order, bank_account):
    """The bank feed of a shop with an unpaid order: its address, what it is sent, and a look at what came of it."""
    # Of nobody whom the rows name: a deposit that may be its money keeps an order from being canceled.
    make_order(price=33_000, buyer_name="이다른", depositor_name="이다른")
    account = PgAccount(code="payaction", name="x", provider="payaction", merchant_id="mall-1", base_url="https://x")
    account.set_secrets("wh-key")
    account.save()
    bank_account.feed = account
    bank_account.save()
    at = timezone.now().isoformat()
    told = [
        {"order_number": "x", "order_status": "매칭완료", "processing_date": at},
        {"transaction_type": "deposited", "amount": 12_345, "transaction_name": "홍길동", "transaction_date": at},
    ]
    keys = {"content-type": "application/json", "x-webhook-key": "wh-key", "x-trace-id": "t", "x-mall-id": "mall-1"}
    samples = Samples([json.dumps(one, ensure_ascii=False).encode() for one in told], keys)
    before = effects()

    def look():
        drains.run_all()
        assert moved(before) == set()
        assert not BankDeposit.objects.filter(allocated_amount__gt=0).exists()

    return f"/payments/bank-feed/{account.endpoint_token}/", samples, look


def test_the_feed_of_bank_rows_does_not_fail_either(pg_shop, bank_feed):
    path, samples, look = bank_feed
    statuses, _ = by_socket(pg_shop.url, path, samples, None)
    look()
    assert set(statuses) <= ANSWERS, statuses


def test_in_process_the_feed_of_bank_rows_does_not_fail_either(bank_feed):
    path, samples, look = bank_feed
    flood("payaction", path, samples, look)
