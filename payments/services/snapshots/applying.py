"""PG 조회 반영: the ledger is made equal to what the PG says, then the order follows the ledger.

Because the effect is "snapshot minus ledger", late, doubled and reordered notices find nothing to add; any number of
them ends in the same state. Source: payments.md 5.5, 5.6.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import takewhile

from core.bulk import update_rows
from core.lookups import Among
from core.models import Source
from orders.models import Order, OrderLine
from orders.services.locking import locked_orders
from payments.adapters.base import PgState, Snapshot, fitted
from payments.models import LedgerEntry, MoneyProblem, Payment, VirtualAccount
from payments.services.ledger import noting, problems
from payments.services.ledger.booking import Row, book, forgive, payments_of, standing_by_hand
from payments.services.ledger.receipts import keep_receipts
from payments.services.pg_accounts import pg_of
from payments.services.refunds import covering, preparing, settling
from payments.services.snapshots import learning
from payments.services.snapshots.following import ENDED_AT_PG, Plan
from payments.states import BANK_PREFIX, BY_HAND, ENDED, FROM_PG, GOING_OUT, EntryKind, NoticeState, ProblemKind

OVERDRAWN = "PG의 환불이나 취소를 반영하면 들어온 돈보다 {won:,}원이 더 나갑니다."
OF_ANOTHER = "PG의 결제는 다른 주문의 것입니다: PG {theirs}, 우리 {ours}"
MOST_PAYMENT_REF = 200


@dataclass(frozen=True, slots=True)
class Fetched:
    """조회한 결제: what the PG said about one payment, and when we asked."""

    payment_id: int
    snapshot: Snapshot
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Applied:
    """반영 결과: what becomes of the notices of that payment."""

    state: NoticeState
    reason: str = ""
    error: str = ""


@dataclass(slots=True)
class _Books:
    """A payment with the sums of its ledger, in won.

    `replaced` and `unseen` are found by the difference: hand-booked won that the PG shows now, and those it does not.
    """

    payment: Payment
    from_pg: int = 0
    by_hand: int = 0
    out: int = 0
    references: set[str] = field(default_factory=set)
    replaced: int = 0
    unseen: int = 0


STALE = Applied(NoticeState.RETRY, "stale_answer")
BUSY = Applied(NoticeState.RETRY, "busy")
UNCHANGED = Applied(NoticeState.IGNORED, "no_change")
CHANGED = Applied(NoticeState.PROCESSED)
LATER = Applied(NoticeState.RETRY, "waits_its_turn")
CHEQUE = Applied(NoticeState.PARKED, "uncleared_cheque")


def apply(fetched: Collection[Fetched], *, at: datetime, reason: str = "") -> dict[int, Applied]:
    """조회 반영: a verdict for each payment id; payments whose order somebody holds come again (BUSY)."""
    found = {one.payment_id: one for one in fetched}
    order_ids = list(Payment.objects.filter(pk__in=found).values_list("order_id", flat=True))
    verdicts = dict.fromkeys(found, BUSY)
    with locked_orders(order_ids, skip_locked=True) as (orders, lines):
        everything = payments_of(orders)
        payments = [payment for payment in everything.values() if payment.pk in found]
        books, cheques = _books(payments), _cheques(payments)
        rows: list[Row] = []
        before: dict[int, int] = {}
        for payment in payments:
            one = found[payment.pk]
            verdict, mine = _cannot_apply(payment, one, at=at), list[Row]()
            if verdict is None:
                mine = list(_difference(books[payment.pk], one.snapshot))
                verdict = _is_stopped(payment, mine, cheques) or _overdrawn(payment, mine, at=at)
                verdict = verdict or (CHANGED if mine else UNCHANGED)
            if verdict in {CHANGED, UNCHANGED}:
                before[payment.pk] = payment.balance
                rows += mine
            verdicts[payment.pk] = verdict
        was = dict(before)
        moved, booked, rows = _come_and_gone(everything, lines, found, before, rows, at=at)
        if moved:
            lines = _read_again(orders)
        entries = booked + book(rows, at=at, source=Source.PG, reason=reason, came_at=_came_at(found))
        # A refund of our own that is under way is no news to the order.
        for payment_id, won in settling.recognise(rows, at=at).items():
            before[payment_id] -= won
        touched = [payment for payment in payments if payment.pk in before]
        for payment in touched:
            payment.synced_at = payment.asked_at = found[payment.pk].asked_at
            payment.payment_ref = _ref_of(found[payment.pk].snapshot) or payment.payment_ref
        update_rows(touched, ["synced_at", "asked_at", "payment_ref"])
        keep_receipts([(payment, found[payment.pk].snapshot) for payment in touched], at=at)
        ended = [payment for payment in touched if payment.order.stage in ENDED]
        late = [payment for payment in ended if payment.balance != was[payment.pk]]
        moved |= _follow(everything, lines, found, before, at=at)
        if over := [payment.pk for payment in touched if found[payment.pk].snapshot.state in ENDED_AT_PG]:
            VirtualAccount.objects.filter(pk__in=over).end(at=at)
        known = {payment.pk for payment in touched} | {pk for pk, verdict in verdicts.items() if verdict is CHEQUE}
        learning.learn({pk: found[pk].snapshot for pk in sorted(known)}, at=at)
        for payment in touched:
            _tell_unseen(books[payment.pk], at=at)
        preparing.keep_in_step(late, at=at, source=Source.PG)
        covering.hold([one for one in touched if one.balance < was[one.pk]], at=at)
        noting.note(entries, at=at, source=Source.PG)
        verdicts |= {pk: CHANGED for pk in moved if verdicts.get(pk) is UNCHANGED}
    return verdicts


def _ref_of(snapshot: Snapshot) -> str:
    """The PG's own number; one that is too long to be kept whole is of no use for asking."""
    return snapshot.payment_ref if len(snapshot.payment_ref) <= MOST_PAYMENT_REF else ""


def _come_and_gone(
    payments: Mapping[int, Payment],
    lines: Sequence[OrderLine],
    found: dict[int, Fetched],
    before: dict[int, int],
    rows: Sequence[Row],
    *,
    at: datetime,
) -> tuple[set[int], list[LedgerEntry], list[Row]]:
    """Money that came in and went out again before we heard of it is booked in two steps, so that the order ends where
    it would have ended had we heard in time; ids of the payments whose order moved, what the first step has booked, and
    the rows of the second.
    """
    came = {row[0].pk for row in rows if row[1] == EntryKind.DEPOSIT}
    both = came & {row[0].pk for row in rows if row[1] == EntryKind.REFUND}
    if not both:
        return set(), [], list(rows)
    first = [row for pk in both for row in takewhile(_is_no_refund, [one for one in rows if one[0].pk == pk])]
    entries = book(first, at=at, source=Source.PG, came_at=_came_at(found))
    unrefunded = {
        pk: replace(found[pk], snapshot=replace(found[pk].snapshot, refunds=(), state=PgState.PAID)) for pk in both
    }
    moved = _follow(payments, lines, unrefunded, {pk: before[pk] for pk in both}, at=at)
    for pk in both:
        before[pk] = payments[pk].balance
    return moved, entries, [row for row in rows if row not in first]


def _is_no_refund(row: Row) -> bool:
    return row[1] not in GOING_OUT


def _came_at(found: Mapping[int, Fetched]) -> dict[int, datetime]:
    """입금일시 of payments by the PG's own clock: that of the last deposit that stands."""
    moments = {pk: [move.at for move in one.snapshot.deposits if move.at] for pk, one in found.items()}
    return {pk: max(some) for pk, some in moments.items() if some}


def _read_again(orders: Sequence[Order]) -> list[OrderLine]:
    """Lines of locked orders after a step; the orders know their stage again."""
    by_id = {order.pk: order for order in orders}
    for pk, stage, steps in Order.objects.filter(pk__in=by_id).values_list("pk", "stage", "steps"):
        by_id[pk].stage, by_id[pk].steps = stage, steps
    lines = list(OrderLine.objects.filter(order__in=orders).order_by("pk"))
    for line in lines:
        line.order = by_id[line.order_id]
    return lines


def _cannot_apply(payment: Payment, one: Fetched, *, at: datetime) -> Applied | None:
    snapshot = one.snapshot
    if payment.synced_at is not None and one.asked_at < payment.synced_at:
        return STALE
    if snapshot.currency != "KRW":
        problems.open_for(payment, ProblemKind.CURRENCY, amount=snapshot.amount, at=at, detail=snapshot.currency)
        return Applied(NoticeState.PARKED, "currency")
    if not _is_ours(payment, snapshot):
        detail = _differs(payment, snapshot)
        problems.open_once(payment, ProblemKind.MISMATCH_WITH_PG, amount=snapshot.amount, at=at, detail=detail)
        return Applied(NoticeState.PARKED, "mismatch_with_pg")
    return None


def _cheques(payments: Sequence[Payment]) -> set[int]:
    """미결제 수표: ids of payments of which a person has not yet said that the cheque was honoured."""
    kind = ProblemKind.UNCLEARED_CHEQUE
    rows = MoneyProblem.objects.filter(Among("payment_id", [one.pk for one in payments]), kind=kind, resolved_at=None)
    return set(rows.values_list("payment_id", flat=True))


def _is_stopped(payment: Payment, rows: Sequence[Row], cheques: Collection[int]) -> Applied | None:
    """What comes in by a cheque is none before somebody has seen it honoured, whatever the PG counts (A47)."""
    is_deposit = any(kind == EntryKind.DEPOSIT for _, kind, *_ in rows)
    return CHEQUE if is_deposit and payment.pk in cheques else None


def _overdrawn(payment: Payment, rows: Sequence[Row], *, at: datetime) -> Applied | None:
    """More went back than came: somebody paid it out twice, past the PG and through it."""
    left = payment.balance + sum(won for *_, won in rows)
    if left >= 0:
        return None
    detail = OVERDRAWN.format(won=-left)
    problems.open_for(payment, ProblemKind.MISMATCH_WITH_PG, amount=-left, at=at, detail=detail)
    return Applied(NoticeState.PARKED, "mismatch_with_pg")


def _is_ours(payment: Payment, snapshot: Snapshot) -> bool:
    """The payment that we asked for? Where the bank takes any sum, a PG calls what came in the amount."""
    if snapshot.order_ref not in {"", payment.order_ref}:
        return False
    if snapshot.amount == payment.amount:
        return True
    takes_any = payment.account is not None and not pg_of(payment.account).capabilities.is_exact_amount
    return takes_any and snapshot.amount == sum(one.amount for one in snapshot.deposits)


def _differs(payment: Payment, snapshot: Snapshot) -> str:
    """What a person is told to compare: another order's payment may well be of the same sum."""
    if snapshot.order_ref not in {"", payment.order_ref}:
        return OF_ANOTHER.format(theirs=snapshot.order_ref[:64], ours=payment.order_ref or "")
    return f"PG {snapshot.amount:,}원, 우리 {payment.amount:,}원"


def _books(payments: Sequence[Payment]) -> dict[int, _Books]:
    books = {payment.pk: _Books(payment) for payment in payments}
    entries = LedgerEntry.objects.filter(payment__in=payments).values_list("payment_id", "kind", "reference", "amount")
    for payment_id, kind, reference, amount in entries:
        mine = books[payment_id]
        mine.references.add(f"{kind} {reference}")
        if kind in FROM_PG:
            # What came into our own bank account is no money of the PG.
            mine.from_pg += 0 if reference.startswith(BANK_PREFIX) else amount
        elif kind in BY_HAND:
            mine.by_hand += amount
        elif kind in GOING_OUT:
            mine.out += amount
    return books


def _difference(books: _Books, snapshot: Snapshot) -> Iterable[Row]:
    """Ledger rows that are missing so that deposits and refunds are those of the PG.

    What comes in takes the place of what was forgiven, then of what staff had booked by hand, never of what has gone
    back already. What was forgiven was so for the money that had come: it goes with it.
    """
    payment = books.payment
    unnamed = fitted(f"{snapshot.payment_ref or payment.order_ref or ''}/{payment.version}")
    more = sum(one.amount for one in snapshot.deposits) - books.from_pg
    if more > 0:
        fresh = [one for one in snapshot.deposits if f"{EntryKind.DEPOSIT} {one.reference}" not in books.references]
        if fresh and all(one.reference for one in fresh) and sum(one.amount for one in fresh) == more:
            yield from ((payment, EntryKind.DEPOSIT, one.reference, one.amount) for one in fresh)
        else:
            yield payment, EntryKind.DEPOSIT, unnamed, more
        yield from _stood_in(books, more, unnamed)
    elif more < 0:
        yield payment, EntryKind.REVERSAL, unnamed, more
    out = -sum(one.amount for one in snapshot.refunds) - books.out
    if out:
        known = books.references
        fresh = [one for one in snapshot.refunds if f"{EntryKind.REFUND} {one.reference}" not in known]
        if fresh and all(one.reference for one in fresh) and -sum(one.amount for one in fresh) == out:
            yield from ((payment, EntryKind.REFUND, one.reference, -one.amount) for one in fresh)
        elif out < 0:
            yield payment, EntryKind.REFUND, unnamed, out
        else:
            yield payment, EntryKind.REFUND_UNDONE, unnamed, out
    left = payment.forgiven - min(max(more, 0), payment.forgiven)
    if left and (more < 0 or payment.refundable + more - books.replaced + out <= 0):
        yield forgive(payment, -left, cause="/gone")


def _stood_in(books: _Books, more: int, reference: str) -> Iterable[Row]:
    """Rows that make room for so many won of the PG."""
    payment = books.payment
    forgiven = min(more, payment.forgiven)
    standing = standing_by_hand(payment, books.by_hand)
    books.replaced = min(more - forgiven, standing)
    books.unseen = standing - books.replaced
    if forgiven:
        yield forgive(payment, -forgiven)
    if books.replaced:
        # The same money: staff had confirmed by hand what the PG tells now.
        yield payment, EntryKind.MANUAL_REVERSAL, reference, -books.replaced


def _tell_unseen(books: _Books, *, at: datetime) -> None:
    """Less came in at the PG than staff had confirmed by hand: a person looks where the rest is, while it is here."""
    if books.by_hand > books.replaced and books.payment.refundable <= 0:
        problems.forget_unseen(books.payment, at=at)
    elif books.replaced and books.unseen:
        text = problems.UNSEEN.format(by_hand=books.replaced + books.unseen, seen=books.replaced)
        problems.open_for(books.payment, ProblemKind.MISMATCH_WITH_PG, amount=books.unseen, at=at, detail=text)
    elif books.replaced:
        problems.settle(books.payment, [ProblemKind.MISMATCH_WITH_PG], at=at)


def _follow(
    payments: Mapping[int, Payment],
    lines: Sequence[OrderLine],
    found: Mapping[int, Fetched],
    before: Mapping[int, int],
    *,
    at: datetime,
) -> set[int]:
    """The orders follow the ledgers of all their payments (payments.md 5.6); `before` are the balances, by payment id,
    of those that are looked at. Ids of the payments whose order moved.
    """
    by_order: dict[int, list[OrderLine]] = defaultdict(list)
    for line in lines:
        by_order[line.order_id].append(line)
    touched: dict[int, list[Payment]] = defaultdict(list)
    for pk in sorted(before):
        touched[payments[pk].order_id].append(payments[pk])
    changes = {pk: payments[pk].balance - won for pk, won in before.items()}
    snapshots = {pk: found[pk].snapshot for pk in before}
    plan = Plan(lines, _came_at(found), [one for one in payments.values() if one.order_id in touched])
    for order_id, some in touched.items():
        plan.add(some, by_order[order_id], snapshots, changes, at=at)
    return plan.carry_out(at=at)
