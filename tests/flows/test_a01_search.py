"""A01: among 5,000 seeded orders one is found by its waybill, its item number, and its phone tail with a name."""

import io
import re
from datetime import date, datetime
from urllib.parse import urlencode

import openpyxl
import pytest

from accounts.roles import Role
from core.calendar import KST
from core.models import DailyCounter
from oms.seed.plan import plan_for
from oms.seed.shop import seed_shop
from orders.models import Order
from shipping.models import Shipment
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from tests.fixtures.orders import NOW

ORDERS = 5_000
SEEDED = datetime(2026, 9, 20, 22, 0, tzinfo=KST)
LINE = "20260921-0000017-02"
WAYBILL = "123456789012"


@pytest.fixture
def shop(db, make_order, make_variant):
    """5,000 orders of the sample shop, and one of the next day with the number and the waybill of domain.md 7 A01."""
    seed_shop(plan_for(orders=ORDERS, seed=1, at=SEEDED), say=lambda text: None)
    DailyCounter.objects.create(series="order", day=date(2026, 9, 21), last=16)
    lines = [(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)]
    who = {"buyer_name": "남궁다솜", "recipient_name": "남궁다솜", "recipient_phone": "01087650017"}
    order = make_order(lines=lines, paid=True, at=NOW, **who)
    shipments.make_ready(line_ids=list(order.lines.values_list("pk", flat=True)), actor=None, at=NOW)
    shipment = Shipment.objects.get(order=order)
    done = waybills.register_waybills(entries={shipment.pk: WaybillEntry("KDEXP", WAYBILL)}, actor=None, at=NOW)
    assert done.refused == {}
    assert order.lines.filter(number=LINE).exists()
    assert Order.objects.count() == ORDERS + 1
    return order


def numbers_on(page):
    return set(re.findall(r'data-order="([^"]+)"', page))


def told(page):
    """(orders, lines) that the head of the list shows."""
    text = re.search(r'data-count="total"[^>]*>([^<]*)<', page).group(1)
    found = [int(number.replace(",", "")) for number in re.findall(r"[\d,]+", text)]
    return tuple(found)


def file_rows(client, query):
    """Order numbers in the Excel file of a result."""
    answer = client.post(f"/orders/excel/?{query}", {"reason": "검색 결과 확인"}, follow=True)
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    rows = list(sheet.iter_rows(values_only=True))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def test_a01_each_way_of_asking_finds_the_same_order_and_files_have_the_rows_of_their_head(shop, sign_in):
    client = sign_in(Role.OWNER)
    for text in (WAYBILL, LINE, "0017 남궁다솜"):
        query = urlencode({"q": text})
        page = client.get(f"/orders/?{query}").content.decode()
        assert numbers_on(page) == {shop.number}, text
        assert numbers_on(client.get(f"/orders/?{query}").content.decode()) == {shop.number}
        rows = file_rows(client, query)
        assert (len({row["주문번호"] for row in rows}), len(rows)) == told(page) == (1, 2)
    query = urlencode({"q": "서울", "period": "all", "tab": "canceled"})
    page = client.get(f"/orders/?{query}").content.decode()
    rows = file_rows(client, query)
    assert (len({row["주문번호"] for row in rows}), len(rows)) == told(page)
    assert len(rows) > 50
