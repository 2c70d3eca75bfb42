"""A long run of the demo shop under mixed load: `python -m bench.soak --minutes 30`; at the end `oms_check` decides.

Readers turn pages and search, staff press buttons on a few rows at a time, new orders keep coming, the sandbox
delivers. Counted: answers by status, refusals, the slowest twentieth. Exit 1 for any 5xx, any act that broke
off and any broken invariant.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from bench import meter
from bench.client import Staff
from bench.report import p50_p95
from bench.shop import ROOT, Shop, environment, manage, running

FOLDER = ROOT / "var" / "soak"
PAGES = ("", "awaiting-payment/", "preparing/", "ready/", "shipping/", "delivered/", "confirmed/")
# (list, act, fields of its form); together they carry lines from deposit to 구매확정, and some of them back.
ACTS = (
    ("awaiting-payment", "confirm-payment", {}),
    ("preparing", "acknowledge", {}),
    ("preparing", "make-ready", {}),
    ("preparing", "hold", {"reason": "시험"}),
    ("preparing", "release-hold", {}),
    ("ready", "return-to-preparing", {"reason": "시험"}),
    ("ready", "ship", {}),
    ("shipping", "deliver", {"reason": "시험"}),
    ("delivered", "confirm-purchase", {"reason": "시험"}),
)
_BROKEN = "SELECT act, error FROM core_job WHERE state = 'FAILED' ORDER BY id"
_ROWS = re.compile(r'<tbody[^>]*data-id="(\d+)"[^>]*data-version="(\d+)"')
_APPLY = re.compile(r"/acts/([0-9a-f-]{36})/apply/")


class Tally:
    """What happened, from all threads."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.times: list[float] = []
        self.errors: list[str] = []
        self._lock = threading.Lock()

    def note(self, what: str, status: int, ms: float) -> None:
        with self._lock:
            self.statuses[f"{what} {status}"] += 1
            self.times.append(ms)
            if status >= 500:
                self.errors.append(f"{what} {status}")

    def fail(self, error: Exception) -> None:
        with self._lock:
            self.errors.append(f"{type(error).__name__}: {error}"[:200])


def read(shop: Shop, tally: Tally, ending: threading.Event, seed: int) -> None:
    """Turn pages and search until the end."""
    chance, staff = random.Random(seed), Staff(shop.url, name="cs")
    names = [name for (name,) in shop.rows("SELECT right(recipient_name, 2) FROM orders_order LIMIT 200")]
    while not ending.is_set():
        page = f"/orders/{chance.choice(PAGES)}"
        url = chance.choice([page, page, f"{page}?period=7d", f"/orders/?q={_quoted(chance.choice(names))}"])
        answer = staff.get(url)
        tally.note("read", answer.status, answer.ms)
        ending.wait(chance.random() * 0.2)


def work(shop: Shop, tally: Tally, ending: threading.Event, seed: int) -> None:
    """Press buttons on up to 20 rows until the end; two of these meet on the same rows."""
    chance, staff = random.Random(seed), Staff(shop.url, name="owner")
    while not ending.is_set():
        page, act, form = chance.choice(ACTS)
        listed = staff.get(f"/orders/{page}/?size=100")
        tally.note("list", listed.status, listed.ms)
        rows = _ROWS.findall(listed.text)
        if rows:
            some = chance.sample(rows, min(len(rows), chance.randint(1, 20)))
            fields = {"page": page, "mode": "ids", "rows": ",".join(":".join(row) for row in some)} | form
            answer = staff.post(f"/acts/{act}/", fields, htmx="dialog")
            tally.note(act, answer.status, answer.ms)
            confirm = _APPLY.search(answer.text)
            if confirm:
                answer = staff.post(f"/acts/{confirm[1]}/apply/", form, htmx="dialog")
                tally.note(f"{act} apply", answer.status, answer.ms)
        ending.wait(chance.random() * 0.5)


def receive(folder: Path, ending: threading.Event, tally: Tally) -> None:
    """New orders every minute."""
    seed = int(time.time()) % 1_000_000
    while not ending.wait(60):
        seed += 1
        try:
            manage(folder, "oms_seed", "--orders=100", f"--seed={seed}", "--days=3", "--append")
        except subprocess.CalledProcessError as error:
            tally.fail(error)


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _guarded(tally: Tally, task: object, *args: object) -> None:
    try:
        task(*args)  # type: ignore[operator]
    except Exception as error:  # the run goes on and says so at its end
        tally.fail(error)


def main() -> int:
    """Exit status 1 when something broke."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True, mode=0o711)
    tally, ending = Tally(), threading.Event()
    with running(FOLDER, "--demo", roles="") as shop:
        memory = meter.python_memory(shop.pid)
        tasks = [(read, shop, tally, ending, 1), (read, shop, tally, ending, 2), (work, shop, tally, ending, 3),
                 (work, shop, tally, ending, 4), (receive, FOLDER, ending, tally)]  # fmt: skip
        threads = [threading.Thread(target=_guarded, args=(tally, *task), daemon=True) for task in tasks]
        for thread in threads:
            thread.start()
        time.sleep(options.minutes * 60)
        ending.set()
        for thread in threads:
            thread.join(timeout=120)
        grown = max((size - memory.get(pid, size) for pid, size in meter.python_memory(shop.pid).items()), default=0)
        time.sleep(5)
        tally.errors += [f"job {act}: {error}" for act, error in shop.rows(_BROKEN)]
        found = check()
    p50, p95 = p50_p95(tally.times) if tally.times else (0.0, 0.0)
    print(f"{len(tally.times):,} requests in {options.minutes:g} min, p50 {p50:.0f} ms, p95 {p95:.0f} ms, "
          f"memory of a process +{grown / 2**20:.0f} MiB, load {meter.load_of_machine()}")  # fmt: skip
    for what, count in sorted(tally.statuses.items()):
        print(f"  {what}: {count:,}")
    for error in tally.errors[:20]:
        print(f"  ERROR {error}")
    print(f"oms_check: {'ok' if found['ok'] else json.dumps(found['violations'], ensure_ascii=False)[:2000]}")
    return 0 if found["ok"] and not tally.errors else 1


def check() -> dict[str, object]:
    """The invariants, while the shop stands still."""
    command = [sys.executable, str(ROOT / "manage.py"), "oms_check", "--json"]
    done = subprocess.run(command, env=environment(FOLDER), cwd=ROOT, capture_output=True, text=True, check=False)
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    sys.exit(main())
