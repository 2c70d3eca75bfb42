"""Every document looks as a person has seen and accepted it; `OMS_GOLDEN=write` draws the pictures anew.

A page counts as the same when hardly any dot is far from its grey: hinting differs a little between machines.
"""

import os
from pathlib import Path

import pytest

from bench.labels import label_data
from core.pdf import code128, qr, render_pdf
from shipping.services.printing.documents import PRIVACY, TEMPLATES, waybill_code
from tests.fixtures.printing import pictures, read_png, words, write_png

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
DOTS_PER_MM = 3.5
FAR, MOST_FAR = 96, 0.004
SHIPMENT = "D-20260921-0000017-00"


def label(number: str, place: str, *, is_routed: bool = True, **more):
    code = waybill_code(number)
    routing = {
        "main": "5D32-1A",
        "partner": "P01",
        "area": "가람아파트",
        "branch": "강남서초-김뷁",
        "code": code128("5D32", charset="A"),
    }
    return {
        "place": place,
        "copy": "",
        "box": "",
        "count": "출력 1회",
        "courier": "CJ대한통운" if is_routed else "우체국택배",
        "routing": routing if is_routed else None,
        "recipient": "홍*동",
        "phones": "010-1234-****  0507-1111-****",
        "zone": "제주",
        "zip": "63000",
        "address": "제주특별자치도 제주시 첨단로 242 뷁빌딩 7층 701호",
        "jibun": "",
        "sender": {"name": "가람상점", "phone": "02-1234-5678", "address": "서울특별시 중구 세종대로 110"},
        "fee": "신용",
        "quantity": "3개",
        "items": ["오버핏 린넨 셔츠 화이트 / M 1개", "양말 네이비 2개"],
        "note": "문 앞에 놓아 주세요",
        "date": "2026-09-21",
        "order": "20260921-0000017",
        "number": SHIPMENT,
        "square": qr(SHIPMENT),
        "code": code,
        "code_dots": 4 if code["modules"] <= 130 else 3,
        "waybill": f"{number[:-8]}-{number[-8:-4]}-{number[-4:]}",
    } | more


LONG = {
    # Names as long as couriers tell them.
    "routing": {
        "main": "9B96-6h",
        "partner": "P339",
        "area": "울릉읍 도동리 아주긴마을이름 한빛아파트",
        "branch": "서울강남테스트집배점-G43-96",
        "code": code128("9B96", charset="A"),
    },
    "recipient": "남******하",
    "zone": "",
    "zip": "13529",
    "address": "경기도 성남시 분당구 " + "아주긴도로이름" * 12 + " 101동 1001호",
    "items": [f"이름이 아주 긴 상품 {n} 오버핏 린넨 셔츠 화이트 라지 {n}개" for n in range(1, 12)] + ["외 49건 61개"],
    "note": "부재 시 경비실에 맡기고 문자 남겨 주세요. " * 6,
    "copy": "재출력 2",
    "box": "상자 1/2",
    "count": "출력 3회",
}
SHORT = {"items": [*LONG["items"][:3], "외 57건 70개"], "note": LONG["note"][:100]}
FIRST, SECOND, THIRD, FOURTH = "680000000011", "680000000022", "680000000033", "680000000044"
SHEET = [
    label(FIRST, "1/4"), label(SECOND, "2/4", **LONG), label("6892058349240", "3/4", is_routed=False),
    label(FOURTH, "4/4"),
]  # fmt: skip
GOODS = [
    {"location": "A-01-03", "sku": "SKU-A12", "name": "오버핏 린넨 셔츠", "option": "화이트 / M", "quantity": "12"},
    {"location": "B-02-11", "sku": "SKU-S07", "name": "양말 세 켤레 묶음", "option": "네이비", "quantity": "1,204"},
]
PICKING = {
    "title": "피킹리스트",
    "number": "P-20260921-0003",
    "square": qr("P-20260921-0003"),
    "shop": "가람상점",
    "moment": "2026-09-21 11:00 기준",
    "by": "김하은",
    "left_out": "취소 신청이나 보류로 뺀 품목 2건",
    "count": "배송건 3건",
    "sections": [{"title": "단품", "rows": GOODS[:1]}, {"title": "합포", "rows": GOODS}],
    "orders": [
        {"place": "1/3", "number": SHIPMENT, "rows": GOODS[:1], "note": False},
        {"place": "2/3", "number": "D-20260921-0000018-00", "rows": GOODS, "note": True},
    ],
}
PACKING = {
    "title": "거래명세",
    "shop": "가람상점",
    "moment": "2026-09-21 11:00",
    "pages": [
        {
            "place": "1/1",
            "number": SHIPMENT,
            "square": qr(SHIPMENT),
            "order": "20260921-0000017",
            "channel": "자사몰",
            "ordered": "2026-09-21",
            "recipient": "홍*동",
            "phone": "010-1234-****",
            "address": "제주특별자치도 제주시 첨단로 ****",
            "note": "문 앞",
            "box": "상자 1/2",
            "rows": GOODS,
            "total": "1,216",
            "beside": [GOODS[0] | {"state": "다른 상자"}],
            "rest": [GOODS[1] | {"state": "배송준비중"}],
        }
    ],
}
DOCUMENTS = {
    "label-cj": ("label.typ", {"paper": "cj", "privacy": PRIVACY, "labels": [label(FIRST, "1/20")]}),
    "label-cj-long": (
        "label.typ",
        {"paper": "cj", "privacy": PRIVACY, "labels": [label(SECOND, "2/20", **(LONG | SHORT))]},
    ),
    "label-roll": ("label.typ", {"paper": "roll", "privacy": PRIVACY, "labels": [label(THIRD, "3/20", **LONG)]}),
    "label-sheet": ("label.typ", {"paper": "sheet", "privacy": PRIVACY, "labels": SHEET}),
    "picking": ("picking.typ", PICKING),
    "packing": ("packing.typ", PACKING),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_looks_as_it_was_accepted(name):
    template, data = DOCUMENTS[name]
    [page] = pictures(render_pdf(TEMPLATES / template, data), dots_per_mm=DOTS_PER_MM)
    path = GOLDEN / f"{name}.png"
    if os.environ.get("OMS_GOLDEN") == "write":
        write_png(path, page)
    golden = read_png(path)
    assert (page.width, page.height) == (golden.width, golden.height)
    far = sum(abs(one - other) > FAR for one, other in zip(page.dots, golden.dots, strict=True))
    assert far / len(page.dots) < MOST_FAR


def test_no_heading_of_a_picking_list_is_left_behind_its_table():
    rows = [[GOODS[0] | {"name": f"상품{n}번{line}줄"} for line in range(n % 4 + 1)] for n in range(60)]
    orders = [{"place": "", "number": f"배송건{n}번", "rows": mine, "note": False} for n, mine in enumerate(rows)]
    pages = words(render_pdf(TEMPLATES / "picking.typ", PICKING | {"orders": orders}))
    assert len(pages) > 3
    for text in pages:
        assert [n for n in range(60) if f"배송건{n}번" in text] == [n for n in range(60) if f"상품{n}번0줄" in text]


def test_the_benchmark_draws_labels_of_the_same_facts():
    assert label_data("cj", 1)["labels"][0].keys() == label("680000000011", "1/1").keys()


def test_a_changed_word_is_seen():
    data = {"paper": "cj", "privacy": PRIVACY, "labels": [label(FIRST, "1/20", recipient="", address="")]}
    [page] = pictures(render_pdf(TEMPLATES / "label.typ", data), dots_per_mm=DOTS_PER_MM)
    golden = read_png(GOLDEN / "label-cj.png")
    far = sum(abs(one - other) > FAR for one, other in zip(page.dots, golden.dots, strict=True))
    assert far / len(page.dots) > MOST_FAR


def test_the_pictures_are_small():
    assert {path.stem for path in GOLDEN.glob("*.png")} == DOCUMENTS.keys()
    assert max(path.stat().st_size for path in GOLDEN.glob("*.png")) < 60_000
