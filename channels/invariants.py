"""What must be true of channels at any moment."""

from collections.abc import Iterator

from django.db import connection

from core.invariants import Violation, invariant

INV_10, INV_14 = "INV-10", "INV-14"

# An answer is stored in the transaction of its work: a row without one was committed by nobody.
_UNANSWERED = "SELECT id, key FROM channels_idempotencykey WHERE status = 0 ORDER BY id"
# Orders have come in with this product and option since it was connected: each of those lines had a variant.
_UNMAPPED = """
    SELECT line.number, listing.id
      FROM orders_orderline line
      JOIN orders_order parent ON parent.id = line.order_id
      JOIN channels_channellisting listing
        ON listing.channel_id = parent.channel_id
       AND listing.product = line.channel_product AND listing.option = line.channel_option
     WHERE (line.open_locks & 8) <> 0 AND line.variant_id IS NULL AND line.created_at > listing.updated_at
     ORDER BY line.id
"""
# A row of an order file that was taken names the line that it became.
_ROWS = """
    SELECT item.id, job.uuid, item.row_number
      FROM core_jobitem item
      JOIN core_job job ON job.id = item.job_id
      LEFT JOIN orders_orderline line ON line.id = item.target_id
     WHERE job.act = 'order-file' AND item.result = 'OK' AND line.id IS NULL
     ORDER BY item.id
"""


@invariant(INV_10, "every remembered API request has the answer it was given")
def answered_requests() -> Iterator[Violation]:
    """중복 방지 키: none without an answer."""
    for pk, key in _rows(_UNANSWERED):
        yield Violation(INV_10, f"idempotency key {pk}", f"{key} has no stored answer")


@invariant(INV_14, "every applied row of an order file is one order line")
def applied_rows() -> Iterator[Violation]:
    """주문 파일 행: each applied one has its line."""
    for _, job, number in _rows(_ROWS):
        yield Violation(INV_14, f"job {job}", f"row {number} is applied and names no order line")


@invariant(INV_14, "no line waits for a product that was connected before it came in")
def connected_lines() -> Iterator[Violation]:
    """품목 연결: what is remembered is used."""
    for number, listing in _rows(_UNMAPPED):
        yield Violation(INV_14, str(number), f"waits although listing {listing} was there before")


def _rows(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())
