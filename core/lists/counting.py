"""건수: rows of the list, their lines and the rows of every tab, in one query.

Lists of unfinished work are counted whole through their partial index. Lists that only grow are counted up to a cap;
behind it the numbers of the tabs are lower bounds, and an exact count is made when somebody asks for it. A list of
unfinished work that keeps the finished in a tab of its own counts the first whole and the second up to the cap.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet, ImproperlyConfigured
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from core.lists.sql import Fragment, condition_sql, source_sql
from core.paging import Keyset
from core.prepared import bound

if TYPE_CHECKING:
    from core.lists.page import ListPage
    from core.lists.query import ListQuery

CAP = 10_000
TAB_CAP = 1_000


@dataclass(frozen=True, slots=True)
class Count:
    """건수: a number, or the least it can be."""

    number: int
    capped: bool = False

    def text(self, *, unit: str = "") -> str:
        """`3,214`, `3,214건`, `10,000건 이상`, `1,000+`."""
        if self.capped and unit:
            return f"{self.number:,}{unit} 이상"
        return f"{self.number:,}{unit or ('+' if self.capped else '')}"


@dataclass(frozen=True, slots=True)
class Counts:
    """목록 건수: rows and lines of the shown tab, rows of each tab, unfinished rows outside the period.

    `whole` is the number of rows without any condition, where counting the shown ones has told it.
    """

    total: Count
    lines: int | None = None
    tabs: dict[str, Count] = field(default_factory=dict)
    outside: int = 0
    whole: int | None = None

    def as_data(self) -> dict[str, int | bool | None]:
        """건수 for programs: rows, lines, and whether the rows are only the least there are."""
        return {"total": self.total.number, "lines": self.lines, "is_least": self.total.capped}


NOTHING = Count(0)
TRUE: Fragment = ("true", ())
_COLUMN = re.compile(r'"(\w+)"\."(\w+)"')


def count(query: "ListQuery", shown: Keyset | None = None) -> Counts:
    """건수 세기: one query; one more for the lines where rows do not know them, or for the shown tab of a long list."""
    page = query.page
    if query.errors:
        return Counts(NOTHING, 0 if page.line_unit else None, {tab.key: NOTHING for tab in page.all_tabs})
    is_short = page.is_open_work or query.exact or (query.found is not None and query.found.ids is not None)
    limit = None if is_short else CAP + 1
    if page.closed_tab and not _is_frequent(query):
        return _beside_closed(query, limit)
    result = _aggregate(query, limit)
    tabs = {tab.key: Count(result[f"tab_{index}"]) for index, tab in enumerate(page.all_tabs)}
    if limit is None or result["seen"] <= CAP:
        total = tabs.get(query.tab, Count(result["rows"]))
        lines = result["lines"] if "lines" in result else _lines(query)
        whole = result["seen"] if page.is_open_work and not query.is_narrowed else None
        return Counts(total, lines, tabs, result["outside"], whole)
    known = page.known_counts() if query.is_unfiltered else {}
    tabs = {key: Count(known[key]) if key in known else _at_least(found.number) for key, found in tabs.items()}
    if query.tab in known:
        total = Count(known[query.tab])
    elif _is_frequent(query):
        total = tabs.get(query.tab, _at_least(result["rows"]))
    elif not page.all_tabs or page.tab(query.tab).where is None:
        total = tabs[query.tab] = Count(CAP, capped=True)
    else:
        total = tabs[query.tab] = _shown_tab(query, shown)
    return Counts(total, None, tabs, whole=known.get(page.default_tab))


def _beside_closed(query: "ListQuery", limit: int | None) -> Counts:
    """Rows of every tab, the finished ones up to the limit; such lists have no lines."""
    page = query.page
    result = _aggregate(query, limit, is_split=True)
    tabs = {tab.key: Count(result[f"tab_{index}"]) for index, tab in enumerate(page.all_tabs)}
    closed, is_more = result["closed"], limit is not None and result["closed"] >= limit
    tabs[page.closed_tab] = Count(closed - 1 if is_more else closed, capped=is_more)
    return Counts(tabs[query.tab], None, tabs)


def _lines(query: "ListQuery") -> int | None:
    """Lines of the shown rows, where the rows do not know; one query, made once for each shape of the plain list."""
    if query.shape is None:
        found = _line_sum(query.page, query.queryset())
    else:
        found = query.page.made(("lines", *query.shape), lambda: _line_sum(query.page, query.shaped()))
    if found is None:
        return None
    sql, params = found
    with connection.cursor() as cursor:
        cursor.execute(sql, bound(params, query.values))
        return int(cursor.fetchone()[0])


def _line_sum(page: "ListPage", rows: QuerySet[Any]) -> Fragment | None:
    numbers = page.line_numbers(rows)
    if numbers is None:
        return None
    try:
        sql, params = numbers.query.sql_with_params()
    except EmptyResultSet:
        return "SELECT 0", ()
    return f"SELECT COALESCE(sum(n), 0) FROM ({sql}) AS lines(n)", tuple(params)


def _at_least(number: int) -> Count:
    return Count(min(number, TAB_CAP), capped=True)


def _is_frequent(query: "ListQuery") -> bool:
    return query.found is not None and query.found.is_frequent


def _aggregate(query: "ListQuery", limit: int | None, *, is_split: bool = False) -> dict[str, int]:
    """Sums over the filtered rows. The period is a flag where rows outside it are counted as well.

    Rows are first put together by what the tabs look at (`ListPage.counted_by`): a hundred groups are asked a dozen
    questions instead of ten thousand rows. The hits of a frequent word are a flag too: they are looked for among the
    newest rows, not in the whole table. Split from the finished rows, those still to do are summed up whole, and the
    limit is for the finished ones, which are counted beside them.
    """
    page = query.page
    is_frequent = _is_frequent(query)
    tabs = {f"tab_{index}": sql for index, sql in enumerate(page.tab_sql(query.at))}
    looks = {name: _looks_at(sql, page) for name, sql in tabs.items()}
    late = {name: sql for name, sql in tabs.items() if looks[name] <= set(page.counted_by)}
    seen = set[str]().union(*(looks[name] for name in late))
    keys = {
        "hit": _fragment(page, query.found.condition if query.found is not None and is_frequent else None),
        "in_period": _in_period(query) if _is_flagged(query) else TRUE,
        **{name: sql for name, sql in tabs.items() if name not in late},
        **{column: (f"{_table(page)}.{_quoted(column)}", ()) for column in page.counted_by if column in seen},
    }
    lines = {} if page.line_count_sql is None else {"n_lines": page.line_count_sql}
    sums = _sums(query, has_lines=bool(lines)) | ({"closed": "0"} if is_split else {})
    beside: tuple[Any, ...] = ()
    try:
        source, params = _source(query, None if is_split else limit, is_closed=False if is_split else None)
        if is_split:
            closed, beside = _source(query, limit, is_closed=True)
            sums["closed"] = f"(SELECT count(*) FROM (SELECT 1 {closed}) AS c)"
    except EmptyResultSet:
        return dict.fromkeys(sums, 0)
    wanted, picked = _picked(keys | lines)
    names, summed = ", ".join(keys), ", sum(n_lines) AS n_lines" if lines else ""
    asked, given = _picked(late)
    # The groups bear the name of the table, so that the conditions of the tabs can be asked of them.
    sql = (
        f"SELECT {', '.join(sums.values())} FROM (SELECT *{', ' if late else ''}{asked} FROM ("
        f"SELECT {names}, count(*) AS n{summed} FROM (SELECT {wanted} {source}) AS f GROUP BY {names}"
        f") AS {_table(page)}) AS g"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, bound((*beside, *given, *picked, *params), query.values))
        row = cursor.fetchone()
    return {name: int(value or 0) for name, value in zip(sums, row, strict=True)}


def _is_flagged(query: "ListQuery") -> bool:
    """Whether rows outside the period are counted as well, so that it is asked of each."""
    return bool(query.bounds) and query.page.is_open_work


def _in_period(query: "ListQuery") -> Fragment:
    shape = ("in period", query.basis, *query.bounds)
    return query.page.made(shape, lambda: _fragment(query.page, query.during(query.open_bounds)))


def _source(query: "ListQuery", limit: int | None, *, is_closed: bool | None = None) -> Fragment:
    """Where the counted rows come from: made once for each shape of the plain list. `is_closed` takes one part only."""
    if not query.is_plain:
        rows = _part(query.page, query.filtered(search=not _is_frequent(query)), is_closed)
        return source_sql(_counted(query, rows, query.bounds, limit))

    def make() -> Fragment:
        return source_sql(_counted(query, _part(query.page, query.shaped_base(), is_closed), query.open_bounds, limit))

    return query.page.made(("counted", query.basis, *query.values, query.sort_key, limit, is_closed), make)


def _part(page: "ListPage", rows: QuerySet[Any], is_closed: bool | None) -> QuerySet[Any]:
    """Only the finished rows, or only those still to do; all for None."""
    if is_closed is None:
        return rows
    closed = page.tab(page.closed_tab).where
    if not isinstance(closed, Q):
        raise ImproperlyConfigured(f"list {page.name}: its tab of finished rows must have a fixed condition")
    return rows.filter(closed if is_closed else ~closed)


def _counted(query: "ListQuery", rows: QuerySet[Any], bounds: Mapping[str, Any], limit: int | None) -> QuerySet[Any]:
    page, order = query.page, query.sort.order_by()
    during = query.during(bounds)
    if during is not None and not page.is_open_work:
        rows, order = rows.filter(during), [F(page.bases[query.basis].field).desc(), F("pk").desc()]
    return rows.order_by(*order)[:limit] if limit else rows.order_by()


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _table(page: "ListPage") -> str:
    return _quoted(page.model._meta.db_table)


def _picked(columns: Mapping[str, Fragment]) -> Fragment:
    """A select list with its parameters."""
    return (
        ", ".join(f"{sql} AS {name}" for name, (sql, _) in columns.items()),
        tuple(value for _, given in columns.values() for value in given),
    )


def _looks_at(condition: Fragment, page: "ListPage") -> set[str]:
    """Columns that a condition reads; the name of a subquery's table is no column of ours and stands for itself."""
    table = page.model._meta.db_table
    return {column if owner == table else f"{owner}.{column}" for owner, column in _COLUMN.findall(condition[0])} | (
        {"SELECT"} if "SELECT" in condition[0] else set()
    )


def _sums(query: "ListQuery", *, has_lines: bool) -> dict[str, str]:
    """What is summed up over the groups; a condition that is NULL (no payment date, say) is not fulfilled."""
    keys = [tab.key for tab in query.page.all_tabs]
    shown = f"tab_{keys.index(query.tab)}" if query.tab in keys else "true"
    sums = {
        "seen": "sum(n)",
        "rows": "sum(n) FILTER (WHERE hit AND in_period)",
        "outside": f"sum(n) FILTER (WHERE hit AND in_period IS NOT TRUE AND {shown})",
    }
    for index in range(len(keys)):
        sums[f"tab_{index}"] = f"sum(n) FILTER (WHERE hit AND in_period AND tab_{index})"
    if has_lines:
        sums["lines"] = f"sum(n_lines) FILTER (WHERE hit AND in_period AND {shown})"
    return sums


def _fragment(page: "ListPage", condition: Q | None) -> Fragment:
    """A condition of the rows; one that looks at another table is asked as a subquery, because rows are not joined."""
    found = condition_sql(page.model, condition)
    if found is None and condition is not None:
        rows = page.model._default_manager.filter(condition, pk=OuterRef("pk"))
        found = condition_sql(page.model, Q(Exists(rows)))
    if found is None:
        raise ImproperlyConfigured(f"a condition of list {page.name} cannot be asked of its own rows")
    return found


def _shown_tab(query: "ListQuery", shown: Keyset | None) -> Count:
    if shown is not None and query.cursor is None and not shown.after:
        return Count(len(shown.ids))
    found = query.queryset().order_by(*query.sort.order_by()).values("pk")[: CAP + 1].count()
    return Count(min(found, CAP), capped=found > CAP)
