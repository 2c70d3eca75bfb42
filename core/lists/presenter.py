"""목록 화면 만들기: a query becomes the finished view that the template prints."""

import re
from collections.abc import Sequence

from core.korean import josa
from core.lists import views
from core.lists.counting import Count, Counts
from core.lists.declare import ListColumn
from core.lists.period import PERIODS
from core.lists.query import AUTO, ListQuery
from core.lists.rendering import render_rows
from core.lists.view import (
    Chip,
    ColumnChoice,
    Head,
    Outside,
    Pager,
    PageView,
    Search,
    Tab,
    Total,
    View,
)
from core.paging import SIZES, Keyset, Sort

CHIP_LENGTH = 40


def present(query: ListQuery) -> PageView:
    """목록 화면: counts, one page of rows, and every address on it.

    A page behind the first whose rows have all left the list shows the first one: the list is not empty.
    """
    page, user = query.page, query.user
    keyset, columns = query.keyset(), query.columns()
    if query.cursor is not None and not keyset.ids:
        return present(page.query(query.url().partition("?")[2], user=user, at=query.at))
    counts = query.count(keyset)
    groups = page.load(keyset.ids, columns=columns, at=query.at)
    saved = views.listed(page.name, user) if user is not None else []
    described = query.filterset.described() if query.is_valid and query.is_filtered else []
    return PageView(
        name=page.name,
        title=page.title,
        subtitle=page.subtitle,
        url=page.url,
        unit=page.unit,
        full_query=query.text_of_state,
        tabs=tabs_of(query, counts),
        search=_search(query),
        filters=query.filterset.form if query.is_filtered else None,
        filters_url=query.url() if page.filter_names else "",
        filters_active=len(described),
        filters_open=bool(set(query.errors) & page.filter_names),
        chips=_chips(query, [(one.name, f"{one.label}: {one.text}") for one in described]),
        reset_url=reset_url(query),
        views=_views(query, saved),
        view_changed=_view_changed(query),
        views_url=f"{page.url}views/" if user is not None else "",
        heads=[_head(query, column) for column in columns],
        rows=render_rows(page, groups, columns),
        total=total_of(query, counts),
        whole=counts.whole,
        pager=_pager(query, counts.total, keyset),
        buttons=page.buttons(user, query.tab),
        tools=page.tools(query),
        columns_choice=_columns_choice(query, columns),
        columns_url=f"{page.url}columns/",
        empty=_emptiness(query, counts) if not groups else "",
        empty_text=_empty_text(query, counts) if not groups else "",
        outside=_outside(query, counts),
        as_of=query.at.isoformat(),
        since=since_token(query),
        density=(getattr(user, "prefs", None) or {}).get("density", ""),
        errors=query.errors,
        notices=[*_shortened(query), *page.notices(query)],
        draft_url=page.draft_url,
        paste_url=page.paste_url,
    )


def since_token(query: ListQuery) -> str:
    """새 소식 표: the instant up to which the reader has seen everything, in milliseconds."""
    return str(int(query.at.timestamp() * 1000))


def _shortened(query: ListQuery) -> list[str]:
    if not query.is_shortened:
        return []
    return [f"검색 결과가 많아 {query.period.text} 안에서만 찾았습니다. 더 찾으려면 기간을 고르세요."]


def _search(query: ListQuery) -> Search:
    page, period = query.page, query.period
    chosen = query.params.get("period", "") or AUTO
    typed = {name: query.params.get(name, "").strip() for name in ("from", "to")}
    is_typed = any(typed.values())
    return Search(
        # A field of one line would glue together what stands on several.
        q=re.sub(r"[\r\n\t]+", ", ", query.text),
        kind=query.kind,
        kinds=list(({"": "통합검색"} | {arm.kind: arm.label for arm in query.arms}).items()) if query.arms else [],
        basis=query.basis,
        bases=[(key, basis.label) for key, basis in page.bases.items()],
        period="" if is_typed else chosen,
        periods=[
            (key, label, query.url(period=key, from_=None, to=None), not is_typed and key == period.key)
            for key, label in PERIODS
        ]
        if page.bases
        else [],
        date_from=typed["from"] if is_typed else str(period.start or ""),
        date_to=typed["to"] if is_typed else str(period.end or ""),
        errors={name: query.errors[name] for name in ("q", "from", "to") if name in query.errors},
    )


def reset_url(query: ListQuery) -> str:
    """초기화: the same tab without conditions; empty when there are none to take away."""
    if not set(query.chosen) - {"tab"} and not query.errors:
        return ""
    return f"{query.page.url}?tab={query.tab}" if query.tab != query.page.default_tab else query.page.url


def _chips(query: ListQuery, described: Sequence[tuple[str, str]]) -> list[Chip]:
    chips = []
    state = query.chosen
    if query.text:
        label = next((arm.label for arm in query.arms if arm.kind == query.kind), "검색어")
        shown = query.text if len(query.text) <= CHIP_LENGTH else f"{query.text[:CHIP_LENGTH]}…"
        chips.append(Chip(f"{label}: {shown}", query.url(q=None, qs=None, kind=None)))
    if query.page.bases and not {"from", "to"} & set(query.errors) and {"period", "from", "to"} & set(state):
        label = query.page.bases[query.basis].label
        chips.append(Chip(f"{label}: {query.period.text}", query.url(period=None, from_=None, to=None)))
    return chips + [Chip(text, query.url(**{name: None})) for name, text in described]


def _views(query: ListQuery, saved: Sequence[views.Listed]) -> list[View]:
    if not saved:
        return []
    page, user = query.page, query.user
    plain = View("기본", f"{page.url}?period={AUTO}" if page.bases else page.url, query.view_id is None, mine=False)
    return [
        plain,
        *(
            View(
                one.name,
                f"{page.url}?{one.query}{'&' if one.query else ''}view={one.pk}",
                query.view_id == one.pk,
                one.owner_id == user.pk,
                one.pk,
            )
            for one in saved
        ),
    ]


def _view_changed(query: ListQuery) -> bool:
    if query.saved_view is None:
        return False
    kept = query.page.query(query.saved_view.query, user=query.user, at=query.at)
    return kept.chosen != {name: values for name, values in query.chosen.items() if name != "view"}


def _head(query: ListQuery, column: ListColumn) -> Head:
    ways = [key for key in query.page.sorts if column.sort and key.removeprefix("-") == column.sort]
    if not ways:
        return Head(column.key, column.label, column.css, None, "")
    if query.sort_key not in ways:
        return Head(column.key, column.label, column.css, query.url(sort=ways[0]), "")
    other = ways[(ways.index(query.sort_key) + 1) % len(ways)]
    return Head(column.key, column.label, column.css, query.url(sort=other), _direction(query.sort))


def _direction(sort: Sort) -> str:
    return "descending" if sort.descending else "ascending"


def tabs_of(query: ListQuery, counts: Counts) -> list[Tab]:
    """하위 상태 탭 with their numbers."""
    return [
        Tab(tab.key, tab.label, counts.tabs[tab.key].text(), query.url(tab=tab.key), tab.key == query.tab)
        for tab in query.page.all_tabs
    ]


def total_of(query: ListQuery, counts: Counts) -> Total:
    """건수 of the list in words, and where the exact one is asked for."""
    page = query.page
    text = f"{page.unit} {counts.total.text(unit='건')}"
    if page.line_unit and counts.lines is not None:
        text += f" · {page.line_unit} {counts.lines:,}건"
    exact_url = query.url(exact="1") if counts.total.capped else ""
    return Total(text, counts.total.number, counts.total.capped, exact_url)


def _pager(query: ListQuery, total: Count, keyset: Keyset) -> Pager:
    number = query.page_number
    last = max(1, -(-total.number // query.size))
    position = f"{number}쪽" if total.capped or number > last else f"{number:,} / {last:,}쪽"
    return Pager(
        prev_url=query.url(before=keyset.before, page=number - 1 if number > 2 else None) if keyset.before else "",
        next_url=query.url(after=keyset.after, page=number + 1) if keyset.after else "",
        size=query.size,
        sizes=[(size, query.url(size=size), size == query.size) for size in SIZES],
        position_text=position,
    )


def _columns_choice(query: ListQuery, columns: Sequence[ListColumn]) -> list[ColumnChoice]:
    frozen = views.chosen_freeze(query.page.name, query.user)
    frozen = query.page.freeze if frozen is None else frozen
    shown = [ColumnChoice(one.key, one.label, True, place < frozen) for place, one in enumerate(columns)]
    rest = [ColumnChoice(one.key, one.label, False, False) for one in query.page.all_columns if one not in columns]
    return shown + rest


def _emptiness(query: ListQuery, counts: Counts) -> str:
    """A list is empty by nature when nothing hides rows of it."""
    auto_period = not {"period", "from", "to"} & set(query.chosen)
    plain = not query.is_narrowed and query.tab == query.page.default_tab and not query.errors
    return "nature" if plain and (query.period.is_open or auto_period) and not counts.outside else "filter"


def _empty_text(query: ListQuery, counts: Counts) -> str:
    for message in query.errors.values():
        return message
    if _emptiness(query, counts) == "nature":
        return query.page.empty_text
    if not query.is_narrowed and query.period.is_open and not query.errors:
        # Nothing is left to widen: it is the tab that is empty.
        return f"'{query.page.tab(query.tab).label}' 탭에 {josa(query.page.unit, '이/가')} 없습니다."
    return f"조건에 맞는 {josa(query.page.unit, '이/가')} 없습니다. 기간을 넓히거나 조건을 지워 보세요."


def _outside(query: ListQuery, counts: Counts) -> Outside | None:
    if not counts.outside:
        return None
    text = f"기간 밖에 처리하지 않은 {query.page.unit} {counts.outside:,}건이 있습니다."
    return Outside(text, query.url(period="all", from_=None, to=None))
