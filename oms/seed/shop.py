"""견본 쇼핑몰: the whole load, in one transaction."""

import time
from contextlib import nullcontext

from django.db import connection, transaction

from core.exceptions import Conflict
from core.triggers import BULK_LOAD
from oms.seed import bulk, history, master, money, orders, shipping, timeline
from oms.seed.loader import Loader, Say
from oms.seed.plan import Plan
from orders.models import Order

BULK_FROM = 50_000
"""From this many orders on, building the indexes once is faster than keeping them up."""
NOT_EMPTY = "이미 주문이 {n:,}건 있습니다. 빈 쇼핑몰에서 실행하거나 --append를 붙이세요."
ANALYZED = ("core", "products", "orders", "payments", "shipping")


def seed_shop(plan: Plan, *, say: Say, append: bool = False, strip: bool | None = None) -> None:
    """견본 적재: products, orders and all that belongs to them, the same rows for the same plan.

    All or nothing. Raises Conflict when the shop has orders already, unless `append`. `strip` drops and rebuilds the
    indexes of the large tables around the load; by itself only for large loads into an empty shop.
    """
    started = time.monotonic()
    with transaction.atomic():
        present = Order.objects.count() if append else Order.objects.all()[:1].count()
        if present and not append:
            raise Conflict(NOT_EMPTY.format(n=Order.objects.count()))
        say(f"주문 {plan.orders:,}건을 만듭니다. 기간 {plan.days}일, 시드 {plan.seed}.")
        load = Loader(plan, say)
        load.prepare()
        channels, staff = master.channels(), master.staff(at=plan.opened_at)
        master.products(at=plan.opened_at)
        # Checks of what came in so far must not wait for the end: tables with open checks cannot be altered.
        load.run("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        is_stripped = not present and plan.orders >= BULK_FROM if strip is None else strip
        load.run(BULK_LOAD)
        with bulk.stripped(load) if is_stripped else nullcontext():
            timeline.build(load, channels=channels)
            money.count_stock(load)
            orders.write(load, staff=staff)
            money.write_payments(load, staff=staff)
            money.write_benefits(load)
            money.write_stock(load)
            shipping.write(load)
            history.write(load, staff=staff)
            load.run("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        load.finish()
        load.run("SELECT set_config('oms.bulk_load', '', true)")
    _analyze()
    say(f"주문 {plan.orders:,}건을 만들었습니다. {time.monotonic() - started:.0f}초 걸렸습니다.")


def _analyze() -> None:
    """Statistics, without which the first hours run on wrong plans; the visibility of pages is left to autovacuum."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(relname) FROM pg_stat_user_tables WHERE split_part(relname, '_', 1) = ANY(%s)",
            [list(ANALYZED)],
        )
        cursor.execute(f"ANALYZE {', '.join(name for (name,) in cursor.fetchall())}")
