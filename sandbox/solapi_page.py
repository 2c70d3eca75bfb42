"""The page 보낸 문자: what a buyer would read on the phone; nothing leaves this machine."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from html import escape
from typing import Any

KST = timezone(timedelta(hours=9))
_LIMIT = 200
_BARE = {ord(char): None for char in "- "}


def shown(messages: Sequence[dict[str, Any]], search: str) -> str:
    """The newest messages whose number, text or key contains the search word."""
    fitting = [one for one in reversed(messages) if _fits(one, search)]
    rows = "".join(_row(one) for one in fitting[:_LIMIT])
    empty = (
        "찾는 문자가 없습니다."
        if search
        else "보낸 문자가 없습니다. 주문의 입금이 확인되거나 취소되면 여기에 나타납니다."
    )
    count = f"문자 {len(fitting):,}건" + (f" 중 최근 {_LIMIT}건" if len(fitting) > _LIMIT else "")
    return _PAGE.format(
        style=_STYLE, search=escape(search), count=count, rows=rows or f'<li class="empty">{empty}</li>'
    )


def _fits(one: dict[str, Any], search: str) -> bool:
    """Numbers are found however they are written: with hyphens, as the page shows them, with blanks, or without."""
    digits = search.translate(_BARE)
    return search in f"{one['text']} {_key(one)}" or (digits.isdecimal() and digits in str(one["to"]))


def _key(one: dict[str, Any]) -> str:
    return str((one.get("customFields") or {}).get("key", ""))


def _row(one: dict[str, Any]) -> str:
    at = datetime.fromisoformat(one["at"]).astimezone(KST)
    to = str(one["to"])
    number = f"{to[:-8]}-{to[-8:-4]}-{to[-4:]}" if len(to) in {11, 12} else to
    return (
        f'<li data-key="{escape(_key(one))}"><h2>{escape(number)} <span class="badge">{_kind(one)}</span></h2>'
        f"<p>{at:%Y-%m-%d %H:%M:%S}</p><blockquote>{escape(str(one['text']))}</blockquote></li>"
    )


def _kind(one: dict[str, Any]) -> str:
    if one["type"] == "ATA":
        return "알림톡, 받지 못함" if one.get("undelivered") else "알림톡"
    kind = "긴 문자" if one["type"] == "LMS" else "단문"
    return f"알림톡 대신 {kind}" if one.get("replaced") else kind


_STYLE = """
:root { color-scheme: light dark; --bg: #f5f6f8; --card: #fff; --text: #1b1f24; --soft: #57606a; --line: #d4d9df;
  --main: #1f5fd0; --bubble: #eaf0ff; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171b; --card: #1e2329; --text: #e8ebee; --soft: #a6b0ba;
  --line: #3a424b; --main: #8ab4ff; --bubble: #26344d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 880px; padding: 24px 16px 64px; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans KR", sans-serif; word-break: keep-all; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 0; } p { margin: 4px 0; color: var(--soft); }
ul { list-style: none; margin: 16px 0; padding: 0; display: grid; gap: 12px; }
li { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px; }
blockquote { margin: 8px 0 0; padding: 10px 14px; border-radius: 12px; background: var(--bubble); white-space: pre-wrap;
  overflow-wrap: anywhere; max-width: 560px; }
form { display: flex; flex-wrap: wrap; align-items: end; gap: 8px; margin-top: 8px; }
label { display: grid; font-size: 13px; color: var(--soft); }
input, button { font: inherit; min-height: 36px; padding: 4px 10px; border: 1px solid var(--line); border-radius: 6px;
  background: var(--card); color: var(--text); max-width: 100%; }
button { cursor: pointer; } :focus-visible { outline: 2px solid var(--main); outline-offset: 2px; }
.badge { font-size: 13px; font-weight: 600; padding: 1px 8px; border: 1px solid currentColor; border-radius: 10px;
  color: var(--soft); }
.empty { color: var(--soft); text-align: center; }
"""
_PAGE = """<!DOCTYPE html>
<html lang="ko"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>보낸 문자</title>
<style>{style}</style></head><body>
<main><h1>보낸 문자</h1><p>연습용 문자함입니다. 실제 문자는 나가지 않습니다.</p>
<form method="get" action="/" role="search">
<label>번호·내용 <input type="search" name="q" value="{search}"></label>
<button>찾기</button></form>
<p role="status">{count}</p>
<ul>{rows}</ul></main></body></html>
"""
