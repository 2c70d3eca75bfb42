"""What staff read of a card payment that the storefront named: while its PG is asked, with a case, when it is paid."""

import pytest
from django.utils import timezone

from payments.models import CardCheck, MoneyProblem
from payments.services.watching import card_checks
from tests.fixtures.answers import text_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_staff_see_that_the_pg_is_being_asked(cards, sign_in, staff):
    payment = cards.order("toss", is_paid=False)
    client = sign_in(staff)
    assert "PG 확인 중" in client.get("/orders/awaiting-payment/?period=all").content.decode()
    page = client.get(f"/orders/{payment.order.number}/").content.decode()
    assert "PG에 카드 결제를 확인하고 있습니다." in page
    assert "33,000원의 신용카드 결제를 PG가 확인하기를 기다립니다." in page
    assert "입금을 기다립니다" not in page
    CardCheck.objects.update(next_try_at=timezone.now())
    card_checks.check_due(at=timezone.now())
    assert card_checks.NOT_THERE in client.get(f"/orders/{payment.order.number}/").content.decode()
    cards.pay("toss", payment.order_ref)
    cards.shop.heard()
    page = client.get(f"/orders/{payment.order.number}/").content.decode()
    assert card_checks.NOT_THERE not in page
    assert "data-card" not in page
    assert all(f"<dt>{one}</dt>" in page for one in ("결제금액", "결제일시"))
    assert '<span class="tag">결제완료</span>' in page
    assert all(one not in page for one in ("<dt>입금액</dt>", "<dt>입금일시</dt>", "입금완료", "우리 장부"))


def test_where_the_pg_does_not_know_it_every_page_sends_to_the_case(cards, sign_in, staff):
    payment = cards.order("toss", is_paid=False)
    for _ in range(card_checks.UNKNOWN_TRIES):
        CardCheck.objects.update(next_try_at=timezone.now())
        card_checks.check_due(at=timezone.now())
    client = sign_in(staff)
    row = client.get("/orders/awaiting-payment/?period=all").content.decode()
    assert ("PG 확인 중" in row, "확인 필요" in row, "예외 입금 확인" in row) == (False, True, True)
    case = text_of(client.get(f"/payments/problems/{MoneyProblem.objects.get().pk}/"))
    assert card_checks.NOT_THERE in case
    assert ("금액이나 주문번호" in case, "PG와 금액 다름" in case) == (False, False)
    page = text_of(client.get(f"/orders/{payment.order.number}/"))
    assert "33,000원의 신용카드 결제를 PG에서 확인하지 못했습니다. 미확인·예외 입금" in page
    assert ("입금을 기다립니다" in page, "입금기한" in page) == (False, False)
