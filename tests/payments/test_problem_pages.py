"""미확인·예외 입금 over HTTP: every act, its refusals, and two people at once."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core.settings_registry import set_setting
from orders.models import OrderEvent
from orders.services import progress
from orders.states import CanceledBy, LineState, PaymentMethod
from payments.models import LedgerEntry, MoneyProblem, Payment, PgAccount, PgNotice, Refund
from payments.options import DIFFERENCE_FROM, SECOND_A_DAY, SECOND_FROM
from payments.services.cases.resolving import ask_to_accept
from payments.services.ledger import problems
from payments.states import EntryKind, NoticeState, ProblemKind, RefundState, Resolution
from tests.fixtures.answers import body, text_of
from tests.fixtures.orders import NOW, reloaded

URL = "/payments/problems/"
K = ProblemKind


@pytest.fixture
def problem(make_order, deposit):
    """`problem(K.UNDERPAID, 7_000)`: an order of 10,000 won that got so much, and its open problem."""

    def make(kind, paid, *, amount=None, canceled=False):
        order = make_order(price=10_000)
        if canceled:
            progress.cancel_unpaid(order_ids=[order.pk], actor=None, at=NOW, by=CanceledBy.STAFF, reason="고객 요청")
        deposit(order, paid)
        payment = Payment.objects.get(order=order)
        problems.open_for(payment, kind, amount=amount or abs(10_000 - paid), at=NOW)
        return MoneyProblem.objects.get(order=order)

    return make


@pytest.fixture
def lost(db):
    """Money of a notice that named no order of ours."""
    account = PgAccount(code="toss", name="토스", provider="toss", merchant_id="m", base_url="https://pg.example")
    account.set_secrets("test_sk_1234567890")
    account.save()
    notice = PgNotice.objects.create(
        account=account, event_key="e1", kind="DEPOSITED", order_ref="20260908-9999999-1", amount=10_000,
        is_proven=True, body_hash=b"x", state=NoticeState.PARKED, reason="unknown_order", due_at=NOW, received_at=NOW,
        finished_at=NOW, attempts=5,
    )  # fmt: skip
    return MoneyProblem.objects.create(
        kind=K.UNKNOWN_ORDER, notice=notice, amount=10_000, found_at=NOW, detail=notice.order_ref
    )


def row_texts(answer):
    """The words of each row of the list, by the number of its order."""
    rows = [
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row))
        for row in re.findall(r"<tbody id=.*?</tbody>", body(answer), re.S)
    ]
    return {re.search(r"\d{8}-\d{7}", row)[0]: row for row in rows}


def stage(problem):
    return reloaded(problem.order).stage


def fresh(problem):
    return MoneyProblem.objects.get(pk=problem.pk)


def test_the_list_shows_kind_amount_age_and_order(problem, sign_in):
    one = problem(K.UNDERPAID, 7_000)
    page = sign_in(Role.FINANCE).get(URL).content.decode()
    for words in ("부분입금", "3,000원", one.order.number, "결제예정액보다 적게 들어왔습니다."):
        assert words in page
    assert "예외 입금이 없습니다" not in page
    over = sign_in(Role.FINANCE).get(f"{URL}?tab=over").content.decode()
    assert one.order.number not in over


def test_an_empty_list_says_what_will_stand_there(sign_in):
    assert "주문과 맞지 않는 돈이 들어오면 여기에 나타납니다." in sign_in(Role.OWNER).get(URL).content.decode()


@pytest.mark.parametrize("role", list(Role))
def test_who_may_see_the_list(problem, sign_in, role):
    status = 403 if role in {Role.LOGISTICS, Role.VIEWER} else 200
    one = problem(K.UNDERPAID, 7_000)
    client = sign_in(role)
    assert client.get(URL).status_code == status
    assert client.get(f"{URL}{one.pk}/").status_code == status


@pytest.mark.parametrize("act", ["accept-difference", "revive-order", "attach-notice", "mark-test", "close-problem"])
def test_an_act_without_the_right_changes_nothing(problem, sign_in, press, act):
    one = problem(K.UNDERPAID, 7_000)
    preview, answer = press(sign_in(Role.CS), act, "problems", [(one.pk, 0)], reason="확인")
    assert (preview.status_code, answer) == (403, None)
    assert fresh(one).resolved_at is None


def test_finance_does_not_accept_a_difference(problem, sign_in, press):
    one = problem(K.UNDERPAID, 7_000)
    preview, _ = press(sign_in(Role.FINANCE), "accept-difference", "problems", [(one.pk, 0)], reason="확인")
    assert preview.status_code == 403
    assert stage(one) == LineState.AWAITING_PAYMENT


def ask(one, actor):
    """The first of the two people."""
    outcome = ask_to_accept(problem_ids=[one.pk], actor=actor, at=timezone.now(), reason="고객과 통화함")
    assert outcome.refused == {}


def test_an_accepted_shortage_is_booked_as_one_and_the_order_goes_on(problem, make_staff, sign_in, press):
    one = problem(K.UNDERPAID, 7_000)
    ask(one, make_staff(Role.FINANCE))
    _, answer = press(sign_in(Role.OWNER), "accept-difference", "problems", [(one.pk, 1)], reason="택배 지연 보상")
    assert answer.status_code == 200
    assert stage(one) == LineState.PREPARING
    rows = LedgerEntry.objects.filter(payment=one.payment).order_by("pk").values_list("kind", "amount", "reason")
    assert list(rows)[1] == (EntryKind.SHORTFALL, 3_000, "차액 인정: 택배 지연 보상")
    solved = fresh(one)
    assert (solved.resolution, solved.memo) == (Resolution.ACCEPTED, "택배 지연 보상")
    assert solved.resolved_by is not None
    event = OrderEvent.objects.get(kind="problem.resolved")
    assert (event.order_id, event.reason, event.data) == (
        one.order_id, "택배 지연 보상", {"kind": "UNDERPAID", "amount": 3_000},
    )  # fmt: skip


@pytest.mark.parametrize("act", ["ask-difference", "accept-difference"])
def test_the_dialog_tells_the_sum_of_the_differences(problem, sign_in, staff, act):
    set_setting(key=DIFFERENCE_FROM.key, value=5_000, actor=staff, at=NOW)
    rows = [problem(K.UNDERPAID, 9_000), problem(K.UNDERPAID, 9_500), problem(K.OVERPAID, 12_000)]
    chosen = {"page": "problems", "mode": "ids", "rows": ",".join(f"{one.pk}:0" for one in rows)}
    words = text_of(sign_in(Role.OWNER).post(f"/acts/{act}/", chosen, headers={"HX-Request": "true"}))
    assert "부족한 차액은 모두 1,500원입니다." in words
    assert "초과한 차액은 모두 2,000원입니다." in words


def test_a_reason_is_asked_for(problem, sign_in, press):
    one = problem(K.UNDERPAID, 7_000)
    _, answer = press(sign_in(Role.OWNER), "close-problem", "problems", [(one.pk, 0)])
    assert answer.status_code == 422
    assert "사유" in answer.content.decode()
    assert fresh(one).resolved_at is None


def test_the_list_shows_which_differences_wait_for_their_second_person(problem, make_staff, sign_in):
    one, other = problem(K.UNDERPAID, 7_000), problem(K.UNDERPAID, 6_000)
    ask(one, make_staff(Role.FINANCE, display_name="이재무"))
    client = sign_in(Role.OWNER)
    rows = row_texts(client.get(URL))
    assert "차액 인정 신청됨 이재무 님 · " in rows[one.order.number]
    assert ("처리 전" in rows[other.order.number], "신청됨" in rows[other.order.number]) == (True, False)
    assert set(row_texts(client.get(f"{URL}?tab=asked"))) == {one.order.number}
    # Of another sum, or after 72 hours, nothing stands of it.
    for change in ({"amount": 2_000}, {"amount": 3_000, "asked_at": timezone.now() - timedelta(hours=73)}):
        MoneyProblem.objects.filter(pk=one.pk).update(**change)
        assert "신청됨" not in row_texts(client.get(URL))[one.order.number]
        assert row_texts(client.get(f"{URL}?tab=asked")) == {}


def test_the_second_of_two_people_is_told_who_was_first(problem, make_staff, sign_in, press):
    one, first = problem(K.UNDERPAID, 7_000), make_staff(Role.FINANCE, display_name="이재무")
    second = sign_in(Role.OWNER)
    rows = [(one.pk, 1)]
    ask(one, first)
    opened = second.post(
        "/acts/accept-difference/", {"page": "problems", "mode": "ids", "rows": f"{one.pk}:1"},
        headers={"HX-Request": "true"},
    ).content.decode()  # fmt: skip
    press(sign_in(first), "close-problem", "problems", rows, reason="고객과 통화함")
    apply_url = opened.split('hx-post="')[1].split('"')[0]
    answer = second.post(apply_url, {"reason": "인정"}, headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert (fresh(one).resolution, fresh(one).resolved_by) == (Resolution.NOTHING, first)
    assert stage(one) == LineState.AWAITING_PAYMENT
    assert not LedgerEntry.objects.filter(kind=EntryKind.SHORTFALL).exists()
    again, _ = press(second, "close-problem", "problems", rows, reason="다시")
    assert again.status_code == 409
    assert "이재무 님이 내용을 바꿨습니다(예외 입금 처리)." in again.content.decode()


def test_a_revived_order_goes_on_because_its_money_is_there(problem, sign_in, press):
    one = problem(K.LATE_AFTER_CANCEL, 10_000, amount=10_000, canceled=True)
    _, answer = press(sign_in(Role.FINANCE), "revive-order", "problems", [(one.pk, 0)], reason="입금 확인")
    assert answer.status_code == 200
    assert (stage(one), fresh(one).resolution) == (LineState.PREPARING, Resolution.REVIVED)


def test_an_order_with_too_little_money_is_not_revived(problem, sign_in, press):
    one = problem(K.LATE_AFTER_CANCEL, 9_000, amount=9_000, canceled=True)
    preview, answer = press(sign_in(Role.FINANCE), "revive-order", "problems", [(one.pk, 0)], reason="입금 확인")
    assert "들어온 돈이 결제예정액보다 적습니다" in preview.content.decode()
    assert answer is None or answer.status_code == 409
    assert (stage(one), fresh(one).resolution) == (LineState.CANCELED_UNPAID, "")


def test_money_that_is_too_much_is_asked_back(problem, sign_in):
    one = problem(K.OVERPAID, 12_000)
    client = sign_in(Role.FINANCE)
    account = {"bank": "088", "number": "110-123-456789", "holder": "홍길동"}
    assert "2,000원 환불 신청" in client.get(f"{URL}{one.pk}/").content.decode()
    bad = client.post(f"{URL}{one.pk}/refund/", {"reason": "초과입금", "bank": "088"})
    assert bad.status_code == 422
    assert "환불계좌는 은행, 계좌번호, 예금주를 모두 입력하세요." in bad.content.decode()
    no_number = client.post(f"{URL}{one.pk}/refund/", account | {"number": "110-12a-456789", "reason": "초과입금"})
    assert no_number.status_code == 422
    assert "계좌번호는 숫자 6~20자리로 입력하세요." in no_number.content.decode()
    missing = client.post(f"{URL}{one.pk}/refund/", {"reason": "초과입금"})
    assert missing.status_code == 409
    assert "환불계좌를 입력하세요" in missing.content.decode()
    assert not Refund.objects.exists()
    assert fresh(one).resolved_at is None
    assert client.post(f"{URL}{one.pk}/refund/", account | {"reason": "초과입금"}).status_code == 302
    refund = Refund.objects.get()
    assert (refund.amount, refund.reason, refund.account.number) == (2_000, "초과입금", "110123456789")
    assert fresh(one).resolution == Resolution.REFUNDED
    again = client.post(f"{URL}{one.pk}/refund/", account | {"reason": "초과입금"})
    assert again.status_code == 409
    assert "이미 처리한 예외입니다: 환불" in again.content.decode()
    assert Refund.objects.count() == 1


def test_the_button_says_that_the_refund_is_approved_with_it(problem, sign_in):
    one = problem(K.OVERPAID, 12_000)
    client = sign_in(Role.OWNER)
    page = text_of(client.get(f"{URL}{one.pk}/"))
    assert "2,000원 환불 신청하고 승인" in page
    assert "신청과 함께 승인합니다. 예금주가 입금자와 다르거나 입금자명이 가려졌으면" in page
    assert "다른 직원이 승인해야 합니다." in page
    account = {"bank": "088", "number": "110-123-456789", "holder": one.order.depositor_name}
    client.post(f"{URL}{one.pk}/refund/", account | {"reason": "초과입금"})
    assert Refund.objects.get().state == RefundState.APPROVED


def test_the_button_only_asks_where_the_person_may_not_approve_the_own_asking(problem, sign_in):
    one = problem(K.OVERPAID, 12_000)
    client = sign_in(Role.FINANCE)
    page = text_of(client.get(f"{URL}{one.pk}/"))
    assert "2,000원 환불 신청" in page
    assert "신청하고 승인" not in page
    assert "신청한 직원과 다른 직원이 승인해야 돈이 나갑니다." in page
    account = {"bank": "088", "number": "110-123-456789", "holder": one.order.depositor_name}
    client.post(f"{URL}{one.pk}/refund/", account | {"reason": "초과입금"})
    assert Refund.objects.get().state == RefundState.DRAFT


@pytest.mark.parametrize("setting", [SECOND_FROM, SECOND_A_DAY])
def test_the_button_only_asks_where_another_person_must_approve(problem, sign_in, staff, setting):
    one = problem(K.OVERPAID, 12_000)
    set_setting(key=setting.key, value=1_000, actor=staff, at=NOW)
    client = sign_in(Role.FINANCE)
    page = text_of(client.get(f"{URL}{one.pk}/"))
    assert "2,000원 환불 신청" in page
    assert "신청하고 승인" not in page
    assert "다른 직원이 승인해야 돈이 나갑니다." in page
    assert not Refund.objects.exists()
    account = {"bank": "088", "number": "110-123-456789", "holder": one.order.depositor_name}
    client.post(f"{URL}{one.pk}/refund/", account | {"reason": "초과입금"})
    assert Refund.objects.get().state == RefundState.DRAFT


def test_a_case_says_how_much_money_is_there(problem, sign_in):
    one = problem(K.LATE_AFTER_CANCEL, 9_000, amount=9_000, canceled=True)
    page = text_of(sign_in(Role.FINANCE).get(f"{URL}{one.pk}/"))
    assert re.search(r"들어온 돈\s*9,000원", page)
    assert (Payment.objects.get().balance, stage(one), fresh(one).resolution) == (9_000, LineState.CANCELED_UNPAID, "")


def test_cs_does_not_refund_a_case(problem, sign_in):
    one = problem(K.OVERPAID, 12_000)
    assert sign_in(Role.CS).post(f"{URL}{one.pk}/refund/", {"reason": "초과입금"}).status_code == 403
    assert not Refund.objects.exists()


def test_a_notice_is_attached_to_an_order_and_due_again(lost, make_order, sign_in, press):
    order = make_order(price=10_000, payment_method=PaymentMethod.VIRTUAL_ACCOUNT)
    client = sign_in(Role.FINANCE)
    _, wrong = press(client, "attach-notice", "problems", [(lost.pk, 0)], reason="통화함", order="20200101-0000001")
    assert wrong.status_code == 422
    assert "주문을 찾을 수 없습니다" in wrong.content.decode()
    _, answer = press(client, "attach-notice", "problems", [(lost.pk, 0)], reason="통화함", order=order.number)
    assert answer.status_code == 200
    payment = Payment.objects.get(order=order)
    assert (payment.account, payment.order_ref) == (lost.notice.account, "20260908-9999999-1")
    notice = PgNotice.objects.get()
    assert (notice.state, notice.finished_at, notice.attempts) == (NoticeState.RETRY, None, 0)
    assert (fresh(lost).order, fresh(lost).resolution) == (order, Resolution.ATTACHED)
    assert not LedgerEntry.objects.exists()


def test_a_notice_is_not_attached_to_an_order_with_a_pg_payment(lost, make_order, sign_in, press):
    order = make_order(price=10_000)
    Payment.objects.filter(order=order).update(account=lost.notice.account, order_ref=f"{order.number}-1")
    press(sign_in(Role.FINANCE), "attach-notice", "problems", [(lost.pk, 0)], reason="통화함", order=order.number)
    assert fresh(lost).resolved_at is None
    assert PgNotice.objects.get().state == NoticeState.PARKED


def test_a_test_of_the_pg_is_marked_and_never_replayed(lost, sign_in, press):
    press(sign_in(Role.FINANCE), "mark-test", "problems", [(lost.pk, 0)], reason="PG 등록 시험")
    assert (fresh(lost).resolution, PgNotice.objects.get().state) == (Resolution.PG_TEST, NoticeState.TEST)


def test_an_unknown_case_is_not_found(sign_in):
    answer = sign_in(Role.OWNER).get(f"{URL}999999/")
    assert answer.status_code == 404
    assert "예외 입금을 찾을 수 없습니다" in answer.content.decode()


def test_the_dashboard_counts_and_adds_up_by_group(problem, sign_in):
    problem(K.UNDERPAID, 7_000), problem(K.UNDERPAID, 4_000), problem(K.OVERPAID, 12_000)
    page = sign_in(Role.FINANCE).get("/").content.decode()
    assert 'data-card="money-short"' in page
    assert 'data-count="card-money-short">2건' in page
    assert "9,000원" in page
    assert 'data-count="card-money-over">1건' in page
