"""Notices over a real socket: paid once, whatever comes twice, late, forged or for nobody."""

import http.client
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from core import drains
from orders.models import OrderEvent
from orders.services import progress
from orders.states import CanceledBy, LineState, PaymentMethod
from payments.models import LedgerEntry, MoneyProblem, Payment, PgNotice, PgRequest, Refund, VirtualAccount
from payments.services.cases import resolving
from payments.services.gateway import issuing
from payments.services.watching.alarms import AlarmKind, alarms
from payments.states import EntryKind, NoticeState, PaymentState, ProblemKind, RefundState, VirtualState
from tests.fixtures.orders import reloaded

pytestmark = pytest.mark.django_db(transaction=True)
WAITING, PREPARING = LineState.AWAITING_PAYMENT, LineState.PREPARING


def ledger(order):
    rows = LedgerEntry.objects.filter(payment__order=order).order_by("pk").values_list("kind", "amount")
    return list(rows)


def post(pg_shop, account, body, *, content_type="application/json", path=None, method="POST", headers=None):
    """One request by hand; (status, body)."""
    host = pg_shop.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = path or f"/payments/webhooks/{account.endpoint_token}/"
        connection.request(method, path, content, {"Content-Type": content_type, **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("pg", ["toss", "portone", "nicepay", "nicepay-form", "inicis"])
def test_a_deposit_moves_the_order_once(pg_shop, pg):
    order = pg_shop.order(pg_shop.account(pg))
    virtual = VirtualAccount.objects.get(payment__order=order)
    assert (virtual.state, bool(virtual.number)) == (VirtualState.ISSUED, True), virtual.last_error
    pg_shop.deposit(order)
    notices = pg_shop.heard()
    assert pg_shop.state(order) == (PREPARING, 33_000, PaymentState.PAID), notices
    assert ledger(order) == [(EntryKind.DEPOSIT, 33_000)]
    assert {one.state for one in notices} <= {NoticeState.PROCESSED, NoticeState.IGNORED}
    assert OrderEvent.objects.filter(order=order, kind="line.paid").count() == 1
    for notice in pg_shop.pgs.notices():
        pg_shop.pgs.control("notices/resend", id=notice["id"])
    pg_shop.heard()
    assert ledger(order) == [(EntryKind.DEPOSIT, 33_000)]
    assert OrderEvent.objects.filter(order=order, kind="line.paid").count() == 1


def test_a_forged_notice_of_a_payment_that_the_pg_does_not_confirm_changes_nothing(pg_shop):  # A11
    account = pg_shop.account("toss")
    order = pg_shop.order(account)
    payment = Payment.objects.get(order=order)
    forged = {
        "eventType": "PAYMENT_STATUS_CHANGED",
        "createdAt": "2026-11-21T11:59:57.203000",
        "data": {"paymentKey": payment.payment_ref, "orderId": payment.order_ref, "status": "DONE"},
    }
    assert post(pg_shop, account, forged)[0] == 200
    drains.run_all()
    notice = PgNotice.objects.get()
    assert (notice.state, notice.reason) == (NoticeState.IGNORED, "not_confirmed")
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)


@pytest.mark.parametrize("secret", [None, "", "ps_wrong"])
def test_a_deposit_callback_without_the_secret_is_refused(pg_shop, secret):  # A09, A10
    account = pg_shop.account("toss")
    order = pg_shop.order(account)
    body = {
        "createdAt": "2026-11-21T11:59:57.103000",
        "status": "DONE",
        "transactionKey": "T1",
        "orderId": Payment.objects.get(order=order).order_ref,
    }
    if secret is not None:
        body["secret"] = secret
    assert post(pg_shop, account, body) == (401, b"FAIL")
    assert not PgNotice.objects.exists()
    assert PgRequest.objects.get().status == 401
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)


def test_a_deposit_that_the_bank_takes_back_sends_the_order_back(pg_shop):  # A58, A59
    order = pg_shop.order(pg_shop.account("toss"))
    payment = Payment.objects.select_related("account").get(order=order)
    pg_shop.deposit(order)
    pg_shop.heard()
    pg_shop.act("reverse", payment)
    pg_shop.heard()
    assert pg_shop.state(order) == (WAITING, 0, PaymentState.PENDING)
    pg_shop.deposit(order)
    pg_shop.heard()
    assert pg_shop.state(order) == (PREPARING, 33_000, PaymentState.PAID)
    assert [amount for _, amount in ledger(order)] == [33_000, -33_000, 33_000]
    assert [one.kind for one in alarms(at=timezone.now())] == [AlarmKind.TAKEN_BACK]


def test_money_after_the_order_was_canceled_waits_for_a_person(pg_shop, staff):  # A49
    order = pg_shop.order(pg_shop.account("toss"))
    progress.cancel_unpaid(
        order_ids=[order.pk], actor=staff, at=reloaded(order).ordered_at, by=CanceledBy.STAFF, reason="고객 요청"
    )
    pg_shop.deposit(order)
    pg_shop.heard()
    assert pg_shop.state(order) == (LineState.CANCELED_UNPAID, 33_000, PaymentState.PAID)
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount, problem.order) == (ProblemKind.LATE_AFTER_CANCEL, 33_000, order)
    draft = Refund.objects.get()
    assert (draft.state, draft.amount, draft.problem) == (RefundState.DRAFT, 33_000, problem)


def test_an_unknown_order_is_kept_for_half_an_hour_and_then_shown_to_a_person(pg_shop):  # A48
    account = pg_shop.account("toss")
    pg_shop.pgs.control("payments", pg="toss", order_ref="20261121-9999999-1", amount=33_000)
    pg_shop.pgs.control("payments/deposit", pg="toss", order_ref="20261121-9999999-1", amount=33_000)
    pg_shop.heard()
    for _ in range(6):
        PgNotice.objects.filter(state=NoticeState.RETRY).update(due_at=account.created_at)
        drains.run_all()
    assert {one.state for one in PgNotice.objects.all()} == {NoticeState.PARKED}
    # However many notices tell of it, it is one case, of the sum that the PG names.
    assert PgNotice.objects.count() > 1
    one = MoneyProblem.objects.get()
    assert (one.kind, one.amount, one.detail) == (ProblemKind.UNKNOWN_ORDER, 33_000, "20261121-9999999-1")
    asked = len(pg_shop.pgs.read("calls", pg="toss", method="GET"))
    PgNotice.objects.update(state=NoticeState.RETRY, due_at=account.created_at, finished_at=None, attempts=9)
    drains.run_all()
    assert set(PgNotice.objects.values_list("state", flat=True)) == {NoticeState.PARKED}
    assert (MoneyProblem.objects.count(), LedgerEntry.objects.count()) == (1, 0)
    assert len(pg_shop.pgs.read("calls", pg="toss", method="GET")) == asked + 1, "one question for all of them"


def invent(pg_shop, account, *, key="invented", order_ref="20261121-9999999-1"):
    """A notice of a deposit that nothing proves, and that came often enough to be judged."""
    told = {"paymentKey": key, "orderId": order_ref, "status": "DONE"}
    body = {"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-11-21T11:59:57.203000", "data": told}
    assert post(pg_shop, account, body) == (200, b"OK")
    PgNotice.objects.update(state=NoticeState.RETRY, due_at=account.created_at, finished_at=None, attempts=9)


def judged():
    return list(PgNotice.objects.order_by("pk").values_list("state", "reason"))


def test_an_invented_payment_that_the_pg_does_not_know_is_no_case(pg_shop):  # A66
    account = pg_shop.account("toss")
    for number in range(3):
        invent(pg_shop, account, key=f"invented-{number}", order_ref=f"20261121-999999{number}-1")
    drains.run_all()
    assert judged() == [(NoticeState.REJECTED, "not_at_pg")] * 3
    assert (MoneyProblem.objects.count(), LedgerEntry.objects.count()) == (0, 0)


def test_a_signed_notice_of_a_payment_that_the_pg_does_not_know_keeps_its_case(pg_shop):
    account = pg_shop.account("toss")
    invent(pg_shop, account)
    invent(pg_shop, account, key="other")
    PgNotice.objects.filter(payment_ref="other").update(is_proven=True)
    drains.run_all()
    assert judged() == [(NoticeState.REJECTED, "not_at_pg"), (NoticeState.PARKED, "unknown_order")]
    assert [one.notice.payment_ref for one in MoneyProblem.objects.all()] == ["other"]


def test_a_pg_that_cannot_be_asked_about_an_invented_payment_leaves_its_case(pg_shop):
    account = pg_shop.account("toss")
    invent(pg_shop, account)
    pg_shop.pgs.fault("status", pg="toss", method="GET", times=None)
    drains.run_all()
    assert judged() == [(NoticeState.PARKED, "unknown_order")]
    assert MoneyProblem.objects.get().kind == ProblemKind.UNKNOWN_ORDER


def test_an_invented_number_takes_no_genuine_notice_of_its_order_with_it(pg_shop):
    account = pg_shop.account("toss")
    invent(pg_shop, account)
    pg_shop.pgs.control("payments", pg="toss", order_ref="20261121-9999999-1", amount=33_000)
    pg_shop.pgs.control("payments/deposit", pg="toss", order_ref="20261121-9999999-1", amount=33_000)
    pg_shop.heard()
    PgNotice.objects.update(state=NoticeState.RETRY, due_at=account.created_at, finished_at=None, attempts=9)
    drains.run_all()
    drains.run_all(at=timezone.now() + timedelta(seconds=5))
    first, *others = judged()
    assert first == (NoticeState.REJECTED, "not_at_pg")
    assert set(others) == {(NoticeState.PARKED, "unknown_order")}
    assert MoneyProblem.objects.get().amount == 33_000


@pytest.mark.parametrize(("more", "count"), [(0, 1), (5_000, 2)])
def test_a_case_that_a_person_has_closed_comes_again_only_with_other_money(pg_shop, staff, more, count):
    account = pg_shop.account("nicepay")
    shop = pg_shop.pgs.read("shops", pg="nicepay")[0]
    pg_shop.pgs.shop("nicepay", options={**shop["options"], "is_exact_amount": False})
    ref = "20261121-9999999-1"
    pg_shop.pgs.control("payments", pg="nicepay", order_ref=ref, amount=33_000)
    pg_shop.pgs.control("payments/deposit", pg="nicepay", order_ref=ref, amount=33_000)
    pg_shop.heard()
    late = {"state": NoticeState.RETRY, "due_at": account.created_at, "finished_at": None, "attempts": 9}
    PgNotice.objects.update(**late)
    drains.run_all()
    facts = {"actor": staff, "at": account.created_at, "reason": "다른 가게의 돈"}
    assert resolving.close(problem_ids=[MoneyProblem.objects.get().pk], **facts).refused == {}
    if more:
        pg_shop.pgs.control("clock", advance=1)
        pg_shop.pgs.control("payments/deposit", pg="nicepay", order_ref=ref, amount=more)
        pg_shop.heard()
    PgNotice.objects.update(**late)
    drains.run_all()
    assert list(MoneyProblem.objects.order_by("pk").values_list("amount", flat=True)) == [33_000, 38_000][:count]
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"content_type": "text/plain"}, 415),  # A20
        ({"headers": {"Content-Encoding": "gzip"}}, 415),  # A24
        ({"body": b"x" * 65_537}, 413),  # A22
        ({"body": b"\xef\xbb\xbf{}"}, 400),  # A34
        ({"body": b"[]"}, 400),  # A35
        ({"body": b""}, 400),
        ({"method": "GET", "body": b""}, 405),  # A19
        ({"method": "HEAD", "body": b""}, 200),
    ],
)
def test_what_cannot_be_read_is_refused_and_kept(pg_shop, facts, status):
    account = pg_shop.account("toss")
    body = facts.pop("body", {"status": "DONE"})
    answered, text = post(pg_shop, account, body, **facts)
    assert answered == status
    assert b"OK" not in text
    kept = PgRequest.objects.count()
    assert kept == (0 if facts.get("method") else 1)
    assert not PgNotice.objects.exists()


def test_another_token_is_nobody(pg_shop):  # A18
    account = pg_shop.account("toss")
    assert post(pg_shop, account, {}, path="/payments/webhooks/none-of-ours/")[0] == 404
    assert not PgRequest.objects.exists()


def test_the_address_without_its_last_slash_is_the_same(pg_shop):  # A25
    account = pg_shop.account("toss")
    order = pg_shop.order(account)
    pg_shop.pgs.shop("toss", notice_url=f"{pg_shop.url}/payments/webhooks/{account.endpoint_token}")
    pg_shop.deposit(order)
    pg_shop.heard()
    assert pg_shop.state(order) == (PREPARING, 33_000, PaymentState.PAID)


def test_money_that_came_and_went_unheard_ends_where_it_would_have_ended(pg_shop):
    order = pg_shop.order(pg_shop.account("toss"))
    payment = Payment.objects.select_related("account").get(order=order)
    fault = pg_shop.pgs.fault("hold", times=None)
    pg_shop.deposit(order)
    pg_shop.act("refund", payment, amount=10_000)
    pg_shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    pg_shop.pgs.control("notices/release")
    pg_shop.heard()
    assert pg_shop.state(order) == (PREPARING, 23_000, PaymentState.PART_REFUNDED)
    assert ledger(order) == [(EntryKind.DEPOSIT, 33_000), (EntryKind.REFUND, -10_000)]
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount) == (ProblemKind.REFUNDED_OUTSIDE, 10_000)


def test_an_account_that_is_closed_after_its_deposit_was_taken_back_ends_the_order(pg_shop):
    order = pg_shop.order(pg_shop.account("toss"))
    payment = Payment.objects.select_related("account").get(order=order)
    pg_shop.deposit(order)
    pg_shop.heard()
    fault = pg_shop.pgs.fault("hold", times=None)
    pg_shop.act("reverse", payment)
    pg_shop.act("close", payment)
    pg_shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    pg_shop.pgs.control("notices/release")
    pg_shop.heard()
    assert pg_shop.state(order) == (LineState.CANCELED_UNPAID, 0, PaymentState.PENDING)
    assert ledger(order) == [(EntryKind.DEPOSIT, 33_000), (EntryKind.REVERSAL, -33_000)]


def test_the_shortcut_of_notices_opens_nothing(pg_shop, client):
    account = pg_shop.account("toss")
    path = f"/payments/webhooks/{account.endpoint_token}/"
    assert client.post(path, b"{}", "application/json", headers={"host": "evil.example"}).status_code == 400
    assert not PgRequest.objects.exists()
    answer = client.post(path, b"{}", "application/json")
    assert (answer.status_code, answer["X-Content-Type-Options"]) == (401, "nosniff")
    assert not answer.cookies
    assert client.get("/payments/webhooks/x/y/").status_code == 404


def test_the_answer_to_a_new_order_names_its_account(pg_shop):
    order = pg_shop.order(pg_shop.account("toss"))
    assert issuing.account_of(order).state == VirtualState.ISSUED
    slow = pg_shop.make_order(price=33_000, payment_method=PaymentMethod.VIRTUAL_ACCOUNT, at=timezone.now())
    pg_shop.pgs.fault("status", pg="toss", method="POST", status=503)
    issuing.ask_for_accounts(orders=[slow], at=timezone.now())
    assert drains.run_all() == 0, "the request that made the order asks first"
    issuing.issue_now(order=slow, at=timezone.now())
    assert issuing.account_of(slow).state == VirtualState.PENDING
    drains.run_all(at=timezone.now() + timedelta(minutes=2))
    assert issuing.account_of(slow).state == VirtualState.ISSUED
