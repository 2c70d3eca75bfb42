"""The four files that staff send in: orders, waybills, stock and bank statements; and a courier that is heard."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from orders.models import Order
from payments.models import BankDeposit
from products.models import StockMovement
from shipping.models import Parcel, TrackingPoll
from shipping.services.tracking import asking
from tests.channels.files import smartstore, smartstore_row
from tests.fixtures import files
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import waybill_number
from tests.flows.scans import CJ


@dataclass
class Kind:
    """One of the four files: where it is sent, what is pressed, and what must not be written."""

    upload: str
    content: Callable[[], bytes]
    written: Callable[[], Any]
    data: dict[str, str]

    def post(self, client, content):
        return client.post(self.upload, {"file": SimpleUploadedFile("파일.xlsx", content), **self.data})

    def send(self, client):
        return self.post(client, self.content())["Location"]

    def press(self, client, place, what):
        if self.upload == "/orders/import/":
            return client.post(f"{place}{'cancel' if what == 'discard' else 'apply'}/")
        return client.post(place, {"discard": "1"} if what == "discard" else {})


@pytest.fixture(params=["orders", "waybills", "stock", "statements"])
def file_kind(request, make_variant, make_shipments, bank_account):
    if request.param == "orders":
        return Kind("/orders/import/", lambda: smartstore([smartstore_row(1)]), Order.objects.count, {})
    if request.param == "waybills":
        [shipment] = make_shipments(1)
        rows = [["배송번호", "송장번호"], [shipment.number, waybill_number(1)]]
        return Kind("/shipping/waybills/upload/", lambda: files.xlsx(rows), Parcel.objects.count, {"courier": "CJGLS"})
    if request.param == "statements":
        rows = [["거래일시", "보낸분", "입금액", "잔액"], ["2026-09-21 12:03:11", "홍길동", 39_000, 539_000]]
        data = {"account": str(bank_account.pk)}
        return Kind("/payments/deposits/upload/", lambda: files.xlsx(rows), BankDeposit.objects.count, data)
    make_variant(on_hand=10, sku="S-1")
    rows = [["품목코드", "실재고", "사유"], ["S-1", 12, "실사"]]
    return Kind("/products/stock/upload/", lambda: files.xlsx(rows), StockMovement.objects.count, {})


@pytest.fixture
def account(tracker, courier_account):
    """배송조회 a day after the boxes have left: the sandbox's clock stands there."""
    tracker.control("clock", now=(NOW + timedelta(days=1)).isoformat())
    return courier_account


@pytest.fixture
def hear(tracker, courier_account):
    """`hear({number: timeline}, hours=30)`: the source knows this by then, and is asked about everything."""

    def poll(timelines=None, *, hours):
        at = NOW + timedelta(hours=hours)
        tracker.control("clock", now=at.isoformat())
        for number, timeline in (timelines or {}).items():
            tracker.control("parcels", carrier=CJ, number=number, timeline=timeline)
        TrackingPoll.objects.filter(is_active=True).update(next_poll_at=at)
        return asking.poll_due(at=at)

    return poll
