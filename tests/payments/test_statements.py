"""거래내역 파일: layouts of Korean banks by their headers, through the pages, and the second import (A77)."""

import io
import re

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.roles import Role
from core.calendar import KST
from core.excel import encrypt, read_table
from core.models import ItemResult, Job, JobItem
from payments.excel.statement import GONE, TAKEN_BACK, TOO_LARGE, statement_rows
from payments.models import BankDeposit
from payments.views.statement import StatementPreview
from tests.fixtures.orders import NOW

FORMATS = {
    "kb": (
        [["거래내역조회"], ["계좌번호", "123456-01-123456"]],
        ["거래일시", "적요", "보낸분/받는분", "송금메모", "출금액", "입금액", "잔액", "거래점"],
        ["2026.09.21 12:03:11", "전자금융", "홍길동", "주문", "0", "39,000", "539,000", "강남"],
        ["2026.09.21 12:05:00", "체크카드", "가게", "", "10,000", "0", "529,000", ""],
    ),
    "shinhan": (
        [],
        ["거래일자", "거래시간", "적요", "출금(원)", "입금(원)", "내용", "잔액(원)", "거래점"],
        ["2026-09-21", "12:03:11", "타행이체", "0", "39000", "홍길동", "539000", "신한"],
        ["2026-09-21", "12:05:00", "이자", "100", "0", "세금", "538900", "신한"],
    ),
    "woori": (
        [["우리은행 거래내역"]],
        ["거래일시", "적요", "기재내용", "찾으신금액", "맡기신금액", "거래후 잔액", "취급점", "메모"],
        ["2026-09-21 12:03", "인터넷", "홍길동", "", "39,000", "539,000", "본점", ""],
        ["합계", "", "", "0", "39,000", "", "", ""],
    ),
    "hana": (
        [],
        ["거래일시", "구분", "적요", "의뢰인/수취인", "입금", "출금", "거래후잔액", "메모"],
        ["2026-09-21 12:03:11", "타행", "이체", "홍길동", "39,000", "0", "539,000", ""],
        ["2026-09-21 12:04:11", "출금", "이체", "가게", "0", "39,000", "500,000", ""],
    ),
    "nonghyup": (
        [],
        ["순번", "거래일자", "거래시간", "출금금액(원)", "입금금액(원)", "거래후잔액(원)"]
        + ["거래내용", "거래기록사항", "거래점"],
        ["1", "2026/09/21", "12:03:11", "0", "39,000", "539,000", "전자금융", "홍길동", "농협"],
        ["2", "2026/09/21", "12:04:11", "5,000", "0", "534,000", "수수료", "농협", "농협"],
    ),
    "ibk": (
        [],
        ["거래일시", "출금", "입금", "거래후 잔액", "거래내용", "상대계좌번호", "상대은행", "메모", "상대계좌예금주명"],
        ["2026-09-21 12:03:11", "0", "39,000", "539,000", "인터넷뱅킹", "", "국민", "", "홍길동"],
        ["2026-09-21 12:04:11", "1", "0", "538,999", "수수료", "", "", "", ""],
    ),
    "kakao": (
        [["카카오뱅크 거래내역"]],
        ["거래일시", "구분", "거래금액", "거래 후 잔액", "거래구분", "내용", "메모"],
        ["2026.09.21 12:03:11", "입금", "39,000", "539,000", "일반입금", "홍길동", ""],
        ["2026.09.21 12:04:11", "출금", "-39,000", "500,000", "일반이체", "가게", ""],
    ),
    "toss": (
        [],
        ["거래 일시", "적요", "거래 유형", "거래 기관", "계좌번호", "거래 금액", "거래 후 잔액", "메모"],
        ["2026.09.21 12:03:11", "홍길동", "입금", "국민은행", "1234", "39000", "539000", ""],
        ["2026.09.21 12:04:11", "가게", "출금", "국민은행", "1234", "-39000", "500000", ""],
    ),
}  # fmt: skip


def lines_of(name):
    above, head, *rows = FORMATS[name]
    return [*above, head, *rows]


def csv_of(name, encoding):
    quoted = [",".join(f'"{cell}"' for cell in line) for line in lines_of(name)]
    return "\r\n".join(quoted).encode(encoding)


def xlsx_of(name):
    book = openpyxl.Workbook()
    for line in lines_of(name):
        book.active.append(line)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("kind", ["cp949", "utf-8", "xlsx"])
def test_every_layout_gives_the_one_deposit(name, kind):
    data = xlsx_of(name) if kind == "xlsx" else csv_of(name, kind)
    table = read_table(data, filename=f"{name}.{'xlsx' if kind == 'xlsx' else 'csv'}")
    (found,) = statement_rows(table, now=NOW.replace(day=22))
    row = found.row
    assert (row.amount, row.balance) == (39_000, 539_000)
    assert "홍길동" in (row.depositor, row.memo)
    assert f"{row.at.astimezone(KST):%Y-%m-%d %H:%M}" == "2026-09-21 12:03"


def test_rows_that_cannot_be_read_say_why():
    text = (
        "거래일시,보낸분,입금액,잔액\n어제,홍길동,1000,1\n2026-09-21 10:00,홍길동,천원,1\n"
        "2030-01-01 10:00,홍길동,1000,1\n2026-09-21 10:00,홍길동,-1000,1\n어제,홍길동,12.5,1\n"
        "합계,,총 3건,\n* 이 파일은 참고용입니다.,,조회 끝,\n"
    )
    found = statement_rows(read_table(text.encode(), filename="a.csv"), now=NOW)
    assert [one.row for one in found] == [None, None, None, None, None]
    assert all(one.error for one in found)


def test_what_the_bank_took_back_is_told_and_neither_row_comes_in():
    text = (
        "거래일시,보낸분,입금액,잔액\n2026-09-21 09:00,홍길동,1000,1000\n2026-09-21 09:30,홍길동,1000,2000\n"
        "2026-09-21 10:00,홍길동,-1000,1000\n2026-09-21 11:00,홍길동,1000,2000\n2026-09-21 12:00,성춘향,-500,1500\n"
    )
    found = statement_rows(read_table(text.encode(), filename="a.csv"), now=NOW)
    assert [one.row.at.astimezone(KST).hour if one.row else one.error for one in found] == [
        9, GONE.format(number=4), TAKEN_BACK, 11, TAKEN_BACK,
    ]  # fmt: skip


@pytest.mark.parametrize("place", [2, 3], ids=["amount", "balance"])
@pytest.mark.parametrize("number", [str(2**63), "-" + str(2**63 + 1), "1000000000000"])
def test_a_number_that_no_account_holds_is_an_error_of_its_row_only(uploaded, place, number):
    cells = ["2026-09-21 09:00", "홍길동", "1000", "5000"]
    cells[place] = number
    text = "거래일시,보낸분,입금액,잔액\n2026-09-21 08:00,이순신,2000,4000\n" + ",".join(cells) + "\n"
    client, answer = uploaded(text.encode())
    assert answer.status_code == 302
    page = client.get(answer["Location"]).content.decode()
    assert "새 입금 1건 등록" in page
    assert TOO_LARGE in page


def test_a_sum_is_known_by_any_of_its_cells():
    text = "No.,거래일시,보낸분,입금액\n1,2026-09-21 09:00,홍길동,1000\n합계,,,1000\n"
    [row] = statement_rows(read_table(text.encode(), filename="a.csv"), now=NOW)
    assert row.row.amount == 1000


@pytest.fixture
def uploaded(sign_in, staff, bank_account):
    client = sign_in(staff)

    def send(data, name="거래내역.csv"):
        facts = {"account": bank_account.pk, "file": SimpleUploadedFile(name, data)}
        return client, client.post("/payments/deposits/upload/", facts)

    return send


def test_a77_a_statement_is_looked_at_stored_and_stored_only_once(uploaded, make_order, matched):
    client, answer = uploaded(csv_of("kb", "cp949"))
    page = client.get(answer["Location"]).content.decode()
    assert "새 입금 1건 등록" in page
    assert "홍*동" in page
    assert "홍길동" not in page
    assert BankDeposit.objects.count() == 0
    done = client.post(answer["Location"], follow=True).content.decode()
    assert "입금 1건을 등록했습니다." in done
    assert BankDeposit.objects.get().depositor == "홍길동"

    _, again = uploaded(csv_of("kb", "cp949"))
    assert again.status_code == 409
    assert "이미 반영했습니다" in again.content.decode()
    _, other = uploaded(xlsx_of("kb"), "다시.xlsx")
    page = client.get(other["Location"]).content.decode()
    assert re.search(r'data-count="same">1<', page)
    assert "disabled" in page
    assert client.post(other["Location"]).status_code == 409
    assert BankDeposit.objects.count() == 1


def test_a_file_that_is_no_statement_is_refused(uploaded):
    _, answer = uploaded("상품명,수량\n사과,3\n".encode())
    assert answer.status_code == 422
    assert "거래일시와 입금액 열을 찾지 못했습니다." in answer.content.decode()


def test_a_locked_statement_is_kept_until_its_password_comes(uploaded, bank_account, sign_in):
    client, asked = uploaded(encrypt(xlsx_of("kb"), "비밀 1"), "거래내역.xlsx")
    assert asked.status_code == 422
    assert "암호가 걸린 파일입니다" in asked.content.decode()
    known = {"account": bank_account.pk, "held": asked.context["form"].data["held"]}
    url = "/payments/deposits/upload/"
    wrong = client.post(url, known | {"password": "아님"})
    assert wrong.status_code == 422
    assert "암호가 맞지 않아" in wrong.content.decode()
    assert sign_in(Role.FINANCE).post(url, known | {"password": "비밀 1"}).status_code == 404
    assert not Job.objects.exists()
    right = client.post(url, known | {"password": "비밀 1"})
    assert right.status_code == 302
    assert "비밀 1" not in str(Job.objects.get().params)
    assert "입금 1건을 등록했습니다." in client.post(right.url, follow=True).content.decode()
    assert BankDeposit.objects.get().amount == 39_000


@pytest.mark.parametrize(
    ("text", "shown"), [("3000", "3,000원"), ("3,000", "3,000원"), ("삼천원", "삼천원"), ("", ""), ("-3000", "-3000")]
)
def test_a_figure_of_a_row_that_cannot_be_read_is_shown_as_money(text, shown):
    item = JobItem(row_number=2, data={"in": text, "balance": text}, result=ItemResult.REFUSED, reason="거래일시")
    row = StatementPreview().row(item, is_open=True)
    assert (row.amount, row.balance) == (shown, shown)


@pytest.mark.parametrize("role", list(Role))
def test_who_may(sign_in, role, bank_account):
    client = sign_in(role)
    may_see = role in {Role.OWNER, Role.CS, Role.FINANCE}
    may_match = role in {Role.OWNER, Role.FINANCE}
    assert client.get("/payments/deposits/").status_code == (200 if may_see else 403)
    assert client.get("/payments/deposits/upload/").status_code == (200 if may_match else 403)
    assert client.post("/payments/deposits/1/allocate/").status_code == (400 if may_match else 403)
