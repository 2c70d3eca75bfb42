"""두 주소와 안심번호 on what leaves the house: labels, couriers, files, the bench, the queue of exceptions."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core import relay
from core.calendar import kst_date
from core.pdf import render_pdf
from orders.models import Order
from orders.services.changes import Recipient, change_recipient
from shipping.excel.courier_file import sender
from shipping.file_fields import BY_CODE, FileLine, FileRow
from shipping.models import Parcel
from shipping.services.issuing.boxes import mark_of, recipient
from shipping.services.merges.keys import merge_keys
from shipping.services.printing.documents import TEMPLATES, batch_pdf
from shipping.services.printing.labels import print_labels
from shipping.states import ParcelState
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.printing import parcels_of, words
from tests.shipping.test_exception_page import URL as QUEUE
from tests.shipping.test_exception_page import opened
from tests.shipping.test_golden_prints import label

ROAD, JIBUN, SAFE = "서울 중구 세종대로 110", "서울 중구 태평로1가 31", "050712345678"
BOTH = {"address1": ROAD, "address2": "3층", "jibun_address": JIBUN}


def printed(made, staff, *, paper="roll", at=NOW):
    batch = print_labels(parcel_ids=parcels_of(made), paper=paper, actor=staff, at=at).batch
    return words(batch_pdf(batch, at=at))


@pytest.mark.parametrize("paper", ["roll", "cj", "sheet"])
def test_the_label_shows_the_road_and_the_lot_in_brackets(make_routed, staff, paper):
    [text] = printed(make_routed(1, **BOTH), staff, paper=paper)
    assert "서울중구세종대로1103층(지번서울중구태평로1가31)" in text


def test_a_label_without_room_shows_the_form_of_the_courier_alone():
    long = "서울 중구 세종대로 110 " + "가나다라마바사아자차 " * 14
    one = label("680000000011", "1/1", address=long, jibun=f"지번 {JIBUN}")
    data = {"paper": "cj", "privacy": "", "labels": [one, one | {"address": ROAD}]}
    full, short = words(render_pdf(TEMPLATES / "label.typ", data))
    assert "세종대로110" in full
    assert "태평로" not in full
    assert f"(지번{JIBUN}".replace(" ", "") in short


def test_couriers_get_one_form_and_it_is_the_first(make_numbered):
    [shipment] = make_numbered(1, **BOTH)
    party = recipient(shipment.order)
    assert (party.address1, party.address2) == (ROAD, "3층")
    bare = Order(**{name: getattr(shipment.order, name) for name in ("recipient_name", "recipient_phone", "zip_code")})
    bare.address1, bare.address2 = ROAD, "3층"
    assert mark_of(party) == mark_of(recipient(bare))


def test_a_file_for_a_courier_may_hold_the_second_form_and_never_in_the_first(make_shipments):
    end = kst_date(NOW)
    [shipment] = make_shipments(1, **BOTH, recipient_phone=SAFE, safe_number_end_date=end)
    [line] = shipment.order.lines.all()
    row = FileRow(shipment, [shipment.order], [FileLine.of(line)], None, sender(), ", ")
    told = {code: BY_CODE[code].value(row) for code in ("address", "address1", "jibun_address", "safe_number_end")}
    assert told == {
        "address": f"{ROAD} 3층",
        "address1": ROAD,
        "jibun_address": JIBUN,
        "safe_number_end": f"{end:%Y-%m-%d}",
    }
    assert BY_CODE["jibun_address"].mask(JIBUN) == "서울 중구 태평로1가 ****"


def test_a_shipment_keeps_the_forms_it_was_sent_with(make_sent, make_numbered):
    [sent], [waiting] = make_sent(1, **BOTH), make_numbered(1, first=9, **BOTH)
    assert (sent.address, sent.jibun_address) == (f"{ROAD} 3층", JIBUN)
    assert (waiting.address, waiting.jibun_address) == ("", "")
    Order.objects.filter(pk=sent.order_id).update(jibun_address="")
    assert reloaded(sent).jibun_address == JIBUN


def test_the_same_door_is_one_door_however_many_forms_came(make_shipments):
    [one], [other] = make_shipments(1, **BOTH), make_shipments(1, **BOTH | {"jibun_address": ""})
    keys = merge_keys({row.pk: row for row in (one, other)})
    assert keys[one.pk] == keys[other.pk]


def readdress(order, staff, **facts):
    now = reloaded(order)
    values = {name: getattr(now, name) for name in Recipient.__slots__} | facts
    change_recipient(
        order_id=order.pk, recipient=Recipient(**values), expected_version=now.version, actor=staff, at=NOW
    )
    relay.run_once(at=NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"jibun_address": "서울 중구 태평로1가 32"}, ParcelState.VOID),
        ({"jibun_address": ""}, ParcelState.VOID),
        ({"safe_number_end_date": kst_date(NOW)}, ParcelState.PRINTED),
    ],
)
def test_a_printed_label_that_names_another_lot_is_void(make_routed, staff, facts, state):
    made = make_routed(1, **BOTH, recipient_phone=SAFE)
    printed(made, staff)
    readdress(made[0].order, staff, **facts)
    assert Parcel.objects.get().state == state


def test_a_second_form_that_comes_later_keeps_the_printed_label(make_routed, staff):
    made = make_routed(1, **BOTH | {"jibun_address": ""})
    printed(made, staff)
    number = Parcel.objects.get().waybill
    readdress(made[0].order, staff, jibun_address=JIBUN)
    assert (Parcel.objects.get().state, Parcel.objects.get().waybill) == (ParcelState.PRINTED, number)


@pytest.mark.parametrize(
    ("days", "said"), [(-1, "0507-1234-****(만료)"), (1, "0507-1234-****(09-22까지)"), (30, "0507-1234-****010-")]
)
def test_the_label_tells_the_driver_that_a_number_will_not_reach(make_routed, staff, days, said):
    end = kst_date(NOW) + timedelta(days=days)
    phones = {"recipient_phone": SAFE, "recipient_phone2": "01087654321"}
    [text] = printed(make_routed(1, **phones, safe_number_end_date=end), staff)
    assert said in text
    # Whatever stands behind the first, the second number is whole as far as it is shown.
    assert "010-8765-****" in text
    assert "010-8765-****(" not in text


def test_the_bench_says_that_nobody_will_answer_and_shows_no_number(make_routed, sign_in):
    today = kst_date(timezone.now())
    late, good, none = make_routed(3, recipient_phone=SAFE)
    Order.objects.filter(pk=late.order_id).update(safe_number_end_date=today - timedelta(days=1))
    Order.objects.filter(pk=good.order_id).update(safe_number_end_date=today + timedelta(days=60))
    client = sign_in(Role.LOGISTICS)
    pages = [client.get(f"/pack/{one.number}/").content.decode() for one in (late, good, none)]
    assert ["data-safe-end" in page for page in pages] == [True, False, False]
    assert "에 만료되어 연락되지 않습니다." in pages[0]
    assert "1234-5678" not in pages[0]


def test_an_exception_says_that_its_buyer_cannot_be_reached(make_sent, sign_in):
    [shipment] = make_sent(1, recipient_phone=SAFE)
    [case] = opened([shipment])
    client = sign_in(Role.CS)
    assert "data-safe-end" not in client.get(f"{QUEUE}{case.pk}/").content.decode()
    yesterday = kst_date(timezone.now()) - timedelta(days=1)
    Order.objects.filter(pk=shipment.order_id).update(safe_number_end_date=yesterday)
    assert f"안심번호가 {yesterday}에 만료되어 연락되지 않습니다." in client.get(f"{QUEUE}{case.pk}/").content.decode()
