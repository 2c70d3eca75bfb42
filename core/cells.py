"""표의 칸: finished HTML of table cells, rendered in Python because fifty template renders cost more than the page.

Every function escapes what it is given and returns safe text; nothing else may build a cell. Formats: ux.md 4.3.
"""

import html
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils.html import conditional_escape, strip_tags
from django.utils.safestring import SafeString

from core.calendar import KST

EMPTY = SafeString("")
MOST_TAGS = 3
_MARKUP = re.compile("[&<>\"']").search


def escape(value: object) -> SafeString:
    """글자로: safe text stays, everything else is escaped."""
    if value.__class__ is SafeString:
        return value  # type: ignore[return-value]
    if value.__class__ is str:
        # Django's own escape() asks every time whether its argument is lazy; a page of cells asks thousands of times.
        return SafeString(html.escape(value) if _MARKUP(value) else value)  # type: ignore[arg-type, call-overload]
    return conditional_escape(value if isinstance(value, str) else str(value))


class Tag(NamedTuple):
    """표시: a small text tag; `css` is t-hold, t-late, t-today, t-memo or empty."""

    label: str
    css: str = ""


def text(value: object) -> SafeString:
    """글자: one line; nothing for None."""
    return EMPTY if value is None or value == "" else SafeString(escape(value))


def brief(value: object) -> SafeString:
    """긴 글: for a narrow column that cuts it; the whole text shows when the pointer rests on it."""
    return SafeString(f'<span title="{escape(value)}">{escape(value)}</span>') if value else EMPTY


def two_lines(main: object, sub: object, *, title: str = "") -> SafeString:
    """두 줄: the main words and a smaller line below; `title` shows when the pointer rests on the smaller line."""
    if not sub:
        return text(main)
    hover = f' title="{escape(title)}"' if title else ""
    return SafeString(f'{escape(main)}<span class="sub"{hover}>{escape(sub)}</span>')


def moved(cell: str, note: str, badges: str = "") -> SafeString:
    """다른 사람의 처리 on a finished cell: in the place of its smaller lines, so that the row keeps its height.

    The new state stands before the words in words of its own; all of it is the title too, where the cell is narrow.
    """
    main, states = cell.partition('<span class="sub"')[0], escape(badges)
    title = " · ".join(filter(None, (strip_tags(states), note)))
    words = " ".join(filter(None, (states, escape(note))))
    return SafeString(f'{main}<span class="sub said" title="{escape(title)}"><span>{words}</span></span>')


def with_note(main: object, note: object) -> SafeString:
    """이름과 옵션: words with a muted remark on the same line."""
    return SafeString(f"{escape(main)} <small>{escape(note)}</small>") if note else text(main)


def won(amount: int | None) -> SafeString:
    """금액: 12300 -> 12,300원; nothing for None."""
    return EMPTY if amount is None else SafeString(f"{amount:,}원")


def won_and(amount: int | None, sub: object) -> SafeString:
    """금액과 수단: a bold amount with a smaller line below."""
    if amount is None:
        return EMPTY
    return SafeString(f'<b>{amount:,}원</b><span class="sub">{escape(sub)}</span>')


def number(value: int | None) -> SafeString:
    """수: digits with thousands marks; nothing for None."""
    return EMPTY if value is None else SafeString(f"{value:,}")


def link(url: str, label: object, *, css: str = "", sub: object = "", title: str = "") -> SafeString:
    """링크: a plain anchor, with a smaller line below when there is one."""
    name = f' class="{escape(css)}"' if css else ""
    anchor = f'<a{name} href="{escape(url)}">{escape(label)}</a>'
    return two_lines(SafeString(anchor), sub, title=title)


def opener(url: str, label: object, *, sub: object = "", title: str = "") -> SafeString:
    """상세 링크: opens the slide-over beside the list and stays a plain link without scripts."""
    anchor = f'<a class="number" href="{escape(url)}" data-open>{escape(label)}</a>'
    return two_lines(SafeString(anchor), sub, title=title)


def badge(css: str, label: str) -> SafeString:
    """상태 배지: colour, dot and word."""
    return SafeString(f'<span class="badge {css}">{escape(label)}</span>')


def tags(found: Sequence[Tag]) -> SafeString:
    """표시 묶음: at most three tags, then how many more (ux.md 2.2)."""
    if not found:
        return EMPTY
    shown = " ".join(
        f'<span class="tag{" " + tag.css if tag.css else ""}">{escape(tag.label)}</span>' for tag in found[:MOST_TAGS]
    )
    if len(found) > MOST_TAGS:
        rest = ", ".join(tag.label for tag in found[MOST_TAGS:])
        shown += f' <span class="tag" title="{escape(rest)}">+{len(found) - MOST_TAGS}</span>'
    return SafeString(shown)


def stacked(parts: Sequence[str]) -> SafeString:
    """여러 개: finished cells one under the other, two at most; more are counted, as in `외 3건`."""
    if len(parts) <= 2:
        return SafeString("<br>".join(escape(part) for part in parts))
    return two_lines(parts[0], f"외 {len(parts) - 1:,}건", title=", ".join(strip_tags(part) for part in parts[1:]))


def joined(parts: Iterable[str]) -> SafeString:
    """이어 붙이기: finished cells side by side."""
    return SafeString("".join(escape(part) for part in parts))


def deadline(at: datetime | None, now: datetime) -> SafeString:
    """남은 시간: what is left until an instant, with the instant below; the page counts on from there."""
    if at is None:
        return EMPTY
    left = f'<span data-deadline="{at.isoformat()}">{time_left(at, now)}</span>'
    return two_lines(SafeString(left), short_time(at, now), title=full_time(at))


def time_left(at: datetime, now: datetime) -> str:
    """남은 시간의 낱말: `3일 남음`, `5시간 20분 남음`, `12분 남음`, `기한 지남`; countdown.js goes on from it."""
    seconds = (at - now).total_seconds()
    if seconds <= 0:
        return "기한 지남"
    hours, minutes = divmod(int(seconds // 60), 60)
    if hours >= 48:
        return f"{hours // 24}일 남음"
    return f"{hours}시간 {minutes}분 남음" if hours else f"{minutes}분 남음"


def short_time(at: datetime | None, now: datetime) -> str:
    """짧은 일시: `11-21 14:20` in this year, else `2024-11-21`; Asia/Seoul; empty for None."""
    if at is None:
        return ""
    local = at.astimezone(KST)
    if local.year == now.astimezone(KST).year:
        return f"{local.month:02d}-{local.day:02d} {local.hour:02d}:{local.minute:02d}"
    return f"{local.year}-{local.month:02d}-{local.day:02d}"


def full_time(at: datetime | None) -> str:
    """전체 일시: `2025-11-21 14:20:05` in Asia/Seoul; empty for None."""
    # strftime takes three times as long; without its zone an instant is written without an offset.
    return "" if at is None else at.astimezone(KST).replace(tzinfo=None).isoformat(" ", "seconds")


def minute_time(at: datetime | None) -> str:
    """일시: `2025-11-21 14:20` in Asia/Seoul; empty for None."""
    return full_time(at)[:-3]
