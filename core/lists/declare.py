"""What a list is declared with: columns, tabs, date bases, search arms. All of it is data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from core.excel.columns import Column, Kind
from core.lists.period import within

NUMBER, TAIL, WORD = "number", "tail", "word"
"""Groups of search arms: what stands side by side in one group widens a search, different groups narrow it."""


class Group(NamedTuple):
    """행 묶음: one row of the base table with the lines that the list shows and those it only mentions.

    `fetched` holds what contributed columns looked up for this row, by column key.
    """

    record: Any
    lines: Sequence[Any]
    elsewhere: Sequence[Any]
    fetched: dict[str, Any]
    now: datetime


Cell = Callable[[Group, Any], str]
Plain = Callable[[Group, Any], Any]


@dataclass(frozen=True, slots=True)
class ListColumn:
    """목록의 열: one declaration for the screen, the Excel file and the API.

    `cell(group, line)` makes finished HTML with the functions of core.cells, `plain(group, line)` the value of the
    file and the API (str, int, date, datetime or None; won as int). `line` is None unless `per_line`.
    `fetch(ids) -> {id: value}` looks up what another app knows, with one query a page; ids are those of the base rows;
    the value is `group.fetched[key]`, absent when there is none. `after` places a contributed column.
    `personal` columns hold personal data: `cell` masks it, `plain` does not, `masked` is what the API may say.
    `more` are further columns of the file for what the cell shows in its smaller line. Amounts of the row (kind WON,
    not per line) stand in the file once per row, so that sums are right.
    """

    key: str
    label: str
    cell: Cell
    plain: Plain
    per_line: bool = False
    kind: Kind = Kind.TEXT
    width: int = 14
    css: str = ""
    sort: str = ""
    visible: bool = True
    personal: bool = False
    masked: Plain | None = None
    more: tuple["ListColumn", ...] = ()
    after: str = ""
    fetch: Callable[[Sequence[int]], Mapping[int, Any]] | None = None

    def excel(self) -> Column:
        """엑셀 열: the same column for the writer."""
        return Column(self.key, self.label, self.kind, self.width)


@dataclass(frozen=True, slots=True)
class ListTab:
    """하위 상태 탭: `where` is a condition on the base table, or makes one for an instant; None means all rows.

    `states` are those that its rows stand in, when they are fewer than the list's: the bar offers acts on them only.
    `main` is the act that comes first there instead of the list's own.
    """

    key: str
    label: str
    where: Q | Callable[[datetime], Q] | None = None
    after: str = ""
    states: frozenset[str] = frozenset()
    main: str = ""

    @classmethod
    def of(cls, key: str, label: str, *states: str, where: Q | None = None) -> "ListTab":
        """상태로 나눈 탭: rows that stand in one of the states, or those of them that `where` finds."""
        condition = Q(state__in=states) if len(states) > 1 else Q(state=states[0])
        return cls(key, label, condition if where is None else where, states=frozenset(states))

    def condition(self, at: datetime) -> Q | None:
        """조건 at an instant."""
        return self.where(at) if callable(self.where) else self.where


@dataclass(frozen=True, slots=True)
class DateBasis:
    """기간 기준: which instant of the base row the period is about.

    `where` is what a row with such an instant fulfils anyway; it lets a partial index answer.
    """

    label: str
    field: str
    where: Q | None = None

    def during(self, bounds: Mapping[str, Any]) -> Q:
        """조건: rows whose instant lies within `Period.bounds`."""
        condition = within(self.field, bounds)
        return condition & self.where if self.where is not None else condition


@dataclass(frozen=True, slots=True)
class SearchArm:
    """검색 갈래: one kind of search term and how to find base rows by it.

    `ids(values)` returns a queryset of one column, `.values_list("order_id")`, found through an index of its own.
    `pattern` decides by full match whether a normalised term can be of this kind. `permission` hides the arm from
    people without the right. Several arms may share a kind.
    """

    kind: str
    label: str
    pattern: str
    ids: Callable[[Sequence[str]], QuerySet[Any]]
    group: str = NUMBER
    normalise: Callable[[str], str] = str.strip
    permission: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Extension:
    """덧붙임: what an upper app adds to a page of a lower app."""

    columns: tuple[ListColumn, ...] = ()
    tabs: tuple[ListTab, ...] = ()
    arms: tuple[SearchArm, ...] = ()
    filters: Mapping[str, Any] = field(default_factory=dict)


def placed(own: Iterable[Any], added: Iterable[Any]) -> tuple[Any, ...]:
    """순서: the declared items with the added ones behind the item that each names in `after`, else at the end."""
    items: list[Any] = []
    for item in (*own, *added):
        keys = [one.key for one in items]
        if item.key in keys:
            raise ValueError(f"{item.key} is declared twice")
        items.insert(keys.index(item.after) + 1 if item.after in keys else len(items), item)
    return tuple(items)
