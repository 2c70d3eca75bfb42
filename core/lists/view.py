"""What the template of a list gets: finished strings and addresses, nothing to compute (ux.md 2)."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.utils.safestring import SafeString

from core.actions import MORE
from core.cells import escape


class Tab(NamedTuple):
    """하위 상태 탭."""

    key: str
    label: str
    count_text: str
    url: str
    current: bool


class Chip(NamedTuple):
    """적용한 조건: a label and the address without it."""

    label: str
    remove_url: str


class View(NamedTuple):
    """보기."""

    label: str
    url: str
    current: bool
    mine: bool
    id: int = 0


class Head(NamedTuple):
    """열 머리."""

    key: str
    label: str
    css: str
    sort_url: str | None
    aria_sort: str


class Tool(NamedTuple):
    """목록 도구."""

    label: str
    url: str
    name: str
    count_url: str = ""
    """Answers how much waits behind the tool, as text, once the list stands: the list itself does not wait for it."""


class Button(NamedTuple):
    """일괄 처리 단추."""

    name: str
    label: str
    style: str
    needs: str = ""
    hotkey: str = ""


class ColumnChoice(NamedTuple):
    """열 설정의 한 열."""

    key: str
    label: str
    visible: bool
    frozen: bool


class Outside(NamedTuple):
    """기간 밖에 남은 주문."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Total:
    """전체 건수."""

    text: str
    count: int
    capped: bool
    exact_url: str


class Tr(NamedTuple):
    """표의 한 줄: one line of a row; the first also carries the cells of the row itself."""

    line_number: str
    state: str
    cells_html: SafeString


class Row(NamedTuple):
    """행: one order or parcel with its lines."""

    id: int
    version: int
    number: str
    state: str
    css: str
    name_for_checkbox: str
    trs: tuple[Tr, ...]

    @property
    def html(self) -> SafeString:
        """행 HTML: the whole <tbody>, equal to what templates/generic/_row.html renders, at a tenth of its price."""
        span = f' rowspan="{len(self.trs)}"' if len(self.trs) > 1 else ""
        number, state = escape(self.number), escape(self.state)
        disabled = " disabled" if "moved" in self.css else ""
        css = f' class="{escape(self.css)}"' if self.css else ""
        check = (
            f'<td class="check"{span}><label class="hit"><input type="checkbox"'
            f' aria-label="{escape(self.name_for_checkbox)} 선택" autocomplete="off"{disabled}></label></td>'
        )
        parts = [
            f'<tbody id="row-{self.id}"{css} data-order="{number}" data-id="{self.id}" data-version="{self.version}"'
            f' data-state="{state}">'
        ]
        for tr in self.trs:
            parts.append(f'<tr data-line="{escape(tr.line_number)}" data-state="{escape(tr.state)}">')
            parts += (check, tr.cells_html, "</tr>")
            check = ""
        parts.append("</tbody>")
        return SafeString("".join(parts))


class Search(NamedTuple):
    """검색줄: what is chosen and what can be chosen."""

    q: str
    kind: str
    kinds: list[tuple[str, str]]
    basis: str
    bases: list[tuple[str, str]]
    period: str
    periods: list[tuple[str, str, str, bool]]
    date_from: str
    date_to: str
    errors: dict[str, str]


class Pager(NamedTuple):
    """쪽 넘기기."""

    prev_url: str
    next_url: str
    size: int
    sizes: list[tuple[int, str, bool]]
    position_text: str


BAR = 1016
WIDER = 1440 - 1280
"""Pixels of the bar at a width of 1280."""
COUNT, GAP, MENU, CLEAR, ICON = 150, 6, 85, 75, 32
"""Pixels beside the labels: how many are chosen, the space between two, 더 보기, 선택 해제, a tool without words."""


def _width(label: str) -> int:
    """너비 of a button in pixels, at most: a Korean syllable takes twelve of them."""
    return 24 + sum(4 if sign == " " else 12 for sign in label)


@dataclass(frozen=True, slots=True)
class PageView:
    """목록 화면."""

    name: str
    title: str
    subtitle: str
    url: str
    unit: str
    full_query: str
    tabs: list[Tab]
    search: Search
    filters: Any
    """Form of the extra filters; None while none is in use: it is asked for by `filters_url` when somebody opens it."""
    filters_url: str
    """This list with its tab, so that 초기화 stays there."""
    filters_active: int
    filters_open: bool
    chips: list[Chip]
    reset_url: str
    views: list[View]
    view_changed: bool
    views_url: str
    heads: list[Head]
    rows: list[Row]
    total: Total
    whole: int | None
    """전체 행 수 without any condition, where it is known."""
    pager: Pager
    buttons: list[Button]
    tools: list[Tool]
    columns_choice: list[ColumnChoice]
    columns_url: str
    empty: str
    empty_text: str
    outside: Outside | None
    as_of: str
    since: str
    density: str
    errors: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    draft_url: str = ""
    paste_url: str = ""

    @property
    def crowd(self) -> str:
        """도구가 비킬 목록: css classes of a list whose tools find no room beside the acts of a selection.

        "crowded" at 1280 pixels, "crowded full" at 1440 as well.
        """
        width = self._bar_width()
        return "" if width <= BAR else "crowded" if width <= BAR + WIDER else "crowded full"

    def _bar_width(self) -> int:
        acts = [_width(one.label) for one in self.buttons if one.style != MORE]
        more = [MENU] if len(acts) < len(self.buttons) else []
        tools = [_width(f"{tool.label} 00" if tool.count_url else tool.label) for tool in self.tools]
        return COUNT + CLEAR + ICON + sum(one + GAP for one in (*acts, *more, *tools))
