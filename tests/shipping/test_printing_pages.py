"""Pages of printing: acts on 배송준비중, files behind the right and in the access log, the box that checks a label."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import AccessAction, AccessLog
from accounts.roles import Role
from core import relay
from core.models import Job
from orders.services import locks
from orders.services.changes import Recipient, change_recipient
from orders.states import LockKind
from shipping.models import Parcel, PrintBatch, PrintItem, PrintKind, Shipment
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.services.printing import batches
from shipping.services.printing.documents import batch_pdf
from shipping.services.printing.labels import print_labels
from shipping.services.printing.lists import print_list
from shipping.services.printing.readdress import TOLD, void_readdressed
from shipping.services.printing.scanning import LabelVerdict, find_label
from shipping.states import ParcelState
from shipping.views import printing as print_views
from tests.fixtures.orders import ADDRESS, NOW
from tests.fixtures.packing import Packer, skus
from tests.fixtures.printing import parcels_of, words
from tests.fixtures.shipments import again, waybill_number


def rows(made):
    return [(one.pk, one.version) for one in again(made)]


def body(answer):
    return answer.content.decode()


def test_a11_labels_lists_and_one_reprint(make_routed, logistics, press):
    made = make_routed(20, at=timezone.now())
    preview, done = press(logistics, "print-labels", "ready", rows(made), paper="cj")
    assert "20건을 송장 출력합니다" in body(preview)
    [batch] = PrintBatch.objects.all()
    assert f"/shipping/print/{batch.number}/" in body(done)
    assert (batch.count, batch.paper) == (20, "cj")
    assert set(Parcel.objects.values_list("state", "printed_count")) == {(ParcelState.PRINTED, 1)}

    answer = logistics.get(f"/shipping/print/{batch.number}/file/?part=1")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer["Content-Disposition"].startswith("inline;")
    assert len(words(answer.content)) == 20
    log = AccessLog.objects.get(action=AccessAction.EXPORT)
    assert (log.row_count, log.detail["print"], len(log.subjects)) == (20, batch.number, 20)

    one = Parcel.objects.order_by("pk")[0]
    form = {"parcel": one.pk, "reason": "종이 걸림", "paper": "roll", "key": uuid4()}
    first = logistics.post(f"/shipping/print/{batch.number}/", form)
    second = logistics.post(f"/shipping/print/{batch.number}/", form)
    assert first.status_code == second.status_code == 302
    assert first["Location"] == second["Location"]
    assert PrintBatch.objects.count() == 2
    again_ = PrintItem.objects.get(is_reprint=True)
    assert (again_.parcel_id, again_.copy, again_.batch.reason) == (one.pk, 2, "종이 걸림")
    assert Parcel.objects.get(pk=one.pk).printed_count == 2
    page = logistics.get(f"/shipping/print/{again_.batch.number}/file/?part=1").content
    assert "재출력1" in words(page)[0]

    for act, kind in (("print-picking", "PICKING"), ("print-packing", "PACKING")):
        _, done = press(logistics, act, "ready", rows(made))
        listed = PrintBatch.objects.get(kind=kind)
        assert f"/shipping/print/{listed.number}/" in body(done)
        answer = logistics.get(f"/picking/{listed.number}/print/")
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        texts = words(answer.content)
        assert made[0].order.recipient_name not in "".join(texts)
    assert len(texts) == 20
    assert AccessLog.objects.filter(action=AccessAction.EXPORT, detail__kind="PACKING").count() == 1


def test_the_act_names_why_and_by_whom(make_routed, make_shipments, logistics, press, staff):
    made = make_routed(2, at=timezone.now())
    bare = make_shipments(1, at=timezone.now())
    print_labels(parcel_ids=parcels_of(made[:1]), paper="roll", actor=staff, at=timezone.now())
    preview, _ = press(logistics, "print-labels", "ready", rows([*made, *bare]), paper="")
    text = body(preview)
    assert "이미 출력한 송장입니다" in text
    assert "김하은 님" in text
    assert "송장번호가 없습니다. 송장을 먼저 등록하거나 채번하세요." in text
    _, again_ = press(logistics, "reprint-labels", "ready", rows(made[:1]), reason="잘림", paper="")
    assert again_ is not None
    assert Parcel.objects.get(shipment=made[0]).printed_count == 2


def test_a_confirmed_act_runs_once(make_routed, logistics, press):
    made = make_routed(3, at=timezone.now())
    press(logistics, "print-labels", "ready", rows(made), paper="")
    job = Job.objects.get(act="print-labels")
    logistics.post(f"/acts/{job.uuid}/apply/", {"paper": ""}, headers={"HX-Request": "true"})
    assert set(Parcel.objects.values_list("printed_count", flat=True)) == {1}
    assert PrintBatch.objects.get().job == job


def test_a_later_file_or_another_person_asks_for_one_more_print(make_routed, make_staff, sign_in):
    made, mine, other = make_routed(1), make_staff(Role.LOGISTICS), make_staff(Role.LOGISTICS)
    at = timezone.now()
    batch = print_labels(parcel_ids=parcels_of(made), paper="roll", actor=mine, at=at).batch
    url = f"/shipping/print/{batch.number}/file/"
    assert sign_in(mine).get(url).status_code == 200
    refused = sign_in(other).get(url)
    assert refused.status_code == 409
    assert "다시 출력" in body(refused)
    PrintBatch.objects.update(created_at=at - timedelta(minutes=31))
    assert sign_in(mine).get(url).status_code == 409
    assert AccessLog.objects.filter(action=AccessAction.EXPORT).count() == 1
    assert Parcel.objects.get().printed_count == 1


def test_zpl_is_a_download(make_routed, make_staff, sign_in):
    mine = make_staff(Role.LOGISTICS)
    batch = print_labels(parcel_ids=parcels_of(make_routed(1)), paper="cj", actor=mine, at=timezone.now()).batch
    answer = sign_in(mine).get(f"/shipping/print/{batch.number}/file/?format=zpl")
    assert answer["Content-Type"] == "text/plain; charset=us-ascii"
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer.content.startswith(b"^XA^PW984^LL800")


@pytest.mark.parametrize("role", [Role.CS, Role.FINANCE, Role.VIEWER, Role.AUDITOR])
def test_only_who_may_register_numbers_may_print(make_routed, sign_in, staff, role, press):
    made = make_routed(1)
    batch = print_labels(parcel_ids=parcels_of(made), paper="roll", actor=staff, at=NOW).batch
    client = sign_in(role)
    for url in (
        "/shipping/waybills/",
        "/picking/",
        f"/shipping/print/{batch.number}/",
        f"/shipping/print/{batch.number}/file/",
    ):
        assert client.get(url).status_code == 403
    assert client.post(f"/shipping/print/{batch.number}/", {"reason": "x", "key": uuid4()}).status_code == 403
    preview, done = press(client, "reprint-labels", "ready", rows(made), reason="x")
    assert (preview.status_code, done) == (403, None)
    assert Parcel.objects.get().printed_count == 1


@pytest.mark.parametrize("url", ["/shipping/print/P-1/", "/shipping/print/P-1/file/", "/picking/P-1/print/"])
def test_an_unknown_batch_is_a_404(logistics, url):
    answer = logistics.get(url)
    assert answer.status_code == 404
    assert "출력 기록을 찾을 수 없습니다" in body(answer)


def test_bad_input_is_told(make_routed, logistics, staff):
    batch = print_labels(parcel_ids=parcels_of(make_routed(1)), paper="roll", actor=staff, at=NOW).batch
    ticked = Parcel.objects.get().pk
    answer = logistics.post(f"/shipping/print/{batch.number}/", {"reason": "", "key": "x", "parcel": ticked})
    assert answer.status_code == 422
    assert "다시 출력하는 사유를 입력하세요." in body(answer)
    assert f'value="{ticked}" checked' in body(answer)
    answer = logistics.post(f"/shipping/print/{batch.number}/", {"reason": "잘림", "key": uuid4()})
    assert (answer.status_code, "다시 출력할 송장을 고르세요." in body(answer)) == (422, True)
    nonsense = {"reason": "잘림", "key": uuid4(), "parcel": ["9" * 5000, "²", "-1", ""]}
    answer = logistics.post(f"/shipping/print/{batch.number}/", nonsense)
    assert (answer.status_code, "다시 출력할 송장을 고르세요." in body(answer)) == (422, True)
    assert Parcel.objects.get().printed_count == 1


def test_pages_show_batches_without_people(make_routed, logistics, staff):
    made = make_routed(2)
    batch = print_labels(parcel_ids=parcels_of(made), paper="roll", actor=staff, at=NOW).batch
    listed, one = body(logistics.get("/shipping/waybills/")), body(logistics.get(f"/shipping/print/{batch.number}/"))
    assert f'data-print="{batch.number}"' in listed
    assert made[0].number in one
    assert made[0].order.recipient_name not in listed + one
    assert made[0].order.recipient_phone not in listed + one


def test_a_batch_of_several_files_shows_and_reprints_one_at_a_time(make_routed, make_staff, sign_in, monkeypatch):
    for module in (batches, print_views):
        monkeypatch.setattr(module, "parts", lambda batch: [(1, 1, 2), (2, 3, 3)])
    monkeypatch.setattr(batches, "PART", 2)
    mine = make_staff(Role.LOGISTICS)
    made, client = make_routed(3), sign_in(mine)
    batch = print_labels(parcel_ids=parcels_of(made), paper="roll", actor=mine, at=timezone.now()).batch
    ids = shipments.lines_of([made[0].pk])
    waybills.void_waybills(line_ids=ids, actor=mine, at=timezone.now(), reason="오타")
    url = f"/shipping/print/{batch.number}/"
    first, second = body(client.get(url)), body(client.get(f"{url}?part=2"))
    assert [made[n].number in first for n in range(3)] == [True, True, False]
    assert [made[n].number in second for n in range(3)] == [False, False, True]
    assert "3/3" in second
    assert "삭제된 송장 1장은" in first
    assert "삭제된 송장 1장은" in second
    assert client.get(f"{url}?part=3").status_code == 404
    assert len(words(client.get(f"{url}file/?part=2").content)) == 1
    client.post(f"{url}?part=2", {"all": "1", "reason": "종이 걸림", "key": uuid4()})
    assert list(Parcel.objects.order_by("pk").values_list("printed_count", flat=True)) == [1, 1, 2]


def test_picking_leaves_out_what_must_not_be_fetched(make_shipments, staff, press, sign_in):
    client, at = sign_in(staff), timezone.now()
    single, several, claimed = make_shipments(2, at=at), make_shipments(1, lines=2, at=at), make_shipments(1, at=at)
    made = [*several, *single, *claimed]
    press(client, "print-picking", "ready", rows(made))
    batch = PrintBatch.objects.get(kind="PICKING")
    first = words(batch_pdf(batch, at=NOW))[0]
    assert "배송건4건" in first
    assert "2026-09-2111:00기준" in first
    assert first.index("총량피킹:단품") < first.index("총량피킹:합포") < first.index("배송건별피킹")
    ids = shipments.lines_of([claimed[0].pk])
    locks.place_lock(line_ids=ids, kind=LockKind.CLAIM, actor=staff, at=NOW, reason="취소 신청")
    then = words(batch_pdf(batch, at=NOW))[0]
    assert "배송건3건" in then
    assert "취소신청이나보류로뺀품목1건" in then
    assert claimed[0].number not in then
    preview, _ = press(client, "print-picking", "ready", rows(claimed))
    assert "신청이 있어" in body(preview)


def test_goods_that_are_packed_already_are_not_fetched_once_more(make_routed, staff):
    made = make_routed(2)
    packer = Packer(staff)
    packer.scan(made[0].number)
    packer.scan(skus(made[0])[0])
    ids = [one.pk for one in made]
    outcome, batch = print_list(kind=PrintKind.PICKING, shipment_ids=ids, actor=staff, at=NOW)
    assert "이미 포장을 마친" in outcome.refused[made[0].pk]
    assert list(batch.items.values_list("shipment_id", flat=True)) == [made[1].pk]
    outcome, batch = print_list(kind=PrintKind.PACKING, shipment_ids=ids, actor=staff, at=NOW)
    assert (outcome.refused, batch.count) == ({}, 2)


def test_packing_tells_what_is_in_the_box_and_what_follows(make_order, staff, make_variant):
    order = make_order(lines=[(make_variant(on_hand=9), 1) for _ in range(3)], paid=True)
    lines = list(order.lines.order_by("seq"))
    shipments.make_ready(line_ids=[one.pk for one in lines[:2]], actor=staff, at=NOW)
    from_here = Shipment.objects.get(order=order)

    _, batch = print_list(kind=PrintKind.PACKING, shipment_ids=[from_here.pk], actor=staff, at=NOW)
    [text] = words(batch_pdf(batch, at=NOW))
    assert "부분배송" in text
    assert text.index(lines[1].product_name.replace(" ", "")) < text.index("부분배송")
    assert text.rindex(lines[2].product_name.replace(" ", "")) > text.index("부분배송")
    assert "10,000" not in text


def change_address(shipment, staff):
    order = shipment.order
    order.refresh_from_db()
    change_recipient(
        order_id=order.pk, recipient=Recipient(**ADDRESS), expected_version=order.version, actor=staff, at=NOW
    )


def test_a_changed_address_voids_the_printed_label_visibly(make_routed, staff, sign_in):
    made = make_routed(1, at=timezone.now())
    print_labels(parcel_ids=parcels_of(made), paper="roll", actor=staff, at=NOW)
    number = Parcel.objects.get().waybill
    change_address(made[0], staff)
    assert find_label(number).verdict is LabelVerdict.ADDRESS
    relay.run_once(at=NOW + timedelta(hours=1))
    parcel = Parcel.objects.get()
    assert (parcel.state, parcel.waybill) == (ParcelState.VOID, number)
    assert not any(line.open_locks for line in made[0].order.lines.all())
    void_readdressed(order_id=made[0].order_id, actor=None, at=NOW)
    assert Parcel.objects.get().version == parcel.version
    found = find_label(number)
    assert (found.verdict, found.is_alarm, found.reason, found.who) == (
        LabelVerdict.VOID,
        True,
        "배송지 변경",
        "시스템",
    )
    client = sign_in(staff)
    assert TOLD in body(client.get(f"/orders/{made[0].order.number}/"))
    assert "주소 변경, 다시 출력" in body(client.get("/orders/ready/"))
    page = body(client.get(f"/shipping/waybills/?code={number}"))
    assert 'data-signal="VOID"' in page
    assert "삭제된 송장입니다. 새 송장을 출력해 붙이세요." in page

    entry = WaybillEntry("CJGLS", waybill_number(77))
    waybills.register_waybills(entries={made[0].pk: entry}, actor=staff, at=NOW)
    found = find_label(number)
    assert (found.verdict, entry.waybill in found.text) == (LabelVerdict.REPLACED, True)
    assert find_label(entry.waybill).verdict is LabelVerdict.OK
    assert TOLD not in body(client.get(f"/orders/{made[0].order.number}/"))
    assert "주소 변경, 다시 출력" not in body(client.get("/orders/ready/"))


def test_a_late_handler_leaves_a_new_number_alone(make_routed, staff):
    made = make_routed(1)
    change_address(made[0], staff)
    entry = WaybillEntry("CJGLS", waybill_number(78), replaces=True)
    waybills.register_waybills(entries={made[0].pk: entry}, actor=staff, at=NOW)
    relay.run_once(at=NOW + timedelta(hours=1))
    assert Parcel.objects.exclude(state=ParcelState.VOID).get().waybill == entry.waybill


def test_a_new_delivery_note_alone_keeps_the_label(make_routed, staff):
    made = make_routed(1)
    order = made[0].order
    same = {name: getattr(order, name) for name in Recipient.__slots__} | {"delivery_note": "경비실"}
    change_recipient(
        order_id=order.pk, recipient=Recipient(**same), expected_version=order.version, actor=staff, at=NOW
    )
    relay.run_once(at=NOW + timedelta(hours=1))
    assert Parcel.objects.get().state == ParcelState.NUMBERED


def test_a12_a_cancel_request_after_printing_alarms_at_the_scan(make_routed, staff):
    made = make_routed(1)
    print_labels(parcel_ids=parcels_of(made), paper="roll", actor=staff, at=NOW)
    ids = shipments.lines_of([made[0].pk])
    locks.place_lock(line_ids=ids, kind=LockKind.CLAIM, actor=None, at=NOW, reason="취소 신청")
    parcel = Parcel.objects.get()
    spaced = f"{parcel.waybill[:4]}-{parcel.waybill[4:8]}-{parcel.waybill[8:]}"
    in_korean = made[0].number.replace("D", "ㅇ")
    for code in (parcel.waybill, spaced, made[0].number, made[0].number.lower(), in_korean, made[0].order.number):
        found = find_label(code)
        assert (found.verdict, found.is_alarm, found.parcel_id) == (LabelVerdict.CLAIM, True, parcel.pk)
        assert found.text.startswith("포장을 멈추세요.")


def test_the_scan_tells_other_ends_apart(make_routed, make_shipments, staff):
    good, sent, bare = make_routed(1, first=1), make_routed(1, first=2), make_shipments(1)
    ids = shipments.lines_of([sent[0].pk])
    shipments.ship(line_ids=ids, actor=staff, at=NOW)
    found = find_label(waybill_number(2))
    assert (found.verdict, "김하은 님" in found.text) == (LabelVerdict.SHIPPED, True)
    assert find_label(good[0].number).verdict is LabelVerdict.OK
    assert find_label(bare[0].number).verdict is LabelVerdict.NO_LABEL
    assert not find_label(bare[0].number).is_alarm
    assert find_label("123").verdict is LabelVerdict.UNKNOWN
    assert find_label("").verdict is LabelVerdict.UNKNOWN
    assert find_label("\x00").verdict is LabelVerdict.UNKNOWN
    assert find_label(f"{good[0].number}\x00").verdict is LabelVerdict.OK
