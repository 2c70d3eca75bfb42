"""제안: whose number a row without a key may be, by name, telephone and address (domain.md 5 row 6).

A suggestion is never more than that: a person ticks it. Generic names and masked values say nothing; two of the three
facts must agree, one of them the telephone or the whole address.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.lookups import AmongTexts
from core.phones import is_phone, normalize_phone
from shipping.models import Parcel, Shipment, ShipmentStep
from shipping.models.parcel import LIVE
from shipping.services.merges.keys import plain
from shipping.states import TRACKED

_NOBODY = (
    "집 우리집 회사 사무실 경비실 관리실 고객 고객님 본인 나 사장 사장님 선생님 담당자 관리자 직원 택배 선물 엄마 아빠"
    " 어머니 아버지 부모님 구매자 주문자 수령인 수취인 받는분 없음"
)
GENERIC = frozenset(_NOBODY.split())
"""Names that name nobody (domain.md 5 row 6)."""
NAME, PHONE, ADDRESS, PART_OF_ADDRESS, OTHER_NAME = 30, 40, 30, 15, -10
ENOUGH = 55
_SHORTEST_ADDRESS = 8
_RECEIVER = (
    "order__recipient_name", "order__recipient_phone", "order__recipient_phone2", "order__address1", "order__address2",
)  # fmt: skip
_MASKS = ("*", "＊", "○", "●")


class Wanted(NamedTuple):
    """찾는 분: what a row says of its receiver."""

    name: str
    phone: str
    address: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """제안 하나: a shipment that waits, how well it fits (100 = all three), and why in Korean."""

    shipment_id: int
    number: str
    score: int
    why: str

    @property
    def confidence(self) -> str:
        """확신의 정도."""
        return "높음" if self.score >= 100 else "보통" if self.score >= 70 else "낮음"


class _Waiting(NamedTuple):
    pk: int
    number: str
    name: str
    phones: frozenset[str]
    address1: str
    address: str


def suggest(rows: Sequence[Wanted]) -> list[list[Candidate]]:
    """제안: for each row the shipments that fit best, alike ones together; empty when nothing fits well enough.

    Looked for among the shipments that wait for a number; one query.
    """
    waiting = _waiting()
    by_fact: dict[tuple[str, str], list[_Waiting]] = defaultdict(list)
    for one in waiting:
        for fact in {("n", one.name), ("a", one.address), ("b", one.address1), *(("p", each) for each in one.phones)}:
            by_fact[fact].append(one)
    return [_best(row, by_fact) for row in rows]


def registered_rows(rows: Sequence[Wanted], numbers: Sequence[tuple[str, str]]) -> list[Candidate | None]:
    """이미 등록한 행: the shipment that bears a row's (courier, number) and fits its receiver; None for all others.

    Such a row has been applied before, from another piece of the file. One query.
    """
    bearers = dict(_bearers({number for _, number in numbers if number}))
    rated = [
        _rated(bearers[number], *_said(row)) if number in bearers else None
        for row, number in zip(rows, numbers, strict=True)
    ]
    return [one if one is not None and one.score >= ENOUGH else None for one in rated]


def _bearers(numbers: Collection[str]) -> Iterator[tuple[tuple[str, str], _Waiting]]:
    if not numbers:
        return
    live = Parcel.objects.filter(AmongTexts("waybill", numbers), state__in=LIVE)
    names = [f"shipment__{name}" for name in ("pk", "number", *_RECEIVER)]
    for courier, number, *facts in live.values_list("courier", "waybill", *names):
        yield (courier, number), _known(*facts)


def _waiting() -> list[_Waiting]:
    ready = Shipment.objects.filter(step=ShipmentStep.READY, method__in=TRACKED, waybill="")
    rows = ready.order_by("pk").values_list("pk", "number", *_RECEIVER)
    return [_known(*facts) for facts in rows.iterator(chunk_size=5000)]


def _known(pk: int, number: str, name: str, phone: str, phone2: str, base: str, rest: str) -> _Waiting:
    return _Waiting(pk, number, plain(name), _phones([phone, phone2]), plain(base), plain(f"{base} {rest}"))


def _phones(texts: Iterable[str]) -> frozenset[str]:
    known = {normalize_phone(text) for text in texts if not _is_masked(text)}
    return frozenset(number for number in known if is_phone(number))


def _is_masked(text: str) -> bool:
    return any(mark in text for mark in _MASKS)


def _said(row: Wanted) -> tuple[str, frozenset[str], str]:
    """What a row says of its receiver: name, telephones and address without what says nothing."""
    name = "" if _is_masked(row.name) or plain(row.name) in GENERIC else plain(row.name)
    return name, _phones([row.phone]), "" if _is_masked(row.address) else plain(row.address)


def _best(row: Wanted, by_fact: dict[tuple[str, str], list[_Waiting]]) -> list[Candidate]:
    name, phones, address = _said(row)
    asked = [("n", name), ("a", address), ("b", address), *(("p", each) for each in phones)]
    found = {one.pk: one for kind, text in asked if text for one in by_fact.get((kind, text), ())}
    rated = [_rated(one, name, phones, address) for one in found.values()]
    good = [one for one in rated if one.score >= ENOUGH]
    top = max((one.score for one in good), default=0)
    return sorted((one for one in good if one.score == top), key=lambda one: one.number)


def _rated(one: _Waiting, name: str, phones: frozenset[str], address: str) -> Candidate:
    same, score = [], 0
    if name and name == one.name:
        same.append("이름")
        score += NAME
    if phones & one.phones:
        same.append("연락처")
        score += PHONE
    whole = bool(address) and address == one.address
    if whole:
        same.append("주소")
        score += ADDRESS
    elif len(address) >= _SHORTEST_ADDRESS and (one.address.startswith(address) or address.startswith(one.address)):
        same.append("주소 앞부분")
        score += PART_OF_ADDRESS
    why = f"{'·'.join(same)} 같음"
    if name and name != one.name:
        score += OTHER_NAME
        why += ", 이름 다름"
    return Candidate(one.pk, one.number, score, why)
