"""거래내역 of 10,000 rows against 100,000 open orders: upload, preview, apply, and the relay that matches them.

The orders are copies of one order of the shop, written beside it and removed afterwards with everything they caused.
"""

import contextlib
import csv
import io
import re
import time
from collections.abc import Iterator
from random import Random

import psycopg2

from bench import meter
from bench.client import Staff
from bench.moves import wait
from bench.report import Row
from bench.shop import Shop, strange_rows

ORDERS, ROWS, GOAL = 100_000, 10_000, 10.0
LONGEST_WAIT = 300.0
CODE = "bench"
FAMILY, GIVEN = "김이박최정강조윤장임한오서신권황안송류홍", "가나다라마바사아자차카타파하고노도로모보"
_TABLES = (
    "payments_depositallocation", "payments_depositcandidate", "payments_bankdeposit", "payments_moneyproblem",
    "payments_ledgerentry", "payments_payment", "orders_linelock", "orders_delivery", "orders_orderevent",
    "orders_orderline", "orders_order", "core_jobitem", "core_job",
)  # fmt: skip
_ORDERS = """
INSERT INTO orders_order SELECT r.* FROM orders_order o
CROSS JOIN unnest(%(names)s::text[], %(amounts)s::bigint[]) WITH ORDINALITY AS v(name, amount, n)
CROSS JOIN LATERAL jsonb_populate_record(o, jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('orders_order', 'id')), 'number', 'B' || lpad(v.n::text, 15, '0'),
    'channel_number', 'bench-' || v.n, 'payment_method', 'BANK_TRANSFER', 'depositor_name', v.name,
    'buyer_name', v.name, 'ordered_at', %(at)s::timestamptz - v.n * interval '1 second', 'paid_at', NULL,
    'confirmed_at', NULL, 'deposit_by', %(at)s::timestamptz + interval '5 days', 'goods_amount', v.amount,
    'discount_amount', 0, 'coupon_amount', 0, 'points_amount', 0, 'shipping_fee_amount', 0, 'due_amount', v.amount,
    'paid_amount', 0, 'stage', 'AWAITING_PAYMENT', 'steps', 1, 'line_count', 1, 'version', 1, 'next_due_at', NULL)) r
WHERE o.id = (SELECT id FROM orders_order WHERE parent_id IS NULL ORDER BY id LIMIT 1)
"""
_LINES = """
INSERT INTO orders_orderline SELECT r.* FROM orders_orderline l JOIN orders_order o ON o.id > %(after)s
CROSS JOIN LATERAL jsonb_populate_record(l, jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('orders_orderline', 'id')), 'order_id', o.id, 'number', o.number || '-01',
    'seq', 1, 'state', 'AWAITING_PAYMENT', 'quantity', 1, 'unit_price', o.due_amount, 'open_locks', 0, 'version', 1,
    'discount_share', 0, 'coupon_share', 0, 'points_share', 0, 'shipping_share', 0)) r
WHERE l.id = (SELECT id FROM orders_orderline WHERE state = 'PREPARING' AND variant_id IS NOT NULL ORDER BY id LIMIT 1)
"""
_PAYMENTS = """
INSERT INTO payments_payment SELECT r.* FROM payments_payment p JOIN orders_order o ON o.id > %(after)s
CROSS JOIN LATERAL jsonb_populate_record(p, jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('payments_payment', 'id')), 'order_id', o.id, 'method', 'BANK_TRANSFER',
    'amount', o.due_amount, 'balance', 0, 'refunded', 0, 'forgiven', 0, 'state', 'PENDING', 'version', 0,
    'paid_at', NULL)) r
WHERE p.id = (SELECT id FROM payments_payment WHERE account_id IS NULL ORDER BY id LIMIT 1)
"""


def deposits(shop: Shop, staff: Staff) -> Iterator[Row]:
    """Seconds from the file to the last verdict."""
    if staff.get("/payments/deposits/upload/").status != 200:
        yield Row("deposits", f"{ROWS:,} rows against {ORDERS:,} open orders", GOAL, None, "s")
        return
    random = Random(7)  # noqa: S311 - the same shop every time
    names = [
        random.choice(FAMILY) + "".join(random.choice(GIVEN) + random.choice(GIVEN) for _ in "가")
        for _ in range(ORDERS)
    ]
    amounts = [random.randrange(1_000, 9_000) * 10 for _ in range(ORDERS)]
    with open_orders(shop, names, amounts):
        content = _statement(random, names, amounts)
        before, started = meter.cpu_by_part(shop.pid), time.perf_counter()
        account = shop.one("SELECT id FROM payments_bankaccount WHERE code = %s", CODE)
        answer = staff.upload(
            "/payments/deposits/upload/", name="bank.csv", content=content, fields={"account": str(account)}
        )
        if answer.status != 302:
            raise RuntimeError(f"statement: HTTP {answer.status} {answer.text[:300]}")
        preview = time.perf_counter() - started
        staff.post(answer.location, {})
        state, stored, refused = wait(shop, re.findall(r"[0-9a-f-]{36}", answer.location)[0])
        applied = time.perf_counter() - started
        _await_matched(shop)
        seconds, used = time.perf_counter() - started, meter.used(shop.pid, before)
        confirmed = shop.one("SELECT count(*) FROM payments_bankdeposit WHERE state = 'MATCHED'")
        queued = shop.one("SELECT count(*) FROM payments_bankdeposit WHERE state = 'QUEUED'")
        detail = f"{confirmed:,} confirmed, {queued:,} wait for a person; preview {preview:.2f} s,"
        detail += f" stored after {applied:.2f} s ({state}, {stored:,}, {refused:,} refused);"
        detail += " cpu s: " + ", ".join(f"{part} {own:.1f}" for part, own in used.items())
        yield Row("deposits", f"{ROWS:,} rows against {ORDERS:,} open orders", GOAL, seconds, "s", detail)


@contextlib.contextmanager
def open_orders(shop: Shop, names: list[str], amounts: list[int]) -> Iterator[None]:
    last = {name: shop.one(f"SELECT COALESCE(max(id), 0) FROM {name}") for name in _TABLES}  # noqa: S608 - our names
    with strange_rows(shop.folder), contextlib.closing(psycopg2.connect(shop.dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(
                "INSERT INTO payments_bankaccount (code, bank, sealed_number, holder, is_active, created_at,"
                " updated_at) VALUES (%s, '은행', '', '가게', true, now(), now()) ON CONFLICT DO NOTHING",
                [CODE],
            )
            facts = {"names": names, "amounts": amounts, "after": last["orders_order"]}
            cursor.execute("SELECT now()")
            facts["at"] = cursor.fetchone()[0]
            for statement in (_ORDERS, _LINES, _PAYMENTS):
                cursor.execute(statement, facts)
            # Open orders have come over days: PostgreSQL has tidied up behind them, and does not begin to in between.
            cursor.execute("VACUUM (ANALYZE) orders_order, orders_orderline, payments_payment")
            try:
                yield
            finally:
                for name in _TABLES:
                    cursor.execute(f"DELETE FROM {name} WHERE id > %s", [last[name]])  # noqa: S608 - our names
                cursor.execute("DELETE FROM payments_bankaccount WHERE code = %s", [CODE])
                # What we leave behind is nobody's load.
                cursor.execute(f"VACUUM (ANALYZE) {', '.join(_TABLES)}")


def _statement(random: Random, names: list[str], amounts: list[int]) -> bytes:
    """Nine of ten rows fit an order, some with marks around the name; the others are short or from strangers."""
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(["거래일시", "보낸분", "출금액", "입금액", "잔액", "메모"])
    balance = 1_000_000
    now = time.time()
    for n, place in enumerate(random.sample(range(ORDERS), ROWS)):
        name, amount = names[place], amounts[place]
        if n % 20 == 0:
            amount -= 10
        elif n % 20 == 1:
            name = "모르는분"
        elif n % 20 == 2:
            name = f"(주){name[0]} {name[1:]}"
        balance += amount
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now + 9 * 3600 - n % 3600 + 60))
        writer.writerow([moment, name, 0, amount, balance, ""])
    return target.getvalue().encode("cp949")


def _await_matched(shop: Shop) -> None:
    end = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < end:
        if not shop.one("SELECT EXISTS (SELECT FROM payments_bankdeposit WHERE state = 'NEW')"):
            return
        time.sleep(0.05)
    raise RuntimeError("the deposits were not matched in time")
