"""자동입금확인: what is confirmed by itself, what waits, and that nothing counts twice (A03, A77, A78)."""

from datetime import timedelta

import pytest

from core import relay
from core.calendar import kst_date, kst_day_range
from core.models import Job, JobKind
from orders.models import Order, OrderEvent, OrderLine
from orders.states import LOCK_BIT, LineState, LockKind
from payments.models import BankDeposit, DepositAllocation, LedgerEntry, MoneyProblem
from payments.services import manual
from payments.services.deposits import confirming
from payments.services.deposits.allocating import allocate
from payments.services.deposits.bank import BankRow, known_rows, take_in
from payments.states import DepositReason, DepositSource, DepositState, EntryKind, MatchGrade
from payments.tasks import cancel_unpaid_overdue
from tests.fixtures.orders import NOW, broken, reloaded

LATER = NOW + timedelta(hours=1)
AFTER = NOW + timedelta(hours=3)


def state_of(order):
    return set(OrderLine.objects.filter(order=order).values_list("state", flat=True))


def is_held(order):
    return all(
        bits & LOCK_BIT[LockKind.DEPOSIT_PENDING]
        for bits in OrderLine.objects.filter(order=order).values_list("open_locks", flat=True)
    )


def test_a03_one_is_confirmed_once_the_twins_wait_and_the_second_import_changes_nothing(
    make_order, bank_account, matched
):
    one = make_order(price=39_000)
    twins = [make_order(price=25_000, depositor_name="김철수", buyer_name="김철수") for _ in range(2)]
    rows = [
        BankRow(LATER, 39_000, "홍 길동", "", 500_000),
        BankRow(LATER, 25_000, "김철수", "", 525_000),
    ]
    first = take_in(account=bank_account, rows=rows, source=DepositSource.FILE, at=LATER)
    assert (len(first.created), first.known) == (2, 0)
    matched()

    assert state_of(one) == {LineState.PREPARING}
    assert reloaded(one).paid_amount == 39_000
    entry = LedgerEntry.objects.get()
    deposit = BankDeposit.objects.get(amount=39_000)
    assert (entry.kind, entry.reference, entry.amount) == (EntryKind.DEPOSIT, f"bank-{deposit.fingerprint}", 39_000)
    assert deposit.state == DepositState.MATCHED
    assert deposit.explained == "100점: 금액 같음 · 입금자 같음 · 7일 안 주문"
    waiting = BankDeposit.objects.get(amount=25_000)
    assert (waiting.state, waiting.reason) == (DepositState.QUEUED, DepositReason.NAME_AMBIGUOUS)
    assert list(waiting.candidates.order_by("rank").values_list("order_id", "score")) == [
        (twins[0].pk, 100), (twins[1].pk, 100)
    ]  # fmt: skip
    assert all(is_held(order) and state_of(order) == {LineState.AWAITING_PAYMENT} for order in twins)

    events = OrderEvent.objects.count()
    again = take_in(account=bank_account, rows=rows, source=DepositSource.FILE, at=LATER)
    assert (again.created, again.known) == ({}, 2)
    matched()
    assert BankDeposit.objects.count() == 2
    assert LedgerEntry.objects.count() == 1
    assert OrderEvent.objects.count() == events
    assert broken() == []


def test_twins_are_told_apart_by_the_balance_after_them(make_order, came_in, matched):
    orders = [make_order(price=30_000, depositor_name=name, buyer_name=name) for name in ("이하나", "박두리")]
    came_in(30_000, "이하나", balance=130_000)
    came_in(30_000, "박두리", balance=160_000)
    same = [came_in(10_000, "같은이", balance=balance) for balance in (170_000, 180_000)]
    matched()
    assert [state_of(order) for order in orders] == [{LineState.PREPARING}] * 2
    assert len({one.fingerprint for one in same}) == 2


def test_rows_without_a_balance_are_counted(bank_account):
    row = BankRow(LATER, 10_000, "홍길동")
    taken = take_in(account=bank_account, rows=[row, row], source=DepositSource.FILE, at=LATER)
    assert len(taken.created) == 2
    again = take_in(account=bank_account, rows=[row, row, row], source=DepositSource.FILE, at=LATER)
    assert len(again.created) == 1


def test_the_same_money_from_another_source_is_known(bank_account, make_order, matched):
    orders = [make_order(price=30_000, at=NOW - timedelta(days=n)) for n in range(1)]
    take_in(
        account=bank_account, rows=[BankRow(LATER + timedelta(seconds=7), 30_000, "홍길동", "", 90_000)],
        source=DepositSource.FEED, at=LATER,
    )  # fmt: skip
    matched()
    second = make_order(price=30_000, at=NOW - timedelta(hours=1))
    day_only = LATER.replace(hour=0)
    told = take_in(
        account=bank_account,
        rows=[BankRow(day_only, 30_000, "홍 길동", "", 90_000)],
        source=DepositSource.FILE,
        at=LATER,
    )
    matched()
    assert told.created == {}
    assert state_of(orders[0]) == {LineState.PREPARING}
    assert state_of(second) == {LineState.AWAITING_PAYMENT}


def taken_from(account, batch, *rows):
    """Rows of one file, as the upload stores them."""
    return take_in(account=account, rows=list(rows), source=DepositSource.FILE, at=AFTER, batch=batch)


@pytest.fixture
def files():
    """Two uploads."""
    return [Job.objects.create(kind=JobKind.UPLOAD, act="statement-upload", label="거래내역") for _ in "12"]


def test_the_same_row_of_another_layout_is_known_by_its_balance(bank_account, make_order, matched, files):
    orders = [make_order(price=47_500) for _ in "12"]
    midnight = kst_day_range(kst_date(LATER))[0]
    taken_from(bank_account, files[0], BankRow(midnight, 47_500, "홍길동", "", 61_000_000))
    matched(at=AFTER)
    again = BankRow(LATER, 47_500, "홍길동", "", 61_000_000)
    assert known_rows(account=bank_account, rows=[again], source=DepositSource.FILE) == {0}
    assert taken_from(bank_account, files[1], again).created == {}
    assert [state_of(order) for order in orders] == [{LineState.AWAITING_PAYMENT}] * 2


@pytest.mark.parametrize("order", [1, -1], ids=["day first", "time first"])
def test_a_row_that_may_be_the_same_money_waits_for_a_person(bank_account, make_order, matched, files, order):
    first = make_order(price=45_000)
    midnight = kst_day_range(kst_date(LATER))[0]
    rows = [BankRow(midnight, 45_000, "홍길동", "", 5_000_000), BankRow(LATER, 45_000, "홍길동")][::order]
    taken_from(bank_account, files[0], rows[0])
    matched(at=AFTER)
    second = make_order(price=45_000)
    [pk] = taken_from(bank_account, files[1], rows[1]).created.values()
    matched(at=AFTER)
    deposit = BankDeposit.objects.get(pk=pk)
    assert (deposit.state, deposit.reason) == (DepositState.QUEUED, DepositReason.TOLD_BEFORE)
    assert state_of(first) == {LineState.PREPARING}
    assert state_of(second) == {LineState.AWAITING_PAYMENT}
    assert broken() == []


def test_two_transfers_at_two_times_are_two(bank_account, make_order, matched, files):
    orders = [make_order(price=45_000 + n) for n in range(2)]
    taken_from(bank_account, files[0], BankRow(LATER, 45_000, "홍길동"))
    matched(at=AFTER)
    later = LATER + timedelta(minutes=9)
    taken_from(bank_account, files[1], BankRow(later, 45_001, "홍길동"), BankRow(later, 45_000, "홍길동"))
    matched(at=AFTER)
    assert [state_of(one) for one in orders] == [{LineState.PREPARING}] * 2
    assert DepositReason.TOLD_BEFORE not in set(BankDeposit.objects.values_list("reason", flat=True))


@pytest.mark.parametrize(("amount", "reason"), [(38_000, DepositReason.UNDERPAID), (40_000, DepositReason.OVERPAID)])
@pytest.mark.parametrize("digits", [0, 7])
def test_an_order_that_is_named_with_another_sum_waits_for_its_money(
    make_order, came_in, matched, amount, reason, digits
):
    order = make_order(price=39_000, deposit_by=NOW + timedelta(hours=3))
    make_order(price=amount, depositor_name="성춘향", buyer_name="성춘향")
    deposit = came_in(amount, "임꺽정", memo=order.number[-digits:])
    matched()
    deposit = reloaded(deposit)
    assert (deposit.state, deposit.reason) == (DepositState.QUEUED, reason)
    assert deposit.candidates.get(order=order).grade == MatchGrade.CERTAIN
    assert is_held(order)
    cancel_unpaid_overdue(at=NOW + timedelta(days=1))
    assert state_of(order) == {LineState.AWAITING_PAYMENT}


@pytest.mark.parametrize(
    ("amount", "depositor", "facts", "reason"),
    [
        (39_000, "홍길", {}, DepositReason.NAME_WEAK),
        (39_000, "성춘향", {}, DepositReason.NAME_DIFFERS),
        (38_000, "홍길동", {}, DepositReason.UNDERPAID),
        (40_000, "홍길동", {}, DepositReason.OVERPAID),
        (12_345, "성춘향", {}, DepositReason.NO_ORDER),
        (39_000, "홍길동", {"at": NOW + timedelta(days=30)}, DepositReason.NAME_WEAK),
        (39_000, "홍길동", {"at": NOW - timedelta(hours=3)}, DepositReason.NAME_WEAK),
    ],
)
def test_what_does_not_fit_waits_with_its_reason_and_books_nothing(
    make_order, came_in, matched, amount, depositor, facts, reason
):
    order = make_order(price=39_000)
    deposit = came_in(amount, depositor, **facts)
    matched()
    deposit = reloaded(deposit)
    assert (deposit.state, deposit.reason) == (DepositState.QUEUED, reason)
    assert state_of(order) == {LineState.AWAITING_PAYMENT}
    assert is_held(order) is (reason != DepositReason.NO_ORDER)
    assert not LedgerEntry.objects.exists()
    assert broken() == []


def test_an_order_number_in_the_row_is_certain(make_order, came_in, matched):
    order = make_order(price=39_000)
    make_order(price=39_000, depositor_name="성춘향", buyer_name="성춘향")
    deposit = came_in(39_000, "회사경리", memo=order.number)
    matched()
    assert reloaded(deposit).explained.startswith("100점: 금액 같음 · 적요에 주문번호")
    assert state_of(order) == {LineState.PREPARING}


def test_a_waiting_deposit_protects_its_order_from_the_deadline(make_order, came_in, matched):
    order = make_order(price=39_000)
    came_in(38_000, "홍길동")
    matched()
    assert cancel_unpaid_overdue(at=order.deposit_by + timedelta(minutes=5)) == 0
    assert state_of(order) == {LineState.AWAITING_PAYMENT}


def test_the_rest_of_a_partial_payment_confirms(make_order, came_in, matched, staff):
    order = make_order(price=33_000)
    first = came_in(32_999, "홍길동")
    matched()
    allocate(deposit_id=first.pk, order_ids=[order.pk], actor=staff, at=AFTER, accepts_difference=True)
    problem = MoneyProblem.objects.get()
    assert (problem.kind, problem.amount, problem.resolved_at) == ("UNDERPAID", 1, None)
    came_in(1, "홍길동")
    matched(at=AFTER)
    assert state_of(order) == {LineState.PREPARING}
    assert reloaded(problem).resolution == "FITS"
    assert broken() == []


def test_after_a_confirmation_by_hand_the_row_says_so_and_books_nothing(make_order, came_in, matched, staff):
    order = make_order(price=39_000)
    deposit = came_in(39_000, "홍길동", at=LATER)
    manual.confirm_manually(order_ids=[order.pk], actor=staff, at=LATER)
    second = make_order(price=39_000)
    matched()
    deposit = reloaded(deposit)
    assert (deposit.state, deposit.reason) == (DepositState.QUEUED, DepositReason.NAME_AMBIGUOUS)
    assert reloaded(second).paid_amount == 0
    assert not DepositAllocation.objects.exists()
    assert LedgerEntry.objects.count() == 1


def test_a_queued_row_notices_that_its_order_was_confirmed_by_hand(make_order, came_in, matched, staff):
    order = make_order(price=39_000)
    deposit = came_in(39_000, "홍길")
    matched()
    manual.confirm_manually(order_ids=[order.pk], actor=staff, at=LATER)
    assert is_held(order)
    matched()
    deposit = reloaded(deposit)
    assert deposit.reason == DepositReason.ALREADY_CONFIRMED
    assert not is_held(order)


@pytest.fixture
def confirmed_beside_its_money(make_order, came_in, matched, staff):
    """An order that was confirmed by hand and whose transfer then waited in the queue: (order, deposit)."""
    order = make_order(price=39_000)
    manual.confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    deposit = came_in(39_000, "홍길동", at=LATER)
    matched()
    assert reloaded(deposit).reason == DepositReason.ALREADY_CONFIRMED
    return order, deposit


def test_a_waiting_row_pays_its_order_when_that_is_no_longer_confirmed_by_hand(confirmed_beside_its_money, staff):
    order, deposit = confirmed_beside_its_money
    manual.revert_manual(order_ids=[order.pk], actor=staff, at=LATER, reason="다른 주문의 돈")
    relay.run_once()
    assert reloaded(deposit).state == DepositState.MATCHED
    assert (reloaded(order).stage, reloaded(order).paid_amount) == (LineState.PREPARING, 39_000)
    assert broken() == []


def test_no_deadline_ends_an_order_beside_its_waiting_money(confirmed_beside_its_money, staff):
    order, deposit = confirmed_beside_its_money
    manual.revert_manual(order_ids=[order.pk], actor=staff, at=LATER, reason="다른 주문의 돈")
    Order.objects.filter(pk=order.pk).update(deposit_by=LATER)
    assert cancel_unpaid_overdue(at=LATER + timedelta(hours=1)) == 0
    assert reloaded(deposit).state == DepositState.MATCHED
    assert reloaded(order).stage == LineState.PREPARING
    assert broken() == []


def test_a_row_that_may_be_for_a_reverted_order_holds_it(make_order, came_in, matched, staff):
    order = make_order(price=39_000)
    manual.confirm_manually(order_ids=[order.pk], actor=staff, at=NOW)
    deposit = came_in(39_000, "홍길", at=LATER)
    matched()
    assert reloaded(deposit).reason == DepositReason.ALREADY_CONFIRMED
    manual.revert_manual(order_ids=[order.pk], actor=staff, at=LATER, reason="다른 주문의 돈")
    relay.run_once()
    assert reloaded(deposit).reason == DepositReason.NAME_WEAK
    assert is_held(order)
    assert reloaded(order).paid_amount == 0


@pytest.mark.django_db(transaction=True)
def test_two_threads_confirm_each_order_once_and_what_comes_for_it_again_waits(
    make_order, came_in, matched, monkeypatch
):
    """Of twenty rows ten are for orders that another row pays: pieces of two meet at the same orders."""
    monkeypatch.setattr(confirming, "TOGETHER", 2)
    orders = [make_order(price=30_000 + n, depositor_name=f"홍길{n}", buyer_name=f"홍길{n}") for n in range(10)]
    rows = [came_in(30_000 + n, f"홍길{n}") for _ in "12" for n in range(10)]
    matched()
    assert {LineState.PREPARING} == set(OrderLine.objects.filter(order__in=orders).values_list("state", flat=True))
    booked = sorted(LedgerEntry.objects.values_list("payment__order_id", "kind", "amount"))
    assert booked == sorted((one.pk, EntryKind.DEPOSIT, one.due_amount) for one in orders)
    states = [reloaded(one).state for one in rows]
    assert states.count(DepositState.MATCHED) == states.count(DepositState.QUEUED) == 10
    assert broken() == []
