"""은행 거래 수신: a wrong key, a repeated trace, another status, and money that comes in by it (A76)."""

import json
from dataclasses import dataclass
from datetime import timedelta

import pytest

from orders.models import OrderLine
from orders.states import LineState
from payments.columns.notices import orders_of
from payments.models import BankDeposit, LedgerEntry, MoneyProblem, PgAccount, PgNotice, PgRequest
from payments.services.deposits.allocating import ignore
from payments.services.deposits.unallocating import unallocate
from payments.services.notices import draining
from payments.states import DepositState
from tests.fixtures.orders import NOW, broken
from tests.payments.wire.golden_shop import raw

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "wh-key-for-tests"


@pytest.fixture
def feed(bank_account, live_server):
    account = PgAccount(
        code="payaction", name="페이액션", provider="payaction", merchant_id="mall-1", base_url="https://x"
    )
    account.set_secrets(KEY)
    account.save()
    bank_account.feed = account
    bank_account.save()
    account.server = live_server.url
    return account


@dataclass(frozen=True)
class Said:
    """What the feed was answered."""

    status_code: int
    body: bytes

    def json(self):
        return json.loads(self.body)


def post(feed, body, *, key=KEY, trace="t-1", slash="/"):
    """One row over a real socket."""
    headers = {"Content-Type": "application/json", "x-webhook-key": key, "x-trace-id": trace, "x-mall-id": "mall-1"}
    path = f"/payments/bank-feed/{feed.endpoint_token}{slash}"
    status, _, said = raw(feed.server, path, json.dumps(body).encode(), headers)
    return Said(status, said)


def matched_order(order, status="매칭완료"):
    when = (NOW + timedelta(hours=1)).isoformat()
    return {"order_number": order.number, "order_status": status, "processing_date": when}


def deposited(amount, name, **facts):
    when = (NOW + timedelta(hours=1)).isoformat()
    return {
        "transaction_type": "deposited",
        "amount": amount,
        "transaction_name": name,
        "transaction_date": when,
    } | facts


def drained(matched):
    while draining.drain(at=NOW + timedelta(days=400)):
        pass
    matched()


def states():
    return sorted(OrderLine.objects.values_list("state", flat=True))


def test_a76_a_wrong_key_is_refused_and_changes_nothing(feed, make_order, matched):
    order = make_order(price=39_000)
    answer = post(feed, matched_order(order), key="wrong")
    assert (answer.status_code, answer.json()) == (401, {"status": "fail"})
    drained(matched)
    assert PgRequest.objects.get().reason == "webhook_key"
    assert not PgNotice.objects.exists()
    assert not BankDeposit.objects.exists()
    assert states() == [LineState.AWAITING_PAYMENT]


def test_a76_a_matched_order_is_paid_once_however_often_it_is_told(feed, make_order, matched):
    order = make_order(price=39_000)
    for trace in ("t-1", "t-1", "t-2"):
        answer = post(feed, matched_order(order), trace=trace)
        assert (answer.status_code, answer.json()) == (200, {"status": "success"})
        drained(matched)
    assert LedgerEntry.objects.get().amount == 39_000
    assert BankDeposit.objects.get().state == DepositState.MATCHED
    assert list(PgNotice.objects.order_by("pk").values_list("state", "reason")) == [
        ("PROCESSED", ""), ("IGNORED", "no_change")
    ]  # fmt: skip
    assert states() == [LineState.PREPARING]
    # Such a service names the order itself, so that its notices lead there.
    ids = list(PgNotice.objects.values_list("pk", flat=True))
    assert orders_of(ids) == dict.fromkeys(ids, order.number)
    assert KEY not in json.dumps(list(PgRequest.objects.values_list("headers", flat=True)))
    assert broken() == []


def test_a76_another_status_is_stored_and_ignored(feed, make_order, matched):
    assert post(feed, matched_order(make_order(price=39_000), "매칭취소"), slash="").status_code == 200
    drained(matched)
    assert PgNotice.objects.get().state == "IGNORED"
    assert not BankDeposit.objects.exists()


def test_money_that_came_in_is_matched_by_our_own_rule(feed, make_order, matched):
    make_order(price=39_000)
    assert post(feed, deposited(39_000, "홍 길동", balance=500_000)).status_code == 200
    assert post(feed, deposited(39_000, "홍 길동", balance=500_000), trace="t-2").status_code == 200
    assert post(feed, deposited(1_000, "홍길동", transaction_type="withdrawn"), trace="t-3").status_code == 200
    drained(matched)
    assert BankDeposit.objects.get().state == DepositState.MATCHED
    assert states() == [LineState.PREPARING]


def test_the_row_of_a_claimed_match_does_not_pay_the_twin(feed, make_order, matched, came_in):
    order = make_order(price=39_000)
    twin = make_order(price=39_000)
    post(feed, matched_order(order))
    drained(matched)
    row = BankDeposit.objects.get()
    assert row.state == DepositState.QUEUED
    came_in(39_000, "홍길동")
    matched()
    assert not LedgerEntry.objects.exists()
    assert twin.paid_amount == 0


@pytest.mark.parametrize("is_together", [True, False])
def test_two_equal_transfers_in_one_minute_are_two_however_they_come(feed, matched, is_together):
    """Without a balance only the number of the telling keeps them apart, whatever is drained together."""
    for trace in ("t-1", "t-2", "t-2"):
        post(feed, deposited(39_000, "홍길동"), trace=trace)
        if not is_together:
            drained(matched)
    drained(matched)
    assert list(BankDeposit.objects.values_list("amount", flat=True)) == [39_000, 39_000]
    assert sorted(PgNotice.objects.values_list("state", "reason")) == [("PROCESSED", ""), ("PROCESSED", "")]


@pytest.mark.parametrize("is_together", [True, False])
def test_a_transfer_with_its_balance_is_one_under_any_number(feed, matched, is_together):
    for trace in ("t-1", "t-2"):
        post(feed, deposited(39_000, "홍길동", balance=500_000), trace=trace)
        if not is_together:
            drained(matched)
    drained(matched)
    assert BankDeposit.objects.count() == 1
    assert sorted(PgNotice.objects.values_list("state", "reason")) == [("IGNORED", "no_change"), ("PROCESSED", "")]


@pytest.mark.parametrize("is_together", [True, False])
def test_one_match_under_two_numbers_is_one_deposit(feed, make_order, matched, is_together):
    order = make_order(price=39_000)
    for trace in ("t-1", "t-2"):
        post(feed, matched_order(order), trace=trace)
        if not is_together:
            drained(matched)
    drained(matched)
    assert BankDeposit.objects.count() == 1
    assert LedgerEntry.objects.get().amount == 39_000
    assert sorted(PgNotice.objects.values_list("state", "reason")) == [("IGNORED", "no_change"), ("PROCESSED", "")]
    assert not MoneyProblem.objects.exists()
    assert broken() == []


def test_a_match_told_again_later_for_an_order_that_waits_once_more_is_a_case_and_no_deposit(
    feed, make_order, matched, staff
):
    order = make_order(price=39_000)
    post(feed, matched_order(order))
    drained(matched)
    deposit, late = BankDeposit.objects.get(), NOW + timedelta(hours=3)
    facts = {"actor": staff, "at": late}
    assert unallocate(deposit_ids=[deposit.pk], reason="잘못 연결", **facts).refused == {}
    assert ignore(deposit_ids=[deposit.pk], reason="다른 가게의 돈", **facts).refused == {}
    post(feed, matched_order(order), trace="t-2")
    drained(matched)
    assert not MoneyProblem.objects.exists()
    post(feed, matched_order(order) | {"processing_date": late.isoformat()}, trace="t-3")
    drained(matched)
    assert BankDeposit.objects.get().state == DepositState.IGNORED
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount) == ("DUPLICATE_DEPOSIT", 39_000)
    assert order.number in problem.detail
    assert PgNotice.objects.order_by("pk").last().reason == "matched_again"
    assert states() == [LineState.AWAITING_PAYMENT]
    assert sum(LedgerEntry.objects.values_list("amount", flat=True)) == 0
    assert broken() == []


@pytest.mark.parametrize(
    "body",
    [
        {"order_number": "", "order_status": "매칭완료", "processing_date": NOW.isoformat()},
        {"order_number": "1", "order_status": "매칭완료", "processing_date": "어제"},
        {"transaction_type": "deposited", "amount": True, "transaction_date": NOW.isoformat()},
        {"transaction_type": "deposited", "amount": 0, "transaction_date": NOW.isoformat()},
        {"transaction_type": "deposited", "amount": 10, "balance": "x", "transaction_date": NOW.isoformat()},
        {},
    ],
)
def test_what_cannot_be_read_is_refused(feed, body):
    assert post(feed, body).status_code == 400
    assert not PgNotice.objects.exists()
