"""환불 관리 and 주문취소(환불) as staff meet them: tabs, the file for the bank, buttons, dialog, box of the order."""

import io
import re

import pytest
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import AccessLog
from accounts.roles import Role
from core.lists import lists
from core.lists.export import write_export
from core.lists.presenter import present
from orders.models import OrderLine
from orders.states import LineState, PaymentMethod
from payments.forms.refunds import CancelForm, RetryForm
from payments.models import Refund
from payments.services.manual import confirm_manually
from payments.services.refunds import requesting
from payments.services.refunds.requesting import Ask
from payments.states import RefundState, RefundWay
from tests.fixtures.orders import NOW, broken, reloaded
from tests.fixtures.refunds import ACCOUNT

URL = "/payments/refunds/"
R = RefundState


def shown(user, params):
    return present(lists.page("refunds").query(params, user=user, at=timezone.now()))


def test_tabs_say_what_is_to_be_done(paid_refund, staff):
    refund = paid_refund()
    assert [row.number for row in shown(staff, "tab=bank").rows] == [refund.order.number]
    assert shown(staff, "tab=draft").rows == []
    requesting.hold(refund_ids=[refund.pk], actor=staff, at=NOW, reason="확인")
    assert shown(staff, "tab=bank").rows == []
    assert len(shown(staff, "tab=held").rows) == 1


def test_the_screen_masks_and_the_file_for_the_bank_does_not(paid_refund, staff):
    paid_refund(amount=4_000)
    html = "".join(row.html for row in shown(staff, "tab=bank").rows)
    assert ACCOUNT.number not in html
    assert ACCOUNT.holder not in html
    assert "신한은행" in html
    target = io.BytesIO()
    assert write_export(lists.page("refunds").query("tab=bank", user=staff, at=timezone.now()), target) == 1
    header, row = load_workbook(target).active.values
    found = dict(zip(header, row, strict=True))
    assert (found["환불계좌"], found["은행코드"], found["계좌번호"], found["예금주"], found["환불액"]) == (
        "신한은행", "088", ACCOUNT.number, ACCOUNT.holder, 4_000,
    )  # fmt: skip


def test_the_file_is_logged_and_only_for_who_may_pay(paid_refund, client, make_staff):
    paid_refund()
    client.force_login(make_staff(Role.CS))
    assert client.get(f"{URL}?tab=bank").status_code == 200
    assert client.post(f"{URL}excel/?tab=bank", {"reason": "이체 목록"}).status_code == 403
    assert not AccessLog.objects.filter(action="EXPORT").exists()
    client.force_login(make_staff(Role.LOGISTICS))
    assert client.get(URL).status_code == 403


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.FINANCE, {"approve", "pay", "confirm-payout", "report-bounce", "hold", "release", "retry", "withdraw"}),
        (Role.CS, {"retry", "withdraw"}),
    ],
)  # fmt: skip
def test_buttons_follow_the_rights(make_staff, role, expected):
    found = lists.page("refunds").buttons(make_staff(role))
    assert {button.name.removesuffix("-refund") for button in found} == expected


def test_transferred_is_pressed_on_the_list(paid_refund, client, staff):
    refund = paid_refund(amount=4_000)
    client.force_login(staff)
    answer = client.post("/acts/pay-refund/", {"page": "refunds", "rows": f"{refund.pk}:{refund.version}"}, follow=True)
    assert answer.status_code == 200
    assert "1건" in answer.content.decode()
    job_url = answer.redirect_chain[-1][0]
    uuid = job_url.rstrip("/").rsplit("/", 1)[-1]
    client.post(f"/acts/{uuid}/apply/")
    assert reloaded(refund).state == R.COMPLETED
    assert reloaded(refund.order).paid_amount == 6_000
    assert broken() == []


def test_the_card_of_refunds_to_send_counts_transfers_and_what_goes_back_where_it_was_paid(paid_refund, client, staff):
    by_bank, elsewhere, through_pg = (paid_refund(amount=amount) for amount in (4_000, 3_000, 2_000))
    for refund, way in ((elsewhere, RefundWay.PROVIDER), (through_pg, RefundWay.PG)):
        Refund.objects.filter(pk=refund.pk).update(way=way)
    client.force_login(staff)
    card = re.search(r'href="([^"]+)" data-card="refund-pay">.*?>(\d+)건</b>', client.get("/").content.decode())
    assert card.groups() == (f"{URL}?tab=pay", "2")
    assert {row.id for row in shown(staff, "tab=pay").rows} == {by_bank.pk, elsewhere.pk}


def test_the_dialog_of_a_cancel_tells_both_sums_before_anything_happens(make_order, make_variant, client, staff):
    order = make_order(lines=[(make_variant(on_hand=5), 1), (make_variant(on_hand=5), 1)], paid=True, price=30_000)
    line = OrderLine.objects.filter(order=order).first()
    client.force_login(staff)
    posted = {"page": "preparing", "lines": f"{line.pk}:{line.version}"}
    answer = client.post("/acts/cancel-refund/", posted, headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert answer.status_code == 200, html
    assert "환불액은 고객 귀책이면 27,000원, 판매자 귀책이면 30,000원입니다." in html
    assert 'name="fault"' in html
    assert reloaded(line).state == LineState.PREPARING
    assert not Refund.objects.exists()


def test_a_cancel_out_of_the_dialog_shows_in_the_box_of_the_order(make_order, client, staff):
    order = make_order(paid=True)
    line = OrderLine.objects.get(order=order)
    client.force_login(staff)
    posted = {
        "page": "preparing", "rows": f"{order.pk}:{reloaded(order).version}", "reason": "품절", "fault": "SELLER"
    }  # fmt: skip
    answer = client.post("/acts/cancel-refund/", posted, follow=True)
    uuid = answer.redirect_chain[-1][0].rstrip("/").rsplit("/", 1)[-1]
    client.post(f"/acts/{uuid}/apply/", {"reason": "품절", "fault": "SELLER"})
    assert reloaded(line).state == LineState.CANCELED
    html = client.get(f"/orders/{order.number}/").content.decode()
    assert "환불 대기" in html
    assert "판매자 귀책" in html
    assert broken() == []


def test_a_forgotten_account_is_asked_for_in_the_dialog_and_nothing_typed_is_lost(make_order, client, staff):
    order = make_order(payment_method=PaymentMethod.BANK_TRANSFER)
    confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    line = OrderLine.objects.get(order=order)
    client.force_login(staff)
    posted = {"page": "preparing", "lines": f"{line.pk}:{line.version}"}
    preview = client.post("/acts/cancel-refund/", posted, headers={"HX-Request": "true"}).content.decode()
    apply = re.search(r'"(/acts/[0-9a-f-]{36}/apply/)"', preview)[1]
    typed = {"reason": "색상 착오로 다시 주문", "fault": "BUYER"}
    answer = client.post(apply, typed, headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "환불계좌를 입력하세요. 계좌로 받은 돈은 계좌로 돌려줍니다." in html
    assert "색상 착오로 다시 주문" in html
    assert reloaded(line).state == LineState.PREPARING
    assert not Refund.objects.exists()
    account = {"bank": "004", "number": "12345678", "holder": "홍길동"}
    assert client.post(apply, typed | account, headers={"HX-Request": "true"}).status_code == 200
    assert reloaded(line).state == LineState.CANCELED
    assert Refund.objects.get().account.number == "12345678"
    assert broken() == []


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"bank": "004"}, "모두 입력하세요"),
        ({"bank": "004", "number": "12a4567", "holder": "홍길동"}, "숫자 6~20자리"),
        ({"bank": "999", "number": "1234567", "holder": "홍길동"}, "고를 수 없는 값입니다."),
    ],
)
def test_half_an_account_is_no_account(facts, error):
    form = CancelForm({"reason": "품절", "fault": "BUYER", **facts})
    assert not form.is_valid()
    assert error in str(form.errors)


def test_a_whole_account_and_none_are_both_fine():
    facts = {"bank": ACCOUNT.bank, "number": "110-123-456789", "holder": ACCOUNT.holder}
    given, none = RetryForm(facts), RetryForm({})
    assert given.is_valid()
    assert given.cleaned_data["account"] == ACCOUNT
    assert none.is_valid()
    assert none.cleaned_data["account"] is None


def test_the_menu_counts_what_waits_for_a_person(paid_refund, paid_payment, staff):
    paid_refund()
    payment = paid_payment(price=300_000)
    requesting.request(
        asks=[Ask(payment_id=payment.pk, amount=300_000, account=ACCOUNT)], reason="환불", actor=staff, at=NOW
    )
    assert lists.menu_counts()["refunds"] == 2
