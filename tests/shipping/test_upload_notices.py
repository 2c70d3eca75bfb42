"""How many notices the preview of a waybill file announces."""

from tests.fixtures.shipments import again, waybill_number
from tests.shipping.test_waybill_screens import CJ, book, send


def test_only_rows_that_are_sent_without_a_tick_count_as_notices(make_numbered, make_shipments, logistics):
    known, fresh = make_numbered(2), make_shipments(3)
    rows = [[one.number, CJ, waybill_number(20 + i)] for i, one in enumerate([*known, *fresh])]
    url = send(logistics, book(rows), ship="on").headers["Location"]
    html = logistics.get(url).content.decode()
    assert "발송 알림 3건을 보냅니다. 확인이 필요한 행은 고른 만큼 더 보냅니다." in html
    logistics.post(url)
    assert [one.step for one in again([*known, *fresh])] == ["READY"] * 2 + ["SHIPPING"] * 3
    doubtful = send(logistics, book(rows[:2]), ship="on").headers["Location"]
    html = logistics.get(doubtful).content.decode()
    assert "발송 알림 0건을 보냅니다. 확인이 필요한" in html
    assert 'name="quiet"' in html
