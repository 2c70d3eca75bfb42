"""자동입금확인의 규칙: which orders a deposit may belong to, how sure that is, and why; pure functions.

Score: amount equal 60, order number in the row 40, name equal 35, part of the name 20, phone 10, ordered within a week
5. By itself only what is certain and single. Sources: domain.md 1.2, payments.md 5.10.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import combinations, islice

from core.calendar import kst_date, kst_day_range
from payments.names import was_cut
from payments.states import DepositReason, MatchGrade

AMOUNT, NUMBER, EQUAL, PART, PHONE, RECENT = 60, 40, 35, 20, 10, 5
WEEK = timedelta(days=7)
GRACE = timedelta(days=3)
"""So long after its 입금기한 an order still counts without a question."""
EARLY = timedelta(days=1)
"""A transfer may precede its order: buyers who pay before they press the last button."""
MOST_SHOWN = 10
MOST_SUMMANDS = 12
FEW = 3
"""Orders that fit by the name only or by the amount only are held while they are so few."""
_TAIL = 5
_LAST_FOUR = 4
BY_NAME, BY_NUMBER, SAME_AMOUNT = "입금자 같음", "적요에 주문번호", "금액 같음"
OTHER_NUMBER = "적요에 다른 주문번호"
TOLD = "같은 날 같은 입금자의 같은 금액이 다른 거래내역에도 있습니다. 같은 입금이면 무시하세요."
GOOD = frozenset({MatchGrade.CERTAIN, MatchGrade.STRONG})
_RANK = {MatchGrade.CERTAIN: 0, MatchGrade.STRONG: 1, MatchGrade.WEAK: 2, MatchGrade.AMOUNT: 3}
D = DepositReason


class Standing(StrEnum):
    """주문의 처지: waiting for money, canceled before it came, or paid by hand or by a service's word."""

    OPEN = "OPEN"
    CANCELED = "CANCELED"
    CONFIRMED = "CONFIRMED"


@dataclass(slots=True, eq=False)
class Wanted:
    """돈을 기다리는 주문: won that it still wants (or that were confirmed by hand); name keys, digits only.

    Not frozen only because a hundred thousand are made at a time.
    """

    id: int
    digits: str
    amount: int
    name: str
    ordered_at: datetime
    deposit_by: datetime | None = None
    buyer: str = ""
    phone: str = ""
    standing: Standing = Standing.OPEN

    @property
    def payer(self) -> str:
        """Who is expected to transfer."""
        return self.name or self.buyer

    @property
    def names(self) -> tuple[str, ...]:
        if not self.buyer or self.buyer == self.name:
            return (self.name,) if self.name else ()
        return (self.name, self.buyer) if self.name else (self.buyer,)


@dataclass(frozen=True, slots=True)
class Row:
    """입금 한 건 as it is compared."""

    id: int
    at: datetime
    amount: int
    name: str
    runs: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()
    """Digits of orders of ours whose whole number stands in the row, whatever has become of them."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """후보: an order with its score, how sure it is, and the Korean words for it."""

    order: Wanted
    score: int
    grade: MatchGrade
    words: str
    fits: bool = False
    is_summand: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """판정: the order that the money belongs to, or why a person must look and at which orders."""

    order_id: int | None
    reason: DepositReason | None
    explained: str
    candidates: tuple[Candidate, ...] = ()


def reason_words(reason: str, explained: str) -> str:
    """확인이 필요한 까닭 in words; where the very payer or number was found, it is the time that does not fit."""
    if reason == D.NAME_WEAK and OTHER_NUMBER in explained:
        return "다른 주문번호"
    if reason == D.NAME_WEAK and (BY_NAME in explained or BY_NUMBER in explained):
        return "입금 시기 다름"
    return DepositReason(reason).label if reason else ""


@lru_cache(maxsize=20_000)
def latest_of(at: datetime) -> datetime:
    """그때까지: an order before this moment precedes the deposit; statements give minutes, some only days."""
    start, end = kst_day_range(kst_date(at))
    if at == start:
        return end
    return at + timedelta(minutes=1) if not at.second else at + timedelta(seconds=1)


def compare(row: Row, order: Wanted) -> Candidate:
    """점수: what speaks for this order, in points and in words."""
    fits = order.amount == row.amount
    points, words = (AMOUNT, [SAME_AMOUNT]) if fits else (0, [_gap(row.amount - order.amount)])
    evidence, grade, word = _evidence(row, order)
    points += evidence
    words.append(word)
    doubt = _doubt(row, order)
    if doubt:
        words.append(doubt)
        grade = MatchGrade.WEAK if grade in GOOD else grade
    elif row.at - order.ordered_at <= WEEK:
        points += RECENT
        words.append("7일 안 주문")
    return Candidate(order, min(points, 100), grade, " · ".join(words), fits)


def as_of_now(score: int, words: str, *, gap: int) -> tuple[int, str]:
    """지금의 점수: what was found out about a candidate, when its order may want another sum by now (`gap`, won)."""
    if not gap or not words.startswith(SAME_AMOUNT):
        return score, words
    return score - AMOUNT, words.replace(SAME_AMOUNT, _gap(gap), 1)


def _evidence(row: Row, order: Wanted) -> tuple[int, MatchGrade, str]:
    if any(len(run) >= _TAIL and order.digits.endswith(run) for run in row.runs):
        return NUMBER, MatchGrade.CERTAIN, BY_NUMBER
    if row.name and row.name == order.payer:
        return EQUAL, MatchGrade.STRONG, BY_NAME
    if row.name and row.name == order.buyer:
        return PART, MatchGrade.WEAK, "주문자와 같음"
    if row.name and any(one.startswith(row.name) for one in order.names) and was_cut(row.name):
        return PART, MatchGrade.WEAK, "은행에서 잘린 이름과 앞이 같음"
    if len(row.name) > 1 and any(len(one) > 1 and (row.name in one or one in row.name) for one in order.names):
        return PART, MatchGrade.WEAK, "입금자 일부 같음"
    if any(order.phone.endswith(run) for run in row.runs if order.phone):
        return PHONE, MatchGrade.WEAK, "전화번호 끝자리 같음"
    return 0, MatchGrade.AMOUNT, "입금자 다름"


def _gap(gap: int) -> str:
    return f"{abs(gap):,}원 {'초과' if gap > 0 else '부족'}"


def _doubt(row: Row, order: Wanted) -> str:
    """What keeps even an equal name or the end of a number from counting without a question."""
    if order.standing is Standing.CANCELED:
        return "입금 전에 취소한 주문"
    if order.standing is Standing.CONFIRMED:
        return "이미 입금확인한 주문"
    if order.ordered_at >= latest_of(row.at):
        return "입금 뒤에 한 주문"
    if order.deposit_by is not None and row.at > order.deposit_by + GRACE:
        return "입금기한이 3일 넘게 지남"
    return OTHER_NUMBER if row.named and order.digits not in row.named else ""


@dataclass(slots=True)
class Book:
    """주문 찾기표 for some deposits: orders by amount, amount with name or part of it, number or phone tail; and by
    name and order number, whatever their amount.

    Only what these deposits ask for is kept: a hundred thousand open orders stay cheap.
    """

    by_amount: dict[int, list[Wanted]] = field(default_factory=dict)
    by_name: dict[str, list[Wanted]] = field(default_factory=dict)
    by_both: dict[tuple[int, str], list[Wanted]] = field(default_factory=dict)
    by_pair: dict[tuple[int, str], list[Wanted]] = field(default_factory=dict)
    by_tail: dict[tuple[int, str], list[Wanted]] = field(default_factory=dict)
    by_number: dict[str, list[Wanted]] = field(default_factory=dict)
    told: set[int] = field(default_factory=set)
    """Deposits that may be the same money as one that another statement told less exactly: never confirmed unseen."""
    taken: set[int] = field(default_factory=set)
    known: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, rows: Iterable[Row], orders: Iterable[Wanted] = ()) -> "Book":
        """찾기표 만들기; orders in ascending time."""
        book = cls()
        for row in rows:
            book.by_amount[row.amount] = []
            if row.name:
                book.by_name[row.name] = []
                book.by_both[row.amount, row.name] = []
            for pair in _pairs(row.name):
                book.by_pair[row.amount, pair] = []
            for run in row.runs:
                if len(run) >= _TAIL:
                    book.by_number[run[-_TAIL:]] = []
                book.by_tail[row.amount, run[-_TAIL:]] = []
                book.by_tail[row.amount, run[-_LAST_FOUR:]] = []
        for order in orders:
            book.add(order)
        return book

    def add(self, order: Wanted) -> None:
        """주문 넣기; an order that is in already stays as it is."""
        amount, names = order.amount, order.names
        mine = self.by_amount.get(amount)
        numbered = self.by_number.get(order.digits[-_TAIL:])
        if order.id in self.known or (
            mine is None and numbered is None and not any(name in self.by_name for name in names)
        ):
            return
        self.known.add(order.id)
        if numbered is not None:
            numbered.append(order)
        for name in names:
            if name in self.by_name:
                self.by_name[name].append(order)
        if mine is None:
            return
        mine.append(order)
        for name in names:
            if (amount, name) in self.by_both:
                self.by_both[amount, name].append(order)
            for pair in set(_pairs(name)):
                if (amount, pair) in self.by_pair:
                    self.by_pair[amount, pair].append(order)
        for tail in (order.digits[-_TAIL:], order.phone[-_LAST_FOUR:]):
            if (amount, tail) in self.by_tail:
                self.by_tail[amount, tail].append(order)

    def likely(self, row: Row) -> list[Wanted]:
        """그럴듯한 주문: the amount fits, and the very name, an order number or a phone tail stands in the row."""
        found = list(self.by_both.get((row.amount, row.name), ())) if row.name else []
        for run in row.runs:
            found += self._some(self.by_tail.get((row.amount, run[-_TAIL:]), ())) if len(run) >= _TAIL else []
            found += self._some(self.by_tail.get((row.amount, run[-_LAST_FOUR:]), ()))
        return self._free(found)

    def further(self, row: Row) -> list[Wanted]:
        """다른 후보: the number or very name with another amount, part of the name with the amount, or only that."""
        found: list[Wanted] = []
        for run in row.runs:
            of_number = self.by_number.get(run[-_TAIL:], ()) if len(run) >= _TAIL else ()
            found += self._some([one for one in of_number if one.digits.endswith(run)])
        for pair in dict.fromkeys(_pairs(row.name)):
            found += self._some(self.by_pair.get((row.amount, pair), ()))
        found += self._some(self.by_name.get(row.name, ())) if row.name else []
        return self._free([*found, *self._some(self.by_amount.get(row.amount, ()))])

    def twins(self, row: Row, chosen: Wanted) -> list[Wanted]:
        """쌍둥이: others that wanted this amount from the same payer then; what was canceled wants nothing."""
        return [
            one
            for one in self._free(self.by_both.get((row.amount, chosen.payer), self.by_amount[row.amount]))
            if one.id != chosen.id
            and one.payer == chosen.payer
            and one.standing is not Standing.CANCELED
            and one.ordered_at < latest_of(row.at)
        ]

    def _free(self, orders: Iterable[Wanted]) -> list[Wanted]:
        return [one for one in {one.id: one for one in orders}.values() if one.id not in self.taken]

    def _some(self, orders: Sequence[Wanted]) -> list[Wanted]:
        """The newest few: lists are for people, who read no more."""
        return list(islice((one for one in reversed(orders) if one.id not in self.taken), MOST_SHOWN))


def _pairs(name: str) -> list[str]:
    return [name[n : n + 2] for n in range(len(name) - 1)]


def decide(row: Row, book: Book) -> Verdict:
    """판정 of one deposit; an order that it is given to is taken for the rest of the book."""
    likely = _compared(row, book.likely(row))
    good = [one for one in likely if one.grade in GOOD]
    twins = book.twins(row, good[0].order) if len(good) == 1 else []
    is_told = row.id in book.told
    if len(good) == 1 and not twins and not is_told:
        book.taken.add(good[0].order.id)
        return Verdict(good[0].order.id, None, _sentence(good[0]), (good[0],))
    orders = [*(one.order for one in likely), *twins, *book.further(row)]
    reason, chosen = _queue(row, _compared(row, {one.id: one for one in orders}.values()))
    shown = tuple(chosen[:MOST_SHOWN])
    if is_told:
        return Verdict(None, D.TOLD_BEFORE, TOLD, shown)
    return Verdict(None, reason, _sentence(shown[0]) if shown else "금액이나 입금자가 맞는 주문이 없음", shown)


def _compared(row: Row, orders: Iterable[Wanted]) -> list[Candidate]:
    latest = latest_of(row.at) + EARLY
    found = [compare(row, order) for order in orders if order.ordered_at < latest]
    return sorted(found, key=lambda one: (-one.score, _RANK[one.grade], one.order.id))


def _queue(row: Row, found: Sequence[Candidate]) -> tuple[DepositReason, list[Candidate]]:
    """Why a person must look, and what to show, likeliest first."""
    fitting = [one for one in found if one.order.amount == row.amount]
    if any(one.grade in GOOD for one in fitting):
        return D.NAME_AMBIGUOUS, [one for one in fitting if one.grade is not MatchGrade.AMOUNT]
    named = [one for one in found if one.grade is not MatchGrade.AMOUNT]
    standings = {one.order.standing for one in named if one.order.amount == row.amount}
    for standing, reason in (
        (Standing.OPEN, D.NAME_WEAK),
        (Standing.CONFIRMED, D.ALREADY_CONFIRMED),
        (Standing.CANCELED, D.LATE_AFTER_CANCEL),
    ):
        if standing in standings:
            return reason, named
    open_named = [one for one in named if one.order.standing is Standing.OPEN]
    same = [one for one in open_named if one.grade in GOOD or (row.name and row.name in one.order.names)]
    summands = summing(row.amount, [one.order for one in same])
    if summands:
        marked = [_summand(one, row, len(summands)) if one.order.id in summands else one for one in same]
        return D.SEVERAL_ORDERS, sorted(marked, key=lambda one: (not one.is_summand, one.order.id))
    if same:
        nearest = sorted(same, key=lambda one: (_RANK[one.grade], abs(one.order.amount - row.amount)))
        return (D.UNDERPAID if nearest[0].order.amount > row.amount else D.OVERPAID), nearest
    open_ones = [one for one in fitting if one.order.standing is Standing.OPEN]
    return (D.NAME_DIFFERS, open_ones) if open_ones else (D.NO_ORDER, [])


def _summand(one: Candidate, row: Row, count: int) -> Candidate:
    """An order of a sum wants less than came, and nothing came too much."""
    words = one.words.replace(_gap(row.amount - one.order.amount), f"주문 {count}건 합계 같음", 1)
    return replace(one, is_summand=True, words=words)


def summing(amount: int, orders: Collection[Wanted]) -> set[int]:
    """합계 제안: ids of two or more orders that together want exactly this amount; the smallest set, oldest first."""
    # An order that wants everything, or more, is part of no sum; what is left is few for most rows.
    some = sorted((one for one in orders if 0 < one.amount < amount), key=lambda one: one.id)[:MOST_SUMMANDS]
    if sum(one.amount for one in some) < amount:
        return set()
    for size in range(2, len(some) + 1):
        for chosen in combinations(some, size):
            if sum(one.amount for one in chosen) == amount:
                return {one.id for one in chosen}
    return set()


def holds(verdict: Verdict, candidate: Candidate) -> bool:
    """취소 막음: whether the deposit protects this order from 입금전취소 while it waits.

    It does where a name speaks for the order and the amount fits, alone or in a sum; of orders that fit by one of the
    two only, the first few, and none when hardly anything but chance speaks for them.
    """
    if candidate.order.standing is not Standing.OPEN:
        return False
    if candidate.is_summand or (candidate.fits and candidate.grade is not MatchGrade.AMOUNT):
        return True
    if candidate.grade is MatchGrade.AMOUNT:
        return len(verdict.candidates) <= FEW
    return candidate in verdict.candidates[:FEW]


def _sentence(candidate: Candidate) -> str:
    return f"{candidate.score}점: {candidate.words}"
