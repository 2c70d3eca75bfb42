"""목록 조회: one reading of a query string. Rows, counts, Excel, API and bulk acts all start here.

Badge, tab, total, file and act can therefore not disagree (architecture.md 1, rule 8).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, DateTimeField, Q, QuerySet
from django.http import QueryDict
from django.utils.http import urlencode

from core.calendar import kst_date
from core.exceptions import DomainError
from core.lists import searches, views
from core.lists.counting import Counts, count
from core.lists.declare import Group, ListColumn, SearchArm
from core.lists.filters import ListFilterSet
from core.lists.period import ALL, DATE_FORMAT, PERIOD_LABELS, REVERSED, TYPED, Period, parse_day, preset
from core.lists.search import Found, Search, SearchRefused, find, parse
from core.lists.sql import OneOf
from core.lookups import id_array
from core.models import SavedView
from core.paging import SIZES, Cursor, Keyset, Sort, decode, fetch, keyset, places
from core.prepared import Given, Prepared

if TYPE_CHECKING:
    from core.lists.page import ListPage

CHOSEN = ("tab", "basis", "period", "from", "to", "kind", "q", "qs")
SHOWN = ("sort", "size", "view")
PASSING = ("after", "before", "page", "exact", "open")
"""Parameters of one moment: they never go into a saved view or a link."""
RESERVED = frozenset((*CHOSEN, *SHOWN, *PASSING))
AUTO = "auto"
"""The period that nobody chose: the page's own, or everything as soon as something is searched for."""
DEFAULT_SIZE = 50
MOST_PAGES = 1_000_000


class BadParameter(DomainError):
    """주소 오류: the query string holds a key or a choice that this list does not have."""

    code = "bad_parameter"


class ListRefused(DomainError):
    """조건 오류: conditions with errors name no rows to act on or to take away."""

    code = "bad_condition"
    status = 422


class ListQuery:
    """목록 조회: the rows that one query string names on one page, for one person, at one instant.

    Raises BadParameter for unknown keys and choices. Wrong values of fields are kept in `errors` (field -> Korean
    sentence); such a query has no rows.
    """

    def __init__(self, page: "ListPage", params: QueryDict | str, *, user: Any, at: datetime) -> None:
        self.page, self.user, self.at = page, user, at
        self.params = params if isinstance(params, QueryDict) else _querydict(params)
        self.errors: dict[str, str] = {}
        self.is_shortened = False
        """The search has so many hits that the page's own period was put on."""
        self._refuse_unknown()
        self.tab = self._choice("tab", [tab.key for tab in page.all_tabs])
        self.sort_key = self._choice("sort", page.sorts)
        self.basis = self._choice("basis", page.bases)
        self.size = int(self._choice("size", [str(size) for size in SIZES], default=str(self._own_size())))
        self.exact = self._choice("exact", ["1"], default="") == "1"
        self.page_number = self._number("page", most=MOST_PAGES) or 1
        self.view_id = self._number("view", most=2**62)
        self.text = self.params.get("q", "").strip()
        self.token = "" if self.text else self.params.get("qs", "").strip()
        """Stands in addresses for a text that is too long for them."""
        self.text = self.text or self._stored_text()
        self.kind = self._choice("kind", [arm.kind for arm in self.arms], default="")
        self.search = self._read_search()
        self.period = self._read_period()
        self.cursor = self._read_cursor()
        if self.is_filtered and not self.filterset.is_valid():
            self.errors |= {name: " ".join(map(str, found)) for name, found in self.filterset.form.errors.items()}

    @cached_property
    def arms(self) -> list[SearchArm]:
        """검색 갈래 that this person may use."""
        return [
            arm
            for arm in self.page.all_arms
            if not arm.permission or self.user is None or self.user.has_perm(arm.permission)
        ]

    @property
    def sort(self) -> Sort:
        return self.page.sorts[self.sort_key]

    @property
    def bounds(self) -> dict[str, datetime]:
        """기간의 두 끝; empty when the list is not limited in time."""
        return self.period.bounds if self.basis else {}

    @property
    def open_bounds(self) -> dict[str, Given]:
        """기간의 빈자리: stand for `bounds` where SQL is made once."""
        return {name: Given(name, DateTimeField()) for name in self.bounds}

    @cached_property
    def values(self) -> dict[str, Any]:
        """값: what this request gives to SQL that is made once."""
        found = self.found.ids if self.found is not None else None
        return self.bounds if found is None else self.bounds | {"ids": id_array(found)}

    def during(self, bounds: Mapping[str, Any]) -> Q | None:
        """기간의 조건 for `bounds` or what stands for them; None when the list is not limited in time."""
        return self.page.bases[self.basis].during(bounds) if bounds else None

    @cached_property
    def filterset(self) -> ListFilterSet:
        filterset = self.page.filterset()(data=self.params, queryset=self.page.base())
        filterset.at = self.at
        return filterset

    @cached_property
    def found(self) -> Found | None:
        """Rows that the search box found; None when nothing is searched for. One query for each condition."""
        return find(self.search, self.page.model) if self.search else None

    @cached_property
    def saved_view(self) -> SavedView | None:
        """보기 that the address names, when this person may see it."""
        return views.visible(self.page.name, self.user).filter(pk=self.view_id).first() if self.view_id else None

    @property
    def is_continued(self) -> bool:
        """Whether the address asks for more of a list that is on the screen already: its next page, its exact count."""
        return any(name in self.params for name in PASSING)

    @property
    def is_valid(self) -> bool:
        return not self.errors

    @cached_property
    def is_filtered(self) -> bool:
        """Whether any of the extra filters was given something; reading none of them costs nothing."""
        return any(
            value for name in self.page.filter_names if name in self.params for value in self.params.getlist(name)
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether a search or a filter beside period and tab is on."""
        filters = (self.params.get(name, "").strip() for name in self.page.filter_names)
        return bool(self.text or self.token) or any(filters)

    @property
    def is_plain(self) -> bool:
        """Whether period, tab and found ids alone limit the list: such lists have few shapes, and their SQL is kept."""
        return not (self.errors or self.is_filtered or (self.found is not None and self.found.is_frequent))

    @property
    def is_unfiltered(self) -> bool:
        """Whether the list shows everything it has in its tab."""
        return not self.is_narrowed and self.period.is_open

    def filtered(self, *, search: bool = True) -> QuerySet[Any]:
        """Rows by filters and search, without period and tab; none while there are errors."""
        if self.errors:
            return self.page.base().none()
        rows: QuerySet[Any] = self.filterset.qs if self.is_filtered else self.page.base()
        return self.found.apply(rows) if search and self.found is not None else rows

    def queryset(self, *, tab: str | None = None, as_of: datetime | None = None) -> QuerySet[Any]:
        """The rows of the list, unsorted; of another `tab` when it is given; created up to `as_of` when that is."""
        rows = self._limited(self.filtered(), self.bounds, self.tab if tab is None else tab)
        if as_of is not None:
            rows = rows.filter(**{f"{self.page.created_field}__lte": as_of})
        return rows

    def _limited(self, rows: QuerySet[Any], bounds: Mapping[str, Any], tab: str) -> QuerySet[Any]:
        during = self.during(bounds)
        if during is not None:
            rows = rows.filter(during)
        condition = self.page.tab(tab).condition(self.at) if self.page.all_tabs else None
        return rows if condition is None else rows.filter(condition)

    def count(self, shown: Keyset | None = None) -> Counts:
        """Rows, lines and rows per tab; the page that is shown spares counting when it holds all."""
        return count(self, shown)

    def keyset(self) -> Keyset:
        """One page of ids and the cursors around it."""
        if self.errors:
            return Keyset([], "", "")
        if self.shape is None or self.cursor is not None:
            return fetch(self.queryset(), self.sort, size=self.size, cursor=self.cursor)
        first = self.page.made(
            ("first", *self.shape, self.sort_key, self.size),
            lambda: Prepared(places(self.shaped(), self.sort, number=self.size + 1)),
        )
        return keyset(first.rows(**self.values), size=self.size, cursor=None)

    @property
    def shape(self) -> tuple[str, ...] | None:
        """모양: what the SQL of the shown rows is kept under, `values` being what it runs with; None without."""
        is_fixed = not (self.tab and callable(self.page.tab(self.tab).where))
        return (self.tab, self.basis, *self.values) if self.is_plain and is_fixed else None

    def shaped(self) -> QuerySet[Any]:
        """The rows of the plain list with places for `values`, unsorted."""
        return self._limited(self.shaped_base(), self.open_bounds, self.tab)

    def shaped_base(self) -> QuerySet[Any]:
        """The same without period and tab."""
        rows = self.page.base()
        return rows if self.found is None else rows.filter(OneOf("pk", Given("ids", ArrayField(BigIntegerField()))))

    def rows(self) -> list[Group]:
        """One page of rows with their lines and everything that contributed columns know of them."""
        return self.page.load(self.keyset().ids, columns=self.columns(), at=self.at)

    def chunks(self, columns: Sequence[ListColumn], *, size: int = 1000) -> Iterator[list[Group]]:
        """All rows in the order of the list, through a server-side cursor; needs a transaction to be one picture."""
        self.require_valid()
        ids = self.queryset().order_by(*self.sort.order_by()).values_list("pk", flat=True).iterator(chunk_size=size)
        while batch := list(islice(ids, size)):
            yield self.page.load(batch, columns=columns, at=self.at)

    def api(self) -> dict[str, Any]:
        """One page as data: rows by column key with personal data masked, and the cursors around it.

        The first page also says how many rows and lines the list has, as the screen does; behind a cursor they were
        said already, and counting them again would cost as much as the page.
        """
        self.require_valid()
        keyset = self.keyset()
        columns = self.columns()
        groups = self.page.load(keyset.ids, columns=columns, at=self.at)
        return {
            "items": [self.page.as_data(group, columns) for group in groups],
            "count": self.count().as_data() if self.cursor is None else None,
            "before": keyset.before,
            "after": keyset.after,
        }

    def require_valid(self) -> None:
        """Raises ListRefused with the first error."""
        for message in self.errors.values():
            raise ListRefused(message)

    def columns(self) -> tuple[ListColumn, ...]:
        """The visible columns in the person's order."""
        chosen = self.saved_view.columns if self.saved_view else None
        return self.page.visible_columns(self.user, chosen=chosen)

    @cached_property
    def chosen(self) -> dict[str, list[str]]:
        """What somebody chose, by parameter, without defaults and without what passes: the state of the address."""
        state: dict[str, list[str]] = {}
        defaults = {"tab": self.page.default_tab, "basis": self.page.default_basis, "period": AUTO, "kind": ""}
        defaults |= {"sort": self.page.default_sort, "size": str(self._own_size())}
        names = (*CHOSEN, *sorted(self.page.filter_names), *SHOWN)
        for name in names:
            values = [value.strip() for value in self.params.getlist(name) if value.strip()]
            if values and values != [defaults.get(name)]:
                state[name] = values
        if self.token:
            state |= {"qs": [self.token]}
            state.pop("q", None)
        else:
            state.pop("qs", None)
        if "kind" in state and not {"q", "qs"} & set(state):
            del state["kind"]
        return state

    @cached_property
    def _encoded(self) -> dict[str, str]:
        """The state of the address by parameter, encoded once for the tens of links on a page."""
        return {name: urlencode({name: values}, doseq=True) for name, values in self.chosen.items()}

    def url(self, **changes: Any) -> str:
        """Address of this list with some parameters changed; None leaves one out."""
        pairs = self._encoded
        if changes:
            pairs = pairs.copy()
            for name, value in changes.items():
                key = name.rstrip("_")
                if value is None:
                    pairs.pop(key, None)
                else:
                    pairs[key] = f"{key}={quote_plus(str(value))}"
        query = "&".join(pairs.values())
        return f"{self.page.url}?{query}" if query else self.page.url

    def keep_search(self) -> bool:
        """긴 검색어 맡기기: from now on a short key stands for a long text; False when the text cannot be kept."""
        if not self.token and searches.is_long(self.text):
            self.token = searches.keep(self.text, at=self.at)
        return self.token != searches.UNKEPT

    @property
    def text_of_state(self) -> str:
        """The normalised query string: it names the same rows when it is opened again."""
        return "&".join(self._encoded.values())

    @property
    def text_in_full(self) -> str:
        """The same for the log: with the words themselves, which outlast their key."""
        if not self.token:
            return self.text_of_state
        pairs = {name: text for name, text in self._encoded.items() if name != "qs"}
        return "&".join([*pairs.values(), urlencode({"q": self.text})])

    def _refuse_unknown(self) -> None:
        known = RESERVED | self.page.filter_names
        if self.user is None:
            known -= {"qs"}
        for name, values in self.params.lists():
            if name not in known:
                raise BadParameter(f"이 목록에 없는 조건입니다: {_printable(name)}. 조건을 지우고 다시 조회하세요.")
            if name != "q" and any("\x00" in value or len(value) > 4000 for value in values):
                raise BadParameter("주소에 쓸 수 없는 값이 있습니다. 조건을 지우고 다시 조회하세요.")

    def _choice(self, name: str, allowed: Iterable[str], *, default: str | None = None) -> str:
        allowed = list(allowed)
        value = self.params.get(name, "")
        if value and value not in allowed:
            raise BadParameter(f"고를 수 없는 값입니다: {name}. 조건을 지우고 다시 조회하세요.")
        if value:
            return value
        return default if default is not None else (allowed[0] if allowed else "")

    def _number(self, name: str, *, most: int) -> int | None:
        value = self.params.get(name, "")
        if not value:
            return None
        if not (value.isascii() and value.isdecimal() and len(value) < 20 and 0 < int(value) <= most):
            raise BadParameter(f"고를 수 없는 값입니다: {name}. 조건을 지우고 다시 조회하세요.")
        return int(value)

    def _own_size(self) -> int:
        size = getattr(self.user, "page_size", DEFAULT_SIZE)
        return size if size in SIZES else DEFAULT_SIZE

    def _stored_text(self) -> str:
        text = searches.read(self.token) if self.token else ""
        if text is None:
            self.errors["q"] = searches.GONE
        return text or ""

    def _read_search(self) -> Search:
        if not self.text:
            return Search()
        try:
            return parse(self.text, self.kind, self.arms)
        except SearchRefused as refused:
            self.errors["q"] = str(refused)
            return Search()

    def _read_period(self) -> Period:
        today = kst_date(self.at)
        typed = {name: self.params.get(name, "").strip() for name in ("from", "to")}
        key = self._choice("period", [*PERIOD_LABELS, AUTO], default=AUTO)
        if not any(typed.values()):
            if key == AUTO:
                self.is_shortened = bool(self.found and self.found.is_frequent and self.page.default_period != ALL)
                key = ALL if self.search and not self.is_shortened else self.page.default_period
            return preset(key, today)
        days: dict[str, Any] = {"from": None, "to": None}
        for name, value in typed.items():
            try:
                days[name] = parse_day(value, today) if value else None
            except (ValueError, OverflowError):
                self.errors[name] = DATE_FORMAT
        if days["from"] and days["to"] and days["from"] > days["to"]:
            self.errors["from"] = REVERSED
        return Period(TYPED, days["from"], days["to"])

    def _read_cursor(self) -> Cursor | None:
        for name, backward in (("after", False), ("before", True)):
            if text := self.params.get(name):
                return decode(text, self.sort, self.page.model, backward=backward)
        return None


def _querydict(text: str) -> QueryDict:
    try:
        return QueryDict(text)
    except ValueError as error:
        raise BadParameter("주소를 읽을 수 없습니다. 조건을 지우고 다시 조회하세요.") from error


def _printable(name: str) -> str:
    return "".join(char for char in name if char.isprintable())[:40]
