"""배송조회: how many parcels one worker process asks about in a second, against a stub over real sockets."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.client import Staff
from bench.report import Row
from bench.shop import ROOT, Shop, environment

GOAL = 500.0
FEWEST = 100


def polls(shop: Shop, staff: Staff, *, folder: Path) -> Iterator[Row]:
    """Answers per second: all of them new, and all of them known already."""
    env = environment(folder) | {"DJANGO_SETTINGS_MODULE": "oms.settings"}
    command = [sys.executable, "-m", "bench.poller"]
    done = subprocess.run(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        raise RuntimeError(f"the poller ended with {done.returncode}")
    for case, found in zip(("new answers", "the same answers again"), json.loads(done.stdout), strict=True):
        if found["answers"] < FEWEST:
            raise RuntimeError(f"only {found['answers']:.0f} parcels of the last weeks are on their way; seed anew")
        rate = found["answers"] / found["seconds"]
        cpu = found["cpu"] / found["answers"] * 1000
        detail = f"{found['answers']:.0f} parcels, cpu of the process {cpu:.2f} ms each"
        yield Row("polls", f"one process: {case}", GOAL, rate, "/s", detail, is_rate=True)
