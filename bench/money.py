"""Notices of a PG: taken in, applied, from the deposit to the order; and the nightly comparison. Against real servers.

The orders are copies beside the shop, the PG is the sandbox; both go away afterwards.
"""

import http.client
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from bench import meter
from bench.client import Staff
from bench.deposits import open_orders
from bench.report import Row, p50_p95
from bench.shop import ROOT, Shop, environment

ORDERS = 10_000
TAKEN = 4_000
"""Notices of the receipt; three of ten come again."""
CONNECTIONS = 8
STEADY = 300
RATE = 30.0
LONGEST_WAIT = 300.0
_CLEAN = ("payments_cashreceipt", "payments_pgreconciliation", "payments_pgnotice")
_ACCOUNT = """
from payments.models import PgAccount
PgAccount.objects.filter(code="bench").delete()
one = PgAccount(code="bench", name="bench", provider="toss", merchant_id={merchant!r}, is_sandbox=True)
one.base_url = {url!r}
one.set_secrets(*{secrets!r}, options={options!r})
one.save()
print(one.pk, one.endpoint_token)
"""
_SEAL = """
import json
from pathlib import Path
from django.db import connection
from core.sealing import seal
from payments.models.account import PURPOSE
told = json.loads(Path({file!r}).read_text())
rows = [(ref, key, seal(secret, purpose=PURPOSE)) for ref, key, secret in told]
with connection.cursor() as cursor:
    cursor.execute(
        "UPDATE payments_payment p SET payment_ref = v.key, sealed_secret = v.secret"
        " FROM unnest(%s::text[], %s::text[], %s::text[]) AS v(ref, key, secret)"
        " WHERE p.account_id = %s AND p.order_ref = v.ref",
        [*map(list, zip(*rows)), {account}],
    )
"""
_RECONCILE = """
import time
from django.utils import timezone
from payments.services.watching.reconciling import reconcile_week
began = time.perf_counter()
reports = reconcile_week(at=timezone.now())
print(time.perf_counter() - began, sum(r.payments for r in reports), sum(r.unanswered for r in reports))
"""


class Pg:
    """The sandbox PGs and our account there."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "sandbox.pg", "--port", "0", "--state", str(folder / "pg.sqlite3")]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]
        with urllib.request.urlopen(f"{self.url}/control/shops?pg=toss", timeout=10) as answer:
            self.shop = json.loads(answer.read())[0]

    def control(self, name: str, **values: Any) -> Any:
        """One control request."""
        data = json.dumps({"pg": "toss", **values}).encode()
        with urllib.request.urlopen(f"{self.url}/control/{name}", data, timeout=30) as answer:
            return json.loads(answer.read())

    def each(self, name: str, many: Sequence[dict[str, Any]]) -> list[Any]:
        """One control request for each, some at a time."""
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            return list(pool.map(lambda values: self.control(name, **values), many))

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def money(shop: Shop, staff: Staff) -> Iterator[Row]:
    """Receipt, draining, end to end, reconciliation."""
    random = Random(11)  # noqa: S311 - the same notices every time
    amounts = [random.randrange(1_000, 9_000) * 10 for _ in range(ORDERS)]
    with TemporaryDirectory() as folder, open_orders(shop, ["홍길동"] * ORDERS, amounts):
        pg = Pg(Path(folder))
        try:
            account, token = _open_account(shop, pg)
            refs = _connect(shop, account)
            opened = pg.each("payments", [{"order_ref": ref, "amount": won} for ref, won in refs])
            _seal(shop, account, opened, Path(folder))
            secrets = {one["order_ref"]: one["secret"] for one in opened}
            yield from _receipt(shop, pg, token, refs[:TAKEN], secrets, random)
            yield from _steady(shop, pg, token, refs[TAKEN : TAKEN + STEADY])
            yield _reconciliation(shop)
        finally:
            pg.end()
            shop.execute("TRUNCATE payments_pgrequest")
            for name in _CLEAN:
                shop.execute(f"DELETE FROM {name} WHERE true")  # noqa: S608 - our names; the measured shop has no others
    mine = "(SELECT id FROM payments_pgaccount WHERE code = 'bench')"
    shop.execute(f"DELETE FROM payments_pgbudget WHERE account_id IN {mine}")  # noqa: S608 - our names
    shop.execute("DELETE FROM payments_pgaccount WHERE code = 'bench'")


def _receipt(
    shop: Shop, pg: Pg, token: str, refs: Sequence[tuple[str, int]], secrets: dict[str, str], random: Random
) -> Iterator[Row]:
    """Told about deposits that are there; seven of ten notices are new, the others come again."""
    pg.each("payments/deposit", [{"order_ref": ref, "amount": won} for ref, won in refs])
    bodies = [_notice(ref, secrets[ref]) for ref, _ in refs]
    fresh = bodies[: TAKEN * 7 // 10]
    sent = fresh + [random.choice(fresh) for _ in range(TAKEN - len(fresh))]
    random.shuffle(sent)
    before, began = meter.cpu_by_part(shop.pid), time.perf_counter()
    times = _post(shop, token, sent)
    seconds, parts = time.perf_counter() - began, meter.used(shop.pid, before)
    used = ", ".join(f"{part} {1000 * own / len(sent):.2f}" for part, own in parts.items())
    p50, p95 = p50_p95(times)
    rate = len(sent) / seconds
    detail = f"{rate:.0f}/s over {CONNECTIONS} connections, p50 {p50:.1f} ms; cpu ms of one notice: {used}"
    yield Row("money", f"receipt of {len(sent):,} notices, 30 % twice: p95", 30, p95, "ms", detail)
    yield Row("money", "receipt: time of 400 notices", 1, 400 / rate, "s", "1 s is 400/s")
    waiting = _unfinished(shop)
    began = time.perf_counter()
    _await_drained(shop)
    seconds = time.perf_counter() - began
    detail = f"{waiting:,} waited when the last was taken, drained in {seconds:.1f} s"
    yield Row("money", "draining: time of 60 notices", 1, 60 * seconds / max(1, waiting), "s", detail)


def _steady(shop: Shop, pg: Pg, token: str, refs: Sequence[tuple[str, int]]) -> Iterator[Row]:
    """Deposits at a steady rate; from the first notice of a deposit to the order that has moved, seen from outside."""
    pg.control("shops", **{**pg.shop, "notice_url": f"{shop.url}/payments/webhooks/{token}/"})
    paid_at: dict[str, float] = {}
    moved_at: dict[str, float] = {}

    def pay(ref: str, won: int) -> None:
        paid_at[ref] = time.time()
        pg.control("payments/deposit", order_ref=ref, amount=won)

    due = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS + 1) as pool:
        looking = pool.submit(_watch, shop, [ref for ref, _ in refs], moved_at)
        for ref, won in refs:
            pool.submit(pay, ref, won)
            due += 1 / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
        looking.result()
    _await_drained(shop)
    told = shop.rows(
        "SELECT order_ref, EXTRACT(EPOCH FROM min(received_at)) FROM payments_pgnotice WHERE order_ref = ANY(%s)"
        " GROUP BY 1",
        list(moved_at),
    )
    p50, p95 = p50_p95([moved_at[ref] - float(at) for ref, at in told])
    _, whole = p50_p95([moved_at[ref] - paid_at[ref] for ref in moved_at])
    detail = f"{len(told)} of {len(refs)} paid, p50 {p50:.2f} s; {RATE:.0f} deposits a second;"
    detail += f" {whole:.2f} s with what the PG takes to tell"
    yield Row("money", "end to end: p95", 5, p95, "s", detail)


def _watch(shop: Shop, refs: Sequence[str], moved_at: dict[str, float]) -> None:
    """When each order was first seen to have left 입금대기; looks ten times a second."""
    left = list(refs)
    end = time.monotonic() + len(refs) / RATE + LONGEST_WAIT
    while left and time.monotonic() < end:
        rows = shop.rows(
            "SELECT p.order_ref FROM payments_payment p JOIN orders_order o ON o.id = p.order_id"
            " WHERE p.order_ref = ANY(%s) AND o.stage <> 'AWAITING_PAYMENT'",
            left,
        )
        moved_at.update((str(ref), time.time()) for (ref,) in rows)
        left = [ref for ref in left if ref not in moved_at]
        time.sleep(0.1)


def _reconciliation(shop: Shop) -> Row:
    """All payments of the week are asked about once."""
    answer = _shell(shop, _RECONCILE).split()
    seconds, asked, unanswered = float(answer[0]), int(answer[1]), int(answer[2])
    detail = f"{asked / seconds:.0f}/s, {unanswered} without an answer"
    return Row("money", f"reconciliation of {asked:,} payments", None, seconds, "s", detail)


def _notice(ref: str, secret: str) -> bytes:
    """DEPOSIT_CALLBACK as the PG sends it: it proves itself by the secret that was given with the account."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000000")
    told = {"createdAt": at, "secret": secret, "status": "DONE", "transactionKey": f"{ref}-1", "orderId": ref}
    return json.dumps(told).encode()


def _post(shop: Shop, token: str, bodies: Sequence[bytes]) -> list[float]:
    """Milliseconds of each; every one must be taken."""
    path, host = f"/payments/webhooks/{token}/", urlsplit(shop.url).netloc
    times: list[float] = []
    todo = iter(bodies)
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection(host, timeout=30)
        while True:
            with lock:
                body = next(todo, None)
            if body is None:
                return
            began = time.perf_counter()
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            times.append((time.perf_counter() - began) * 1000)
            if response.status != 200:
                raise RuntimeError(f"a notice was answered {response.status}")

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(work) for _ in range(CONNECTIONS)]:
            done.result()
    return times


def _open_account(shop: Shop, pg: Pg) -> tuple[int, str]:
    values = {"merchant": pg.shop["merchant_id"], "url": f"{pg.url}/toss"}
    found = pg.shop["options"]
    options = {name: text for name, text in found.items() if isinstance(text, str)}
    told = _shell(shop, _ACCOUNT.format(secrets=pg.shop["secrets"], options=options, **values)).split()
    return int(told[-2]), told[-1]


def _shell(shop: Shop, code: str) -> str:
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "-v", "0", "-c", code]
    env = environment(shop.folder)
    return subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout


def _connect(shop: Shop, account: int) -> list[tuple[str, int]]:
    """The copies are to be paid through the PG; (reference, won) of each."""
    shop.execute(
        "UPDATE payments_payment p SET account_id = %s, order_ref = o.number || '-1', method = 'VIRTUAL_ACCOUNT',"
        " created_at = now() FROM orders_order o"
        " WHERE o.id = p.order_id AND o.number LIKE 'B%%' AND p.account_id IS NULL",
        account,
    )
    rows = shop.rows("SELECT order_ref, amount FROM payments_payment WHERE account_id = %s ORDER BY id", account)
    return [(str(ref), int(won)) for ref, won in rows]


def _seal(shop: Shop, account: int, opened: Sequence[dict[str, Any]], folder: Path) -> None:
    """What the PG said when it gave the accounts: its own number, and the secret of each."""
    file = folder / "told.json"
    file.write_text(json.dumps([(one["order_ref"], one["payment_ref"], one["secret"]) for one in opened]))
    _shell(shop, _SEAL.format(file=str(file), account=account))


def _unfinished(shop: Shop) -> int:
    # By the state that the index of waiting notices has: looking must not take from what is looked at.
    return int(shop.one("SELECT count(*) FROM payments_pgnotice WHERE state IN ('RECEIVED', 'RETRY')") or 0)


def _await_drained(shop: Shop) -> None:
    end = time.monotonic() + LONGEST_WAIT
    while _unfinished(shop) and time.monotonic() < end:
        time.sleep(0.1)
