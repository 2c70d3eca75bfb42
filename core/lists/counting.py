"""건수: rows of the list, their lines and the rows of every tab, in one query.

Lists of unfinished work are counted whole through their partial index. Lists that only grow are counted up to a cap;
behind it the numbers of the tabs are lower bounds, and an exact count is made when somebody asks for it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.core.exceptions import EmptyResultSet, ImproperlyConfigured
from django.db import connection
from django.db.models import F, Q

from core.lists.sql import Fragment, condition_sql, select_sql

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
    """목록 건수: rows and lines of the shown tab, rows of each tab, unfinished rows outside the period."""

    total: Count
    lines: int | None = None
    tabs: dict[str, Count] = field(default_factory=dict)
    outside: int = 0

    def as_data(self) -> dict[str, int | bool | None]:
        """건수 for programs: rows, lines, and whether the rows are only the least there are."""
        return {"total": self.total.number, "lines": self.lines, "is_least": self.total.capped}


NOTHING = Count(0)
_COLUMN = re.compile(r'"(\w+)"\."(\w+)"')


def count(query: "ListQuery") -> Counts:
    """건수 세기: one query; one more for the lines where rows do not know them, or for the shown tab of a long list."""
    page = query.page
    if query.errors:
        return Counts(NOTHING, 0 if page.line_unit else None, {tab.key: NOTHING for tab in page.all_tabs})
    is_short = page.is_open_work or query.exact or (query.found is not None and query.found.ids is not None)
    limit = None if is_short else CAP + 1
    result = _aggregate(query, limit)
    tabs = {tab.key: Count(result[f"tab_{index}"]) for index, tab in enumerate(page.all_tabs)}
    if limit is None or result["seen"] <= CAP:
        total = tabs.get(query.tab, Count(result["rows"]))
        lines = result["lines"] if "lines" in result else page.count_lines(query.queryset())
        return Counts(total, lines, tabs, result["outside"])
    known = page.known_counts() if query.is_unfiltered else {}
    tabs = {key: Count(known[key]) if key in known else _at_least(found.number) for key, found in tabs.items()}
    if query.tab in known:
        total = Count(known[query.tab])
    elif _is_frequent(query):
        total = tabs.get(query.tab, _at_least(result["rows"]))
    elif not page.all_tabs or page.tab(query.tab).where is None:
        total = tabs[query.tab] = Count(CAP, capped=True)
    else:
        total = tabs[query.tab] = _shown_tab(query)
    return Counts(total, None, tabs)


def _at_least(number: int) -> Count:
    return Count(min(number, TAB_CAP), capped=True)


def _is_frequent(query: "ListQuery") -> bool:
    return query.found is not None and query.found.is_frequent


def _aggregate(query: "ListQuery", limit: int | None) -> dict[str, int]:
    """Sums over the filtered rows. The period is a flag where rows outside it are counted as well.

    Rows are first put together by what the tabs look at (`ListPage.counted_by`): a hundred groups are asked a dozen
    questions instead of ten thousand rows. The hits of a frequent word are a flag too: they are looked for among the
    newest rows, not in the whole table.
    """
    page = query.page
    is_frequent = _is_frequent(query)
    rows = query.filtered(search=not is_frequent)
    period, order = query.during, query.sort.order_by()
    if period is not None and not page.is_open_work:
        rows, period, order = rows.filter(period), None, [F(page.bases[query.basis].field).desc(), F("pk").desc()]
    tabs = {f"tab_{index}": sql for index, sql in enumerate(page.tab_sql(query.at))}
    late = {name: sql for name, sql in tabs.items() if _looks_at(sql, page) <= set(page.counted_by)}
    keys = {
        "hit": _fragment(page, query.found.condition if query.found is not None and is_frequent else None),
        "in_period": _fragment(page, period),
        **{name: sql for name, sql in tabs.items() if name not in late},
        **{column: (f"{_table(page)}.{_quoted(column)}", ()) for column in page.counted_by},
    }
    lines = {} if page.line_count_sql is None else {"n_lines": page.line_count_sql}
    sums = _sums(query, has_lines=bool(lines))
    inner = rows.order_by(*order)[:limit] if limit else rows.order_by()
    try:
        text, params = select_sql(inner, *_picked(keys | lines))
    except EmptyResultSet:
        return dict.fromkeys(sums, 0)
    names = ", ".join(keys)
    asked, given = _picked(late)
    # The groups bear the name of the table, so that the conditions of the tabs can be asked of them.
    sql = (
        f"SELECT {', '.join(sums.values())} FROM (SELECT *{', ' if late else ''}{asked} FROM ("
        f"SELECT {names}, count(*) AS n{', sum(n_lines) AS n_lines' if lines else ''} FROM ({text}) AS f"
        f" GROUP BY {names}) AS {_table(page)}) AS g"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, (*given, *params))
        row = cursor.fetchone()
    return {name: int(value or 0) for name, value in zip(sums, row, strict=True)}


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
    found = condition_sql(page.model, condition)
    if found is None:
        raise ImproperlyConfigured(f"the date basis of list {page.name} is no column of its own table")
    return found


def _shown_tab(query: "ListQuery") -> Count:
    found = query.queryset().order_by(*query.sort.order_by()).values("pk")[: CAP + 1].count()
    return Count(min(found, CAP), capped=found > CAP)
