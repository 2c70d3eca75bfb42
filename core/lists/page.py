"""목록 화면의 선언: a list is a class with attributes; its mechanics are elsewhere in this package.

    @lists.register
    class Waiting(ListPage):
        name, title, url, permission = "waiting", "대기 목록", "/waiting/", "things.view"
        model, record = Thing, ThingRecord
        sorts = {"-made_at": Sort("최신순", ("-made_at",))}
        columns = (...)

The first column names the row and is always shown. The first entry of `sorts`, `bases` and `tabs` is the default.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model, QuerySet

from core.actions import MORE, PRIMARY, SECONDARY, BulkAction, actions_for
from core.exceptions import NotFound
from core.jobs.exports import EXPORTS
from core.lists import views
from core.lists.declare import DateBasis, Group, ListColumn, ListTab, SearchArm, placed
from core.lists.export import ListExport
from core.lists.filters import ListFilterSet
from core.lists.period import ALL
from core.lists.query import ListQuery
from core.lists.registry import lists
from core.lists.sql import ByIds, Fragment, condition_sql, expression_sql
from core.lists.view import Button, Tool
from core.paging import Sort

Made = TypeVar("Made")
MOST_IN_BAR = 5
"""Buttons that a screen 1280 pixels wide has room for."""


class RowHead(NamedTuple):
    """행 머리: what the page must know of a row beside its cells."""

    id: int
    version: int
    number: str
    state: str
    css: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """다른 사람이 처리한 행: its id, the words that say who did it, and the instant of that."""

    id: int
    note: str
    at: datetime


def _led(buttons: list[Button], main: str) -> list[Button]:
    """앞세운 단추: the main act of a tab in the place and under the key of the list's own, which steps back."""
    if main not in {one.name for one in buttons}:
        return buttons
    keys = [one.hotkey for one in buttons if one.style == PRIMARY]
    led = [one._replace(style=MORE, hotkey="") if one.style == PRIMARY else one for one in buttons]
    led = [one._replace(style=PRIMARY, hotkey=keys[0] if keys else "") if one.name == main else one for one in led]
    return sorted(led, key=lambda one: one.style != PRIMARY)


def _placed(buttons: list[Button]) -> list[Button]:
    """단추 자리: one main button or none, and no more in the bar than fit beside the tools; the rest under 더 보기."""
    if sum(one.style == PRIMARY for one in buttons) > 1:
        buttons = [one._replace(style=SECONDARY) if one.style == PRIMARY else one for one in buttons]
    rest = [one.name for one in buttons if one.style != MORE][MOST_IN_BAR:]
    return [one._replace(style=MORE) if one.name in rest else one for one in buttons]


class ListPage(ABC):
    """목록 화면. Attributes are the declaration; methods below the attributes are hooks that a page may replace."""

    name: ClassVar[str]
    title: ClassVar[str]
    subtitle: ClassVar[str] = ""
    url: ClassVar[str]
    unit: ClassVar[str] = "주문"
    line_unit: ClassVar[str] = ""
    permission: ClassVar[str]
    export_permission: ClassVar[str] = ""

    model: ClassVar[type[Model]]
    record: ClassVar[Any]
    """NamedTuple of the columns that a row needs; `id` is one of them."""
    paths: ClassVar[Mapping[str, str]] = {}
    """Field paths of those columns of `record` that are not fields of the model."""
    created_field: ClassVar[str] = "created_at"
    order_path: ClassVar[str] = "pk"
    """Field path from a base row to the id of its order."""
    states: ClassVar[frozenset[str]] = frozenset()
    """States of the lines that the list is about: decides which bulk acts it offers."""
    is_open_work: ClassVar[bool] = False
    """Rows leave this list when their work is done: it stays small enough to be counted whole."""

    closed_tab: ClassVar[str] = ""
    """Tab of the finished rows, where every other tab is about the open ones: those are counted whole, it to a cap."""

    counted_by: ClassVar[tuple[str, ...]] = ()
    """Columns of few values that tabs look at: rows are counted by them before the tabs are."""

    sorts: ClassVar[dict[str, Sort]]
    bases: ClassVar[dict[str, DateBasis]] = {}
    default_period: ClassVar[str] = ALL
    filterset_class: ClassVar[type[ListFilterSet]] = ListFilterSet
    columns: ClassVar[tuple[ListColumn, ...]]
    tabs: ClassVar[tuple[ListTab, ...]] = ()
    arms: ClassVar[tuple[SearchArm, ...]] = ()
    freeze: ClassVar[int] = 1
    picks_lines: ClassVar[bool] = False
    """Each line of a row with several has a check box of its own; its record has `id`, `version` and `number`."""
    empty_text: ClassVar[str] = ""
    draft_url: ClassVar[str] = ""
    """Where an input cell saves what is typed into it; empty without input cells."""
    paste_url: ClassVar[str] = ""
    """Where a pasted range of a spreadsheet goes."""

    def registered(self) -> None:
        """Called once, when the page is entered in the registry: files that take long are written by a job."""
        if self.export_permission:
            EXPORTS[f"list-{self.name}"] = ListExport(self)

    # What a page does

    def base(self) -> QuerySet[Any]:
        """Every row that the list could show."""
        return self.model._default_manager.all()

    def load(
        self, ids: Sequence[int], *, columns: Sequence[ListColumn], at: datetime, whole: bool = False
    ) -> list[Group]:
        """Rows with their lines, in the given order; one query for each visible contributed column.

        `whole` shows all lines of a row, whatever the list is about.
        """
        records = self.records(ids)
        fetched = {column.key: column.fetch(ids) for column in columns if column.fetch is not None and ids}
        lines = self.lines(ids, whole=whole) if ids else {}
        return [
            Group(
                record,
                *lines.get(record.id, ((), ())),
                {key: found[record.id] for key, found in fetched.items() if record.id in found},
                at,
            )
            for record in records
        ]

    def lines(self, ids: Sequence[int], *, whole: bool = False) -> Mapping[int, tuple[Sequence[Any], Sequence[Any]]]:
        """Lines of rows: those to show and those to mention, by row id; one query."""
        return {}

    @abstractmethod
    def head(self, group: Group) -> RowHead:
        """The row's id, version, number, state and address."""

    def line_head(self, line: Any) -> tuple[str, str]:
        """Number and state of a line."""
        return "", ""

    def moved_badge(self, group: Group) -> str:
        """Finished cell with the new state of a row that somebody else moved."""
        return ""

    def line_count(self) -> Any:
        """Expression for the number of lines that a row of this list shows; None when rows do not know it."""
        return None

    def line_numbers(self, rows: QuerySet[Any]) -> QuerySet[Any] | None:
        """One column of numbers that add up to the lines of some rows, where no row knows its own; None without."""
        return None

    def known_counts(self) -> Mapping[str, int]:
        """Rows per tab of the unfiltered list, where they are known without counting."""
        return {}

    def moved_since(self, ids: Sequence[int], *, since: datetime, user: Any) -> list[Moved]:
        """Rows among the ids that somebody else changed since an instant; one query."""
        return []

    def record_export(self, *, request: Any, query: ListQuery, reason: str, rows: int, at: datetime) -> None:  # noqa: B027 - a hook
        """Write down who takes the file away; called, and committed, before the first byte leaves."""

    def export_notice(self, query: ListQuery) -> str:
        """What staff must know before they take the file away; empty for nothing."""
        return ""

    def record_search(self, *, request: Any, query: ListQuery) -> None:  # noqa: B027 - a hook
        """Write down who searched for what; called, and committed, before the rows are shown."""

    def notices(self, query: ListQuery) -> list[str]:
        """Sentences above the rows: what staff must know before they trust the list."""
        return []

    def tools(self, query: ListQuery) -> list[Tool]:
        """Tools at the right of the bar."""
        export = self.export_permission and query.user is not None and query.user.has_perm(self.export_permission)
        state = query.text_of_state
        found = [Tool("내려받기", f"{self.url}excel/" + (f"?{state}" if state else ""), "excel")] if export else []
        return [*found, Tool("열 설정", "", "columns")]

    def buttons(self, user: Any, tab: str = "") -> list[Button]:
        """Bulk acts that the person may use on rows of the list, or of one of its tabs."""
        states = (self.tab(tab).states if tab else None) or self.states
        if user is None or not states:
            return []
        buttons = [
            Button(action.name, action.label, action.style, hotkey=action.hotkey)
            for action in actions_for(self.model, states, user)
        ]
        return _placed(_led(buttons, self.tab(tab).main if tab else ""))

    # What bulk acts ask of a page (core.actions.ActPage)

    def offers(self, action: BulkAction) -> bool:
        """처리 가능한 목록: whether rows of this list stand in states of the act."""
        return action.takes(self.model) and not self.states.isdisjoint(action.states)

    def selection(self, query: str, as_of: datetime, user: Any) -> list[tuple[int, int]]:
        """조회 결과 모두: (id, version) of every row the query string finds, without rows created after `as_of`.

        Raises BadParameter, and ListRefused when a condition is wrong: an act must never fall back to more rows.
        """
        found = self.query(query, user=user, at=as_of)
        found.require_valid()
        return list(found.queryset(as_of=as_of).order_by("pk").values_list("pk", "version"))

    def versions(self, base_ids: Collection[int]) -> dict[int, int]:
        """현재 버전 of base rows; a row that is gone is not in it."""
        rows = self.model._default_manager.filter(pk__in=base_ids)
        return dict(rows.values_list("pk", "version"))

    def order_ids(self, base_ids: Collection[int]) -> dict[int, int]:
        """주문 번호표: the order of each base row."""
        rows = self.model._default_manager.filter(pk__in=base_ids)
        return dict(rows.values_list("pk", self.order_path))

    # What is made of the declaration

    def query(self, params: Any, *, user: Any, at: datetime) -> ListQuery:
        """목록 조회: read a query string (text or QueryDict).

        Raises BadParameter, BadCursor, and NotFound for a saved view that is not the person's to see.
        """
        found = ListQuery(self, params, user=user, at=at)
        # A view that was deleted is only forgotten: the list that showed it is still open and asks again.
        if found.view_id and found.saved_view is None and views.is_kept(found.view_id):
            raise NotFound("보기를 찾을 수 없습니다. 공유하지 않은 보기입니다. 메뉴에서 목록을 다시 여세요.")
        return found

    def forget(self) -> None:
        """Read the registry again: somebody added to this page."""
        for name in ("all_columns", "all_tabs", "all_arms", "filter_names", "_filterset", "_tab_sql", "_made"):
            self.__dict__.pop(name, None)

    def made(self, shape: tuple[Any, ...], make: Callable[[], Made]) -> Made:
        """한 번만 만들기: SQL of the plain list in one of the shapes that addresses can ask for; there are few."""
        if shape not in self._made:
            self._made[shape] = make()
        found: Made = self._made[shape]
        return found

    @cached_property
    def _made(self) -> dict[tuple[Any, ...], Any]:
        return {}

    def tab_sql(self, at: datetime) -> list[Fragment]:
        """조건의 SQL of every tab; those that do not depend on the instant are made once."""
        fixed = self._tab_sql
        return [
            self._condition(tab, at) if found is None else found
            for tab, found in zip(self.all_tabs, fixed, strict=True)
        ]

    @cached_property
    def _tab_sql(self) -> list[Fragment | None]:
        return [None if callable(tab.where) else self._condition(tab, None) for tab in self.all_tabs]

    def _condition(self, tab: ListTab, at: datetime | None) -> Fragment:
        found = condition_sql(self.model, tab.where(at) if callable(tab.where) else tab.where)  # type: ignore[arg-type]
        if found is None:
            raise ImproperlyConfigured(f"tab {tab.key} of list {self.name} joins tables; use Exists")
        return found

    @cached_property
    def line_count_sql(self) -> Fragment | None:
        expression = self.line_count()
        return None if expression is None else expression_sql(self.model, expression)

    @cached_property
    def _by_ids(self) -> ByIds:
        rows = self.model._default_manager.all().values_list(*self.fields)
        return ByIds(rows, str(self.model._meta.pk.column))

    def records(self, ids: Sequence[int]) -> list[Any]:
        """행 읽기: records of base rows in the order of the ids, without those that are gone; one query."""
        place = {pk: position for position, pk in enumerate(ids)}
        rows = [self.record._make(row) for row in self._by_ids.rows(ids)] if ids else []
        return sorted(rows, key=lambda record: place[record.id])

    @cached_property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.paths.get(name, name) for name in self.record._fields)

    @cached_property
    def all_columns(self) -> tuple[ListColumn, ...]:
        return placed(self.columns, [one for added in lists.extensions(self.name) for one in added.columns])

    @cached_property
    def all_tabs(self) -> tuple[ListTab, ...]:
        return placed(self.tabs, [one for added in lists.extensions(self.name) for one in added.tabs])

    @cached_property
    def all_arms(self) -> tuple[SearchArm, ...]:
        return (*self.arms, *(one for added in lists.extensions(self.name) for one in added.arms))

    @cached_property
    def _filterset(self) -> type[ListFilterSet]:
        added = {name: one for extension in lists.extensions(self.name) for name, one in extension.filters.items()}
        return type(self.filterset_class.__name__, (self.filterset_class,), added) if added else self.filterset_class

    def filterset(self) -> type[ListFilterSet]:
        """조건: the page's own filters and the contributed ones."""
        return self._filterset

    @cached_property
    def filter_names(self) -> frozenset[str]:
        return frozenset(self._filterset.base_filters)

    def tab(self, key: str) -> ListTab:
        """탭 찾기. Raises LookupError."""
        for tab in self.all_tabs:
            if tab.key == key:
                return tab
        raise LookupError(key)

    @property
    def default_tab(self) -> str:
        return self.all_tabs[0].key if self.all_tabs else ""

    @property
    def default_sort(self) -> str:
        return next(iter(self.sorts))

    @property
    def default_basis(self) -> str:
        return next(iter(self.bases), "")

    def visible_columns(self, user: Any, *, chosen: Sequence[str] | None = None) -> tuple[ListColumn, ...]:
        """보이는 열: chosen by a saved view, else by the person, else the page's own; the naming column always."""
        by_key = {column.key: column for column in self.all_columns}
        keys = chosen if chosen is not None else views.chosen_columns(self.name, user)
        wanted = [by_key[key] for key in keys or () if key in by_key]
        first = self.all_columns[0]
        if not wanted:
            return tuple(column for column in self.all_columns if column.visible or column is first)
        return (first, *(column for column in wanted if column is not first))

    def as_data(self, group: Group, columns: Sequence[ListColumn]) -> dict[str, Any]:
        """API 행: values by column key with personal data masked; lines in a list of their own."""
        head = self.head(group)

        def value(column: ListColumn, line: Any) -> Any:
            if column.personal:
                return column.masked(group, line) if column.masked else None
            return column.plain(group, line)

        data = {column.key: value(column, None) for column in columns if not column.per_line}
        data |= {"id": head.id, "version": head.version, "state": head.state}
        if self.line_unit:
            data["lines"] = [
                {"number": self.line_head(line)[0], "state": self.line_head(line)[1]}
                | {column.key: value(column, line) for column in columns if column.per_line}
                for line in group.lines
            ]
        return data
