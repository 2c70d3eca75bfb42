"""Ten minutes of a shop with a million parcels on their way: `python -m bench.million`; exit 1 where it fails (A20).

The shop is that of `manage.py up` with web, worker, relay and beat; the courier sandbox answers for five couriers, each
of which may be asked so many times a second. Half of the parcels are due when it begins, and the first courier has more
of them than its account can carry. Staff and pushes ask meanwhile about parcels that were just asked about.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from typing import Any

from bench import meter
from bench.report import p50_p95
from bench.sandbox import Sandbox, running_sandbox
from bench.shop import ROOT, Shop, database_alone, environment, manage, running

FOLDER = ROOT / "var" / "bench-million"
ROLES = "migrate,web,worker,relay,beat"
AGO = timedelta(hours=6)
"""The lives in the sandbox begin so much earlier, that some of its parcels have arrived."""
WARM = 120.0
"""Seconds after which memory must be flat."""
MOST_MS, MOST_MIB, MOST_AGE, MOST_ABOVE = 500.0, 32.0, 2.0, 1.05
"""A tick of the planner; growth of one process; age of a due row in stretched intervals; of a limit in any second."""
SLACK = 1.0
"""Seconds by which a question may come sooner than an account wants: its clock is that of the arrival."""


def build(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """The shop, anew."""
    if FOLDER.exists():
        manage(FOLDER, "up", "--remove-data")
    with database_alone(FOLDER, "filling"):
        crowd = _crowd("fill", sandbox, options, f"--limit={options.limit}", f"--min-interval={options.min_interval}")
        if crowd.wait():
            raise SystemExit("the shop could not be filled")


def _crowd(part: str, sandbox: Sandbox, options: argparse.Namespace, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bench.crowd", part, f"--parcels={options.parcels}", f"--url={sandbox.url}", *more]
    env = environment(FOLDER) | {"DJANGO_SETTINGS_MODULE": "oms.settings"}
    return subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def let_live(sandbox: Sandbox) -> None:
    """Every number lives by its own hash, since a while."""
    sandbox.tell("clock", advance=-AGO.total_seconds())
    sandbox.tell("config", million=True)
    sandbox.tell("clock", real=True)


def observe(shop: Shop, sandbox: Sandbox, options: argparse.Namespace) -> dict[str, Any]:
    """The minutes themselves."""
    before, crowd = meter.cpu_by_part(shop.pid), _crowd("watch", sandbox, options, f"--minutes={options.minutes}")
    time.sleep(min(WARM, options.minutes * 30))
    warm = meter.python_memory(shop.pid)
    told, _ = crowd.communicate()
    if crowd.returncode:
        raise SystemExit("nobody could watch")
    grown = {pid: (size - warm[pid]) / 2**20 for pid, size in meter.python_memory(shop.pid).items() if pid in warm}
    return json.loads(told) | {"cpu": meter.used(shop.pid, before), "grown": max(grown.values())}


def judge(found: dict[str, Any], options: argparse.Namespace) -> list[str]:
    """One line for each demand; those that begin with ERROR were not met."""
    lines = []

    def line(is_met: bool, text: str) -> None:
        lines.append(f"{'ok' if is_met else 'ERROR':5} {text}")

    p50, p95 = p50_p95(found["ticks"])
    most = max(found["ticks"])
    line(most <= MOST_MS, f"tick every ten seconds: {p50:.0f} ms, p95 {p95:.0f}, longest {most:.0f}, may {MOST_MS:g}")
    line(found["grown"] <= MOST_MIB, f"memory of a process: {found['grown']:+.1f} MiB, may {MOST_MIB:g}")
    for courier, most in found["busiest"].items():
        age, asked = found["ages"][courier], found["asked"][courier]
        line(asked > 0 and age <= MOST_AGE, f"{courier}: {asked:,} asked, oldest due {age:.2f} of its interval")
        line(most <= options.limit * MOST_ABOVE, f"{courier}: {most} in its busiest second, limit {options.limit:g}")
    gap = found["gap"]
    text = f"{found['again']:,} asked again, after {gap or 0:.1f} s at least, may not before {options.min_interval}"
    line(bool(found["again"]) and gap >= options.min_interval - SLACK, text)
    line(found["failed"] == 0, f"{found['failed']} questions failed")
    return lines


def main() -> int:
    """Exit status 1 when a demand was not met."""
    parser = argparse.ArgumentParser(prog="python -m bench.million", description=__doc__)
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--limit", type=float, default=100, help="questions a second of each of the five accounts")
    parser.add_argument("--min-interval", type=int, default=120, help="seconds between two questions about one number")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_sandbox(folder) as sandbox:
        build(sandbox, options)
        let_live(sandbox)
        with running(FOLDER, roles=ROLES) as shop:
            found = observe(shop, sandbox, options)
    asked, cpu = sum(found["asked"].values()), {part: round(seconds) for part, seconds in found["cpu"].items()}
    print(f"{options.parcels:,} parcels, {asked:,} questions in {options.minutes:g} min, "
          f"{asked / options.minutes / 60:.0f}/s, processor seconds {cpu}, load {meter.load_of_machine()}")  # fmt: skip
    print(f"stages {found['stages']}; {found['pressed']}")
    # A run of less than a minute has none.
    p50, p95 = p50_p95(found["plans"] or [0.0])
    print(f"counting all rows for the stretch, which the shop does every five minutes: {p50:.0f} ms, p95 {p95:.0f}")
    lines = judge(found, options)
    print("\n".join(lines))
    return 1 if any(line.startswith("ERROR") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
