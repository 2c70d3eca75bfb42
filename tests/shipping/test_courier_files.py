"""A09: the courier's file opens without a warning, texts stay texts, and the templates behind it can be changed."""

import io
from urllib.parse import quote

import openpyxl
import pytest
import python_calamine
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import AccessAction, AccessLog
from accounts.roles import Role
from core.excel import read_table
from core.settings_registry import set_setting
from core.text import BROKEN
from orders.services import locks
from orders.states import DeliveryMethod, LockKind
from shipping.models import ExcelTemplate
from shipping.services import shipments
from shipping.views import courier_file
from tests.fixtures.orders import NOW
from tests.fixtures.shipments import again, waybill_number

FILE = "/shipping/waybills/file/"
LIST = "/excel/templates/"
CJ_HEADERS = (
    "예약구분, 집하예정일, 받는분성명, 받는분전화번호, 받는분기타연락처, 받는분우편번호, 받는분주소(전체/ 분할),"
    " 운송장번호, 고객주문번호, 품목명, 박스수량, 박스타입, 기본운임, 배송메세지1, 배송메세지2, 품목명, 운임구분"
)


@pytest.fixture
def cj(db):
    return ExcelTemplate.objects.get(name="CJ대한통운 A")


def download(client, template, *, query="period=all", **fields):
    answer = client.post(f"{FILE}?{query}", {"template": template.pk, "reason": "송장 출력", **fields})
    assert answer.status_code == 200, answer.content.decode()
    return answer, b"".join(answer.streaming_content)


def test_a09_two_hundred_parcels_for_cj(make_shipments, logistics, cj):
    made = make_shipments(200, recipient_phone="01012345678", zip_code="06234", delivery_note="=1+1 문 앞")
    answer, content = download(logistics, cj)
    assert "filename*=UTF-8''%EC%86%A1%EC%9E%A5" in answer.headers["Content-Disposition"]
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    rows = list(sheet.iter_rows())
    headers = [cell.value for cell in rows[0]]
    assert headers == [one.replace("/", ",") for one in CJ_HEADERS.split(", ")]
    assert headers.count("품목명") == 2
    assert len(rows) == 201
    for row in rows[1:]:
        by_name = dict(zip(headers, row, strict=True))
        cells = [by_name[name] for name in ("받는분우편번호", "받는분전화번호", "배송메세지1")]
        assert [cell.value for cell in cells] == ["06234", "010-1234-5678", "=1+1 문 앞"]
        assert [cell.data_type for cell in cells] == ["s", "s", "s"]
        assert [cell.number_format for cell in cells] == ["@", "@", "@"]
    assert not any(cell.data_type == "f" for row in rows for cell in row)
    assert sorted(row[8].value for row in rows[1:]) == sorted(one.number for one in made)
    plain = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    assert len(plain) == 201
    assert {(row[3], row[5], row[13]) for row in plain[1:]} == {("010-1234-5678", "06234", "=1+1 문 앞")}


def test_a_number_typed_into_the_empty_waybill_cells_stays_text(make_shipments, logistics, cj):
    make_shipments(3)
    _, content = download(logistics, cj)
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    by_name = {cell.value: cell.column for cell in sheet[1]}
    for row in range(2, 5):
        for name in ("운송장번호", "집하예정일", "기본운임"):
            cell = sheet.cell(row, by_name[name])
            assert (cell.value, cell.number_format) == (None, "@"), name
    # Rows that a person adds below take the format of their column.
    assert sheet.column_dimensions[sheet.cell(1, by_name["운송장번호"]).column_letter].number_format == "@"


def test_the_download_is_written_down_and_named_in_the_file(make_shipments, logistics, cj):
    made = make_shipments(2)
    _, content = download(logistics, cj)
    log = AccessLog.objects.get(action=AccessAction.EXPORT)
    assert (log.purpose, log.row_count) == ("송장 출력", 2)
    assert sorted(log.subjects) == sorted(one.order.number for one in made)
    table = read_table(content, filename="a.xlsx")
    assert table.properties["oms_batch"] == log.detail["batch"]


def test_without_a_reason_nothing_leaves(make_shipments, logistics, cj):
    make_shipments(1)
    page = logistics.get(f"{FILE}?period=all").content.decode()
    assert "배송건 1건을 내려받습니다." in page
    answer = logistics.post(f"{FILE}?period=all", {"template": cj.pk, "reason": " "})
    assert answer.status_code == 422
    assert "내려받는 이유를 입력하세요." in answer.content.decode()
    assert not AccessLog.objects.filter(action=AccessAction.EXPORT).exists()


def test_more_than_a_file_may_hold_is_refused_and_nothing_leaves(make_shipments, logistics, cj, monkeypatch):
    assert courier_file.MOST == 5_000
    make_shipments(4)
    monkeypatch.setattr(courier_file, "MOST", 3)
    answer = logistics.post(f"{FILE}?period=all", {"template": cj.pk, "reason": "송장 출력"})
    assert answer.status_code == 422
    assert "한 번에 5,000건까지 내려받을 수 있습니다." in answer.content.decode()
    assert not AccessLog.objects.filter(action=AccessAction.EXPORT).exists()
    monkeypatch.setattr(courier_file, "MOST", 4)
    download(logistics, cj)


def test_held_and_other_methods_stay_out_and_a_selection_counts(make_shipments, logistics, cj, staff):
    plain, held, visit = make_shipments(2), make_shipments(1), make_shipments(1, method=DeliveryMethod.VISIT)
    locks.hold(line_ids=shipments.lines_of([held[0].pk]), actor=staff, at=NOW, reason="고객 부재")
    ids = ",".join(str(one.pk) for one in (plain[0], *held, *visit))
    page = logistics.post(FILE, {"ids": ids}).content.decode()
    assert "배송건 1건을 내려받습니다. 2건은 제외합니다." in page
    _, content = download(logistics, cj, query="", ids=ids)
    rows = read_table(content, filename="a.xlsx").rows
    assert [row[8] for row in rows[1:]] == [plain[0].number]


def test_a_parcel_whose_money_is_being_looked_at_stays_out_and_says_so(make_shipments, logistics, cj):
    free, locked = make_shipments(2)
    lines = shipments.lines_of([locked.pk])
    locks.place_lock(line_ids=lines, kind=LockKind.PAYMENT, actor=None, at=NOW, reason="은행 취소")
    ids = f"{free.pk},{locked.pk}"
    page = logistics.post(FILE, {"ids": ids}).content.decode()
    assert "배송건 1건을 내려받습니다. 1건은 제외합니다." in page
    assert "결제 확인" in page
    _, content = download(logistics, cj, query="", ids=ids)
    assert [row[8] for row in read_table(content, filename="a.xlsx").rows[1:]] == [free.number]
    assert logistics.get("/orders/ready/?period=all").content.decode().count("결제 확인</span>") == 1
    locks.release_lock(line_ids=lines, kind=LockKind.PAYMENT, actor=None, at=NOW, reason="다시 입금")
    _, content = download(logistics, cj, query="", ids=ids)
    assert len(read_table(content, filename="a.xlsx").rows) == 3


def test_a_row_for_each_line_and_the_sender(make_shipments, logistics, staff):
    make_shipments(1, lines=2)
    set_setting(key="sender_name", value="우리 물류", actor=staff, at=NOW)
    columns = [
        {"header": "번호", "field": "line_number", "fixed": ""},
        {"header": "상품", "field": "product_name", "fixed": ""},
        {"header": "보내는분", "field": "sender_name", "fixed": ""},
        {"header": "구분", "field": "", "fixed": "신용"},
        {"header": "수량", "field": "quantity", "fixed": ""},
    ]
    template = ExcelTemplate.objects.create(name="품목마다", columns=columns, row_per="LINE")
    rows = read_table(download(logistics, template)[1], filename="a.xlsx").rows
    assert len(rows) == 3
    assert {tuple(row[2:]) for row in rows[1:]} == {("우리 물류", "신용", 1)}


def test_presets_are_there_and_the_example_says_so(db):
    names = dict(ExcelTemplate.objects.values_list("name", "is_preset"))
    assert names == {
        "CJ대한통운 A": True,
        "우체국 계약소포": True,
        "로젠택배": True,
        "한진택배 (예시: 택배사 양식에 맞게 고쳐 쓰세요)": False,
        "CJ대한통운 B (13열)": True,
        "CJ대한통운 LOIS": True,
        "우체국 계약소포 (11열, 고객주문번호 없음)": True,
        "수하인 양식 (11열, 고객주문번호 없음)": True,
        "굿스플로 (예시: 굿스플로 양식에 맞게 고쳐 쓰세요)": False,
        "송장 등록용 (배송번호, 택배사, 운송장번호)": True,
    }
    assert [one.name for one in ExcelTemplate.objects.filter(is_default=True)] == ["CJ대한통운 A"]
    for one in ExcelTemplate.objects.all():
        has_key = "shipment_number" in [column["field"] for column in one.columns]
        assert has_key != ("고객주문번호 없음" in one.name)
    columns = {one.name: len(one.columns) for one in ExcelTemplate.objects.all()}
    assert columns["CJ대한통운 B (13열)"] == 13
    assert (
        columns["우체국 계약소포 (11열, 고객주문번호 없음)"] == columns["수하인 양식 (11열, 고객주문번호 없음)"] == 11
    )


def test_the_preset_for_typed_numbers_is_read_back_as_it_is(make_shipments, logistics):
    made = make_shipments(2)
    _, content = download(logistics, ExcelTemplate.objects.get(name="송장 등록용 (배송번호, 택배사, 운송장번호)"))
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert [cell.value for cell in book.active[1]][:3] == ["배송번호", "택배사", "운송장번호"]
    for n, row in enumerate((2, 3)):
        book.active.cell(row, 3).value = waybill_number(n)
    filled = io.BytesIO()
    book.save(filled)
    file = SimpleUploadedFile("적은 파일.xlsx", filled.getvalue())
    answer = logistics.post("/shipping/waybills/upload/", {"file": file, "courier": "CJGLS"})
    html = logistics.get(answer.headers["Location"]).content.decode()
    assert "내려받은 2건 가운데 2건이 돌아왔고 빠진 배송건이 없습니다." in html
    logistics.post(answer.headers["Location"])
    assert [one.waybill for one in again(made)] == [waybill_number(0), waybill_number(1)]


def test_columns_are_added_moved_removed_and_saved(make_shipments, logistics, cj):
    make_shipments(1)
    url = f"{LIST}{cj.pk}/"
    page = logistics.get(url).content.decode()
    assert "김*령" in page
    assert "김수령" not in page
    fields = {"version": cj.version, "name": "우리 양식", "courier": "CJGLS", "row_per": "PARCEL", "join_text": " / "}
    columns = {"header": ["가", "나"], "field": ["shipment_number", ""], "fixed": ["", "고정"]}
    moved = logistics.post(url, fields | columns | {"down": "0"}).context["columns"]
    assert [one["header"].value() for one in moved] == ["나", "가"]
    assert len(logistics.post(url, fields | columns | {"add": "1"}).context["columns"]) == 3
    assert len(logistics.post(url, fields | columns | {"remove": "1"}).context["columns"]) == 1
    dragged = logistics.post(url, fields | columns | {"move": "1-0"})
    assert [one["header"].value() for one in dragged.context["columns"]] == ["나", "가"]
    assert (dragged.context["moved"].control, dragged.context["moved"].place) == ("down", 0)
    for wrong in ("1-2", "2-0", "-1", "a-b", "9999-0"):
        assert logistics.post(url, fields | columns | {"move": wrong, "name": ""}).status_code == 422
    cj.refresh_from_db()
    assert len(cj.columns) == 17
    assert logistics.post(url, fields | columns).status_code == 302
    cj.refresh_from_db()
    assert (cj.name, [one["header"] for one in cj.columns], cj.version) == ("우리 양식", ["가", "나"], 1)
    stale = logistics.post(url, fields | columns | {"name": "다른 이름"})
    assert stale.status_code == 409
    assert "다른 직원이 먼저 수정했습니다." in stale.content.decode()
    cj.refresh_from_db()
    assert cj.name == "우리 양식"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "양식 이름을 입력하세요."),
        ({"name": "로젠택배"}, "같은 이름의 양식이 있습니다."),
        ({"header": ["가" * 61]}, "열 이름은 60자"),
        ({"field": ["password"]}, "열 이름은 60자"),
        ({"header": [], "field": [], "fixed": []}, "열을 하나 이상 넣으세요."),
        ({"header": ["가"] * 61, "field": [""] * 61, "fixed": [""] * 61}, "열은 60개까지"),
    ],
)
def test_a_wrong_template_is_refused_and_stays(changes, message, logistics, cj):
    fields = {"version": cj.version, "name": cj.name, "courier": "", "row_per": "PARCEL", "join_text": " / "}
    columns = {"header": ["가"], "field": ["shipment_number"], "fixed": [""]}
    answer = logistics.post(f"{LIST}{cj.pk}/", fields | columns | changes)
    assert answer.status_code in {409, 422}
    assert message in answer.content.decode()
    assert len(ExcelTemplate.objects.get(pk=cj.pk).columns) == 17


def test_templates_are_made_copied_deleted_and_made_default(logistics, cj):
    logistics.post(LIST, {"name": "새 양식"})
    fresh = ExcelTemplate.objects.get(name="새 양식")
    logistics.post(f"{LIST}{cj.pk}/copy/")
    assert ExcelTemplate.objects.get(name="CJ대한통운 A 사본").columns == cj.columns
    logistics.post(f"{LIST}{fresh.pk}/default/")
    assert [one.pk for one in ExcelTemplate.objects.filter(is_default=True)] == [fresh.pk]
    assert logistics.post(f"{LIST}{cj.pk}/delete/").status_code == 422
    asked = logistics.get(f"{LIST}{fresh.pk}/delete/").content.decode()
    assert "&#x27;새 양식&#x27;을 지웁니다. 지운 양식은 되돌릴 수 없습니다." in asked
    assert ExcelTemplate.objects.filter(pk=fresh.pk).exists()
    logistics.post(f"{LIST}{fresh.pk}/delete/")
    assert not ExcelTemplate.objects.filter(name="새 양식").exists()
    assert ExcelTemplate.objects.filter(pk=cj.pk).exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (b"\xb1\xe8", BROKEN),
        ("가" * 61, "60"),
        (" ", "양식 이름을 입력하세요."),
        ("\u200b\u202e", "양식 이름을 입력하세요."),
    ],
)
@pytest.mark.parametrize("act", ["", "{pk}/copy/"])
def test_a_name_that_cannot_be_kept_is_refused(act, name, message, logistics, cj):
    before = list(ExcelTemplate.objects.order_by("pk").values())
    typed = quote(name)
    kind = "application/x-www-form-urlencoded"
    answer = logistics.post(LIST + act.format(pk=cj.pk), f"name={typed}", content_type=kind)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert message in page
    assert f'action="{LIST}"' in page
    assert list(ExcelTemplate.objects.order_by("pk").values()) == before


@pytest.mark.parametrize(("typed", "kept"), [("우리 사본", "우리 사본"), ("a\x00b", "ab"), (" 가\u200b\t나 ", "가 나")])
def test_a_copy_takes_the_name_that_was_typed(logistics, cj, typed, kept):
    assert logistics.post(f"{LIST}{cj.pk}/copy/", {"name": typed}).status_code == 302
    assert ExcelTemplate.objects.get(name=kept).columns == cj.columns


def test_a_column_with_lost_letters_is_refused(logistics, cj):
    fields = {"version": cj.version, "name": cj.name, "courier": "", "row_per": "PARCEL", "join_text": " / "}
    columns = {"header": ["가\ufffd"], "field": ["shipment_number"], "fixed": [""]}
    answer = logistics.post(f"{LIST}{cj.pk}/", fields | columns)
    assert answer.status_code == 422
    assert BROKEN in answer.content.decode()
    assert ExcelTemplate.objects.get(pk=cj.pk).columns == cj.columns


def test_deleting_a_template_is_asked_for_in_a_dialog(logistics, cj):
    logistics.post(f"{LIST}{cj.pk}/copy/")
    mine = ExcelTemplate.objects.get(name="CJ대한통운 A 사본")
    url, htmx = f"{LIST}{mine.pk}/delete/", {"HX-Request": "true"}
    listed = logistics.get(LIST).content.decode()
    assert f'hx-get="{url}" hx-target="#dialog"' in listed
    assert f'action="{url}"' not in listed
    asked = logistics.get(url, headers=htmx).content.decode()
    assert "data-dialog" in asked
    assert f'hx-post="{url}"' in asked
    assert "지운 양식은 되돌릴 수 없습니다." in asked
    assert ExcelTemplate.objects.filter(pk=mine.pk).exists()
    assert logistics.get(f"{LIST}{cj.pk}/delete/").status_code == 404
    assert logistics.get(f"{LIST}{mine.pk}/default/").status_code == 404
    answer = logistics.post(url, headers=htmx)
    assert (answer.status_code, answer["HX-Redirect"]) == (200, LIST)
    assert not ExcelTemplate.objects.filter(pk=mine.pk).exists()
    again = logistics.post(url, headers=htmx)
    assert (again.status_code, "찾을 수 없습니다" in again.content.decode()) == (422, True)
    assert ExcelTemplate.objects.filter(pk=cj.pk).exists()


@pytest.mark.parametrize("role", [Role.CS, Role.FINANCE, Role.VIEWER, Role.AUDITOR])
def test_others_may_neither_download_nor_edit(role, make_shipments, sign_in, cj):
    make_shipments(1)
    client = sign_in(role)
    assert client.get(FILE).status_code == 403
    assert client.post(FILE, {"template": cj.pk, "reason": "송장 출력"}).status_code == 403
    assert client.get(LIST).status_code == 403
    assert client.post(f"{LIST}{cj.pk}/delete/").status_code == 403


@pytest.mark.parametrize("ids", ["x", "1,2;3", "9" * 40])
def test_ids_without_sense_are_refused(ids, logistics):
    assert logistics.post(FILE, {"ids": ids}).status_code == 400
