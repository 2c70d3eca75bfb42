"""The repeated parts of a list screen, as Python strings: a template loop over them costs as much as the rows."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.safestring import SafeString

from core.cells import escape
from core.templatetags.oms import go, icon

register = template.Library()

_PAGE, _CHOSEN = ' aria-current="page"', ' aria-current="true"'
_ARROWS = {"ascending": "sort-up", "descending": "sort-down"}


@register.simple_tag
def tab_links(tabs: Iterable[Any]) -> SafeString:
    """하위 상태 탭: a link with its count for each."""
    return SafeString(
        "".join(
            f"<a{_PAGE if tab.current else ''} {go(tab.url)}>{escape(tab.label)}"
            f' <b data-count="tab-{escape(tab.key)}">{escape(tab.count_text)}</b></a>'
            for tab in tabs
        )
    )


@register.simple_tag
def period_links(periods: Iterable[tuple[str, str, str, bool]]) -> SafeString:
    """기간 버튼."""
    return SafeString(
        "".join(f"<a{_CHOSEN if current else ''} {go(url)}>{escape(label)}</a>" for _, label, url, current in periods)
    )


@register.simple_tag
def table_heads(heads: Iterable[Any]) -> SafeString:
    """열 머리: a link where the list can be sorted by the column."""
    return SafeString("".join(_head(head) for head in heads))


def _head(head: Any) -> str:
    label = str(escape(head.label))
    if head.sort_url:
        arrow = f" {icon(_ARROWS[head.aria_sort])}" if head.aria_sort else ""
        label = f"<a {go(head.sort_url, 'replace')}>{label}{arrow}</a>"
    sort = f' aria-sort="{head.aria_sort}"' if head.aria_sort else ""
    return f'<th scope="col" class="{escape(head.css)}"{sort}>{label}</th>'


@register.simple_tag
def table_rows(rows: Iterable[Any]) -> SafeString:
    """행: each row is finished HTML."""
    return SafeString("".join(row.html for row in rows))


@register.simple_tag
def size_options(sizes: Iterable[tuple[int, str, bool]]) -> SafeString:
    """한 쪽에 보는 수: the choices, each with the address it leads to."""
    return SafeString(
        "".join(
            f'<option value="{escape(url)}"{" selected" if current else ""}>{size}건씩</option>'
            for size, url, current in sizes
        )
    )
