"""송장: how long a thousand labels take to be drawn, and how much memory the child needs, without the database."""

import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.report import Row
from bench.shop import ROOT
from core.pdf import code128, qr, render_pdf, render_zpl

COUNT = 1_000
GOAL = 2.0
PART = 500
"""Labels of one file, as in services/printing/batches.py, which needs Django."""
TEMPLATE = Path(ROOT) / "shipping" / "typst" / "label.typ"


def labels() -> Iterator[Row]:
    """Seconds for 1,000 labels of two papers as PDF, data and codes included; for 100 as ZPL.

    As one document, and as the shop makes them: files of 500, here two at once.
    """
    for paper in ("cj", "roll"):
        yield _row(f"{COUNT:,} labels PDF, {paper}, one file", paper, files=1)
        yield _row(f"{COUNT:,} labels PDF, {paper}, two files at once", paper, files=COUNT // PART)
    start = time.perf_counter()
    zpl = render_zpl(TEMPLATE, label_data("cj", 100))
    yield Row("labels", "100 labels ZPL, cj", None, time.perf_counter() - start, "s", f"{len(zpl) / 2**20:.1f} MiB")


def _row(case: str, paper: str, *, files: int) -> Row:
    start, mine, theirs = time.perf_counter(), time.process_time(), _children()
    with ThreadPoolExecutor(files) as pool:
        made = list(pool.map(lambda _: render_pdf(TEMPLATE, label_data(paper, COUNT // files)), range(files)))
    taken, mine = time.perf_counter() - start, time.process_time() - mine
    detail = f"cpu {mine:.1f} s here, {_children() - theirs:.1f} s in children, {sum(map(len, made)) / 2**20:.1f} MiB"
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return Row("labels", case, GOAL, taken, "s", f"{detail}, largest child so far {peak:.0f} MiB")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def label_data(paper: str, count: int) -> dict[str, Any]:
    """What services/printing/documents.py hands to the template, of people who do not exist."""
    return {"paper": paper, "privacy": "개인정보가 적혀 있습니다.", "labels": [_label(n, count) for n in range(count)]}


def _label(n: int, count: int) -> dict[str, Any]:
    number, shipment = f"68{n:010d}", f"D-20260921-{n:07d}-00"
    return {
        "place": f"{n + 1}/{count}",
        "copy": "",
        "box": "",
        "count": "출력 1회",
        "courier": "CJ대한통운",
        "routing": {
            "main": "5D32-1A",
            "partner": "P01",
            "area": "견본 주소",
            "branch": "견본점-A1",
            "code": code128("5D32", charset="A"),
        },
        "recipient": "홍*동",
        "phones": "010-1234-****",
        "zone": "제주",
        "zip": "63000",
        "address": f"제주특별자치도 제주시 첨단로 {n} 7층 701호",
        "jibun": "지번 제주특별자치도 제주시 영평동 2181",
        "sender": {"name": "가람상점", "phone": "02-1234-5678", "address": "서울특별시 중구 세종대로 110"},
        "fee": "신용",
        "quantity": "3개",
        "items": ["오버핏 린넨 셔츠 화이트 / M 1개", "양말 네이비 2개"],
        "note": "문 앞에 놓아 주세요",
        "date": "2026-09-21",
        "order": shipment[2:-3],
        "number": shipment,
        "square": qr(shipment),
        "code": code128(number, charset="C"),
        "code_dots": 4,
        "waybill": number,
    }
