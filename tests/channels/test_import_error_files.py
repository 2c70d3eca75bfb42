"""오류 파일: the person's own sheet with a reason for each row, and what happens when it comes back."""

import io
from datetime import datetime

import openpyxl
import pytest
from django.test import Client

from accounts.models import AccessAction, AccessLog
from accounts.roles import Role
from core.excel import read_table
from core.models import ItemResult, Job, JobItem
from orders.models import Order
from tests.channels.files import smartstore, smartstore_row
from tests.channels.test_import_pages import send
from tests.fixtures.files import saved


@pytest.fixture
def owner(sign_in) -> Client:
    return sign_in(Role.OWNER)


def test_an_error_file_is_the_persons_own_sheet_with_a_reason(owner):
    rows = [smartstore_row(1), smartstore_row(2, 수량="0"), smartstore_row(3, 우편번호="123456789")]
    place = send(owner, smartstore(rows))["Location"]
    owner.post(f"{place}apply/")
    answer = owner.get(f"/jobs/{Job.objects.get().uuid}/failed.xlsx")
    assert answer.status_code == 200
    table = read_table(b"".join(answer.streaming_content), filename="failed.xlsx")
    assert table.rows[0][:2] == ["상품주문번호", "주문번호"]
    assert table.rows[0][-1] == "오류 내용"
    assert [row[-1] for row in table.rows[1:]] == [
        "수량은 1개 이상이어야 합니다. 지금은 0개입니다.",
        "우편번호: 우편번호는 숫자 5자리여야 합니다. 지금은 9자리입니다.",
    ]
    assert [row[0] for row in table.rows[1:]] == ["2026092000000002", "2026092000000003"]
    log = AccessLog.objects.get(action=AccessAction.EXPORT)
    assert (log.row_count, log.purpose) == (2, "주문 파일 올리기 오류 파일")


def test_the_corrected_error_file_imports_only_the_rest(owner):
    rows = [smartstore_row(1), smartstore_row(2, 수량="0")]
    place = send(owner, smartstore(rows))["Location"]
    owner.post(f"{place}apply/")
    answer = owner.get(f"/jobs/{Job.objects.get().uuid}/failed.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    sheet = book.active
    names = [cell.value for cell in sheet[1]]
    sheet.cell(2, names.index("수량") + 1).value = 2
    place = send(owner, saved(book))["Location"]
    owner.post(f"{place}apply/")
    assert Order.objects.count() == 2


def failed_of(client: Client, job: Job) -> bytes:
    return b"".join(client.get(f"/jobs/{job.uuid}/failed.xlsx").streaming_content)


def test_an_error_file_sent_back_uncorrected_is_refused_again(owner):
    """What could not be read must never come back as something that can."""
    rows = [
        smartstore_row(1, 주문번호=5.2185312345678e17),
        smartstore_row(2, 배송메세지="=1+1"),
        smartstore_row(3, 주문번호=datetime(2026, 9, 20)),
        smartstore_row(4, 상품주문번호="2.02609E+15"),
    ]
    send(owner, smartstore(rows))
    job = Job.objects.get()
    for name in ("failed.xlsx", "failed2.xlsx"):
        first = [item.reason for item in JobItem.objects.filter(job=job).order_by("row_number")]
        assert [text.split(":")[0] for text in first] == ["주문번호", "배송메시지", "주문번호", "품목별 주문번호"]
        back = send(owner, failed_of(owner, job), name=name)
        job = Job.objects.latest("pk")
        items = JobItem.objects.filter(job=job)
        assert {item.result for item in items} == {ItemResult.REFUSED}, [item.reason for item in items]
        assert items.count() == 4
    owner.post(f"{back['Location']}apply/")
    assert not Order.objects.exists()


def test_the_error_file_shows_what_stood_there(owner):
    send(owner, smartstore([smartstore_row(1, 주문번호=5.2185312345678e17, 배송메세지="=1+1")]))
    table = read_table(failed_of(owner, Job.objects.get()), filename="failed.xlsx")
    row = dict(zip(table.rows[0], table.rows[1], strict=True))
    assert (row["주문번호"], row["배송메세지"]) == ("5.21853123456780E+17", "#N/A")


def test_the_error_file_of_a_preview_leaves_good_orders_out(owner):
    """An order with a refused row is refused whole: both of its rows go back, with the reason."""
    pair = {"주문번호": "2026092177000001"}
    rows = [
        smartstore_row(1),
        smartstore_row(2, **pair),
        smartstore_row(3, **pair, 수량="0"),
        smartstore_row(4, 송장번호="1"),
    ]
    send(owner, smartstore(rows))
    table = read_table(failed_of(owner, Job.objects.get()), filename="failed.xlsx")
    assert [(row[0], row[-1]) for row in table.rows[1:]] == [
        ("2026092000000002", "같은 주문의 5행에 오류가 있어 이 주문을 등록하지 않습니다."),
        ("2026092000000003", "수량은 1개 이상이어야 합니다. 지금은 0개입니다."),
    ]
    assert AccessLog.objects.get(action=AccessAction.EXPORT).row_count == 2


def test_a_corrected_cell_of_the_error_file_is_taken(owner):
    send(owner, smartstore([smartstore_row(1, 주문번호=5.2185312345678e17, 배송메세지="=1+1")]))
    book = openpyxl.load_workbook(io.BytesIO(failed_of(owner, Job.objects.get())))
    names = [cell.value for cell in book.active[1]]
    book.active.cell(2, names.index("주문번호") + 1).value = "521853123456780001"
    book.active.cell(2, names.index("배송메세지") + 1).value = "문 앞"
    place = send(owner, saved(book))["Location"]
    owner.post(f"{place}apply/")
    order = Order.objects.get()
    assert (order.channel_number, order.delivery_note) == ("521853123456780001", "문 앞")
