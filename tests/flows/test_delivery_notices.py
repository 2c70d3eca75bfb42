"""고객 안내 and 배송 소식 알림: what buyers hear of a delivery, once, and why some do not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core import relay
from core.invariants import find_violations
from core.models import Message
from core.settings_registry import set_setting
from orders.models import Order, OrderEvent
from shipping.models import Parcel, Shipment, ShippingException
from shipping.services import notices
from shipping.services.exceptions.opening import Opening, open_cases
from shipping.services.exceptions.rules import Evidence
from shipping.services.refusals import NOT_SENT
from shipping.services.shipments import lines_of, ship
from shipping.states import ExceptionKind, NoticeKind
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.shipments import again, second_box
from tests.flows.scans import HOUR, MOVING, PICKED, VAN, scan
from tests.infra.races import race

TEXT = "택배사 사정으로 배송이 늦어지고 있습니다."
MISSED = scan("미배달", hours=30, code="ATTEMPT_FAIL", text="부재")


def tell(*made, notice=NoticeKind.LATE, text="", at=NOW + HOUR, actor=None):
    return notices.tell_buyers(
        shipment_ids=[one.pk for one in made], notice=notice, text=text, actor=actor, at=at
    )  # fmt: skip


def heard(at=NOW + timedelta(days=9)):
    """Texts of delivery notices that went out."""
    relay.run_once(at=at)
    return list(Message.objects.filter(template="delivery_notice").order_by("pk").values_list("body", flat=True))


def told():
    return OrderEvent.objects.filter(kind="shipment.buyer_told")


def news():
    return OrderEvent.objects.filter(kind="parcel.news_told").order_by("pk")


def test_a_buyer_hears_the_words_of_the_shop_with_order_and_waybill(make_sent, staff):
    set_setting(key="notice_text_late", value="눈이 많이 와서 늦어집니다.", actor=staff, at=NOW)
    [shipment] = make_sent()
    done = tell(shipment, actor=staff)
    assert (done.refused, done.sums["told"]) == ({}, 1)
    [text] = heard()
    assert text.splitlines()[1:] == ["눈이 많이 와서 늦어집니다.", f"CJ대한통운 송장번호 {shipment.waybill}"]
    assert shipment.order.number in text
    [event] = told()
    assert (event.actor_id, event.reason) == (staff.pk, "배송 지연: 눈이 많이 와서 늦어집니다.")


def test_the_same_is_not_said_again_before_its_pause(make_sent):
    [shipment] = make_sent()
    tell(shipment)
    again_at = NOW + HOUR + timedelta(hours=23, minutes=59)
    refused = tell(shipment, at=again_at).refused
    assert "에 이미 안내했습니다." in refused[shipment.pk]
    assert told().count() == 1
    assert tell(shipment, notice=NoticeKind.ADDRESS, at=again_at).refused == {}
    assert tell(shipment, at=NOW + timedelta(hours=25)).refused == {}
    assert len(heard()) == 3


@pytest.mark.django_db(transaction=True)
def test_two_clicks_send_one_message(make_sent):
    [shipment] = make_sent()

    def click():
        return len(tell(shipment).refused)

    assert sorted(race([click, click])) == [0, 1]
    assert (told().count(), len(heard())) == (1, 1)


def test_nobody_to_tell_a_market_that_tells_and_what_does_not_travel_are_refused(make_sent, make_numbered):
    mute, market, arrived, plain = make_sent(4)
    [waits] = make_numbered(1, first=20)
    Order.objects.filter(pk=mute.order_id).update(buyer_phone="", recipient_phone="", buyer_email="")
    Shipment.objects.filter(pk=arrived.pk).update(step="DELIVERED")
    before = list(Shipment.objects.order_by("pk").values_list("pk", "version"))
    channel = market.order.channel
    type(channel).objects.filter(pk=channel.pk).update(notifies_buyers=False)
    assert tell(market).refused == {market.pk: notices.BY_MARKET}
    type(channel).objects.filter(pk=channel.pk).update(notifies_buyers=True)
    assert tell(mute, arrived, waits).refused == {
        mute.pk: notices.NOBODY, arrived.pk: NOT_SENT, waits.pk: notices.NOT_SENT,
    }  # fmt: skip
    assert list(Shipment.objects.order_by("pk").values_list("pk", "version")) == before
    assert (told().count(), heard()) == (0, [])
    assert tell(mute, plain).refused == {mute.pk: notices.NOBODY}
    assert len(heard()) == 1


def test_what_arrived_before_the_message_left_is_not_told(make_sent):
    [shipment] = make_sent()
    tell(shipment)
    Shipment.objects.filter(pk=shipment.pk).update(step="DELIVERED")
    assert heard() == []


def test_the_act_shows_what_it_sends_and_to_how_many(press, sign_in, make_sent):
    one, other = make_sent(2)
    rows = [(each.pk, each.version) for each in (one, other)]
    refused, _ = press(sign_in(Role.FINANCE), "tell-buyers", "shipping", rows, notice="LATE")
    assert refused.status_code == 403
    client = sign_in(Role.CS)
    preview, without = press(client, "tell-buyers", "shipping", rows, notice="")
    page = preview.content.decode()
    assert "고객에게 알림 2건을 보냅니다." in page
    assert "(안내 문구) / (택배사) 송장번호 (송장번호)" in page
    assert f"배송 지연: {TEXT}" in page
    assert "안내를 고르세요." in without.content.decode()
    assert told().count() == 0
    _, done = press(client, "tell-buyers", "shipping", rows, notice="LATE", text="내일 도착합니다.")
    assert "2건의 고객에게 안내를 보냈습니다." in done.content.decode()
    assert [text.splitlines()[1] for text in heard(timezone.now())] == ["내일 도착합니다."] * 2
    _, repeated = press(client, "tell-buyers", "shipping", [(one.pk, again([one])[0].version)], notice="LATE")
    assert repeated.status_code == 422
    assert "에 이미 안내했습니다." in repeated.content.decode()
    assert len(heard(timezone.now())) == 2
    shown = client.get(f"/orders/{one.order.number}/").content.decode()
    assert "고객 안내" in shown


def test_the_buyer_of_a_case_is_told_from_the_queue_and_the_case_says_so(press, sign_in, make_sent):
    """고객에게 주소 확인 is the next act of 주소 문제: it is done where it is read."""
    one, mute = make_sent(2)
    Order.objects.filter(pk=mute.order_id).update(buyer_phone="", recipient_phone="", buyer_email="")
    boxes = Parcel.objects.filter(shipment__in=[one, mute]).order_by("pk")
    at = timezone.now()
    open_cases([Opening(box, ExceptionKind.ADDRESS, Evidence(at, "주소불명")) for box in boxes], at=at)
    case, silent = ShippingException.objects.order_by("parcel")
    client = sign_in(Role.CS)
    page = client.get(f"/shipping/exceptions/{case.pk}/").content.decode()
    assert page.index("tell-case") < page.index("inquire-exception")
    _, done = press(client, "tell-case", "exceptions", [(case.pk, 0), (silent.pk, 0)], notice="ADDRESS")
    assert notices.NOBODY in done.content.decode()
    assert [reloaded(each).memo for each in (case, silent)] == ["고객 안내: 주소 확인", ""]
    assert list(told().values_list("subject_id", flat=True)) == [one.pk]
    [text] = heard(timezone.now())
    assert "주소를 확인해야 배송할 수 있습니다." in text
    version = reloaded(case).version
    assert OrderEvent.objects.get(subject="exception", kind="exception.noted").version == version
    _, repeated = press(client, "tell-case", "exceptions", [(case.pk, version)], notice="ADDRESS")
    assert repeated.status_code == 422
    assert "에 이미 안내했습니다." in repeated.content.decode()
    assert len(heard(timezone.now())) == 1
    assert reloaded(case).version == version


# --- by themselves ---


@pytest.fixture
def auto(staff):
    """Every kind goes out by itself."""
    for kind in ("out", "absent", "kept"):
        set_setting(key=f"notice_auto_{kind}", value=True, actor=staff, at=NOW)


def test_by_default_the_courier_tells_nobody(make_sent, hear):
    [shipment] = make_sent()
    hear({shipment.waybill: [PICKED, VAN]}, hours=29)
    assert (news().count(), heard()) == (0, [])


def test_the_van_is_told_of_once_however_often_it_comes(auto, make_sent, hear):
    [shipment] = make_sent()
    version = again([shipment])[0].version
    hear({shipment.waybill: [PICKED, MOVING, VAN]}, hours=29)
    hear(hours=29.5)
    hear({shipment.waybill: [PICKED, MOVING, VAN, MISSED]}, hours=31)
    second = scan("배송출발", hours=52, code="OUT_FOR_DELIVERY")
    hear({shipment.waybill: [PICKED, MOVING, VAN, MISSED, second]}, hours=53)
    assert [text.splitlines()[1] for text in heard()] == [
        "택배사가 배송을 시작했습니다.", "택배사가 상품을 전달하지 못했습니다. 받으실 방법을 택배사에 알려 주세요.",
    ]  # fmt: skip
    assert list(news().values_list("subject_id", flat=True)) == [Parcel.objects.get().pk] * 2
    # 집하 changes the order; what was told of the way makes no screen stale.
    assert again([shipment])[0].version == version + 1
    assert find_violations("INV-01") == []


def test_each_box_of_a_shipment_is_told_of(auto, make_numbered, hear, staff):
    [shipment] = make_numbered()
    lines = lines_of([shipment.pk])
    second = second_box(shipment, line_id=lines[0])
    assert ship(line_ids=lines, actor=staff, at=NOW).refused == {}
    hear({number: [PICKED, MOVING, VAN] for number in (shipment.waybill, second.waybill)}, hours=29)
    texts = heard()
    assert (news().count(), len(texts)) == (2, 2)
    assert all(any(number[-4:] in text for text in texts) for number in (shipment.waybill, second.waybill))


def test_old_news_that_is_caught_up_with_tells_nobody(auto, make_sent, hear):
    [shipment] = make_sent()
    hear({shipment.waybill: [PICKED, MOVING, VAN]}, hours=31.5)
    assert (news().count(), heard()) == (0, [])
