"""What must be true of stock at any moment."""

from collections.abc import Iterator
from typing import Any

from django.db import connection

from core.invariants import Violation, invariant

INV_07, INV_14 = "INV-07", "INV-14"
MOST = 20

# Every level is the sum of its movements (the opening stock is a movement too), whichever of the two is missing.
_SUMS = """
    SELECT COALESCE(level.variant_id, ledger.variant_id), level.on_hand, level.demand, level.allocated,
           ledger.on_hand, ledger.demand, ledger.allocated
      FROM products_stocklevel level
      FULL JOIN (SELECT variant_id, sum(on_hand) AS on_hand, sum(demand) AS demand, sum(allocated) AS allocated
                   FROM products_stockmovement GROUP BY variant_id) ledger USING (variant_id)
     WHERE (COALESCE(level.on_hand, 0), COALESCE(level.demand, 0), COALESCE(level.allocated, 0))
           <> (COALESCE(ledger.on_hand, 0), COALESCE(ledger.demand, 0), COALESCE(ledger.allocated, 0))
     ORDER BY 1
"""
_BOUNDS = """
    SELECT variant_id, on_hand, demand, allocated
      FROM products_stocklevel
     WHERE on_hand < 0 OR demand < 0 OR allocated < 0 OR allocated > on_hand
     ORDER BY variant_id
"""
# The part of a reference before the slash is the line; a line holds stock at most once and never less than nothing.
_LINES = """
    SELECT split_part(reference, '/', 1) AS line, sum(allocated) AS held,
           count(*) FILTER (WHERE allocated > 0) - count(*) FILTER (WHERE allocated < 0) AS times
      FROM products_stockmovement
     WHERE allocated <> 0
     GROUP BY 1
    HAVING sum(allocated) < 0
        OR count(*) FILTER (WHERE allocated > 0) - count(*) FILTER (WHERE allocated < 0) NOT IN (0, 1)
        OR (count(*) FILTER (WHERE allocated > 0) = count(*) FILTER (WHERE allocated < 0) AND sum(allocated) <> 0)
     ORDER BY 1
"""

_FILE_ROWS = f"""
    SELECT job.uuid, item.row_number
      FROM core_jobitem item
      JOIN core_job job ON job.id = item.job_id
      LEFT JOIN products_stockmovement movement
        ON movement.reference = replace(job.uuid::text, '-', '') || ':' || item.target_id
     WHERE job.act = 'stock-upload' AND job.kind = 'UPLOAD' AND item.result = 'OK' AND movement.id IS NULL
     ORDER BY item.id LIMIT {MOST}
"""


@invariant(INV_14, "Every applied row of a stock file is one movement.")
def check_file_rows() -> Iterator[Violation]:
    """재고 파일 행 검사."""
    for job, number in _rows(_FILE_ROWS):
        yield Violation(INV_14, f"job {job}", f"row {number} is applied and moved no stock")


@invariant(INV_07, "A stock level is the sum of its movements; 0 <= allocated <= on hand; a line holds stock once.")
def check_stock() -> list[Violation]:
    """재고 검사: levels against the ledger, bounds, and the live allocations of lines (reliability.md 5.3)."""
    return [*_wrong_sums(), *_out_of_bounds(), *_lines_held_twice()]


def _rows(sql: str) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        yield from cursor.fetchall()


def _wrong_sums() -> Iterator[Violation]:
    for variant, *figures in _rows(_SUMS):
        level, ledger = figures[:3], figures[3:]
        yield Violation(INV_07, f"variant {variant}", f"level {_text(level)}, movements add up to {_text(ledger)}")


def _out_of_bounds() -> Iterator[Violation]:
    for variant, *level in _rows(_BOUNDS):
        yield Violation(INV_07, f"variant {variant}", f"level out of bounds: {_text(level)}")


def _lines_held_twice() -> Iterator[Violation]:
    for line, held, times in _rows(_LINES):
        yield Violation(INV_07, f"line {line}", f"holds {held} units in {times} allocations")


def _text(figures: list[int]) -> str:
    names = ("on hand", "demand", "allocated")
    return ", ".join(f"{name} {figure or 0}" for name, figure in zip(names, figures, strict=True))
