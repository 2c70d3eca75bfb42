"""고객용 배송조회: what a buyer sees by the link of the message, and what nobody may read out of it."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.utils import timezone

from core import relay
from core.events import record
from core.models import Message
from core.settings_registry import set_setting
from core.state import move
from orders.states import DeliveryMethod
from shipping import events
from shipping.models import BuyerLink, Parcel, ParcelLine, Shipment, TrackingEvent, TrackingPoll
from shipping.services import links, shipments
from shipping.states import TrackingStage
from shipping.views import buyer
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again, waybill_number

BASE = "https://shop.example"


@pytest.fixture(autouse=True)
def fresh_counts():
    cache.clear()


@pytest.fixture
def base(staff):
    set_setting(key="public_url", value=BASE, actor=staff, at=NOW)


def event(
    parcel,
    stage,
    *,
    seq=0,
    source="tracker_delivery",
    hours=4,
    place="강남집배점",
    text="담당 김기사 010-7777-8888",
    **facts,
):
    return TrackingEvent.objects.create(
        parcel=parcel, source=source, seq=seq, stage=stage, at=NOW + timedelta(hours=hours), place=place,
        raw_text=text, fingerprint=f"{source}{seq}", **facts,
    )  # fmt: skip


def page_of(shipment):
    link = links.link_of(shipment.pk)
    assert link.startswith(f"{BASE}/t/")
    return Client().get(link.removeprefix(BASE))


def test_the_link_is_in_the_message_and_opens_without_a_log_in(make_numbered, staff, base):
    [shipment] = make_numbered(1)
    shipments.ship(line_ids=shipments.lines_of([shipment.pk]), actor=staff, at=NOW)
    relay.run_once(at=NOW + timedelta(hours=1))
    [message] = Message.objects.filter(template="order_shipped_link")
    assert message.key.startswith("order_shipped/")
    [token] = re.findall(rf"{BASE}/t/([\w-]+)/", message.body)
    answer = Client().get(f"/t/{token}/")
    assert answer.status_code == 200
    assert shipment.waybill in answer.content.decode()


def test_without_a_public_address_the_message_has_no_link(make_numbered, staff):
    [shipment] = make_numbered(1)
    shipments.ship(line_ids=shipments.lines_of([shipment.pk]), actor=staff, at=NOW)
    relay.run_once(at=NOW + timedelta(hours=1))
    [message] = Message.objects.filter(template="order_shipped")
    assert "/t/" not in message.body
    assert not BuyerLink.objects.exists()


def test_the_page_tells_the_journey_and_nothing_about_people_or_money(make_sent, base):
    [shipment] = make_sent(1)
    order, parcel = shipment.order, Parcel.objects.get()
    event(parcel, TrackingStage.PICKED_UP, seq=0)
    event(parcel, TrackingStage.DELIVERED, seq=1, hours=30, is_time_estimated=True)
    event(parcel, TrackingStage.RETURNING, seq=2, source="sweettracker", place="엉뚱한곳")
    event(parcel, TrackingStage.UNKNOWN, seq=3, place="모르는곳")
    Parcel.objects.update(stage=TrackingStage.DELIVERED)
    shipments.deliver_by_hand(
        line_ids=shipments.lines_of([shipment.pk]), actor=None, at=NOW + timedelta(hours=31), reason="확인"
    )
    answer = page_of(again([shipment])[0])
    text = answer.content.decode()
    for word in ("CJ대한통운", shipment.waybill, "집하", "배송완료", "시간 미상", "강남집배점"):
        assert word in text, word
    person = [order.recipient_name, order.buyer_name, order.recipient_phone, order.address1, order.zip_code]
    hidden = [
        *person,
        order.number,
        shipment.number,
        "10,000",
        "10000",
        "김기사",
        "010-7777",
        "엉뚱한곳",
        "모르는곳",
        "원<",
    ]
    assert [word for word in hidden if word and word in text] == []
    digits = re.sub(r"\D", "", order.recipient_phone)
    assert digits[-8:] not in re.sub(r"\D", "", text)


def test_a_delivery_that_does_not_stand_is_no_step_of_the_journey(make_sent, base):
    [shipment] = make_sent(1)
    parcel = Parcel.objects.get()
    event(parcel, TrackingStage.PICKED_UP, seq=0)
    event(parcel, TrackingStage.DELIVERED, seq=1, hours=30)
    event(parcel, TrackingStage.EXCEPTION, seq=2, hours=31)
    text = page_of(shipment).content.decode()
    assert ("배송중입니다." in text, "집하" in text, "배송완료" in text) == (True, True, False)


def test_the_events_stay_while_another_source_has_told_nothing_yet(make_sent, base):
    [shipment] = make_sent(1)
    parcel = Parcel.objects.get()
    event(parcel, TrackingStage.PICKED_UP, seq=0)
    event(parcel, TrackingStage.IN_TRANSIT, seq=1, hours=9, place="옥천HUB")
    TrackingPoll.objects.update(source="sweettracker")
    assert "옥천HUB" in page_of(shipment).content.decode()
    event(parcel, TrackingStage.PICKED_UP, seq=0, source="sweettracker", place="남서울")
    text = page_of(shipment).content.decode()
    assert ("남서울" in text, "옥천HUB" in text) == (True, False)


def test_what_left_before_the_address_was_set_has_its_link_in_the_detail(make_sent, make_shipments, sign_in, staff):
    [shipment], [waiting] = make_sent(1), make_shipments(1)
    assert links.links_of([shipment, waiting]) == {}
    assert not BuyerLink.objects.exists()
    set_setting(key="public_url", value=BASE, actor=staff, at=NOW)
    text = sign_in(staff).get(f"/orders/{shipment.order.number}/").content.decode()
    [made] = BuyerLink.objects.all()
    assert made.shipment_id == shipment.pk
    assert f'data-copy="{BASE}/t/{made.token}/"' in text
    assert list(links.links_of([shipment, waiting])) == [shipment.pk]
    assert Client().get(f"/t/{made.token}/").status_code == 200


def test_the_answer_is_kept_nowhere_and_asks_nobody_else(make_sent, base):
    [shipment] = make_sent(1)
    answer = page_of(shipment)
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer.cookies == {}
    text = answer.content.decode()
    assert "<script" not in text
    assert set(re.findall(r'(?:src|href)="(https?://[^/"]+)', text)) <= {
        "https://www.cjlogistics.com",
        "https://trace.cjlogistics.com",
    }
    assert not re.findall(r'<link[^>]+href="(?!/static/)', text)


def test_wrong_tokens_are_refused_in_one_shape(make_sent, base):
    [shipment] = make_sent(1)
    token = BuyerLink.of([shipment.pk])[shipment.pk].token
    assert len(token) == links.TOKEN_LENGTH
    assert shipment.order.number not in token
    first, last = ("B" if token[at] == "A" else "A" for at in (0, -1))
    wrong = [token[:-1] + last, first + token[1:], token[:12], token + "A", "가" * 44, "-" * 44, token[:12] + "-" * 32]
    answers = [Client().get(f"/t/{each}/") for each in wrong]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert Client().post(f"/t/{token}/").status_code == 405
    assert Client().get(f"/t/{token}/").status_code == 200


def test_old_links_say_so(make_sent, base, staff):
    closed, old = make_sent(2)
    Shipment.objects.filter(pk=closed.pk).update(step="CLOSED")
    Shipment.objects.filter(pk=old.pk).update(step="CONFIRMED", delivered_at=timezone.now() - timedelta(days=91))
    for shipment, sentence in ((closed, buyer.GONE), (old, buyer.PAST)):
        answer = page_of(shipment)
        assert (answer.status_code, shipment.waybill in answer.content.decode()) == (410, False)
        assert sentence in answer.content.decode()


def test_several_boxes_are_told_apart_and_deleted_numbers_are_not_shown(make_sent, base):
    [shipment] = make_sent(1)
    line_id = shipments.lines_of([shipment.pk])[0]
    for n in (5, 6):
        made = Parcel.objects.create(
            shipment=shipment, courier="CJGLS", waybill=waybill_number(n), state="NUMBERED", seq=n, numbered_at=NOW
        )
        ParcelLine.objects.create(parcel=made, line_id=line_id, quantity=1)
    with transaction.atomic():
        gone = move([Parcel.objects.select_related("shipment").get(seq=6)], Parcel.void, at=NOW)
        record(gone, events.PARCEL_VOIDED, at=NOW)
    text = page_of(shipment).content.decode()
    assert "상자 1 / 2" in text
    assert waybill_number(5) in text
    assert waybill_number(6) not in text


@pytest.mark.parametrize("method", [DeliveryMethod.QUICK, DeliveryMethod.VISIT, DeliveryMethod.DIRECT])
def test_what_goes_without_a_courier_is_told_in_words(make_shipments, base, method):
    [shipment] = make_shipments(1, method=method)
    shipments.ship(line_ids=shipments.lines_of([shipment.pk]), actor=None, at=NOW)
    text = page_of(again([shipment])[0]).content.decode()
    assert buyer_words(method) in text
    assert "택배사" not in text
    assert "준비하고 있습니다" not in text


def buyer_words(method):
    return {"QUICK": "퀵서비스로 보냅니다", "VISIT": "직접 받으시는", "DIRECT": "판매자가 직접"}[method]


def test_one_address_opens_only_so_many_pages(make_sent, base, monkeypatch):
    monkeypatch.setattr(buyer, "MOST", 3)
    [shipment] = make_sent(1)
    codes = [page_of(shipment).status_code for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]
    path = links.link_of(shipment.pk).removeprefix(BASE)
    assert Client(REMOTE_ADDR="192.0.2.9").get(path).status_code == 200


def test_two_at_once_get_one_link(make_sent):
    [shipment] = make_sent(1)
    first = BuyerLink.of([shipment.pk])[shipment.pk].token
    assert BuyerLink.of([shipment.pk])[shipment.pk].token == first
    assert BuyerLink.objects.count() == 1


def test_the_detail_offers_the_link_to_copy(make_numbered, sign_in, staff, base):
    [shipment] = make_numbered(1)
    shipments.ship(line_ids=shipments.lines_of([shipment.pk]), actor=staff, at=NOW)
    relay.run_once(at=NOW + timedelta(hours=1))
    text = sign_in(staff).get(f"/orders/{shipment.order.number}/").content.decode()
    assert f'data-copy="{links.link_of(shipment.pk)}"' in text
