"""Lists, searches and counts, as one logged-in person asks for them."""

import html
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench import meter
from bench.client import Answer, Staff
from bench.report import Row, p50_p95
from bench.shop import Shop

STEPS = ("", "awaiting-payment/", "preparing/", "ready/", "shipping/", "delivered/", "confirmed/")
DEEP_PAGES = 40
_NEXT = re.compile(r'rel="next" href="([^"]+)"')
_TABS = re.compile(r'<nav class="tabs".*?</nav>', re.S)
_HREF = re.compile(r'href="([^"]+)"')


@dataclass
class Measured:
    """Times of some requests, and processor milliseconds for each."""

    p50: float
    p95: float
    cpu: float
    size: int

    @property
    def detail(self) -> str:
        return f"p95 {self.p95:.1f} ms, cpu {self.cpu:.1f} ms, {self.size / 1024:.0f} KB"


def measure(shop: Shop, ask: Callable[[int], Answer], *, times: int) -> Measured | None:
    """Ask twice to warm up, then `times` times; None when the page does not answer 200."""
    for n in range(2):
        if ask(n).status != 200:
            return None
    before, started = meter.cpu(shop.pid), time.monotonic()
    answers = [ask(n) for n in range(times)]
    idle = shop.idle_cpu * (time.monotonic() - started)
    used = (meter.cpu(shop.pid) - before - idle) * 1000 / times
    bad = [answer.status for answer in answers if answer.status != 200]
    if bad:
        raise RuntimeError(f"{len(bad)} of {times} answers were {bad[0]}")
    p50, p95 = p50_p95([answer.ms for answer in answers])
    return Measured(p50, p95, used, len(answers[-1].body))


def machine(shop: Shop, staff: Staff, *, times: int) -> Iterator[Row]:
    """What this machine gives just now: a request that does nothing, and a fixed piece of Python."""
    found = measure(shop, lambda n: staff.get("/healthz"), times=times)
    yield Row("machine", "/healthz, no database (quiet: 0.5 ms)", None, found.p50 if found else None, "ms",
              found.detail if found else "")  # fmt: skip
    wall, used = time.perf_counter(), time.process_time()
    sum(n * n % 7 for n in range(3_000_000))
    wall, used = time.perf_counter() - wall, time.process_time() - used
    yield Row("machine", "3,000,000 rounds of a loop: processor time", None, used, "s", f"{wall:.2f} s of the clock")


def lists(shop: Shop, staff: Staff, *, times: int) -> Iterator[Row]:
    """First, deep and last page of every step, each of its tabs, and two conditions."""
    for step in STEPS:
        url = f"/orders/{step}"
        first = _page(shop, staff, url, times=times)
        yield _row("list", f"{url} first page", 25, first)
        if first is None:
            continue
        deep = _deep(staff, url)
        if deep:
            found = _page(shop, staff, deep, times=times)
            yield _row("list", f"{url} deep page", first.p50 * 1.2, found, f" ({DEEP_PAGES} pages on)")
        page = staff.get(url).text
        tabs = _TABS.search(page)
        for href in (_HREF.findall(tabs[0]) if tabs else [])[1:]:
            target = html.unescape(href)
            yield _row("list", f"tab {target}", 25, _page(shop, staff, target, times=max(10, times // 3)))
        target = f"{url}?period=7d"
        yield _row("list", target, 25, _page(shop, staff, target, times=max(10, times // 3)))


def _page(shop: Shop, staff: Staff, url: str, *, times: int) -> Measured | None:
    return measure(shop, lambda n: staff.get(url), times=times)


def _deep(staff: Staff, url: str) -> str:
    """Address of the page that `DEEP_PAGES` presses of 다음 lead to, or the last one before."""
    here = ""
    page = staff.get(url)
    for _ in range(DEEP_PAGES):
        found = _NEXT.search(page.text)
        if not found:
            break
        here = html.unescape(found[1])
        page = staff.get(here)
    return here


def _row(group: str, case: str, goal: float, found: Measured | None, extra: str = "") -> Row:
    if found is None:
        return Row(group, case, goal, None, "ms")
    return Row(group, case, goal, found.p50, "ms", found.detail + extra)


def searches(shop: Shop, staff: Staff, *, times: int) -> Iterator[Row]:
    """What people type into the search box; every request another needle that exists."""
    # Ids spread over the whole table: the newest orders alone would be in memory anyway.
    spread = "id IN (SELECT (max(id) * n / 61)::bigint FROM orders_order, generate_series(1, 60) n GROUP BY n)"
    orders = shop.rows(
        "SELECT number, right(recipient_name, 2), split_part(address1, ' ', 3) || ' ' || split_part(address1, ' ', 4),"
        f" right(recipient_phone, 4), recipient_name FROM orders_order WHERE {spread}"
    )
    parcels = shop.rows(
        "SELECT s.number, p.waybill FROM shipping_parcel p JOIN shipping_shipment s ON s.id = p.shipment_id"
        " WHERE p.id IN (SELECT (max(id) * n / 61)::bigint FROM shipping_parcel, generate_series(1, 60) n GROUP BY n)"
    )
    ready = shop.rows("SELECT number FROM shipping_shipment WHERE step = 'SHIPPING' ORDER BY id LIMIT 60")
    cases = (
        ("order number", "/orders/", [row[0] for row in orders], 12),
        ("phone, last 4", "/orders/", [row[3] for row in orders], 12),
        ("name, 2 syllables", "/orders/", [row[1].replace(" ", "") for row in orders], 30),
        ("name, whole", "/orders/", [row[4] for row in orders], 30),
        ("address part", "/orders/", [row[2] for row in orders], 30),
        ("shipping number", "/orders/", [row[0] for row in parcels], 12),
        ("waybill", "/orders/", [row[1] for row in parcels], 12),
        ("shipping number", "/orders/shipping/", [row[0] for row in ready], 12),
    )
    for label, url, needles, goal in cases:
        if not needles:
            yield Row("search", f"{label} on {url}", goal, None, "ms")
            continue
        found = measure(shop, _asking(staff, url, needles), times=times)
        yield _row("search", f"{label} on {url}", goal, found)


def _asking(staff: Staff, url: str, needles: list[str]) -> Callable[[int], Answer]:
    def ask(n: int) -> Answer:
        return staff.get(f"{url}?{_query(needles[n % len(needles)])}")

    return ask


def _query(text: str) -> str:
    return "q=" + "".join(f"%{byte:02X}" for byte in text.encode())


def counts(shop: Shop, staff: Staff, *, times: int) -> Iterator[Row]:
    """Badges of the menu; the tab counts are part of every list page above."""
    found = measure(shop, lambda n: staff.get("/menu/counts/", htmx="menu"), times=times)
    yield _row("counts", "/menu/counts/", 15, found)
