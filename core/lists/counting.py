"""건수: rows of the list, their lines and the rows of every tab, in one query.

Lists of unfinished work are counted whole through their partial index. Lists that only grow are counted up to a cap;
behind it the numbers of the tabs are lower bounds, and an exact count is made when somebody asks for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

if TYPE_CHECKING:
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


NOTHING = Count(0)


def count(query: "ListQuery") -> Counts:
    """건수 세기: one query; a second one where the shown tab of a long list needs its own."""
    page = query.page
    if query.errors:
        return Counts(NOTHING, 0 if page.line_unit else None, {tab.key: NOTHING for tab in page.all_tabs})
    limit = None if page.is_open_work or query.exact else CAP + 1
    result = _aggregate(query, limit)
    whole = result["rows"]
    capped = limit is not None and whole > CAP
    tabs = {tab.key: Count(result[f"tab_{index}"]) for index, tab in enumerate(page.all_tabs)}
    known = page.known_counts() if capped and query.is_unfiltered else {}
    if capped:
        tabs = {key: _behind_cap(key, found, known) for key, found in tabs.items()}
    total = tabs.get(query.tab, Count(min(whole, CAP), capped) if limit else Count(whole))
    if capped and query.tab in known:
        total = Count(known[query.tab])
    elif capped and page.all_tabs:
        total = tabs[query.tab] = _shown_tab(query)
    lines = None if capped else result.get("lines")
    return Counts(total, lines, tabs, result.get("outside", 0))


def _aggregate(query: "ListQuery", limit: int | None) -> dict[str, int]:
    """Sums of 0/1 flags over the filtered rows. The period is a flag where rows outside it are counted as well."""
    page = query.page
    flags: dict[str, Any] = {}
    is_flagged = page.is_open_work and bool(query.basis) and not query.period.is_open
    if is_flagged:
        flags["in_period"] = _flag(query.period.on(page.bases[query.basis].field))
        rows = query.filtered()
    else:
        rows = query.filtered()
        if query.basis and not query.period.is_open:
            rows = rows.filter(query.period.on(page.bases[query.basis].field))
    for index, tab in enumerate(page.all_tabs):
        flags[f"tab_{index}"] = _flag(tab.condition(query.at))
    lines = page.line_count()
    if lines is not None:
        flags["n_lines"] = lines
    flags.setdefault("in_period", Value(1, output_field=IntegerField()))
    return _run(rows, flags, query, limit)


def _run(rows: QuerySet[Any], flags: dict[str, Any], query: "ListQuery", limit: int | None) -> dict[str, int]:
    inner = rows.order_by(*query.sort.order_by())[:limit] if limit else rows.order_by()
    names = list(flags)
    keys = [tab.key for tab in query.page.all_tabs]
    shown = f"tab_{keys.index(query.tab)} = 1" if query.tab in keys else "true"
    sums = {"rows": "sum(in_period)", "outside": f"count(*) FILTER (WHERE in_period = 0 AND {shown})"}
    sums |= {name: f"sum({name}) FILTER (WHERE in_period = 1)" for name in names if name.startswith("tab_")}
    if "n_lines" in flags:
        sums["lines"] = f"sum(n_lines) FILTER (WHERE in_period = 1 AND {shown})"
    try:
        # Names of annotations are ours; every value of the request is a bound parameter of the inner query.
        sql, params = inner.annotate(**flags).values_list(*names).query.sql_with_params()
    except EmptyResultSet:
        return dict.fromkeys(sums, 0)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(sums.values())} FROM ({sql}) AS f({', '.join(names)})", params)
        row = cursor.fetchone()
    return {name: int(value or 0) for name, value in zip(sums, row, strict=True)}


def _flag(condition: Q | None) -> Any:
    if condition is None:
        return Value(1, output_field=IntegerField())
    return Case(When(condition, then=Value(1)), default=Value(0), output_field=IntegerField())


def _behind_cap(key: str, found: Count, known: Mapping[str, int]) -> Count:
    """The stored count where nothing narrows the list, else how many rows there are at least."""
    return Count(known[key]) if key in known else Count(min(found.number, TAB_CAP), capped=True)


def _shown_tab(query: "ListQuery") -> Count:
    found = query.queryset().order_by(*query.sort.order_by()).values("pk")[: CAP + 1].count()
    return Count(min(found, CAP), capped=found > CAP)
