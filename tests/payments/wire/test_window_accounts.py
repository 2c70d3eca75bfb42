"""Virtual accounts that the buyer opened in the PG's own window: named by the storefront, learnt from the PG over a
real socket, credited, closed and revived like every other; never by a word of the storefront."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from core import drains, relay
from core.models import Message
from orders.models import Order, OrderEvent
from orders.services import progress
from orders.states import CanceledBy, LineState
from payments.events import VIRTUAL_ISSUED
from payments.models import CardCheck, LedgerEntry, MoneyProblem, Payment, PgAccount, PgNotice, VirtualAccount
from payments.services.gateway import issuing, reissuing, windows
from payments.services.ledger import problems
from payments.services.watching.reconciling import reconcile_week
from payments.states import EntryKind, NoticeState, ProblemKind, VirtualState
from payments.tasks import cancel_unpaid_overdue
from tests.fixtures.orders import broken, reloaded
from tests.fixtures.pg_shop import BANKS

pytestmark = pytest.mark.django_db(transaction=True)
PGS = pytest.mark.parametrize("pg", ["nicepay", "nicepay-form"])
S, V = LineState, VirtualState
LIES = {"bank": "088", "number": "99999999", "due_at": "2030-01-01T00:00:00+09:00"}


def virtual(said):
    return VirtualAccount.objects.select_related("payment__account", "payment__order").get(
        payment__order__number=said["number"]
    )


def ledger(payment):
    return list(LedgerEntry.objects.filter(payment=payment).order_by("pk").values_list("kind", "amount"))


def settle():
    for _ in range(3):
        relay.run_once(at=timezone.now())
        drains.run_all()


def counts():
    return (Order.objects.count(), Payment.objects.count(), VirtualAccount.objects.count(), CardCheck.objects.count())


@PGS
def test_the_account_is_what_the_pg_says_whatever_the_storefront_says_of_it(cards, order, pg):
    said, shown = order(pg, lies=LIES)
    one = virtual(said)
    assert (said["state"], said["account_state"], said["pg_state"], said["amounts"]["paid"]) == (
        "N00", "issued", None, 0,
    )  # fmt: skip
    assert said["account"]["number"] == shown["account_number"]
    assert (said["account"]["bank"], said["account"]["bank_name"]) == ("004", "국민은행")
    assert said["account"]["holder"] == shown["holder"]
    assert abs(one.due_at.timestamp() - shown["due_at"]) < 1
    assert said["deposit_by"] == said["account"]["due_at"], "the buyer was told that deadline"
    assert (one.state, one.number, one.payment.payment_ref) == (V.ISSUED, shown["account_number"], shown["payment_ref"])
    assert (one.payment.account.code, one.payment.order_ref) == (pg, shown["order_ref"])
    assert ledger(one.payment) == []
    assert not CardCheck.objects.exists()
    assert not MoneyProblem.objects.exists()
    assert cards.read(said["number"]) == said
    assert OrderEvent.objects.filter(kind=VIRTUAL_ISSUED).count() == 1
    settle()
    assert shown["account_number"] in Message.objects.get(template="deposit_account").body
    assert broken() == []


@PGS
def test_the_notice_of_its_deposit_finds_the_payment_and_credits_it_once(cards, order, pg):
    said, shown = order(pg)
    cards.shop.forget()
    cards.shop.act("deposit", virtual(said).payment, amount=33_000, name="김입금")
    notices = cards.shop.heard()
    assert [(one.state, one.order_ref) for one in notices] == [(NoticeState.PROCESSED, shown["order_ref"])]
    one = virtual(said)
    assert cards.shop.state(one.payment.order) == (S.PREPARING, 33_000, "PAID")
    assert ledger(one.payment) == [(EntryKind.DEPOSIT, 33_000)]
    assert cards.read(said["number"])["account_state"] == "issued"
    assert not MoneyProblem.objects.exists()
    assert broken() == []


@PGS
def test_while_the_pg_is_silent_the_account_is_pending_and_the_relay_learns_it(cards, order, sign_in, pg):
    cards.account(pg)
    fault = cards.shop.pgs.fault("status", pg=pg, method="GET", status=500, times=None)
    said, shown = order(pg, lies=LIES)
    assert (said["account"], said["account_state"]) == (None, "pending")
    assert virtual(said).number == ""
    assert "PG 확인 중" in sign_in(Role.CS).get("/orders/awaiting-payment/?period=all").content.decode()
    cards.shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    assert issuing.look_due(at=timezone.now() + timedelta(minutes=1)) == 1
    found = cards.read(said["number"])
    assert (found["account_state"], found["account"]["number"]) == ("issued", shown["account_number"])
    assert broken() == []


@PGS
def test_money_that_was_faster_than_the_order_is_credited_with_the_first_answer(cards, window, pg):
    named, _ = window(pg)
    cards.shop.pgs.control("payments/deposit", pg=pg, order_ref=named["order_ref"], amount=33_000, name="홍길동")
    cards.shop.pgs.wait_for(lambda: not any(one["state"] in {"DUE", "SENDING"} for one in cards.shop.pgs.notices()))
    said = cards.post("W-fast", pg=named, method="VIRTUAL_ACCOUNT").json()
    payment = virtual(said).payment
    assert (said["state"], said["amounts"]["paid"], said["account_state"]) == ("N10", 33_000, "issued")
    assert cards.read(said["number"]) == said, "all of one moment"
    assert cards.shop.state(payment.order) == (S.PREPARING, 33_000, "PAID")
    PgNotice.objects.update(due_at=timezone.now())
    cards.shop.heard()
    assert ledger(payment) == [(EntryKind.DEPOSIT, 33_000)]
    assert not MoneyProblem.objects.exists()
    assert broken() == []


@PGS
def test_an_unpaid_one_is_canceled_at_its_deadline_and_closed_at_the_pg(cards, order, pg):
    said, _ = order(pg)
    settle()
    one = virtual(said)
    assert cancel_unpaid_overdue(at=one.due_at - timedelta(minutes=1)) == 0
    Order.objects.update(deposit_by=timezone.now() - timedelta(minutes=1))
    assert cancel_unpaid_overdue(at=timezone.now()) == 1
    settle()
    after = virtual(said)
    assert (reloaded(one.payment.order).stage, after.state, after.last_error) == (S.CANCELED_UNPAID, V.CLOSED, "")
    assert cards.shop.pgs.payment(pg, one.payment.order_ref)["state"] == "CANCELED"
    assert cards.read(said["number"])["account_state"] == "closed"
    assert ledger(one.payment) == []
    assert broken() == []


def test_money_that_came_before_the_cancel_wins_over_the_deadline(cards, order):
    said, _ = order("nicepay")
    cards.shop.pgs.shop("nicepay", notice_url="")
    payment = virtual(said).payment
    cards.shop.act("deposit", payment, amount=33_000, name="홍길동")
    assert cancel_unpaid_overdue(at=virtual(said).due_at + timedelta(minutes=1)) == 0
    assert cards.shop.state(payment.order) == (S.PREPARING, 33_000, "PAID")


def revived(one, staff):
    progress.revive(order_ids=[one.payment.order_id], actor=staff, at=timezone.now(), reason="고객 요청")
    settle()


def test_a_revived_order_keeps_its_closed_account_and_is_not_canceled_by_it_again(cards, order, staff):
    said, _ = order("nicepay")
    one = virtual(said)
    at = timezone.now()
    progress.cancel_unpaid(order_ids=[one.payment.order_id], actor=staff, at=at, by=CanceledBy.STAFF, reason="오류")
    settle()
    assert virtual(said).state == V.CLOSED
    revived(one, staff)
    cards.shop.heard()
    reconcile_week(at=timezone.now())
    after = virtual(said)
    assert (reloaded(one.payment.order).stage, after.state) == (S.AWAITING_PAYMENT, V.CLOSED)
    assert after.payment.order_ref == one.payment.order_ref, "no reference of another order of the mall is taken"
    outcome = reissuing.reissue(order_ids=[one.payment.order_id], actor=staff, at=timezone.now())
    assert set(outcome.refused.values()) == {reissuing.BY_WINDOW}
    assert outcome.changes == []
    assert virtual(said).state == V.CLOSED
    assert not MoneyProblem.objects.exists()


def test_one_that_nobody_had_shown_us_before_the_cancel_is_asked_about_again_when_the_order_is_revived(
    cards, order, staff
):
    cards.account("nicepay")
    fault = cards.shop.pgs.fault("status", pg="nicepay", method="GET", status=500, times=None)
    said, shown = order("nicepay")
    one = virtual(said)
    at = timezone.now()
    progress.cancel_unpaid(order_ids=[one.payment.order_id], actor=staff, at=at, by=CanceledBy.STAFF, reason="오류")
    settle()
    assert virtual(said).state == V.PENDING
    cards.shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    revived(one, staff)
    after = virtual(said)
    assert (after.state, after.number) == (V.ISSUED, shown["account_number"])
    assert after.payment.order_ref == shown["order_ref"]


@PGS
def test_a_number_that_the_pg_does_not_know_shows_no_account_and_becomes_one_case(cards, sign_in, pg):
    account = cards.account(pg)
    named = {"account": account.code, "order_ref": "mall-nobody", "payment_key": "OMSTEST00m03012611211159579999"}
    said = cards.post("W-lost", pg=named, method="VIRTUAL_ACCOUNT").json()
    assert (said["account"], said["account_state"]) == (None, "pending")
    for _ in range(windows.UNKNOWN_TRIES - 1):
        assert not MoneyProblem.objects.exists()
        VirtualAccount.objects.update(next_try_at=timezone.now())
        assert issuing.look_due(at=timezone.now()) == 1
    case = MoneyProblem.objects.get()
    assert (case.kind, case.amount, case.detail) == (ProblemKind.MISMATCH_WITH_PG, 33_000, problems.UNKNOWN)
    one = virtual(said)
    assert cancel_unpaid_overdue(at=one.payment.order.deposit_by + timedelta(hours=1)) == 0, "the buyer may have one"
    page = sign_in(Role.CS).get(f"/orders/{said['number']}/").content.decode()
    assert problems.UNKNOWN in page
    assert (one.state, one.number, ledger(one.payment)) == (V.PENDING, "", [])
    # A person who has closed the case is not asked again.
    MoneyProblem.objects.update(resolved_at=timezone.now(), resolution="NOTHING")
    VirtualAccount.objects.update(next_try_at=timezone.now())
    issuing.look_due(at=timezone.now())
    assert MoneyProblem.objects.count() == 1


def test_without_a_number_the_buyer_may_open_the_account_after_the_order(cards, window, sign_in):
    account = cards.account("nicepay")
    named = {"account": account.code, "order_ref": "mall-later"}
    said = cards.post("W-later", pg=named, method="VIRTUAL_ACCOUNT").json()
    assert said["account_state"] == "pending"
    assert windows.NOT_OPENED in sign_in(Role.CS).get(f"/orders/{said['number']}/").content.decode()
    for _ in range(windows.UNKNOWN_TRIES):
        VirtualAccount.objects.update(next_try_at=timezone.now())
        issuing.look_due(at=timezone.now())
    assert not MoneyProblem.objects.exists()
    _, shown = window("nicepay", order_ref="mall-later")
    VirtualAccount.objects.update(next_try_at=timezone.now())
    drains.run_all()
    found = cards.read(said["number"])
    assert (found["account_state"], found["account"]["number"]) == ("issued", shown["account_number"])
    assert virtual(said).payment.payment_ref == shown["payment_ref"]


@pytest.mark.parametrize("wrong", ["amount", "order"])
def test_the_account_of_another_payment_is_not_shown_and_a_person_looks(cards, window, staff, wrong):
    named, _ = window("nicepay", amount=30_000 if wrong == "amount" else 33_000)
    named = named | ({"order_ref": "mall-mine"} if wrong == "order" else {})
    said = cards.post("W-other", pg=named, method="VIRTUAL_ACCOUNT").json()
    assert (said["account"], said["account_state"], said["amounts"]["paid"]) == (None, "problem", 0)
    one = virtual(said)
    assert (one.number, one.next_try_at, one.last_error) == ("", None, windows.DIFFERS)
    assert MoneyProblem.objects.get().kind == ProblemKind.MISMATCH_WITH_PG
    assert issuing.look_due(at=timezone.now() + timedelta(days=1)) == 0, "one case, one person"
    assert not LedgerEntry.objects.exists()
    # Staff may have it asked about again, under the same reference.
    assert reissuing.reissue(order_ids=[one.payment.order_id], actor=staff, at=timezone.now()).refused == {}
    drains.run_all()
    assert (virtual(said).last_error, virtual(said).payment.order_ref) == (windows.DIFFERS, named["order_ref"])
    assert MoneyProblem.objects.count() == 1
    # A person who has closed the case is not asked again.
    MoneyProblem.objects.update(resolved_at=timezone.now(), resolution="NOTHING")
    VirtualAccount.objects.update(next_try_at=timezone.now())
    assert issuing.look_due(at=timezone.now()) == 1
    assert MoneyProblem.objects.count() == 1
    assert not LedgerEntry.objects.exists()


def test_a_card_payment_is_no_account(cards, sign_in):
    account = cards.account("nicepay")
    paid = cards.pay("nicepay", "mall-card")
    named = {"account": account.code, "order_ref": "mall-card", "payment_key": paid["payment_ref"]}
    said = cards.post("W-card", pg=named, method="VIRTUAL_ACCOUNT").json()
    # Its money is there all the same.
    assert (said["account"], said["account_state"], cards.read(said["number"])["state"]) == (None, "pending", "N10")
    assert virtual(said).last_error == issuing.NO_NUMBER
    assert PgAccount.objects.get(pk=account.pk).last_error == "", "its keys are well"
    assert issuing.NO_NUMBER in sign_in(Role.CS).get(f"/orders/{said['number']}/").content.decode()


def test_a_key_that_the_pg_refuses_leaves_it_waiting_for_a_mended_key(cards, window, sign_in):
    named, shown = window("nicepay")
    account = PgAccount.objects.get(code="nicepay")
    right = account.secrets()[0]
    account.set_secrets("wrong-wrong-wrong")
    account.save()
    said = cards.post("W-key", pg=named, method="VIRTUAL_ACCOUNT").json()
    one = virtual(said)
    assert (said["account_state"], one.number) == ("pending", "")
    assert one.last_error.startswith(issuing.KEY_REFUSED)
    assert "PG 계정의 키 확인" in sign_in(Role.CS).get("/orders/awaiting-payment/?period=all").content.decode()
    account.set_secrets(right)
    account.save()
    issuing.wake(account_id=account.pk, at=timezone.now())
    drains.run_all()
    assert cards.read(said["number"])["account"]["number"] == shown["account_number"]


@PGS
def test_the_same_order_again_is_the_stored_one_and_another_reference_is_another_order(cards, window, pg):
    named, _ = window(pg)
    other, _ = window(pg)
    first = cards.post("W-same", pg=named, method="VIRTUAL_ACCOUNT")
    before = counts()
    again = cards.post("W-same", pg=named, method="VIRTUAL_ACCOUNT")
    assert (again.status_code, again.json()) == (200, first.json())
    for pg_sent in (None, other):
        answer = cards.post("W-same", pg=pg_sent, method="VIRTUAL_ACCOUNT")
        assert (answer.status_code, answer.json()["code"]) == (409, "order_differs")
    answer = cards.post("W-other", pg=named, method="VIRTUAL_ACCOUNT")
    assert (answer.status_code, answer.json()["code"]) == (409, "pg_reference_used")
    assert counts() == before


def test_where_we_open_the_accounts_ourselves_none_is_named(cards):
    account = cards.account("toss")
    PgAccount.objects.filter(pk=account.pk).update(issues_accounts=True, bank=BANKS["toss"])
    before = counts()
    named = {"account": account.code, "order_ref": "mall-1", "payment_key": "tviva1"}
    answer = cards.post("W-toss", pg=named, method="VIRTUAL_ACCOUNT")
    assert (answer.status_code, answer.json()["code"]) == (422, "order_refused")
    assert "우리가 발급합니다" in answer.json()["message"]
    assert counts() == before


def test_an_account_that_another_pg_opens_for_us_is_not_asked_for_beside_it(cards, order):
    toss = cards.account("toss")
    PgAccount.objects.filter(pk=toss.pk).update(issues_accounts=True, bank=BANKS["toss"])
    said, shown = order("nicepay")
    assert virtual(said).payment.account.code == "nicepay"
    assert said["account"]["number"] == shown["account_number"]
    assert Payment.objects.count() == VirtualAccount.objects.count() == 1
    assert cards.shop.pgs.read("payments", pg="toss") == []


def test_the_deadline_of_the_pg_stands_over_that_of_the_storefront(cards, window):
    due = (timezone.now() + timedelta(days=5)).replace(microsecond=0)
    named, _ = window("nicepay", due_at=due)
    earlier = (timezone.now() + timedelta(hours=3)).isoformat()
    payment = {"method": "VIRTUAL_ACCOUNT", "pg": named, "deposit_by": earlier}
    said = cards.post("W-due", pg=None, payment=payment).json()
    assert datetime.fromisoformat(said["deposit_by"]) == datetime.fromisoformat(said["account"]["due_at"]) == due
    assert cancel_unpaid_overdue(at=timezone.now() + timedelta(hours=4)) == 0
