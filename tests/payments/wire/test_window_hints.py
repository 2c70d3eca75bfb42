"""Window accounts that the PG files where nobody looked at first: found by other days, by what a signed notice tells,
by a number that the storefront mends; money that a PG has signed is never dropped because a question found nothing."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core import drains
from orders.models import Order, OrderEvent
from orders.services import progress
from orders.states import CanceledBy, LineState
from payments.models import CardCheck, LedgerEntry, MoneyProblem, Payment, PgAccount, PgNotice, VirtualAccount
from payments.services.gateway import issuing, windows
from payments.services.notices import missing, unknown
from payments.services.watching.reconciling import reconcile_week
from payments.states import EntryKind, NoticeState, PaymentState, ProblemKind, VirtualState
from tests.fixtures.orders import broken, reloaded
from tests.fixtures.pg_shop import BANKS, PRICE

pytestmark = pytest.mark.django_db(transaction=True)
S, V = LineState, VirtualState
PAID = (S.PREPARING, PRICE, PaymentState.PAID)
WAITING = (S.AWAITING_PAYMENT, 0, PaymentState.PENDING)
REF, DAY = "mall-hint", timedelta(days=1)
TYPO = "OMSTEST00m03012611211159579999"
UNKNOWN = '{"resultCode":"U111","resultMsg":"조회내용이 없습니다."}'


@pytest.fixture
def open_window(cards):
    """`open_window()`: the buyer opens an account of 33,000 won under REF; as the PG sees it."""

    def open_(amount=PRICE, *, pg="nicepay"):
        cards.account(pg)
        due = (timezone.now() + 2 * DAY).isoformat(timespec="seconds")
        facts = {"method": "VIRTUAL_ACCOUNT", "buyer": "홍길동", "bank": BANKS[pg], "due_at": due}
        return cards.shop.pgs.control("payments", pg=pg, order_ref=REF, amount=amount, **facts)

    return open_


@pytest.fixture
def post(cards):
    """`post(key="…")`: the storefront's order for REF; the answer."""

    def send(number="W-1", *, key="", pg="nicepay", **facts):
        named = {"account": cards.account(pg).code, "order_ref": REF, "payment_key": key}
        return cards.post(number, pg=named, method="VIRTUAL_ACCOUNT", **facts)

    return send


def payment(number="W-1"):
    return Payment.objects.select_related("account", "order", "virtual").get(order__channel_number=number)


def ledger():
    return list(LedgerEntry.objects.order_by("pk").values_list("kind", "amount"))


def look():
    VirtualAccount.objects.filter(next_try_at__isnull=False).update(next_try_at=timezone.now())
    issuing.look_due(at=timezone.now())


def again():
    """The notices that wait are due."""
    PgNotice.objects.filter(finished_at=None).update(due_at=timezone.now())
    drains.run_all()


def made_before(days):
    """Our order is that many days old."""
    Payment.objects.update(created_at=timezone.now() - days * DAY)
    Order.objects.update(ordered_at=timezone.now() - days * DAY)


@pytest.mark.parametrize("days", [1, 3])
def test_an_account_that_is_opened_on_a_later_day_is_found(cards, open_window, post, days):
    assert post().json()["account_state"] == "pending"
    made_before(days)
    shown = open_window()
    look()
    assert (payment().virtual.state, payment().virtual.number) == (V.ISSUED, shown["account_number"])
    assert (payment().payment_ref, ledger()) == (shown["payment_ref"], [])
    assert not MoneyProblem.objects.exists()
    assert broken() == []


def test_an_account_of_the_day_of_the_order_is_found_when_the_order_comes_days_later(cards, open_window, post):
    ordered = timezone.now() - 3 * DAY
    cards.shop.pgs.control("clock", now=ordered.isoformat())
    shown = open_window()
    cards.shop.pgs.control("clock", now=timezone.now().isoformat())
    said = post(ordered_at=ordered.isoformat()).json()
    assert (said["account_state"], said["account"]["number"]) == ("issued", shown["account_number"])


def hidden(cards):
    """The PG finds nothing by order id, whatever the day."""
    facts = {"path": "*/find/*", "status": 200, "body": UNKNOWN, "times": None}
    return cards.shop.pgs.fault("status", pg="nicepay", method="GET", **facts)


def test_a_signed_notice_leads_to_the_payment_that_its_order_id_does_not(cards, open_window, post):
    cards.account("nicepay")
    hidden(cards)
    post()
    shown = open_window()
    [ready] = cards.shop.heard()
    assert (ready.state, ready.payment_ref) == (NoticeState.IGNORED, shown["payment_ref"])
    look()
    assert (payment().virtual.state, payment().virtual.number) == (V.ISSUED, shown["account_number"])
    cards.shop.act("deposit", payment(), amount=PRICE, name="홍길동")
    assert cards.shop.heard()[-1].state == NoticeState.PROCESSED
    assert cards.shop.state(payment().order) == PAID
    assert ledger() == [(EntryKind.DEPOSIT, PRICE)]
    assert not MoneyProblem.objects.exists()
    assert broken() == []


def test_the_reconciliation_asks_by_what_a_signed_notice_told(cards, open_window, post):
    cards.account("nicepay")
    hidden(cards)
    post()
    fault = cards.shop.pgs.fault("status", pg="nicepay", method="GET", status=500, times=None)
    open_window()
    cards.shop.act("deposit", payment(), amount=PRICE, name="홍길동")
    assert {one.state for one in cards.shop.heard()} == {NoticeState.RETRY}
    cards.shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    reconcile_week(at=timezone.now())
    assert cards.shop.state(payment().order) == PAID
    assert ledger() == [(EntryKind.DEPOSIT, PRICE)]


def test_a_number_of_another_order_in_a_notice_is_passed_over(cards, open_window, post):
    """The signature covers the tid, not the order id."""
    account = cards.account("nicepay")
    other = cards.pay("nicepay", "mall-other")
    cards.shop.forget()
    facts = {"account": account, "order_ref": REF, "kind": "DEPOSITED", "amount": PRICE, "is_proven": True}
    moments = {"due_at": timezone.now() + DAY, "received_at": timezone.now()}
    PgNotice.objects.create(event_key="forged", payment_ref=other["payment_ref"], body_hash=b"x", **facts, **moments)
    post()
    assert not MoneyProblem.objects.exists()
    shown = open_window()
    look()
    assert payment().virtual.number == shown["account_number"]
    assert ledger() == []


def test_a_signed_deposit_that_the_pg_does_not_find_is_tried_again_then_shown_and_credited_once(
    cards, open_window, post
):
    open_window()
    post()
    cards.shop.forget()
    facts = {"status": 200, "body": UNKNOWN, "times": None}
    fault = cards.shop.pgs.fault("status", pg="nicepay", method="GET", **facts)
    cards.shop.act("deposit", payment(), amount=PRICE, name="홍길동")
    [notice] = cards.shop.heard()
    for _ in range(unknown.TRIES):
        assert (notice.state, notice.reason) == (NoticeState.RETRY, "not_at_pg")
        assert not MoneyProblem.objects.exists()
        again()
        notice.refresh_from_db()
    again()
    case = MoneyProblem.objects.get()
    assert (case.kind, case.amount, case.detail) == (ProblemKind.MISMATCH_WITH_PG, PRICE, missing.TOLD)
    assert cards.shop.state(payment().order) == WAITING
    assert (ledger(), reloaded(notice).state) == ([], NoticeState.RETRY)
    cards.shop.pgs.request("DELETE", f"/control/faults?id={fault['id']}")
    again()
    again()
    assert (reloaded(notice).state, cards.shop.state(payment().order)) == (NoticeState.PROCESSED, PAID)
    assert ledger() == [(EntryKind.DEPOSIT, PRICE)]
    assert [one.resolution for one in MoneyProblem.objects.all()] == ["FITS"]
    assert broken() == []


def test_what_nothing_proves_is_dropped_when_the_pg_does_not_know_the_payment(cards, post):
    post()
    facts = {"account": payment().account, "order_ref": REF, "kind": "DEPOSITED", "amount": PRICE, "is_proven": False}
    moments = {"due_at": timezone.now(), "received_at": timezone.now()}
    notice = PgNotice.objects.create(event_key="anybody", payment_ref=TYPO, body_hash=b"x", **facts, **moments)
    drains.run_all()
    notice.refresh_from_db()
    assert (notice.state, notice.reason) == (NoticeState.REJECTED, "not_at_pg")
    assert (cards.shop.state(payment().order), ledger()) == (WAITING, [])
    assert not MoneyProblem.objects.exists()


def test_a_case_of_it_that_a_person_has_closed_stays_closed(cards, open_window, post):
    open_window()
    post()
    cards.shop.forget()
    cards.shop.pgs.fault("status", pg="nicepay", method="GET", status=200, body=UNKNOWN, times=None)
    cards.shop.act("deposit", payment(), amount=PRICE, name="홍길동")
    cards.shop.heard()
    for _ in range(unknown.TRIES):
        again()
    MoneyProblem.objects.update(resolved_at=timezone.now(), resolution="NOTHING")
    again()
    assert [one.resolution for one in MoneyProblem.objects.all()] == ["NOTHING"]
    assert ledger() == []


def test_a_signed_deposit_into_another_account_of_the_order_is_shown_to_a_person(cards, open_window, post):
    """The buyer opened the window twice; the PG keeps both accounts under one order id."""
    shown = open_window()
    post(key=shown["payment_ref"])
    cards.shop.forget()
    other = "OMSTEST00m03012611211159570002"
    facts = {"account": payment().account, "order_ref": REF, "kind": "DEPOSITED", "amount": PRICE, "is_proven": True}
    moments = {"due_at": timezone.now(), "received_at": timezone.now()}
    notice = PgNotice.objects.create(event_key="other", payment_ref=other, body_hash=b"x", **facts, **moments)
    drains.run_all()
    notice.refresh_from_db()
    assert (notice.state, notice.reason) == (NoticeState.PARKED, "mismatch_with_pg")
    case = MoneyProblem.objects.get()
    assert (case.kind, case.amount, other in case.detail) == (ProblemKind.MISMATCH_WITH_PG, PRICE, True)
    assert (cards.shop.state(payment().order), ledger()) == (WAITING, [])
    # The account that we follow is paid all the same.
    cards.shop.act("deposit", payment(), amount=PRICE, name="홍길동")
    cards.shop.heard()
    assert (cards.shop.state(payment().order), ledger()) == (PAID, [(EntryKind.DEPOSIT, PRICE)])
    assert MoneyProblem.objects.count() == 1
    assert broken() == []


def test_a_number_that_comes_with_the_repetition_is_taken_and_asked_about_at_once(cards, open_window, post):
    cards.account("nicepay")
    hidden(cards)
    cards.shop.pgs.shop("nicepay", notice_url="")
    first = post().json()
    shown = open_window()
    repeated = post(key=shown["payment_ref"])
    assert repeated.status_code == 200
    assert (repeated.json()["number"], repeated.json()["account_state"]) == (first["number"], "issued")
    assert repeated.json()["account"]["number"] == shown["account_number"]
    assert (Order.objects.count(), Payment.objects.count(), VirtualAccount.objects.count()) == (1, 1, 1)


def test_a_wrong_number_is_mended_by_the_repetition_while_the_pg_has_shown_nothing(cards, open_window, post):
    cards.account("nicepay")
    hidden(cards)
    cards.shop.pgs.shop("nicepay", notice_url="")
    shown = open_window()
    assert post(key=TYPO).json()["account_state"] == "pending"
    assert post(key=shown["payment_ref"]).json()["account_state"] == "issued"
    before = list(Payment.objects.values()), list(VirtualAccount.objects.values()), OrderEvent.objects.count()
    # From then on the PG's word stands: the first message may come again.
    for key in (TYPO, "", shown["payment_ref"]):
        assert post(key=key).status_code == 200
    after = list(Payment.objects.values()), list(VirtualAccount.objects.values()), OrderEvent.objects.count()
    assert after == before
    assert not MoneyProblem.objects.exists()


def test_a_wrong_number_is_passed_over_where_the_order_id_finds_the_payment(cards, open_window, post):
    shown = open_window()
    said = post(key=TYPO).json()
    assert (said["account_state"], said["account"]["number"]) == ("issued", shown["account_number"])
    assert payment().payment_ref == shown["payment_ref"]
    assert not MoneyProblem.objects.exists()


def test_a_card_order_takes_its_number_with_the_repetition(cards):
    account = cards.account("nicepay")
    hidden(cards)
    cards.shop.pgs.shop("nicepay", notice_url="")
    paid = cards.pay("nicepay", REF)
    named = {"account": account.code, "order_ref": REF}
    cards.post("C-1", pg=named)
    drains.run_all()
    order = Order.objects.get()
    assert cards.shop.state(order) == WAITING
    assert cards.post("C-1", pg=named | {"payment_key": paid["payment_ref"]}).status_code == 200
    drains.run_all()
    assert cards.shop.state(order) == PAID
    assert (ledger(), CardCheck.objects.get().next_try_at) == ([(EntryKind.DEPOSIT, PRICE)], None)


def canceled(number, staff):
    facts = {"actor": staff, "at": timezone.now(), "by": CanceledBy.STAFF, "reason": "금액 오류"}
    progress.cancel_unpaid(order_ids=[payment(number).order_id], **facts)


def test_a_canceled_order_that_the_pg_never_showed_gives_its_reference_up(cards, open_window, post, staff):
    shown = open_window(PRICE - 1_000)
    assert post("W-1").json()["account_state"] == "problem", "33,000 won are not 32,000"
    lines = [{"product_name": "티셔츠", "quantity": 1, "unit_price": PRICE - 1_000}]
    assert (post("W-2", lines=lines).status_code, Order.objects.count()) == (409, 1)
    canceled("W-1", staff)
    answer = post("W-2", lines=lines)
    assert (answer.status_code, answer.json()["account_state"]) == (201, "issued")
    assert answer.json()["account"]["number"] == shown["account_number"]
    old = Payment.objects.get(order__channel_number="W-1")
    assert (old.account, old.order_ref, old.payment_ref, old.state) == (None, None, "", PaymentState.PENDING)
    assert reloaded(old.order).stage == S.CANCELED_UNPAID
    assert not MoneyProblem.objects.filter(resolved_at=None).exists()
    cards.shop.act("deposit", payment("W-2"), amount=PRICE - 1_000, name="홍길동")
    cards.shop.heard()
    assert cards.shop.state(payment("W-2").order) == (S.PREPARING, PRICE - 1_000, PaymentState.PAID)
    assert ledger() == [(EntryKind.DEPOSIT, PRICE - 1_000)]
    assert broken() == []


def test_one_that_the_pg_has_shown_keeps_it(open_window, post, staff):
    open_window()
    post("W-1")
    canceled("W-1", staff)
    drains.run_all()
    before = list(Payment.objects.values())
    answer = post("W-2")
    assert (answer.status_code, answer.json()["code"]) == (409, "pg_reference_used")
    assert list(Payment.objects.values()) == before


def test_the_older_interface_without_keys_to_ask_with_names_no_payment(cards, open_window, post):
    account = cards.account("nicepay-form")
    options = account.options()
    for missing_key in ("rest_secret", "client_key"):
        account.set_options(options | {missing_key: ""})
        account.save()
        answer = post(pg="nicepay-form")
        assert (answer.status_code, answer.json()["code"]) == (422, "order_refused")
        assert "조회할 키가 없어" in answer.json()["message"]
        assert not Order.objects.exists()
    account.set_options(options)
    account.save()
    assert post(pg="nicepay-form").status_code == 201


def test_a_repetition_is_answered_after_the_account_was_switched_off(open_window, post):
    shown = open_window()
    first = post(key=shown["payment_ref"]).json()
    PgAccount.objects.update(is_active=False)
    answer = post(key=shown["payment_ref"])
    assert (answer.status_code, answer.json()) == (200, first)
    refused = post("W-2", key=shown["payment_ref"])
    assert (refused.status_code, refused.json()["code"]) == (422, "order_refused")
    assert Order.objects.count() == 1


def test_what_a_window_hands_over_and_nobody_reads_refuses_no_order(cards, open_window):
    shown = open_window()
    named = {"account": "nicepay", "order_ref": REF, "payment_key": shown["payment_ref"]}
    odd = {"bank": None, "number": 22206528300122, "due_at": "20261124"}
    answer = cards.post("W-odd", pg=named | odd, method="VIRTUAL_ACCOUNT")
    assert (answer.status_code, answer.json()["account"]["number"]) == (201, shown["account_number"])
    long = cards.post("W-long", pg=named | {"due_at": "x" * 101}, method="VIRTUAL_ACCOUNT")
    assert (long.status_code, Order.objects.count()) == (422, 1)
    assert "payment.pg.due_at" in long.json()["message"]


def test_the_storefront_hears_that_a_person_has_to_look(cards, post):
    cards.account("nicepay")
    said = post(key=TYPO).json()
    assert said["account_state"] == "pending"
    for _ in range(windows.UNKNOWN_TRIES):
        look()
    found = cards.read(said["number"])
    assert (found["account"], found["account_state"], found["amounts"]["paid"]) == (None, "problem", 0)
    MoneyProblem.objects.update(resolved_at=timezone.now(), resolution="NOTHING")
    assert cards.read(said["number"])["account_state"] == "pending"
