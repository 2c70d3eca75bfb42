"""A11, A15, A17: labels are printed once, counted when printed again, and refused where they would do harm."""

import threading
from uuid import uuid4

import pytest
from django.db import connection

from core.invariants import find_violations
from core.settings_registry import SettingRefused, set_setting
from orders.models import Order, OrderEvent, OrderLine
from orders.services import locks
from orders.services.changes import Recipient, change_recipient
from orders.states import DeliveryMethod, LockKind, RemoteZone
from shipping.events import PARCEL_PRINTED
from shipping.models import Parcel, PrintBatch, PrintItem
from shipping.services import shipments
from shipping.services.issuing.extra import add_box
from shipping.services.numbers import waybills
from shipping.services.printing.documents import batch_pdf, batch_zpl
from shipping.services.printing.labels import print_labels
from shipping.services.printing.masks import MaskStyle
from shipping.states import ParcelState
from tests.fixtures.contracts import range_contract
from tests.fixtures.orders import ADDRESS, NOW
from tests.fixtures.packing import lines_of
from tests.fixtures.printing import ROUTING, overlaps, parcels_of, pictures, words


def printed(made, staff, *, paper="roll", at=NOW, **facts):
    return print_labels(parcel_ids=parcels_of(made), paper=paper, actor=staff, at=at, **facts)


def as_it_was(made):
    return list(
        Parcel.objects.filter(shipment__in=made).order_by("pk").values_list("state", "version", "printed_count")
    )


def test_printing_moves_counts_and_tells(make_routed, staff):
    made = make_routed(3)
    done = printed(made, staff)
    assert done.outcome.refused == {}
    assert as_it_was(made) == [(ParcelState.PRINTED, 1, 1)] * 3
    assert set(Parcel.objects.values_list("printed_at", flat=True)) == {NOW}
    batch = PrintBatch.objects.get()
    assert (batch.number, batch.kind, batch.paper, batch.count, batch.created_by) == (
        "P-20260921-0001", "LABEL", "roll", 3, staff,
    )  # fmt: skip
    assert list(batch.items.values_list("copy", "is_reprint")) == [(1, False)] * 3
    told = OrderEvent.objects.filter(kind=PARCEL_PRINTED.code)
    assert {(one.actor_id, one.data["copy"]) for one in told} == {(staff.pk, 1)}


def test_a_second_person_is_told_who_printed_and_nothing_changes(make_routed, staff, make_staff):
    made = make_routed(2)
    printed(made[:1], staff)
    before = as_it_was(made[:1])
    other = make_staff(display_name="박서준")
    done = printed(made, other)
    [first, second] = parcels_of(made)
    assert list(done.outcome.refused) == [first]
    assert "이미 출력한 송장입니다" in done.outcome.refused[first]
    assert "김하은 님" in done.outcome.refused[first]
    assert [parcel.pk for parcel in done.outcome.possible] == [second]
    assert as_it_was(made[:1]) == before
    assert PrintItem.objects.filter(parcel=first).count() == 1


def test_a_reprint_needs_a_reason_keeps_the_number_and_says_so(make_routed, staff):
    made = make_routed(1)
    printed(made, staff)
    number = Parcel.objects.get().waybill
    again = printed(made, staff, reason="프린터 종이 걸림")
    third = printed(made, staff, reason="또 걸림")
    parcel = Parcel.objects.get()
    assert (parcel.waybill, parcel.printed_count, parcel.version) == (number, 3, 3)
    assert list(again.batch.items.values_list("copy", "is_reprint")) == [(2, True)]
    assert "재출력1" in words(batch_pdf(again.batch, at=NOW))[0]
    assert "재출력2" in words(batch_pdf(third.batch, at=NOW))[0]
    told = OrderEvent.objects.filter(kind=PARCEL_PRINTED.code).order_by("id")
    assert [(one.reason, one.data["copy"]) for one in told] == [("", 1), ("프린터 종이 걸림", 2), ("또 걸림", 3)]
    assert find_violations("INV-01") == []


def test_the_same_request_twice_is_one_batch(make_routed, staff):
    made, key = make_routed(2), uuid4()
    printed(made, staff)
    first = printed(made, staff, reason="종이 걸림", key=key)
    second = printed(made, staff, reason="종이 걸림", key=key)
    assert first.batch == second.batch
    assert [count for _, _, count in as_it_was(made)] == [2, 2]


@pytest.mark.django_db(transaction=True)
def test_two_people_at_the_same_moment_print_each_label_once(make_routed, staff, make_staff):
    made, other = make_routed(20), make_staff(display_name="박서준")
    start, results = threading.Barrier(2), {}

    def work(actor):
        try:
            start.wait(10)
            results[actor.pk] = printed(made, actor)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(one,)) for one in (staff, other)]
    [one.start() for one in threads]
    [one.join(30) for one in threads]
    good = [len(one.outcome.possible) for one in results.values()]
    assert sorted(good) == [0, 20]
    assert {count for _, _, count in as_it_was(made)} == {1}
    assert PrintItem.objects.count() == 20
    loser = next(one for one in results.values() if not one.outcome.possible)
    assert len(loser.outcome.refused) == 20


def refused(made, staff):
    before = as_it_was(made)
    done = printed(made, staff)
    assert done.outcome.possible == []
    assert as_it_was(made) == before
    assert not PrintBatch.objects.exists()
    assert not OrderEvent.objects.filter(kind=PARCEL_PRINTED.code).exists()
    [text] = set(done.outcome.refused.values())
    return text


def test_cj_without_a_sort_code_is_refused(make_numbered, staff):
    text = refused(make_numbered(2), staff)
    assert text.startswith("CJ대한통운 분류코드가 없어")
    assert "API 계약을 등록하세요" in text


def test_cj_cannot_be_taken_out_of_the_couriers_that_need_a_sort_code(db, staff):
    with pytest.raises(SettingRefused, match="뺄 수 없습니다"):
        set_setting(key="sort_code_couriers", value=["HANJIN"], actor=staff, at=NOW)


@pytest.mark.parametrize(
    ("kind", "words_"),
    [(LockKind.CLAIM, "신청이 있어"), (LockKind.PAYMENT, "결제를 확인"), (LockKind.ADDRESS, "주소가 바뀌었습니다")],
)
def test_locked_shipments_are_refused(make_routed, staff, kind, words_):
    made = make_routed(1)
    ids = shipments.lines_of([made[0].pk])
    locks.place_lock(line_ids=ids, kind=kind, actor=staff, at=NOW, reason="시험")
    assert words_ in refused(made, staff)


def test_held_void_and_sent_ones_are_refused(make_routed, staff):
    held, void, sent = make_routed(1, first=10), make_routed(1, first=20), make_routed(1, first=30)
    locks.hold(line_ids=shipments.lines_of([held[0].pk]), actor=staff, at=NOW, reason="고객 부재")
    waybills.void_waybills(line_ids=shipments.lines_of([void[0].pk]), actor=staff, at=NOW, reason="오타")
    shipments.ship(line_ids=shipments.lines_of([sent[0].pk]), actor=staff, at=NOW)
    assert "고객 부재" in refused(held, staff)
    assert "삭제된 송장입니다" in refused(void, staff)
    assert "이미 출고한 송장" in refused(sent, staff)


def test_labels_come_in_the_order_of_picking(make_routed, staff):
    several = make_routed(1, first=50, lines=3)
    single = make_routed(2, first=60)
    done = printed([*several, *single], staff)
    order = list(done.batch.items.order_by("sort_key", "pk").values_list("shipment_id", flat=True))
    assert order == [single[0].pk, single[1].pk, several[0].pk]


PAPERS = {"cj": (984, 800), "roll": (800, 1200), "sheet": (1680, 2376)}


@pytest.mark.parametrize("paper", PAPERS)
def test_a17_scanners_read_every_paper_at_203_dpi(make_routed, staff, paper):
    made = make_routed(
        4, recipient_name="홍길동", recipient_phone="01012345678", zip_code="63000",
        address1="제주특별자치도 제주시 첨단로 242", address2="뷁빌딩 7층",
    )  # fmt: skip
    done = printed(made, staff, paper=paper)
    pdf = batch_pdf(done.batch, at=NOW)
    pages, texts = pictures(pdf), words(pdf)
    assert {(page.width, page.height) for page in pages} == {PAPERS[paper]}
    numbers = list(Parcel.objects.order_by("pk").values_list("waybill", flat=True))
    found = set.union(*(page.codes() for page in pages))
    assert found == {
        *(("Code128", number) for number in numbers),
        ("Code128", "5D32"),
        *(("QRCode", one.number) for one in made),
    }
    assert len(pages) == (1 if paper == "sheet" else 4)
    for text in texts:
        assert "홍*동" in text
        assert "010-1234-****" in text
        assert "뷁빌딩7층" in text
        assert "길동" not in text
        assert "5678" not in text
    assert "1/4" in texts[0]


def test_a17_safe_numbers_are_whole_only_where_the_setting_says_so(make_routed, staff):
    made = make_routed(1, recipient_phone="050711112222")
    batch = printed(made, staff).batch
    assert "0507-1111-****" in words(batch_pdf(batch, at=NOW))[0]
    set_setting(key="label_safe_number_whole", value=True, actor=staff, at=NOW)
    assert "0507-1111-2222" in words(batch_pdf(batch, at=NOW))[0]


def test_masks_only_get_stricter():
    usual, strict = MaskStyle(), MaskStyle("FIRST", "PREFIX")
    assert [usual.of_name(one) for one in ("홍길동", "홍길", "남궁민수", "John Smith")] == [
        "홍*동",
        "홍*",
        "남**수",
        "J***",
    ]
    assert [strict.of_name(one) for one in ("홍길동", "홍길", "남궁민수")] == ["홍**", "홍*", "남***"]
    assert strict.of_phone("01012345678") == "010-****-****"
    assert usual.of_phone("") == ""


@pytest.mark.parametrize("paper", PAPERS)
def test_thirty_letters_of_a_name_and_a_long_address_are_all_there(make_routed, staff, paper):
    name, address = "김" + "가나다라마바사" * 4 + "끝", "경기도 성남시 분당구 " + "아주긴도로이름" * 20 + " 끝동"
    made = make_routed(
        1, recipient_name=name, address1=address, address2="901호 마지막", delivery_note="문 앞 " * 60 + "끝"
    )
    [text] = words(batch_pdf(printed(made, staff, paper=paper).batch, at=NOW))
    assert "김******끝" in text
    assert address.replace(" ", "") + "901호마지막" in text


@pytest.mark.parametrize("paper", ["cj", "roll", "sheet"])
def test_what_a_courier_tells_of_the_way_stays_in_its_place(make_routed, staff, paper):
    names = {"nickname": "울릉읍 도동리 아주긴마을 한빛아파트", "branch": "서울강남테스트집배점", "driver": "G43-96"}
    made = make_routed(1)
    Parcel.objects.update(routing=ROUTING | names | {"p2p": "P339-P340"})
    pdf = batch_pdf(printed(made, staff, paper=paper).batch, at=NOW)
    for told in ("5D32-1A", "P339-P340", "울릉읍도동리아주긴마을한빛아파트", "서울강남테스트집배점-G43-96"):
        # A hyphen at the end of a line is a sign of its own.
        assert told in words(pdf)[0].replace("\ufffe", "-")
    assert overlaps(pdf) == []
    assert {("Code128", "5D32"), ("Code128", made[0].waybill)} <= pictures(pdf)[0].codes()


def test_emoji_leave_no_empty_boxes_on_paper(make_routed, staff):
    made = make_routed(1, delivery_note="🎁선물입니다🎉 ㈜가람 ★", recipient_name="홍길동🌸")
    OrderLine.objects.update(product_name="❤️하트 쿠키🍪")
    [text] = words(batch_pdf(printed(made, staff).batch, at=NOW))
    assert "배송메시지선물입니다㈜가람★" in text
    assert "홍*동" in text
    assert "하트쿠키" in text
    assert not set("🎁🎉🌸❤🍪\ufe0f") & set(text)


def test_a_remote_area_is_marked_and_the_sender_can_be_called(make_routed, staff):
    set_setting(key="sender_phone", value="0212345678", actor=staff, at=NOW)
    [far, near] = made = make_routed(2)
    Order.objects.filter(pk=far.order_id).update(remote_zone=RemoteZone.JEJU)
    Order.objects.filter(pk=near.order_id).update(remote_zone=RemoteZone.MAINLAND)
    texts = words(batch_pdf(printed(made, staff).batch, at=NOW))
    marked = {far.number in text: "제주" in text for text in texts}
    assert marked == {True: True, False: False}
    assert all("02-1234-5678" in text for text in texts)


def test_an_order_of_sixty_items_says_how_many_more(make_routed, staff):
    made = make_routed(1, lines=60)
    for paper, left in (("cj", 57), ("roll", 49), ("sheet", 49)):
        batch = printed(made, staff, paper=paper, reason="시험").batch
        assert f"외{left}건{left}개" in words(batch_pdf(batch, at=NOW))[0]


def test_a_label_voided_after_printing_is_left_out_of_the_file(make_routed, staff):
    made = make_routed(2)
    batch = printed(made, staff).batch
    waybills.void_waybills(line_ids=shipments.lines_of([made[0].pk]), actor=staff, at=NOW, reason="오타")
    texts = words(batch_pdf(batch, at=NOW))
    assert len(texts) == 1
    assert made[1].number in texts[0]
    assert "2/2" in texts[0]


def test_an_address_that_changes_after_printing_never_gets_onto_the_old_label(make_routed, staff):
    made = make_routed(1)
    batch = printed(made, staff).batch
    order = made[0].order
    change_recipient(
        order_id=order.pk, recipient=Recipient(**ADDRESS), expected_version=order.version, actor=staff, at=NOW
    )
    [text] = words(batch_pdf(batch, at=NOW))
    assert "세종대로" not in text
    assert "출력할송장이없습니다" in text


def test_a_sort_code_that_is_lost_after_printing_leaves_no_label_of_cj_without_one(make_routed, staff):
    made = make_routed(2)
    batch = printed(made, staff, paper="cj").batch
    Parcel.objects.filter(shipment=made[0]).update(routing={"sort_code": "", "error": "주소 오류"})
    [text] = words(batch_pdf(batch, at=NOW))
    assert made[1].number in text
    assert made[0].number not in text


def test_the_labels_of_several_boxes_say_which_is_which(make_routed, staff):
    [several] = make_routed(1, quantities=(2,))
    [single] = make_routed(1, first=50)
    [line] = lines_of(several)
    add_box(shipment_id=several.pk, contents={line.pk: 1}, contract_id=range_contract().pk, actor=staff, at=NOW)
    Parcel.objects.update(routing=ROUTING)
    texts = words(batch_pdf(printed([several, single], staff).batch, at=NOW))
    assert sum("상자1/2" in text for text in texts) == sum("상자2/2" in text for text in texts) == 1
    assert ["상자" in text for text in texts if single.number in text] == [False]


def test_zpl_holds_one_picture_for_each_label(make_routed, staff):
    batch = printed(make_routed(3), staff, paper="cj").batch
    zpl = batch_zpl(batch, at=NOW)
    assert zpl.count(b"^XA^PW984^LL800") == zpl.count(b"^XZ") == 3
    assert zpl.isascii()


def test_another_method_needs_no_label(make_shipments, staff):
    made = make_shipments(1, method=DeliveryMethod.VISIT)
    done = print_labels(parcel_ids=[], paper="roll", actor=staff, at=NOW)
    assert (done.outcome.possible, done.batch) == ([], None)
    assert made[0].method == "VISIT"
