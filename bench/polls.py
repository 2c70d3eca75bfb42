"""배송조회: how many parcels one worker process asks about in a second, against a stub over real sockets."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.client import Staff
from bench.report import Row, p50_p95
from bench.scratch import scratch
from bench.shop import ROOT, Shop, environment

GOAL = 500.0
CLAIM_GOAL = 5.0
FEWEST = 100


def polls(shop: Shop, staff: Staff, *, folder: Path) -> Iterator[Row]:
    """Answers per second: all of them new, and all of them known already."""
    env = environment(folder) | {"DJANGO_SETTINGS_MODULE": "oms.settings"}
    told = _run("bench.poller", env)
    for case, found in zip(("new answers", "the same answers again"), told, strict=True):
        if found["answers"] < FEWEST:
            raise RuntimeError(f"only {found['answers']:.0f} parcels of the last weeks are on their way; seed anew")
        rate = found["answers"] / found["seconds"]
        cpu = found["cpu"] / found["answers"] * 1000
        detail = f"{found['answers']:.0f} parcels, cpu of the process {cpu:.2f} ms each"
        yield Row("polls", f"one process: {case}", GOAL, rate, "/s", detail, is_rate=True)


def claims() -> Iterator[Row]:
    """Claiming 200 due rows of a courier out of 1,000,000, in a database of its own; the plan is printed."""
    with scratch() as env:
        found = _run("bench.claimer", env)
    print("\n".join(found["plan"]), file=sys.stderr)
    p50, p95 = p50_p95(found["ms"])
    # Without the way there and back and the commit, which wait for the disk and for others.
    alone = found["plan"][-1].partition(":")[2].strip()
    detail = f"p95 {p95:.1f} ms of {len(found['ms'])}, the statement alone {alone}; "
    detail += f"table {found['table']}, index {found['index']}"
    yield Row("claim", "200 due of 1,000,000 poll rows", CLAIM_GOAL, p50, "ms", detail)


def _run(module: str, env: dict[str, str]) -> Any:
    """What a module of its own process prints as JSON."""
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        raise RuntimeError(f"{module} ended with {done.returncode}")
    return json.loads(done.stdout)
