"""Numbers out of a range, beside the shop (shipping.md 5.3: in blocks of 100)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.client import Staff
from bench.report import Row
from bench.shop import ROOT, Shop, environment

GOAL = 10_000.0


def issue(shop: Shop, staff: Staff, *, folder: Path) -> Iterator[Row]:
    """송장 채번: numbers in a second, as blocks alone and with the rows of their shipments."""
    command = [sys.executable, "-m", "bench.issuer"]
    env = environment(folder) | {"DJANGO_SETTINGS_MODULE": "oms.settings"}
    done = subprocess.run(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        raise RuntimeError(f"the issuer ended with {done.returncode}")
    found = json.loads(done.stdout)
    for size, rate in found["blocks"].items():
        yield Row("issue", f"range, blocks of {int(size):,}, 8 clerks", GOAL, rate, "/s", is_rate=True)
    detail = f"{found['count']:,} shipments, 160 at a time, locks and rows"
    yield Row("issue", "range, numbers with their rows", None, found["written"], "/s", detail, is_rate=True)
