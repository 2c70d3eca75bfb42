"""Which column of a result file is read: by its name first, and by what stands in it where names leave that open."""

import io

import openpyxl
import pytest

from core.models import ItemResult, JobItem
from shipping.models import ExcelTemplate
from tests.fixtures.shipments import again, waybill_number
from tests.flows.test_waybills_by_hand import HERE
from tests.flows.test_waybills_file import CJ, apply, sheet, upload, verdicts
from tests.shipping.test_courier_files import download


def come_back(content, *, first=0):
    """The downloaded workbook as a courier's program saves it: a column for the numbers beside everything else."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    rows = book.active
    place = rows.max_column + 1
    rows.cell(1, place, "운송장번호")
    for row in range(2, rows.max_row + 1):
        rows.cell(row, place, waybill_number(first + row - 2))
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_our_key_is_known_in_whatever_column_a_form_has_room_for_it(make_shipments, logistics, staff):
    made = make_shipments(3)
    _, content = download(logistics, ExcelTemplate.objects.get(name="로젠택배"))
    job = upload(come_back(content), actor=staff, courier="CJGLS")
    assert {result for result, _ in verdicts(job).values()} == {ItemResult.PENDING}
    assert {reason for _, reason in verdicts(job).values()} == {""}
    assert apply(job, actor=staff).done == 3
    assert {one.waybill for one in again(made)} == {waybill_number(n) for n in range(3)}


def test_a_stray_number_of_ours_in_a_remark_makes_no_key(make_shipments, staff):
    [mine] = make_shipments(1, **HERE)
    [other] = make_shipments(1, recipient_name="이도윤", recipient_phone="01033334444")
    whom = [HERE["recipient_name"], HERE["recipient_phone"]]
    rows = [[*whom, waybill_number(0), other.number], [*whom, waybill_number(1), ""], [*whom, "", ""]]
    job = upload(sheet(rows, headers=("수하인명", "수하인전화", "운송장번호", "비고")), actor=staff, courier="CJGLS")
    assert all("candidates" in item.data for item in JobItem.objects.filter(job=job, row_number__in=(2, 3)))
    assert [one.waybill for one in again([mine, other])] == ["", ""]


@pytest.mark.parametrize(
    "headers", [("수하인명", "전화", "핸드폰", "운송장번호"), ("수하인명", "핸드폰", "전화", "운송장번호")]
)
def test_of_two_telephones_the_one_that_is_filled_in_finds_the_receiver(headers, make_shipments, staff):
    [mine] = make_shipments(1, **HERE)
    cells = {"수하인명": "김하은", "전화": "", "핸드폰": "010-1111-2222", "운송장번호": waybill_number(0)}
    job = upload(sheet([[cells[name] for name in headers]], headers=headers), actor=staff, courier="CJGLS")
    [item] = JobItem.objects.filter(job=job)
    assert (item.target_id, item.data["key"]) == (mine.pk, "김*은 010-1111-****")
    assert item.reason.startswith("받는 분으로 찾은 제안입니다. 이름·연락처 같음")


def test_a_courier_that_cannot_be_read_is_never_the_usual_one(make_shipments, staff):
    """A merged cell names its courier for all its rows, and Excel keeps it in the first one only."""
    made = make_shipments(3)
    rows = [[one.number, "한진택배" if one is made[0] else None, waybill_number(n)] for n, one in enumerate(made)]
    book = openpyxl.load_workbook(io.BytesIO(sheet(rows)))
    book.active.merge_cells("B2:B3")
    book.active["B4"] = "=VLOOKUP(A4,Z:Z,1,0)"
    target = io.BytesIO()
    book.save(target)
    job = upload(target.getvalue(), actor=staff)
    told = {row: reason for row, (_, reason) in verdicts(job).items()}
    unread = "택배사 칸을 읽을 수 없습니다."
    assert told[3] == f"{unread} 병합된 셀이라 값이 없습니다. 병합을 풀고 각 행에 값을 넣어 주세요."
    assert told[4].startswith(f"{unread} 수식의 계산 결과가 파일에 없습니다.")
    assert {result for result, _ in verdicts(job).values()} == {ItemResult.REFUSED}


def test_an_empty_courier_cell_still_means_the_usual_one(make_shipments, staff):
    [mine] = make_shipments(1)
    job = upload(sheet([[mine.number, "", waybill_number(0)]]), actor=staff)
    assert apply(job, actor=staff).done == 1
    assert CJ in JobItem.objects.get(job=job).data["courier_name"]


def test_a_pasted_column_that_names_both_is_read_and_so_is_a_key_in_wide_letters(make_shipments, logistics):
    first, second = make_shipments(2)
    wide = second.number.translate({ord(one): ord(one) + 0xFEE0 for one in second.number})
    text = f"{first.number} {waybill_number(0)}\n{wide}  {waybill_number(1)}"
    where = logistics.post("/shipping/waybills/upload/", {"courier": "CJGLS", "text": text}).headers["Location"]
    logistics.post(where)
    assert [one.waybill for one in again([first, second])] == [waybill_number(0), waybill_number(1)]
