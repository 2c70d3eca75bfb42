"""`python -m bench --size 100k|1m`: every row of the speed table, goal beside measurement."""

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench import issuing, labels, moves, pages, polls
from bench.client import Staff
from bench.deposits import deposits
from bench.money import money
from bench.report import Row, table
from bench.shop import SIZES, Shop, data_dir, ensure_seeded, running

Case = Callable[[Shop, Staff], Iterator[Row]]
# These need no shop, and none is seeded for them.
ALONE: dict[str, Callable[[], Iterator[Row]]] = {"labels": labels.labels, "claim": polls.claims}


def _cases(times: int, folder: Path) -> dict[str, Case]:
    return {
        "machine": lambda shop, staff: pages.machine(shop, staff, times=times),
        "lists": lambda shop, staff: pages.lists(shop, staff, times=times),
        "search": lambda shop, staff: pages.searches(shop, staff, times=times),
        "counts": lambda shop, staff: pages.counts(shop, staff, times=times),
        "bulk": moves.bulk_moves,
        "export": moves.exports,
        "upload": moves.waybill_upload,
        "polls": lambda shop, staff: polls.polls(shop, staff, folder=folder),
        "issue": lambda shop, staff: issuing.issue(shop, staff, folder=folder),
        "deposits": deposits,
        "money": money,
    }


def _note(rows: list[Row], name: str, case: Callable[[], Iterator[Row]]) -> None:
    """The rows of a group, told as they come; one that cannot be measured says why."""
    try:
        for row in case():
            rows.append(row)
            print(f"  {row.group}: {row.case}: {row.value}", file=sys.stderr, flush=True)
    except RuntimeError as error:
        rows.append(Row(name, str(error)[:100], None, None, "ms"))
        print(f"  {name}: {error}", file=sys.stderr, flush=True)


def main() -> int:
    """Exit status 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="100k")
    parser.add_argument("--times", type=int, default=40, help="requests of one page")
    groups = [*ALONE, *_cases(1, Path())]
    parser.add_argument("--only", action="append", choices=groups, help="some groups; repeatable")
    parser.add_argument("--markdown", action="store_true", help="a table for docs/performance.md")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    options = parser.parse_args()
    wanted = options.only or groups
    rows: list[Row] = []
    for name in [name for name in wanted if name in ALONE]:
        _note(rows, name, ALONE[name])
    if not ALONE.keys() >= set(wanted):
        ensure_seeded(options.size)
        with running(data_dir(options.size)) as shop:
            shop.execute("VACUUM (ANALYZE)")
            staff = Staff(shop.url)
            shop.rest()
            for name, case in _cases(options.times, data_dir(options.size)).items():
                if name in wanted:
                    _note(rows, name, partial(case, shop, staff))
    print(table(rows, markdown=options.markdown, size=options.size))
    return 1 if options.strict and any(row.verdict == "NO" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
