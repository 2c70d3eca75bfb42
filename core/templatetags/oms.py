"""What templates may compute: links that swap the list, icons, amounts as the Korean formats write them (ux.md 4.3)."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from django import template
from django.forms import BaseForm, BoundField
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import get_script_prefix
from django.utils.html import escape, format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from core.form_words import stale_text

register = template.Library()

HISTORY = {"push": "hx-push-url", "replace": "hx-replace-url"}
MARK = "\x02"
"""Stands around the key of a count while a menu is drawn; no label can hold it."""


@register.simple_tag
def go(url: str, history: str = "push") -> SafeString:
    """링크: the attributes of an <a> inside #list that swaps the list and stays a plain link without scripts.

    Choices push the address, sorting replaces it (ux.md U5).
    """
    address = escape(url)
    return SafeString(f'href="{address}" hx-get="{address}" {HISTORY[history]}="true"')


@register.simple_tag
def kept(template_name: str, **values: Any) -> SafeString:
    """간직한 조각: a template whose whole context is given; drawn once for each combination of values.

    For what most pages have in common: drawing the chrome anew costs more than the rows of a list. Values are texts,
    numbers, or lists of tuples of such; nothing personal, nothing of one request.
    """
    key = tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in values.items())
    try:
        hash(key)
    except TypeError:
        return SafeString(render_to_string(template_name, values))
    return _kept(template_name, get_script_prefix(), key)


@lru_cache(maxsize=512)
def _kept(name: str, prefix: str, values: tuple[tuple[str, Any], ...]) -> SafeString:
    return SafeString(render_to_string(name, dict(values)))


@register.simple_tag
def navigation(menu: Iterable[Any]) -> SafeString:
    """메뉴: the sidebar, drawn once for each set of entries; only the counts are filled in for every page."""
    counts: dict[str, str] = {}
    groups = []
    for group in menu:
        items = []
        for item in group.items:
            counts[item.count_key] = item.count_text
            items.append((item.number, item.label, item.url, item.count_key, item.current))
        groups.append((group.label, tuple(items)))
    pieces = _navigation(tuple(groups), get_script_prefix())
    return SafeString("".join(escape(counts[piece]) if place % 2 else piece for place, piece in enumerate(pieces)))


@lru_cache(maxsize=256)
def _navigation(groups: tuple[tuple[str, tuple[tuple[Any, ...], ...]], ...], prefix: str) -> Sequence[str]:
    """Text and keys of counts in turn."""
    names = ("number", "label", "url", "count_key", "current")
    menu = [
        {"label": label, "entries": [dict(zip(names, item, strict=True)) for item in items]} for label, items in groups
    ]
    return render_to_string("partials/sidebar.html", {"menu": menu, "mark": MARK}).split(MARK)


@register.simple_tag
def path(address: str) -> str:
    """주소: an address of the fixed page map (ux.md 1) under the prefix the server runs at."""
    return get_script_prefix().rstrip("/") + address


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """아이콘: one symbol of static/img/sprite.svg; hidden from screen readers unless it has a label."""
    return _icon(name, label)


@lru_cache(maxsize=256)
def _icon(name: str, label: str) -> SafeString:
    spoken = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html('<svg class="icon" {}><use href="{}#{}"/></svg>', spoken, static("img/sprite.svg"), name)


@register.simple_tag
def carried(page: Any) -> SafeString:
    """조회 조건: hidden fields for what the search form does not ask itself; tab, sort and size survive a search."""
    asked = {"q", "qs", "kind", "basis", "period", "from", "to", "after", "before", "page", "open", "exact"}
    if page.filters:
        asked |= {field.html_name for field in page.filters}
    pairs = [pair for pair in parse_qsl(page.full_query or "") if pair[0] not in asked]
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', pairs)


@register.simple_tag
def badge(css: str, label: str) -> SafeString:
    """상태 배지: colour, dot and word."""
    return format_html('<span class="badge {}">{}</span>', css, label)


@register.simple_tag
def link_with(url: str, **params: Any) -> str:
    """주소: the url with more query parameters; None leaves one out."""
    query = urlencode([(key, value) for key, value in params.items() if value is not None])
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}{query}" if query else url


@register.filter
def won(amount: int | None) -> str:
    """금액: 12300 → 12,300원, -500 → -500원; nothing for None."""
    return "" if amount is None else f"{amount:,}원"


@register.filter
def count(number: int | None) -> str:
    """건수: 3214 → 3,214; nothing for None."""
    return "" if number is None else f"{number:,}"


@register.filter
def duration(seconds: int) -> str:
    """남은 시간: 1798 → 29:58."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    return f"{minutes}:{rest:02d}"


@register.filter
def percent(part: int, whole: int) -> int:
    """진행률: whole per cent, 0 when nothing is to be done."""
    return part * 100 // whole if whole else 0


@register.filter
def joined(ids: Iterable[Any] | None) -> str:
    """번호 목록: ids joined by commas for a data attribute."""
    return ",".join(str(one) for one in ids or ())


@register.filter
def placed(buttons: Iterable[Any], place: str) -> list[Any]:
    """버튼: those that stand in the bar ("bar") or under 더 보기 ("more")."""
    return [button for button in buttons if (button.style == "more") == (place == "more")]


@register.filter
def own_views(views: Iterable[Any]) -> list[Any]:
    """내 보기: the saved views that the reader made and may delete."""
    return [view for view in views if view.mine]


@register.filter
def frozen_count(columns: Iterable[Any]) -> str:
    """고정 열 수: how many of the columns stay at the left, as the option of 열 설정."""
    return str(sum(1 for column in columns if column.frozen))


@register.filter
def described(field: BoundField) -> SafeString:
    """입력칸: the field rendered with its help and error tied to it for screen readers."""
    notes = [f"{field.auto_id}_help"] if field.help_text else []
    attrs: dict[str, Any] = {}
    if field.errors:
        notes.append(f"{field.auto_id}_error")
        attrs["aria-invalid"] = "true"
    if notes:
        attrs["aria-describedby"] = " ".join(notes)
    return SafeString(field.as_widget(attrs=attrs))


@register.filter
def stale(form: BaseForm) -> str:
    """숨은 입력의 오류: the sentence for hidden inputs, which have no label and no place of their own."""
    return stale_text(form)
