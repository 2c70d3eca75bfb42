"""PortOne's calls in detail: bodies, the balance guard, errors of the PG behind (payments.md 2.2, A75)."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from payments.adapters.base import (
    BankAccount,
    Denied,
    IssueAsk,
    NotAtPg,
    OutcomeUnknown,
    PgState,
    Ref,
    RefundAsk,
    RefundState,
    RefusedByPg,
    Unavailable,
    Unsupported,
)
from payments.adapters.portone import PORTONE
from tests.payments.pg.cases import AT
from tests.payments.pg.portone_case import DEAL, STORE

ORDER = "20261121-0000124-1"
ACCOUNT = BankAccount(bank="SHINHAN", number="110-123-456789", holder="홍길동")
REF = Ref(order_ref=ORDER)


@pytest.fixture
def client(pgs):
    client = pgs.client("portone")
    yield client
    client.close()


@pytest.fixture
def paid(pgs):
    pgs.control("payments", pg="portone", order_ref=ORDER, amount=33_000, buyer="홍길동", title="면")
    return pgs.control("payments/deposit", pg="portone", order_ref=ORDER)


def fetch(client):
    return PORTONE.fetch(client, account=DEAL.account, ref=REF)


def refund(client, amount=10_000, *, balance=33_000, account=ACCOUNT):
    ask = RefundAsk(
        key="k", ref=REF, amount=amount, balance=balance, reason="변심", account=account, phone="010-1", at=AT
    )
    return PORTONE.refund(client, account=DEAL.account, ask=ask)


def issue(client, **changes):
    values = {
        "order_ref": ORDER,
        "amount": 33_000,
        "title": "면",
        "buyer": "홍길동",
        "bank": "SHINHAN",
        "due_at": DEAL.due_at(),
        "notice_url": "http://127.0.0.1:9/hook",
    }
    return PORTONE.issue(client, account=DEAL.account, ask=IssueAsk(**{**values, **changes}))


def test_a_refund_names_the_balance_that_we_believe_in(pgs, client, paid):
    answer = refund(client)
    assert not answer.is_final
    call = pgs.read("calls", pg="portone")[-1]
    assert json.loads(call["body"]) == {
        "storeId": STORE,
        "amount": 10_000,
        "reason": "변심",
        "requester": "ADMIN",
        "currentCancellableAmount": 33_000,
        "refundAccount": {
            "bank": "SHINHAN",
            "number": "110123456789",
            "holderName": "홍길동",
            "holderPhoneNumber": "0101",
        },
    }
    assert call["headers"]["authorization"] == f"PortOne {DEAL.account.options['api_secret']}"


def test_a75_a_refund_in_the_console_meanwhile_makes_ours_fail(pgs, client, paid):
    account = {"bank": "SHINHAN", "number": "1", "holder": "홍"}
    pgs.control("payments/refund", pg="portone", order_ref=ORDER, amount=1_000, account=account)
    with pytest.raises(RefusedByPg) as refusal:
        refund(client)
    assert refusal.value.code == "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN"
    assert [item.amount for item in fetch(client).refunds] == [1_000]


def test_an_error_of_the_pg_behind_is_of_unknown_outcome_and_keeps_its_words(pgs, client, paid):
    with pytest.raises(OutcomeUnknown) as problem:
        refund(client, account=None)
    assert (problem.value.code, problem.value.message) == ("PG_PROVIDER", "PG사에서 오류를 전달했습니다.")
    assert fetch(client).refunds == ()


def test_a_failed_cancellation_is_a_refusal_and_a_pending_one_is_not_final(pgs, client, paid):
    for status in ("FAILED", "REQUESTED"):
        body = json.dumps({"cancellation": {"status": status, "id": "c1", "reason": "x"}})
        pgs.fault("status", status=200, body=body, pg="portone")
        if status == "FAILED":
            with pytest.raises(RefusedByPg):
                refund(client)
        else:
            assert not refund(client).is_final
    assert pgs.payment("portone", ORDER)["balance"] == 33_000


def test_a_card_is_refunded_at_once(pgs, client):
    pgs.control("payments", pg="portone", order_ref=ORDER, amount=33_000, buyer="홍", title="면", method="CARD")
    found = fetch(client)
    assert (found.state, found.account) == (PgState.PAID, None)
    assert refund(client, account=None).is_final
    assert fetch(client).refund_state is RefundState.NONE


def test_an_account_needs_a_channel_and_gets_the_notice_address(pgs, client):
    bare = replace(DEAL.account, options={"api_secret": DEAL.account.options["api_secret"]})
    ask = IssueAsk(order_ref=ORDER, amount=1, title="면", buyer="홍", bank="SHINHAN", due_at=DEAL.due_at())
    with pytest.raises(Unsupported):
        PORTONE.issue(client, account=bare, ask=ask)
    assert pgs.read("calls", pg="portone") == []
    found = issue(client)
    assert found.account.number == pgs.payment("portone", ORDER)["account_number"]
    assert pgs.payment("portone", ORDER)["notice_url"] == "http://127.0.0.1:9/hook"


def test_an_account_that_was_opened_and_cannot_be_read_is_of_unknown_outcome(pgs, client):
    pgs.fault("status", status=503, pg="portone", method="GET")
    with pytest.raises(OutcomeUnknown):
        issue(client)
    assert fetch(client).state is PgState.WAITING


def test_refused_accounts_are_not_opened(pgs, client):
    for changes in ({"bank": "NO_SUCH_BANK"}, {"due_at": DEAL.due_at() - timedelta(days=9)}):
        with pytest.raises(RefusedByPg):
            issue(client, **changes)
    assert pgs.payment("portone", ORDER) is None
    issue(client)
    with pytest.raises(RefusedByPg) as refusal:
        issue(client)
    assert refusal.value.code == "ALREADY_PAID"


@pytest.mark.parametrize(
    ("status", "code", "of_refund", "of_question"),
    [
        (400, "INVALID_REQUEST", RefusedByPg, Unavailable),
        (401, "UNAUTHORIZED", Denied, Denied),
        (403, "FORBIDDEN", Denied, Denied),
        (404, "PAYMENT_NOT_FOUND", NotAtPg, NotAtPg),
        (404, "SOMETHING_ELSE", OutcomeUnknown, Unavailable),
        (409, "PAYMENT_ALREADY_CANCELLED", RefusedByPg, Unavailable),
        (429, "TOO_MANY_REQUESTS", Unavailable, Unavailable),
        (502, "PG_PROVIDER", OutcomeUnknown, Unavailable),
    ],
)
def test_every_type_of_error_has_its_meaning(pgs, client, paid, status, code, of_refund, of_question):
    body = json.dumps({"type": code, "message": "포트원의 말"}, ensure_ascii=False)
    pgs.fault("status", status=status, body=body, pg="portone", times=2)
    with pytest.raises(of_refund):
        refund(client)
    with pytest.raises(of_question):
        fetch(client)
    assert pgs.payment("portone", ORDER)["balance"] == 33_000


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "20261121-9999999-1"},
        {"status": "SOMETHING_NEW"},
        {"amount": {}},
        {"amount": {"total": 33_000, "cancelled": 1}},
        {"amount": {"total": "33,000", "cancelled": 0}},
    ],
)
def test_an_answer_that_does_not_add_up_is_not_believed(pgs, client, paid, changes):
    headers = {"Authorization": f"PortOne {DEAL.account.options['api_secret']}"}
    document = json.loads(pgs.request("GET", f"/portone/payments/{ORDER}", headers=headers)[1])
    pgs.fault("status", status=200, body=json.dumps({**document, **changes}), pg="portone")
    with pytest.raises(Unavailable):
        fetch(client)


def test_a_store_of_somebody_else_is_denied(pgs, client, paid):
    with pytest.raises(Denied):
        PORTONE.fetch(client, account=replace(DEAL.account, merchant_id="store-x"), ref=REF)


def test_an_issued_cash_receipt_is_read(pgs, client, paid):
    headers = {"Authorization": f"PortOne {DEAL.account.options['api_secret']}"}
    document = json.loads(pgs.request("GET", f"/portone/payments/{ORDER}", headers=headers)[1])
    receipt = {"status": "ISSUED", "issueNumber": "123", "totalAmount": 33_000, "type": "CORPORATE"}
    pgs.fault("status", status=200, body=json.dumps({**document, "cashReceipt": receipt}), pg="portone")
    found = fetch(client).receipts
    assert [(item.reference, item.purpose, item.amount) for item in found] == [("123", "expense", 33_000)]
