"""현금영수증 and PG 대사: what the lists show and find, their files, and who may see and take them."""

import io
import re
from datetime import date, timedelta
from html import unescape

import pytest
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import AccessAction, AccessLog
from accounts.roles import Role
from core.calendar import kst_date
from core.lists import lists
from core.lists.presenter import present
from payments.models import CashReceipt, Payment, PgAccount, PgReconciliation
from payments.services.ledger import problems
from payments.states import ProblemKind, ReceiptPurpose, ReceiptState

RECEIPTS, RECONCILIATIONS = "/payments/receipts/", "/payments/reconciliations/"
FILES = ("deposits", "notices", "notices/refused", "problems", "receipts", "reconciliations")


@pytest.fixture
def account(db):
    found = PgAccount(code="toss", name="토스", provider="toss", merchant_id="m", base_url="https://pg.example")
    found.set_secrets("test_sk_1234567890")
    found.save()
    return found


@pytest.fixture
def receipts(make_order):
    """One receipt of each state; the address of the second is no web page."""
    at, found = timezone.now(), []
    for n, (state, url) in enumerate(((ReceiptState.ISSUED, "https://pg.example/r/1"), (ReceiptState.CANCELED, ""))):
        found.append(
            CashReceipt.objects.create(
                payment=Payment.objects.get(order=make_order()), reference=f"AB{n}00012", amount=10_000 + n, url=url,
                purpose=ReceiptPurpose.INCOME, masked_number="*******5678", state=state,
                found_at=at - timedelta(minutes=n),
            )
        )  # fmt: skip
    return found


@pytest.fixture
def reconciled(account):
    """Yesterday's and an older day's comparison: one agrees, in one the ledger lacks 3,000 won."""
    now = timezone.now()
    sums = ((1, 50_000, 50_000, 0), (2, 40_000, 37_000, 1))
    return [
        PgReconciliation.objects.create(
            ran_on=kst_date(now), account=account, day=kst_date(now) - timedelta(days=ago), payments=4, unanswered=0,
            changed=0, mismatches=mismatches, pg_sum=pg, ledger_sum=ledger, order_sum=ledger, finished_at=now,
        )
        for ago, pg, ledger, mismatches in sums
    ]  # fmt: skip


def ids(name, params):
    return [row.id for row in present(lists.page(name).query(params, user=None, at=timezone.now())).rows]


def sheet(answer):
    rows = load_workbook(io.BytesIO(b"".join(answer.streaming_content)), read_only=True).active
    return [list(row) for row in rows.iter_rows(values_only=True)]


def test_receipts_are_found_by_state_order_and_number(receipts):
    first, second = receipts
    assert ids("receipts", "") == [first.pk, second.pk]
    assert ids("receipts", "tab=issued") == [first.pk]
    assert ids("receipts", "tab=canceled") == [second.pk]
    assert ids("receipts", f"q={second.payment.order.number}") == [second.pk]
    assert ids("receipts", "q=AB000012") == [first.pk]
    assert ids("receipts", "sort=-amount") == [second.pk, first.pk]


def test_a_receipt_links_to_its_page_only_when_it_is_one(receipts, sign_in):
    CashReceipt.objects.filter(pk=receipts[1].pk).update(url="javascript:alert(1)")
    shown = sign_in(Role.FINANCE).get(RECEIPTS).content.decode()
    assert 'href="https://pg.example/r/1"' in shown
    assert "javascript:" not in shown
    assert "*******5678" in shown


def test_a_comparison_says_what_differs_and_by_how_much(reconciled, sign_in):
    good, bad = reconciled
    assert ids("reconciliations", "") == [good.pk, bad.pk]
    assert ids("reconciliations", "tab=differs") == [bad.pk]
    assert ids("reconciliations", "sort=day") == [bad.pk, good.pk]
    shown = sign_in(Role.FINANCE).get(f"{RECONCILIATIONS}?tab=differs").content.decode()
    assert "PG보다 3,000원 적음" in shown
    assert "불일치" in shown
    assert shown.count("예외 입금 확인</a>") == 1


def test_a_difference_that_is_a_case_leads_to_the_cases(reconciled, sign_in, make_order):
    payment = Payment.objects.get(order=make_order())
    problems.open_for(payment, ProblemKind.MISMATCH_WITH_PG, amount=3_000, at=timezone.now(), detail="PG 3,000원")
    client = sign_in(Role.FINANCE)
    shown = client.get(f"{RECONCILIATIONS}?tab=differs").content.decode()
    [path] = re.findall(r'href="([^"]*)">예외 입금 확인</a>', shown)
    assert f'data-order="{payment.order.number}"' in client.get(unescape(path)).content.decode()


def test_money_beside_the_pg_is_named(reconciled, sign_in):
    agreed, _ = reconciled
    PgReconciliation.objects.filter(pk=agreed.pk).update(order_sum=100_000)
    html = sign_in(Role.FINANCE).get(f"{RECONCILIATIONS}?period=all").content.decode()
    assert html.count("PG 밖의 돈") == 1
    assert "PG 밖의 돈 +50,000원" in html


def test_comparisons_are_paged_by_their_day(account):
    now = timezone.now()
    for ago in range(23):
        PgReconciliation.objects.create(
            ran_on=kst_date(now), account=account, day=date(2026, 1, 31) - timedelta(days=ago), payments=1,
            unanswered=0, changed=0, mismatches=0, pg_sum=0, ledger_sum=0, order_sum=0, finished_at=now,
        )  # fmt: skip
    page, days, params = lists.page("reconciliations"), [], "sort=-day&period=all&size=20"
    while params:
        keyset = page.query(params, user=None, at=now).keyset()
        days += list(PgReconciliation.objects.filter(pk__in=keyset.ids).order_by("-day").values_list("day", flat=True))
        params = f"sort=-day&period=all&size=20&after={keyset.after}" if keyset.after else ""
    assert days == [date(2026, 1, 31) - timedelta(days=ago) for ago in range(23)]


def test_the_file_holds_what_the_list_shows_and_is_logged(receipts, sign_in):
    client = sign_in(Role.FINANCE)
    head, *rows = sheet(client.post(f"{RECEIPTS}excel/?tab=issued", {"reason": "월말 신고"}))
    assert head[:5] == ["주문번호", "확인일시", "상태", "용도", "금액"]
    assert [(row[0], row[2], row[4], row[6]) for row in rows] == [
        (receipts[0].payment.order.number, "발급", 10_000, "AB000012")
    ]
    logged = AccessLog.objects.get(action=AccessAction.EXPORT)
    assert (logged.purpose, logged.row_count) == ("월말 신고", 1)


@pytest.mark.parametrize("name", FILES)
def test_files_of_money_are_for_finance_and_the_owner_alone(name, receipts, reconciled, sign_in):
    for role in Role:
        client = sign_in(role)
        answer = client.post(f"/payments/{name}/excel/?period=all", {"reason": "확인"})
        assert answer.status_code == (200 if role in {Role.OWNER, Role.FINANCE} else 403), role
        if answer.status_code == 200:
            assert sheet(answer)
    assert AccessLog.objects.filter(action=AccessAction.EXPORT).count() == 2


def test_only_a_file_with_personal_data_says_that_it_holds_some(sign_in, db):
    client = sign_in(Role.FINANCE)
    assert "개인정보가 들어 있는 파일" in client.get("/payments/deposits/excel/").content.decode()
    shown = client.get(f"{RECONCILIATIONS}excel/").content.decode()
    assert "개인정보가 들어 있는 파일" not in shown
    assert "기록이 남습니다" in shown


def test_the_box_of_the_order_shows_its_receipts_to_who_may_see_them(receipts, account, sign_in):
    first, second = receipts
    Payment.objects.filter(pk=first.payment_id).update(account=account, order_ref="r-1")
    number = first.payment.order.number
    page = sign_in(Role.CS).get(f"/orders/{number}/").content.decode().split("data-receipts")[1].split("</table>")[0]
    for words in (
        "소득공제 *******5678",
        f"승인번호 {first.reference}",
        "10,000원",
        "발급",
        'href="https://pg.example/r/1"',
    ):
        assert words in page
    assert second.reference not in page
    assert "data-receipts" not in sign_in(Role.LOGISTICS).get(f"/orders/{number}/").content.decode()


def test_a_receipt_with_a_strange_address_is_no_link(receipts, account, sign_in):
    one = receipts[0]
    Payment.objects.filter(pk=one.payment_id).update(account=account, order_ref="r-1")
    CashReceipt.objects.filter(pk=one.pk).update(url="javascript:alert(1)", state=ReceiptState.CANCELED)
    page = sign_in(Role.OWNER).get(f"/orders/{one.payment.order.number}/").content.decode()
    shown = page.split("data-receipts")[1].split("</table>")[0]
    assert ("javascript" in page, "취소" in shown, "영수증 보기" in shown) == (False, True, False)
