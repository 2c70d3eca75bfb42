"""Bulk acts through the one bulk view and the worker, files in and out; every case takes back what it did."""

import io
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openpyxl
import psycopg2
from python_calamine import CalamineWorkbook

from bench import meter
from bench.client import Staff
from bench.report import Row
from bench.shop import Shop
from shipping.couriers import CheckRule, Courier
from shipping.waybills import with_check_digit

_JOB = re.compile(r"/acts/([0-9a-f-]{36})/apply/|/jobs/([0-9a-f-]{36})/")
_AS_OF = re.compile(r'data-as-of="([^"]+)"')
_COLUMNS = re.compile(r'name="columns" value="([^"]+)"')
LONGEST_WAIT = 600.0
CJ = Courier(slug="CJGLS", name="CJ대한통운", digits=(12,), check=CheckRule.CJ_BODY)


@dataclass
class Done:
    """What became of a job, in seconds of a person's waiting."""

    uuid: str
    preview: float
    apply: float
    ok: int
    refused: int

    @property
    def total(self) -> float:
        return self.preview + self.apply


class LongestLock(meter.Beside):
    """Longest time for which a row of the set could not be locked by somebody else, while a block runs."""

    def __init__(self, shop: Shop, order_ids: list[int]) -> None:
        super().__init__()
        self.ids, self.longest, self.tries = order_ids, 0.0, 0
        self._connection = psycopg2.connect(shop.dsn)
        self._connection.autocommit = True

    def run(self) -> None:
        with self._connection.cursor() as cursor:
            while not self.ending.wait(0.01):
                one = self.ids[self.tries * 37 % len(self.ids)]
                started = time.perf_counter()
                cursor.execute("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", [one])
                self.longest = max(self.longest, time.perf_counter() - started)
                self.tries += 1

    def __exit__(self, *ended: Any) -> None:
        super().__exit__(*ended)
        self._connection.close()


def _uuid(text: str) -> str:
    found = _JOB.search(text)
    if found is None:
        raise RuntimeError(f"no job in the answer: {text[:300]}")
    return found[1] or found[2]


def act(shop: Shop, staff: Staff, name: str, fields: dict[str, Any]) -> Done:
    """Press a button: preview, confirm, wait for the end."""
    answer = staff.post(f"/acts/{name}/", fields, htmx="dialog")
    if answer.status != 200:
        raise RuntimeError(f"{name}: HTTP {answer.status} {answer.text[:300]}")
    uuid = _uuid(answer.text) if "/acts/" in answer.text else re.findall(r'data-result="([^"]+)"', answer.text)[0]
    return _confirm(shop, staff, uuid, f"/acts/{uuid}/apply/", preview=answer.ms / 1000, fields={})


def undo(shop: Shop, staff: Staff, uuid: str) -> Done:
    """Take a job back, as its strip offers it."""
    answer = staff.post(f"/jobs/{uuid}/undo/", {}, htmx="dialog")
    return _confirm(shop, staff, uuid, f"/jobs/{uuid}/undo/apply/", preview=answer.ms / 1000, fields={}, is_undo=True)


def _confirm(
    shop: Shop, staff: Staff, uuid: str, url: str, *, preview: float, fields: dict[str, str], is_undo: bool = False
) -> Done:
    started = time.perf_counter()
    if is_undo or _state(shop, uuid)[0] == "PREVIEW":
        answer = staff.post(url, fields, htmx="dialog")
        if answer.status not in {200, 302}:
            raise RuntimeError(f"{url}: HTTP {answer.status} {answer.text[:300]}")
    if is_undo:
        uuid = str(shop.one("SELECT u.uuid FROM core_job u JOIN core_job j ON j.id = u.undoes_id WHERE j.uuid = %s"
                            " ORDER BY u.id DESC LIMIT 1", uuid))  # fmt: skip
    state, ok, refused = wait(shop, uuid)
    if state not in {"DONE", "PARTIAL"}:
        raise RuntimeError(f"job {uuid} ended {state}")
    return Done(uuid, preview, time.perf_counter() - started, ok, refused)


def _state(shop: Shop, uuid: str) -> tuple[Any, ...]:
    return shop.rows("SELECT state, done, failed FROM core_job WHERE uuid = %s", uuid)[0]


def wait(shop: Shop, uuid: str) -> tuple[Any, ...]:
    """State, done and refused of a job when it has ended."""
    end = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < end:
        found = _state(shop, uuid)
        if found[0] not in {"PREVIEW", "QUEUED", "RUNNING"}:
            return found
        time.sleep(0.02)
    raise RuntimeError(f"job {uuid} did not end")


_PREPARING = """
SELECT o.id, o.version, count(*) FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id
WHERE l.state = 'PREPARING' AND o.steps & 2 <> 0 GROUP BY o.id ORDER BY o.id DESC
"""
_DAYS = """
SELECT (o.ordered_at AT TIME ZONE 'Asia/Seoul')::date AS day, count(*), array_agg(DISTINCT o.id)
FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id
WHERE l.state = 'PREPARING' AND o.steps & 2 <> 0 GROUP BY 1 ORDER BY 1 DESC
"""


def bulk_moves(shop: Shop, staff: Staff) -> Iterator[Row]:
    """배송준비중 처리 of about 1,000 lines by ids and about 10,000 by filter: verdict, stock, event, shipment."""
    found = iter(shop.rows(_PREPARING))
    ids, chosen, lines = _lines(found, 1000)
    if not chosen:
        yield Row("bulk", "1,000 lines", 0.3, None, "s")
        return
    # The first act of a process loads code, plans and catalogues; measured is one that follows, on other rows.
    _, others, more = _lines(found, 400)
    if more > 200:
        undo(shop, staff, act(shop, staff, "make-ready", {"page": "preparing", "mode": "ids", "rows": others}).uuid)
    fields = {"page": "preparing", "mode": "ids", "rows": chosen}
    yield from _bulk(shop, staff, fields, ids, goal=0.3, label=f"배송준비중 처리, {lines:,} lines by ids")
    yield from _by_filter(shop, staff)


def _lines(found: Iterator[tuple[Any, ...]], wanted: int) -> tuple[list[int], str, int]:
    """The next orders with about so many lines: ids, the selection as a list sends it, number of lines."""
    ids: list[int] = []
    pairs: list[str] = []
    lines = 0
    while lines < wanted and len(ids) < 2000 and (row := next(found, None)):
        pk, version, count = row
        ids.append(pk)
        pairs.append(f"{pk}:{version}")
        lines += count
    return ids, ",".join(pairs), lines


def _by_filter(shop: Shop, staff: Staff) -> Iterator[Row]:
    total, days = 0, []
    ids: list[int] = []
    for day, count, some in shop.rows(_DAYS):
        if total and abs(total - 10_000) < abs(total + count - 10_000):
            break
        total, ids = total + count, ids + some
        days.append(day)
    query = f"basis=ordered&from={min(days):%Y-%m-%d}&to={max(days):%Y-%m-%d}"
    page = staff.get(f"/orders/preparing/?{query}")
    as_of = _AS_OF.search(page.text)
    if page.status != 200 or as_of is None:
        yield Row("bulk", "10,000 lines", 3.0, None, "s")
        return
    fields = {"page": "preparing", "mode": "filter", "query": query, "as_of": as_of[1], "expected": len(ids)}
    goal = 3.0 * total / 10_000
    yield from _bulk(shop, staff, fields, ids, goal=goal, label=f"배송준비중 처리, {total:,} lines by filter")


def _bulk(
    shop: Shop, staff: Staff, fields: dict[str, Any], ids: list[int], *, goal: float, label: str
) -> Iterator[Row]:
    before = meter.cpu(shop.pid)
    with LongestLock(shop, ids) as lock:
        done = act(shop, staff, "make-ready", fields)
    used = meter.cpu(shop.pid) - before
    detail = f"{done.ok:,} moved, {done.refused:,} refused; cpu of both {used:.1f} s"
    yield Row("bulk", f"{label}: preview", None, done.preview, "s")
    yield Row("bulk", f"{label}: apply", goal, done.apply, "s", detail)
    yield Row("bulk", f"{label}: longest lock", 50, lock.longest * 1000, "ms", f"{lock.tries} tries")
    back = undo(shop, staff, done.uuid)
    yield Row("bulk", f"{label}: undo", None, back.apply, "s", f"{back.ok:,} taken back, {back.refused:,} refused")


def exports(shop: Shop, staff: Staff) -> Iterator[Row]:
    """About 10,000 rows in the request, about 100,000 by the worker, with every column of the list."""
    page = staff.get("/orders/").text
    columns = _COLUMNS.findall(page)
    if not columns:
        yield Row("export", "10,000 rows", 0.8, None, "s")
        return
    staff.post("/orders/columns/", {"columns": columns, "freeze": "1"})
    try:
        for wanted, goal in ((10_000, 0.8), (100_000, 6.0)):
            yield from _export(shop, staff, wanted, goal)
    finally:
        staff.post("/orders/columns/", {"freeze": "1"})


def _export(shop: Shop, staff: Staff, wanted: int, goal: float) -> Iterator[Row]:
    days = shop.rows(
        "SELECT (ordered_at AT TIME ZONE 'Asia/Seoul')::date, sum(line_count) FROM orders_order"
        " WHERE ordered_at < (SELECT max(ordered_at) - interval '20 days' FROM orders_order) GROUP BY 1 ORDER BY 1 DESC"
    )
    lines, chosen = 0, []
    for day, count in days:
        if lines >= wanted:
            break
        lines += int(count)
        chosen.append(day)
    url = f"/orders/excel/?from={min(chosen):%Y-%m-%d}&to={max(chosen):%Y-%m-%d}"
    before = meter.cpu(shop.pid)
    with meter.Growth(shop.pid) as memory:
        started = time.perf_counter()
        answer = staff.post(url, {"reason": "속도 측정"})
        content = answer.body
        if answer.status == 302:
            uuid = _uuid(answer.location)
            if wait(shop, uuid)[0] != "DONE":
                raise RuntimeError(f"export {uuid} failed")
            content = staff.get(f"/jobs/{uuid}/file/").body
        seconds = time.perf_counter() - started
    used = meter.cpu(shop.pid) - before
    grid = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    rows, width = len(grid) - 1, len(grid[0])
    label = f"{rows:,} rows × {width} columns"
    way = "in the request" if answer.status == 200 else "by the worker"
    yield Row("export", label, goal * rows / wanted, seconds, "s", f"{way}, cpu {used:.1f} s")
    yield Row("export", f"{label}: memory", 40, memory.mib, "MiB")


def waybill_upload(shop: Shop, staff: Staff, *, rows: int = 10_000) -> Iterator[Row]:
    """A file with a number for every shipment that has none: preview, apply, and the numbers voided again."""
    label = f"{rows:,} rows"
    if staff.get("/shipping/waybills/upload/").status != 200:
        yield Row("upload", label, 2.5, None, "s")
        return
    made = _more_shipments(shop, staff, rows)
    waiting = shop.rows(
        "SELECT number, order_id FROM shipping_shipment WHERE step = 'READY' AND NOT has_waybill AND method = 'PARCEL'"
        " AND NOT is_held ORDER BY id DESC LIMIT %s",
        rows,
    )
    content = _file([number for number, _ in waiting])
    before = meter.cpu_by_part(shop.pid)
    started = time.perf_counter()
    answer = staff.upload("/shipping/waybills/upload/", name="results.xlsx", content=content,
                          fields={"courier": "CJGLS"})  # fmt: skip
    if answer.status != 302:
        yield Row("upload", label, 2.5, None, "s", f"HTTP {answer.status}")
        return
    staff.get(answer.location)
    preview = time.perf_counter() - started
    uuid = re.findall(r"[0-9a-f-]{36}", answer.location)[0]
    with LongestLock(shop, [order for _, order in waiting]) as lock:
        staff.post(answer.location, {"all": "1", "quiet": "1"})
        state, ok, refused = wait(shop, uuid)
        seconds = time.perf_counter() - started
    parts = meter.used(shop.pid, before)
    goal = 2.5 * len(waiting) / 10_000
    used = ", ".join(f"{part} {spent:.1f}" for part, spent in parts.items() if spent > 0.05)
    detail = f"{state}: {ok:,} registered, {refused:,} refused, preview {preview:.2f} s"
    detail += f", cpu {sum(parts.values()):.1f} s ({used})"
    yield Row("upload", f"{len(waiting):,} rows, preview and apply", goal, seconds, "s", detail)
    yield Row("upload", "longest lock", 50, lock.longest * 1000, "ms", f"{lock.tries} tries")
    before = meter.cpu(shop.pid)
    back = undo(shop, staff, uuid)
    used = meter.cpu(shop.pid) - before
    yield Row("upload", "undo", None, back.apply, "s", f"{back.ok:,} taken back, cpu with its preview {used:.1f} s")
    if made:
        undo(shop, staff, made)


def _more_shipments(shop: Shop, staff: Staff, rows: int) -> str:
    """배송준비중 처리 of everything that waits, when too few shipments have no number; the job, to be undone."""
    here = shop.one("SELECT count(*) FROM shipping_shipment WHERE step = 'READY' AND NOT has_waybill"
                    " AND method = 'PARCEL' AND NOT is_held")  # fmt: skip
    if here >= rows:
        return ""
    as_of = _AS_OF.search(staff.get("/orders/preparing/").text)
    if as_of is None:
        return ""
    return act(shop, staff, "make-ready", {"page": "preparing", "mode": "filter", "query": "", "as_of": as_of[1]}).uuid


def _file(numbers: list[str]) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["배송번호", "택배사", "송장번호"])
    serial = int(time.time()) % 100_000
    for n, number in enumerate(numbers):
        # Below 90 at the tail: a plain delivery, should anybody let the sandbox have them.
        digits = f"68{serial % 1000:03d}{n:05d}"[:10] + "0"
        sheet.append([number, CJ.name, with_check_digit(CJ, digits)])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()
