"""The day of bench/day.py through real sockets: `python -m bench.transit --parcels 20000`; exit 1 where they differ.

The parcels are made in a database of their own, the courier sandbox tells their lives, and the services of production
ask (bench/drive.py). The same parcels are then planned alone, and the two days must agree: questions, questions until a
delivery is seen, the busiest minute, and after how long 95 % of the changes were seen. No source may have been asked
above its limit in any second, and what our parcels said after each answer must be what had happened.
"""

import argparse
import json
import subprocess
import sys
from typing import Any

from bench import day, meter
from bench.scratch import scratch
from bench.shop import ROOT

TOLERANCE = 0.03
"""Of counts; the planner alone knows no ticks, so that a question may come one tick later in the shop."""
PEAK_TOLERANCE = 0.15
"""Of the busiest minute, which holds few questions when the parcels are few."""
MINUTES, FRESHNESS_TOLERANCE, TICKS = 2.0, 0.05, 2
"""Of p95: the larger of minutes and share, and so many ticks."""


def compare(planned: dict[str, Any], driven: dict[str, Any], *, tick: int) -> list[str]:
    """One line for each figure; those that begin with ERROR are outside of the tolerance."""
    lines = []
    for name, most in (("polls", TOLERANCE), ("finished", TOLERANCE), ("polls_per_parcel", TOLERANCE),
                       ("peak", PEAK_TOLERANCE)):  # fmt: skip
        lines.append(_line(name, planned[name], driven[name], most * planned[name]))
    for stage, minutes in planned["p95"].items():
        most = max(MINUTES, FRESHNESS_TOLERANCE * minutes) + TICKS * tick / 60
        lines.append(_line(f"p95 minutes until {stage}", minutes, driven["p95"][stage], most))
    return lines


def _line(name: str, planned: float, driven: float, most: float) -> str:
    mark = "ok" if abs(planned - driven) <= most else "ERROR"
    return f"{mark:5} {name}: planned {planned:,.2f}, driven {driven:,.2f}, may differ by {most:,.2f}"


def faults(driven: dict[str, Any], limit: float) -> list[str]:
    """What no tolerance excuses."""
    found = [
        f"ERROR source {courier} was asked {most} times in one second, its limit is {limit:g}"
        for courier, most in driven["busiest"].items()
        if limit and most > limit
    ]
    if driven["wrong"]:
        found.append(f"ERROR {driven['wrong']} times a parcel did not say what had happened to it")
    return found + [f"ERROR {text}" for text in driven["violations"]]


def run(parcels: int, *, limit: float, tick: int) -> list[str]:
    """The whole comparison as lines."""
    options = [f"--parcels={parcels}", f"--limit={limit}", f"--tick={tick}"]
    with scratch(copy="transit") as env:
        command = [sys.executable, "-m", "bench.drive", *options]
        done = subprocess.run(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        return [f"ERROR the drive ended with {done.returncode}"]
    driven = json.loads(done.stdout)
    lives = {pk: day.life_of(key) for pk, key in driven["keys"]}
    limits = {courier: limit for courier, _ in day.SHARES} if limit else {}
    planned = day.figures(day.simulate(lives, limits=limits))
    busiest = ", ".join(f"{courier} {most}" for courier, most in sorted(driven["busiest"].items()))
    return [
        f"{parcels:,} parcels through sockets: made in {driven['made']:.0f} s, driven in {driven['driven']:.0f} s, "
        f"{driven['ticks']:,} ticks, {driven['delivered']:,} delivered, load {meter.load_of_machine()}",
        f"busiest second of each source, limit {limit:g}: {busiest}",
        *compare(planned, driven, tick=tick),
        *faults(driven, limit),
    ]


def main() -> int:
    """Exit status 1 when the two days do not agree."""
    parser = argparse.ArgumentParser(prog="python -m bench.transit", description=__doc__)
    parser.add_argument("--parcels", type=int, default=20_000)
    parser.add_argument("--limit", type=float, default=5, help="questions a second of each source; 0 for none")
    parser.add_argument("--tick", type=int, default=10, help="seconds between two looks at what is due")
    options = parser.parse_args()
    if not 1 <= options.tick <= 60:
        parser.error("--tick is 1 to 60: longer ones would heap up the questions of the busiest minute")
    lines = run(options.parcels, limit=options.limit, tick=options.tick)
    print("\n".join(lines))
    return 1 if any(line.startswith("ERROR") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
