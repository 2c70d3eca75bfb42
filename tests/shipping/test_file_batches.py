"""Every download has a key; the file that comes back says how much of it is back, however it got its numbers."""

import io

import openpyxl
import pytest

from accounts.models import AccessLog
from accounts.roles import Role
from core.excel import Column, Kind, write_xlsx
from orders.models import OrderLine
from shipping.models import ExcelTemplate, Shipment, WaybillFileBatch, WaybillFileItem
from shipping.services import shipments
from shipping.services.files.batches import batch_of, returned
from shipping.services.merges import merging
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import waybill_number
from tests.shipping.test_courier_files import download

UPLOAD = "/shipping/waybills/upload/"
BATCHES = "/shipping/waybills/batches/"


@pytest.fixture
def cj(db):
    return ExcelTemplate.objects.get(name="CJ대한통운 B (13열)")


def rows_of(content):
    return [[cell.value for cell in row] for row in openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows()]


def send(client, content, **fields):
    file = io.BytesIO(content)
    file.name = "결과.xlsx"
    answer = client.post(UPLOAD, {"file": file, "courier": "CJGLS", **fields})
    assert answer.status_code == 302, answer.content.decode()
    return answer.headers["Location"]


def result_file(made, *, first=0):
    target = io.BytesIO()
    columns = [Column(str(i), name, Kind.ANY) for i, name in enumerate(("고객주문번호", "운송장번호"))]
    write_xlsx(target, columns, [[one.number, waybill_number(first + i)] for i, one in enumerate(made)], sheet="결과")
    return target.getvalue()


def test_a09_thirteen_columns_and_187_of_200_returned(make_shipments, logistics, cj):
    made = make_shipments(200, recipient_phone="01012345678", zip_code="06234", delivery_note="=1+1 문 앞")
    answer, content = download(logistics, cj)
    rows = rows_of(content)
    assert (len(rows), {len(row) for row in rows}) == (201, {13})
    assert {(row[4], row[6], row[11]) for row in rows[1:]} == {("010-1234-5678", "06234", "=1+1 문 앞")}
    assert sorted(row[12] for row in rows[1:]) == sorted(one.number for one in made)
    batch = WaybillFileBatch.objects.get()
    assert (batch.count, batch.reason, WaybillFileItem.objects.count()) == (200, "송장 출력", 200)
    assert batch.key.endswith("-001")
    assert batch.key in answer.headers["Content-Disposition"]

    where = send(logistics, result_file(made[:187]))
    page = logistics.get(where).content.decode()
    assert "내려받은 200건 가운데 187건이 돌아왔고 13건이 없습니다." in page
    assert returned([batch.pk])[batch.pk].back == 0
    logistics.post(where, {})
    assert "내려받은 200건 가운데 187건이 돌아왔고 13건이 없습니다." in logistics.get(where).content.decode()
    missing = logistics.get(f"{BATCHES}{batch.key}/?show=missing").content.decode()
    assert missing.count("data-shipment=") == 13
    listed = logistics.get(f"/orders/ready/?period=all&tab=no-waybill&file={batch.key}").content.decode()
    assert listed.count("data-waybill=") == 13
    assert "13" in logistics.get(BATCHES).content.decode()


def test_numbers_count_however_they_came_and_what_waits_no_more_is_not_missing(make_shipments, logistics, cj, staff):
    typed, merged, into, gone, rest = make_shipments(5)
    download(logistics, cj)
    batch = WaybillFileBatch.objects.get()
    merging.merge_shipments(shipment_ids=[merged.pk, into.pk], actor=staff, at=NOW)
    for n, one in enumerate((typed, merged)):
        waybills.register_waybills(entries={one.pk: WaybillEntry("CJGLS", waybill_number(n))}, actor=staff, at=NOW)
    shipments.return_to_preparing(line_ids=shipments.lines_of([gone.pk]), actor=staff, at=NOW)
    found = returned([batch.pk])[batch.pk]
    assert (found.total, found.back, found.missing, found.gone) == (5, 3, 1, 1)
    for show, number in (("missing", 1), ("back", 3), ("gone", 1), ("all", 5)):
        page = logistics.get(f"{BATCHES}{batch.key}/?show={show}").content.decode()
        assert page.count("data-shipment=") == number, show
    assert rest.number in logistics.get(f"{BATCHES}{batch.key}/?show=missing").content.decode()


def test_a_file_finds_its_download_by_property_else_by_most_of_its_keys_newest_first(make_shipments, logistics, cj):
    made = make_shipments(4)
    for _ in range(2):
        download(logistics, cj)
    download(logistics, cj, query="", ids=str(made[0].pk))
    first, second, third = WaybillFileBatch.objects.order_by("pk")
    ids = [one.pk for one in made]
    assert batch_of(properties={"oms_batch": first.key}, shipment_ids=ids) == first
    assert batch_of(properties={}, shipment_ids=ids) == second
    assert batch_of(properties={}, shipment_ids=ids[:1]) == third
    assert batch_of(properties={"oms_batch": "20200101-001"}, shipment_ids=[]) is None


def test_a_refused_download_leaves_no_batch(make_shipments, logistics, cj):
    make_shipments(1)
    answer = logistics.post("/shipping/waybills/file/?period=all", {"template": cj.pk, "reason": " "})
    assert answer.status_code == 422
    assert not WaybillFileBatch.objects.exists()


def test_others_see_no_batches(make_shipments, sign_in, cj):
    client = sign_in(Role.VIEWER)
    assert client.get(BATCHES).status_code == 403
    assert sign_in(Role.LOGISTICS).get(f"{BATCHES}20200101-001/").status_code == 404


@pytest.fixture
def plain(db):
    fields = ("shipment_number", "order_number", "product_name", "quantity", "delivery_note")
    columns = [{"header": one, "field": one, "fixed": ""} for one in fields]
    columns.append({"header": "이어서", "field": "", "fixed": "{상품명} {수량}개 {모름}"})
    return ExcelTemplate.objects.create(name="시험", columns=columns, join_text="+")


def set_options(template, **options):
    ExcelTemplate.objects.filter(pk=template.pk).update(**options)


def test_options_header_off_lines_same_goods_and_joins(make_shipments, logistics, plain):
    [one] = make_shipments(1, lines=2, delivery_note="문 앞")
    first, second = OrderLine.objects.filter(order=one.order_id).order_by("seq")
    OrderLine.objects.filter(pk=second.pk).update(
        product_name=first.product_name, option_name=first.option_name, variant=first.variant
    )
    rows = rows_of(download(logistics, plain)[1])
    assert rows[1][2:4] == [f"{first.product_name}+{first.product_name}", 2]
    set_options(plain, joins_same=True, omits_header=True)
    [row] = rows_of(download(logistics, plain)[1])
    assert row == [
        one.number, one.order.number, first.product_name, 2, "문 앞", f"{first.product_name} 2개 {{모름}}",
    ]  # fmt: skip
    set_options(plain, joins_same=False, row_per="LINE")
    assert [row[3] for row in rows_of(download(logistics, plain)[1])] == [1, 1]


def test_merged_parcels_as_one_row_or_one_for_each_order(make_shipments, logistics, plain, staff):
    [one] = make_shipments(1, delivery_note="문 앞")
    [two] = make_shipments(1, delivery_note="경비실")
    merging.merge_shipments(shipment_ids=[one.pk, two.pk], actor=staff, at=NOW)
    [_, row] = rows_of(download(logistics, plain)[1])
    assert row[:2] == [one.number, f"{one.order.number}+{two.order.number}"]
    assert (row[3], row[4]) == (2, "문 앞+경비실")
    log = AccessLog.objects.latest("pk")
    assert sorted(log.subjects) == sorted([one.order.number, two.order.number])
    set_options(plain, merged_rows="ORDERS")
    rows = rows_of(download(logistics, plain)[1])[1:]
    assert [row[:2] for row in rows] == [[one.number, one.order.number], [one.number, two.order.number]]
    assert [row[4] for row in rows] == ["문 앞", "경비실"]


def test_rows_by_product_and_single_goods_first(make_shipments, logistics, plain):
    pair, [late], [early] = make_shipments(1, lines=2), make_shipments(1), make_shipments(1)
    OrderLine.objects.filter(order=late.order_id).update(product_name="하")
    OrderLine.objects.filter(order=early.order_id).update(product_name="가")
    OrderLine.objects.filter(order=pair[0].order_id).update(product_name="나")
    lines = OrderLine.objects.filter(order=pair[0].order_id).order_by("seq")
    OrderLine.objects.filter(pk=lines[1].pk).update(product_name="다")
    expected = {
        "PRODUCT": [early, pair[0], late], "SINGLE_FIRST": [early, late, pair[0]],
    }  # fmt: skip
    for sort, order in expected.items():
        set_options(plain, sort=sort)
        rows = rows_of(download(logistics, plain)[1])[1:]
        assert [row[0] for row in rows] == [one.number for one in order], sort


def test_a_template_with_an_unknown_place_is_refused(logistics, plain):
    fields = {"version": plain.version, "name": plain.name, "courier": "", "row_per": "PARCEL", "join_text": "+"}
    columns = {"header": ["가"], "field": [""], "fixed": ["{없는 항목}"]}
    answer = logistics.post(f"/excel/templates/{plain.pk}/", fields | columns)
    assert answer.status_code == 422
    assert "항목이 없습니다" in answer.content.decode()
    assert ExcelTemplate.objects.get(pk=plain.pk).columns == plain.columns
    assert Shipment.objects.count() == 0
