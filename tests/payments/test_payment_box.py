"""Box 결제 of the order detail and the list of unpaid orders, for payments through a PG."""

import pytest
from django.utils import timezone

from accounts.models import AccessLog
from accounts.roles import Role
from core import relay
from core.cells import short_time
from core.masking import mask_name
from orders.states import LineState
from payments.details import payment_box
from payments.models import Payment, PgAccount, VirtualAccount
from payments.services.gateway import windows
from payments.services.ledger import problems
from payments.services.pg_accounts import KEY_REFUSED
from payments.states import PaymentState, ProblemKind, VirtualState
from tests.fixtures.orders import reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting(pg_shop):
    """An order whose virtual account the sandbox's Toss has opened; (order, its payment)."""
    order = pg_shop.order(pg_shop.account("toss"))
    return order, Payment.objects.get(order=order)


def page_of(client, order):
    return client.get(f"/orders/{order.number}/").content.decode()


def test_the_box_shows_the_account_masked_with_its_deadline(waiting, sign_in):
    order, payment = waiting
    page = page_of(sign_in(Role.CS), order)
    number = VirtualAccount.objects.get(payment=payment).number
    assert number not in page
    assert "우리은행" in page
    assert f"*{number[-4:]}" in page
    assert "data-deadline" in page
    assert f"{order.number}-1" in page
    assert "data-sync" in page


def test_the_number_is_shown_for_a_reason_and_logged(waiting, sign_in):
    order, payment = waiting
    url, number = f"/payments/{payment.pk}/virtual/", VirtualAccount.objects.get(payment=payment).number
    client = sign_in(Role.CS)
    refused = client.post(url, {"reason": "왜"})
    assert (refused.status_code, number in refused.content.decode()) == (422, False)
    assert not AccessLog.objects.filter(action="VIEW").exists()
    shown = client.post(url, {"reason": "고객이 계좌를 물음"})
    assert number in shown.content.decode()
    assert shown["Cache-Control"] == "no-store"
    logged = AccessLog.objects.get(action="VIEW")
    assert (logged.subjects, logged.purpose) == ([order.number], "고객이 계좌를 물음")
    assert sign_in(Role.LOGISTICS).post(url, {"reason": "고객이 계좌를 물음"}).status_code == 403
    assert client.post("/payments/999999/virtual/", {"reason": "고객이 계좌를 물음"}).status_code == 404


def test_a_person_asks_the_pg_again(waiting, pg_shop, sign_in):
    order, payment = waiting
    url, hx = f"/payments/{payment.pk}/sync/", {"HX-Request": "true"}
    client = sign_in(Role.CS, headers=hx)
    assert "변경 없음" in client.post(url).content.decode()
    PgAccount.objects.update(is_active=False)
    pg_shop.deposit(order)
    assert sign_in(Role.VIEWER, headers=hx).post(url).status_code == 403
    assert pg_shop.state(order) == (LineState.AWAITING_PAYMENT, 0, PaymentState.PENDING)
    answer = client.post(url)
    assert "PG의 내용을 반영했습니다." in answer.content.decode()
    assert answer["HX-Trigger"] == "oms:changed"
    assert pg_shop.state(order) == (LineState.PREPARING, 33_000, PaymentState.PAID)
    PgAccount.objects.update(base_url="http://127.0.0.1:9/x")
    answer = client.post(url)
    assert answer.status_code == 409
    assert "PG에서 응답이 없습니다" in answer.content.decode()
    assert client.post("/payments/999999/sync/").status_code == 422


def test_an_account_that_is_not_open_says_why(waiting, sign_in):
    order, payment = waiting
    row = VirtualAccount.objects.filter(payment=payment)
    row.update(state=VirtualState.PENDING, number="")
    assert "가상계좌를 발급하고 있습니다." in page_of(sign_in(Role.CS), order)
    row.update(state=VirtualState.FAILED, last_error="은행 점검 중입니다.")
    assert "가상계좌를 발급하지 못했습니다. 은행 점검 중입니다." in page_of(sign_in(Role.CS), order)


@pytest.mark.parametrize(
    ("state", "error", "row", "box"),
    [
        ("PENDING", "", "PG 확인 중", payment_box.ASKING),
        ("PENDING", windows.NOT_OPENED, "고객이 열기 전", windows.NOT_OPENED),
        ("PENDING", windows.DIFFERS, "확인 필요", windows.DIFFERS),
        ("PENDING", f"{KEY_REFUSED} 틀린 키", "확인 못 함", "틀린 키 설정의 PG 계정에서 키를 고치면 저절로 다시 확인"),
        ("FAILED", "PG의 말", "확인 실패", "고객이 결제창에서 연 가상계좌를 PG에 확인하지 못했습니다. PG의 말"),
    ],
)
def test_one_that_the_buyer_opens_is_never_said_to_be_opened_by_us(waiting, sign_in, state, error, row, box):
    order, payment = waiting
    mine = VirtualAccount.objects.filter(payment=payment)
    mine.update(state=state, number="", last_error=error, is_from_window=True)
    before = (mine.values().get(), Payment.objects.values().get())
    client = sign_in(Role.CS)
    body = client.get("/orders/awaiting-payment/?period=all").content.decode()
    assert row in body
    assert [one for one in ("PG 확인 중", "발급 중", "발급 못 함", "발급 실패") if one in body and one != row] == []
    assert ("예외 입금 확인" in body) is (error == windows.DIFFERS)
    assert box in page_of(client, order)
    assert (mine.values().get(), Payment.objects.values().get()) == before


def test_notices_and_open_problems_stand_in_the_box(waiting, pg_shop, sign_in):
    order, payment = waiting
    pg_shop.deposit(order)
    pg_shop.heard()
    problems.open_for(payment, ProblemKind.OVERPAID, amount=2_000, at=timezone.now())
    page = page_of(sign_in(Role.CS), order)
    for words in ("초과입금", "2,000원", "PG 알림", "/payments/notices/", "/payments/problems/"):
        assert words in page
    plain = page_of(sign_in(Role.LOGISTICS), order)
    assert "초과입금" in plain
    assert "/payments/notices/" not in plain
    assert "/payments/problems/" not in plain


def test_unpaid_orders_show_bank_and_masked_number(waiting, sign_in):
    order, payment = waiting
    number = VirtualAccount.objects.get(payment=payment).number
    url = "/orders/awaiting-payment/?period=all&tab=account"
    page = sign_in(Role.CS).get(url).content.decode()
    assert "우리은행" in page
    assert number not in page
    assert f"*{number[-4:]}" in page
    assert ">예외<" not in page
    problems.open_for(payment, ProblemKind.UNDERPAID, amount=3_000, at=timezone.now())
    assert ">예외<" in sign_in(Role.CS).get(url).content.decode()


def test_an_account_that_stays_open_while_the_cancel_can_be_undone_says_until_when(waiting, sign_in, press):
    order, payment = waiting
    client = sign_in(Role.CS)
    press(client, "cancel-unpaid", "awaiting-payment", [(order.pk, reloaded(order).version)], reason="고객 요청")
    relay.run_once(at=timezone.now())
    closing = VirtualAccount.objects.get(payment=payment)
    assert (closing.state, closing.attempts) == (VirtualState.CLOSING, 0)
    until = short_time(closing.next_try_at, timezone.now())
    page = page_of(client, order)
    assert f"취소를 되돌릴 수 있는 {until}까지 열어 두고 그 뒤에 닫습니다." in page
    assert "가상계좌를 닫고 있습니다." not in page
    VirtualAccount.objects.update(next_try_at=timezone.now())
    assert "가상계좌를 닫고 있습니다." in page_of(client, order)
    VirtualAccount.objects.update(next_try_at=closing.next_try_at, attempts=1, last_error="HTTP 503")
    page = page_of(client, order)
    assert f"가상계좌를 아직 닫지 못했습니다. {until}에 다시 시도합니다." in page
    assert "HTTP 503" not in page


def test_the_name_of_the_pg_stands_whole_and_that_of_the_buyer_masked(waiting, sign_in):
    order, payment = waiting
    row = VirtualAccount.objects.filter(payment=payment)
    row.update(holder="(주)케이지이니시스")
    assert "예금주 (주)케이지이니시스" in page_of(sign_in(Role.CS), order)
    row.update(holder=f"토스_{order.buyer_name}")
    page = page_of(sign_in(Role.CS), order)
    assert f"토스_{order.buyer_name}" not in page
    assert f"예금주 토스_{mask_name(order.buyer_name)}" in page
