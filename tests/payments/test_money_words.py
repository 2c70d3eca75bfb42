"""What the screens of money say beside a refused form, after a second try, and why a deposit waits."""

from html import unescape

import pytest
from django.db import connection
from django.utils import timezone

from accounts.roles import Role
from core.lists import lists
from core.lists.presenter import present
from orders.states import PaymentMethod
from payments.matching import reason_words
from payments.models import MoneyProblem, Payment, Refund
from payments.services.ledger import problems
from payments.services.refunds import requesting, retrying
from payments.states import DepositReason, ProblemKind, RefundState, RefundWay
from tests.fixtures.orders import NOW, reloaded
from tests.fixtures.refunds import ACCOUNT

HX = {"HX-Request": "true"}
FACTS = {"reason": "더 보냄", "bank": "088", "number": "110-123-456789", "holder": "홍길동"}


@pytest.fixture
def overpaid(paid_payment):
    payment = paid_payment(price=10_000)
    problems.open_for(payment, ProblemKind.OVERPAID, amount=2_000, at=NOW, detail="")
    return MoneyProblem.objects.get()


@pytest.fixture
def failed(paid_payment, staff):
    """A refund of a card payment that its PG has refused."""
    payment = paid_payment(price=10_000)
    asked = requesting.request(
        asks=[requesting.Ask(payment_id=payment.pk, amount=1_000, account=ACCOUNT)], reason="변심", actor=staff, at=NOW
    )
    refund = asked.refunds[0]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        Refund.objects.filter(pk=refund.pk).update(
            state=RefundState.FAILED, way=RefundWay.PROVIDER, sealed_account="", last_error="취소할 수 없는 결제"
        )
        Payment.objects.filter(pk=payment.pk).update(method=PaymentMethod.CARD)
        cursor.execute("SET LOCAL session_replication_role = origin")
    return reloaded(refund)


def test_the_refund_of_a_case_is_refused_and_made_beside_the_list(overpaid, sign_in):
    client, url = sign_in(Role.FINANCE, headers=HX), f"/payments/problems/{overpaid.pk}/refund/"
    shown = client.get(f"/payments/problems/{overpaid.pk}/").content.decode()
    assert shown.count('class="must"') == 4
    for facts, status, text in (
        ({}, 422, "사유를 입력하세요."),
        ({"reason": "더 보냄"}, 409, "환불계좌를 입력하세요."),
    ):
        answer = client.post(url, facts)
        assert (answer.status_code, answer["HX-Retarget"]) == (status, "#problem-ask")
        assert text in answer.content.decode()
        assert answer.content.decode().count('class="field-error"') == (4 if status == 422 else 3)
        assert "<html" not in answer.content.decode()
    assert not Refund.objects.exists()
    answer = client.post(url, FACTS)
    assert (answer.status_code, answer["HX-Trigger"]) == (200, "oms:changed")
    assert "환불을 신청했습니다." in answer.content.decode()
    assert Refund.objects.get().amount == 2_000


def test_the_address_of_a_refused_form_leads_back_to_the_case(overpaid, sign_in):
    answer = sign_in(Role.FINANCE).get(f"/payments/problems/{overpaid.pk}/refund/")
    assert (answer.status_code, answer["Location"]) == (302, f"/payments/problems/{overpaid.pk}/")
    assert not Refund.objects.exists()


def test_a_card_payment_that_is_to_go_by_transfer_asks_for_an_account_without_a_false_reason(failed, staff):
    refused = retrying.retry(refund_ids=[failed.pk], actor=staff, at=NOW, way=RefundWay.BANK)
    assert refused.refused == {failed.pk: "환불계좌를 입력하세요. 은행 이체로 돌려주려면 계좌가 필요합니다."}
    assert reloaded(failed).version == failed.version


def test_a_refund_that_is_tried_again_forgets_why_it_failed(failed, staff):
    retrying.retry(refund_ids=[failed.pk], actor=staff, at=NOW, way=RefundWay.BANK, account=ACCOUNT)
    again = reloaded(failed)
    assert (again.way, again.last_error) == (RefundWay.BANK, "")
    assert again.key != failed.key


def test_an_empty_list_of_refunds_does_not_deny_those_of_other_tabs(failed, staff):
    shown = present(lists.page("refunds").query("", user=staff, at=timezone.now()))
    assert shown.rows == []
    assert shown.empty_text.startswith("승인을 기다리는 환불이 없습니다.")


@pytest.mark.parametrize(
    ("reason", "explained", "words"),
    [
        (DepositReason.NAME_WEAK, "95점: 금액 같음 · 입금자 같음 · 입금 뒤에 한 주문", "입금 시기 다름"),
        (DepositReason.NAME_WEAK, "80점: 금액 같음 · 입금자 일부 같음 · 7일 안 주문", "입금자 일부만 같음"),
        (DepositReason.NO_ORDER, "금액이나 입금자가 맞는 주문이 없음", "맞는 주문 없음"),
        ("", "95점: 금액 같음 · 입금자 같음", ""),
    ],
)
def test_a_deposit_that_waits_says_what_does_not_fit(reason, explained, words):
    assert reason_words(reason, explained) == words


def test_an_empty_return_of_a_deposit_is_refused_beside_its_own_form(came_in, matched, sign_in):
    deposit = came_in(77_000, "모르는이")
    matched()
    client = sign_in(Role.FINANCE, headers=HX)
    url = f"/payments/deposits/{deposit.pk}/"
    assert 'id="return-said"' in client.get(url, headers=HX | {"HX-Target": "detail"}).content.decode()
    answer = client.post(f"{url}return/", {"version": reloaded(deposit).version})
    assert (answer.status_code, answer["HX-Retarget"]) == (422, "#deposit-return")
    assert "사유를 입력하세요." in answer.content.decode()
    assert not Refund.objects.exists()


def test_a_long_reason_is_cut_in_the_list_and_told_whole_to_who_rests_on_it(paid_refund, staff):
    refund = paid_refund()
    reason = "고객이 같은 상품을 두 번 주문해 <먼저> 주문한 것을 취소하고 나중 것만 보내기로 전화로 확인"
    Refund.objects.filter(pk=refund.pk).update(reason=reason)
    row = present(lists.page("refunds").query("tab=all", user=staff, at=timezone.now())).rows[0].html
    told = reason.replace("<", "&lt;").replace(">", "&gt;")
    assert f'<td class="brief"><span title="{told}">{told}</span></td>' in row


def test_a_hold_says_how_it_is_taken_back_and_a_payout_that_it_is_not(paid_refund, sign_in):
    refund, client = paid_refund(), sign_in(Role.FINANCE, headers=HX)
    said = {
        "hold-refund": "나중에 '환불보류 해제' 단추로 되돌릴 수 있습니다.",
        "withdraw-refund": "이 처리는 되돌릴 수 없습니다.",
    }
    for act, words in said.items():
        chosen = {"page": "refunds", "mode": "ids", "rows": f"{refund.pk}:{refund.version}"}
        assert words in unescape(client.post(f"/acts/{act}/", chosen).content.decode())
    assert (reloaded(refund).state, reloaded(refund).version) == (RefundState.APPROVED, refund.version)
