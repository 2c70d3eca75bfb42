"""행 그리기: groups become finished table rows. Python strings: the template engine costs several times more."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.utils.safestring import SafeString

from core.cells import escape, moved
from core.lists.declare import Group, ListColumn
from core.lists.view import Row, Tr

if TYPE_CHECKING:
    from core.lists.page import ListPage


def render_rows(
    page: "ListPage", groups: Sequence[Group], columns: Sequence[ListColumn], *, notes: Mapping[int, str] | None = None
) -> list[Row]:
    """행 그리기: one Row per group; `notes` marks rows that somebody else has just moved."""
    openings = [(column, f'<td class="{column.css}"' if column.css else "<td") for column in columns]
    return [_row(page, group, openings, (notes or {}).get(group.record.id, "")) for group in groups]


def _row(page: "ListPage", group: Group, openings: Sequence[tuple[ListColumn, str]], note: str) -> Row:
    head = page.head(group)
    lines = group.lines or (None,)
    span = f' rowspan="{len(lines)}">' if len(lines) > 1 else ">"
    picks = page.picks_lines and len(lines) > 1 and not note
    trs = []
    for index, line in enumerate(lines):
        cells = []
        pick = _line_check(line) if picks else ""
        for position, (column, opening) in enumerate(openings):
            if column.per_line:
                inner = column.cell(group, line) if line is not None else ""
                # What core.cells made is safe; a plain string that slipped through is escaped.
                cells.append(f"{opening}>{pick}{inner if inner.__class__ is SafeString else escape(inner)}</td>")
                pick = ""
            elif index == 0:
                inner = column.cell(group, None)
                inner = inner if inner.__class__ is SafeString else escape(inner)
                if note and position == 0:
                    inner = moved(inner, note, page.moved_badge(group))
                cells.append(f"{opening}{span}{inner}</td>")
        number, state = page.line_head(line) if line is not None else (head.number, head.state)
        trs.append(Tr(number, state, SafeString("".join(cells))))
    css = f"{head.css} moved".strip() if note else head.css
    return Row(head.id, head.version, head.number, head.state, css, head.number, tuple(trs))


def _line_check(line: Any) -> str:
    """품목 선택: stands in the first cell of the line, so that the columns are those of every other list."""
    return (
        f'<label class="hit line-check"><input type="checkbox" data-line-id="{line.id}"'
        f' data-line-version="{line.version}" aria-label="{escape(line.number)} 품목 선택" autocomplete="off"></label>'
    )
