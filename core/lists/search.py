"""검색어: one box that understands numbers, phone tails, names and parts of addresses (ux.md 2.1).

What a comma, tab or new line separates is found side by side; what blanks separate inside one piece must all be true
of the same row ("0045 홍길동"), except that numbers of one kind widen the search.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, OuterRef, Q, QuerySet

from core.korean import josa
from core.lists.declare import NUMBER, TAIL, WORD, SearchArm
from core.lists.sql import OneOf, Walked

MOST_VALUES = 1000
MOST_WORDS = 60
MOST_PIECES = 20
LONGEST = 40_000
ID_CAP = 5_000
"""A search with more hits is not held as ids but checked row by row while the list walks its own index."""

_PIECES = re.compile(r"[\n\r\t,;]+")
_HOUSE = re.compile(r"\d{1,3}(-\d{1,3})?")
_SHOWN = 20
_RANK = {NUMBER: 0, TAIL: 1, WORD: 2}

Values = tuple[str, ...]
Condition = tuple[tuple[SearchArm, Values], ...]
"""Alternatives: rows found by any of the arms."""


class SearchRefused(Exception):
    """검색 거절: the words cannot be searched for; the message is the Korean hint under the box."""


@dataclass(frozen=True, slots=True)
class Search:
    """읽은 검색어: pieces side by side, each a list of conditions that all hold; only-number searches say so."""

    pieces: tuple[tuple[Condition, ...], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pieces)

    @property
    def permissions(self) -> set[str]:
        """The rights that its arms ask for."""
        return {arm.permission for piece in self.pieces for condition in piece for arm, _ in condition} - {""}


@dataclass(frozen=True, slots=True)
class Found:
    """찾은 행: ids, or a condition when there are too many of them."""

    ids: list[int] | None
    condition: Q = field(default_factory=Q)

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(self.condition if self.ids is None else OneOf("pk", self.ids))

    @property
    def is_frequent(self) -> bool:
        """Whether there are more hits than are held as ids."""
        return self.ids is None


def parse(text: str, kind: str, arms: Sequence[SearchArm]) -> Search:
    """검색어 읽기: decide for every term by which arms it can be found. Raises SearchRefused with a Korean hint."""
    if "\x00" in text:
        raise SearchRefused("검색어에 쓸 수 없는 글자가 있습니다. 지우고 다시 조회하세요.")
    if len(text) > LONGEST:
        raise SearchRefused("검색어가 너무 깁니다. 나누어서 조회하세요.")
    plain = unicodedata.normalize("NFC", text)
    pieces = [piece.strip() for piece in _PIECES.split(plain) if piece.strip()]
    chosen = [arm for arm in arms if arm.kind == kind]
    read = [_piece_of_kind(piece, chosen) if chosen else _piece(piece, arms) for piece in pieces]
    merged = _merge(read)
    _check_size(merged)
    return Search(tuple(merged))


def _piece_of_kind(piece: str, arms: Sequence[SearchArm]) -> tuple[Condition, ...]:
    terms = [piece] if arms[0].group == WORD else piece.split()
    conditions = []
    for term in terms:
        fits = tuple((arm, (value,)) for arm in arms if re.fullmatch(arm.pattern, value := arm.normalise(term)))
        if not fits:
            raise SearchRefused(arms[0].hint or f"{josa(_quoted(term), '은/는')} {arms[0].label} 형식이 아닙니다.")
        conditions.append(fits)
    return (_widened(conditions),)


def _piece(piece: str, arms: Sequence[SearchArm]) -> tuple[Condition, ...]:
    by_arms: dict[tuple[Any, ...], list[Condition]] = {}
    for term in _terms(piece):
        fits = [(arm, value) for arm in arms if re.fullmatch(arm.pattern, value := arm.normalise(term))]
        if not fits:
            raise SearchRefused(_no_fit(term))
        group = min((arm.group for arm, _ in fits), key=_RANK.__getitem__)
        condition = tuple((arm, (value,)) for arm, value in fits if group == WORD or arm.group != WORD)
        key = (group, term if group == WORD else "")
        by_arms.setdefault(key, []).append(condition)
    return tuple(_widened(conditions) for conditions in by_arms.values())


def _terms(piece: str) -> list[str]:
    """What blanks separate, but for the number of a house ("관악대로 271") and for a name written apart ("김 수령")."""
    terms: list[str] = []
    for term in piece.split():
        if terms and _continues(terms[-1], term):
            terms[-1] += f" {term}"
        else:
            terms.append(term)
    return terms


def _continues(before: str, term: str) -> bool:
    if before[-1].isdigit():
        return False
    return bool(_HOUSE.fullmatch(term)) or (1 in (len(before), len(term)) and term.isalpha())


def _no_fit(term: str) -> str:
    if len(term) == 1:
        return "검색어를 두 글자 이상 입력하세요."
    if re.fullmatch(r"\d{1,3}", term):
        return "숫자는 연락처 뒤 4자리부터 찾을 수 있습니다."
    return f"{josa(_quoted(term), '으로/로')} 찾을 수 있는 항목이 없습니다. 검색 대상과 권한을 확인하세요."


def _quoted(term: str) -> str:
    return f"'{term[:_SHOWN]}'" if len(term) <= _SHOWN else f"'{term[:_SHOWN]}…'"


def _widened(conditions: Sequence[Condition]) -> Condition:
    """One condition whose arms take the values of all."""
    values: dict[int, tuple[SearchArm, dict[str, None]]] = {}
    for condition in conditions:
        for arm, given in condition:
            values.setdefault(id(arm), (arm, {}))[1].update(dict.fromkeys(given))
    return tuple((arm, tuple(found)) for arm, found in values.values())


def _merge(read: Sequence[tuple[Condition, ...]]) -> list[tuple[Condition, ...]]:
    """Pieces of one condition each become one piece; a thousand pasted numbers are then one query."""
    single = [piece[0] for piece in read if len(piece) == 1]
    several = [piece for piece in read if len(piece) > 1]
    return ([(_widened(single),)] if single else []) + several


def _check_size(pieces: Sequence[tuple[Condition, ...]]) -> None:
    sizes = [(arm.group, len(values)) for piece in pieces for condition in piece for arm, values in condition]
    if any(group != WORD and size > MOST_VALUES for group, size in sizes):
        raise SearchRefused(f"한 번에 {MOST_VALUES:,}개까지 찾을 수 있습니다. 나누어서 조회하세요.")
    words = sum(size for group, size in sizes if group == WORD)
    if words > MOST_WORDS or len(pieces) > MOST_PIECES or any(len(piece) > MOST_PIECES for piece in pieces):
        raise SearchRefused(f"이름이나 주소는 한 번에 {MOST_PIECES}개까지 찾을 수 있습니다. 나누어서 조회하세요.")


def find(search: Search, model: type[Model]) -> Found:
    """검색: the ids of the rows, newest kinds of evidence first; one query for each condition.

    When a condition has more than ID_CAP hits it stays a condition, which the caller's own order walks through.
    """
    ids: set[int] = set()
    conditions: list[Q] = []
    for piece in search.pieces:
        found = _find_piece(piece)
        if found.ids is None:
            conditions.append(found.condition)
        else:
            ids.update(found.ids)
    if not conditions and len(ids) <= ID_CAP:
        return Found(sorted(ids))
    whole = Q(OneOf("pk", ids)) if ids else Q()
    for condition in conditions:
        whole = whole | condition if whole else condition
    return Found(None, whole)


def _find_piece(piece: Sequence[Condition]) -> Found:
    ids: list[int] | None = None
    left = Q()
    for condition in sorted(piece, key=lambda one: min(_RANK[arm.group] for arm, _ in one)):
        arms = [arm.ids(values) for arm, values in condition]
        if ids is not None:
            arms = [arm.filter(OneOf(_column(arm), ids)) for arm in arms]
        hits = _hits(arms)
        if hits is None:
            left &= _walked(arms)
        else:
            ids = hits
    if ids is None:
        return Found(None, left)
    return Found(None, Q(OneOf("pk", ids)) & left) if left else Found(ids)


def _hits(arms: Sequence[QuerySet[Any]]) -> list[int] | None:
    """Ids found by any arm, None when there are too many. UNION ALL lets every arm use its own index."""
    plain = [arm.order_by() for arm in arms]
    joined = plain[0].union(*plain[1:], all=True) if len(plain) > 1 else plain[0]
    rows = list(joined[: ID_CAP + 1])
    return None if len(rows) > ID_CAP else list({row[0] if isinstance(row, tuple) else row for row in rows})


def _walked(arms: Sequence[QuerySet[Any]]) -> Q:
    condition = Q()
    for arm in arms:
        condition |= Q(Walked(arm.order_by().filter(**{_column(arm): OuterRef("pk")})))
    return condition


def _column(arm: QuerySet[Any]) -> str:
    column: str = arm.query.values_select[0]
    return column
