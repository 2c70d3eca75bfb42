"""The page 택배 연습: the parcels that the sandbox knows, and what a person may let happen to each; without script."""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from urllib.parse import parse_qsl, urlencode

from sandbox.courier.books import Books, Parcel
from sandbox.courier.carriers import CARRIERS, number_error
from sandbox.courier.lives import happened
from sandbox.courier.service import HTML_TYPE, Answer
from sandbox.courier.stories import STORIES, told
from sandbox.courier.timeline import KST, SCENARIOS, Scan

_LIMIT = 60
_LONGEST = 30
_ENDS = {"배송완료": "good", "반송완료": "bad", "분실": "bad", "파손": "bad", "오배송": "bad", "접수취소": "bad"}
_OVER = "배송완료"


class Refusal(Exception):
    """What a person asked for cannot be done; the message says why."""


class Page:
    """One page and its form."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def answer(self, method: str, query: str, body: bytes) -> Answer:
        """GET shows, POST lets something happen and leads back."""
        given = dict(parse_qsl(query))
        if method != "POST":
            return Answer(200, self._shown(given).encode(), HTML_TYPE)
        try:
            said = {"done": self._happen(dict(parse_qsl(body.decode("utf-8", "replace"))))}
        except Refusal as refusal:
            said = {"refused": str(refusal)}
        back = said | ({"q": given["q"]} if given.get("q") else {})
        return Answer(303, b"", HTML_TYPE, {"Location": "/?" + urlencode(back)})

    def _happen(self, values: Mapping[str, str]) -> str:
        carrier, number = values.get("carrier", ""), values.get("number", "").strip().upper()
        story = STORIES.get(values.get("story", ""))
        if carrier not in CARRIERS or story is None:
            raise Refusal("택배사와 일어날 일을 목록에서 고르세요.")
        if not number.isascii() or not number.isalnum() or len(number) > _LONGEST:
            raise Refusal("송장번호는 숫자와 영문으로 입력하세요.")
        if problem := number_error(carrier, number):
            raise Refusal(problem)
        with self._books.lock:
            parcel, now = self._books.find(carrier, number), self._books.now()
            before = [] if parcel is None else happened(self._books, parcel)
            self._books.add([Parcel(carrier, number, "happy", told(before, story, now=now), now)])
        return f"{CARRIERS[carrier]} {number}: {story.label}. 쇼핑몰은 다음 배송조회 때 압니다."

    def _shown(self, query: Mapping[str, str]) -> str:
        search = query.get("q", "").strip().replace("-", "").replace(" ", "")
        rows = [self._row(parcel, scans, search) for parcel, scans in self._found(search)]
        if not rows:
            rows = [_unknown(search) if search else _EMPTY]
        said = "".join(
            f'<p class="{kind}" role="status">{escape(query[kind])}</p>'
            for kind in ("done", "refused")
            if kind in query
        )
        minutes = SCENARIOS["happy"][-1].hours * 60 / self._books.settings.speed
        return _PAGE.format(
            style=_STYLE, said=said, search=escape(search), rows="".join(rows), minutes=f"{minutes:,.0f}"
        )

    def _found(self, search: str) -> list[tuple[Parcel, list[Scan]]]:
        """The newest first; what has arrived is found by its number alone."""
        found = []
        for parcel in self._books.newest():
            if search and search not in parcel.number:
                continue
            scans = happened(self._books, parcel)
            if search or not scans or scans[-1].name != _OVER:
                found.append((parcel, scans))
            if len(found) == _LIMIT:
                break
        return found

    def _row(self, parcel: Parcel, scans: list[Scan], search: str) -> str:
        last = scans[-1] if scans else None
        word = last.name or last.text if last else "스캔 없음"
        facts = f"{_clock(last)} · {last.place}" if last else "택배사에 아직 스캔이 없습니다."
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">'
            for name, value in (("carrier", parcel.carrier), ("number", parcel.number))
        )
        return (
            f'<li data-number="{escape(parcel.number)}"><h2>{escape(parcel.number)}'
            f' <span class="badge {_ENDS.get(word, "")}">{escape(word)}</span></h2>'
            f"<p>{escape(CARRIERS.get(parcel.carrier, parcel.carrier))} · {escape(facts)}</p>"
            f"{_form(search, hidden, label=f'{parcel.number} 일어날 일')}</li>"
        )


def _unknown(search: str) -> str:
    """A number that nobody has asked about yet: it can have its story all the same."""
    carriers = "".join(f'<option value="{slug}">{escape(name)}</option>' for slug, name in CARRIERS.items())
    fields = (
        f'<label>택배사 <select name="carrier">{carriers}</select></label>'
        f'<label>송장번호 <input name="number" value="{escape(search)}" maxlength="{_LONGEST}" required></label>'
    )
    return (
        "<li data-new><h2>아직 조회하지 않은 송장번호</h2>"
        f"<p>쇼핑몰이 조회하기 전이라도 일어날 일을 정할 수 있습니다.</p>{_form(search, fields)}</li>"
    )


def _form(search: str, fields: str, *, label: str = "일어날 일") -> str:
    action = escape("/" + (f"?{urlencode({'q': search})}" if search else ""))
    choices = "".join(f'<option value="{name}">{escape(story.label)}</option>' for name, story in STORIES.items())
    return (
        f'<form method="post" action="{action}">{fields}<label>일어날 일'
        f' <select name="story" aria-label="{escape(label)}">{choices}</select></label>'
        "<button>지금 일어나게 하기</button></form>"
    )


def _clock(scan: Scan) -> str:
    return "시간 모름" if scan.at is None else f"{datetime.fromtimestamp(scan.at, KST):%m-%d %H:%M:%S}"


_EMPTY = '<li class="empty">조회한 송장이 없습니다. 쇼핑몰에서 배송중 처리를 하면 여기에 나타납니다.</li>'
_STYLE = """
:root { color-scheme: light dark; --bg: #f5f6f8; --card: #fff; --text: #1b1f24; --soft: #57606a; --line: #d4d9df;
  --main: #1f5fd0; --good: #116932; --bad: #a3232b; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171b; --card: #1e2329; --text: #e8ebee; --soft: #a6b0ba;
  --line: #3a424b; --main: #8ab4ff; --good: #7fd99a; --bad: #ff9c9c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 880px; padding: 24px 16px 64px; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans KR", sans-serif; word-break: keep-all; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 0; font-variant-numeric: tabular-nums; }
p { margin: 4px 0; color: var(--soft); }
ul { list-style: none; margin: 16px 0; padding: 0; display: grid; gap: 12px; }
li { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px; }
form { display: flex; flex-wrap: wrap; align-items: end; gap: 8px; margin-top: 8px; }
label { display: grid; font-size: 13px; color: var(--soft); }
input, select, button { font: inherit; min-height: 36px; padding: 4px 10px; border: 1px solid var(--line);
  border-radius: 6px; background: var(--card); color: var(--text); max-width: 100%; }
button { cursor: pointer; } :focus-visible { outline: 2px solid var(--main); outline-offset: 2px; }
.badge { font-size: 13px; font-weight: 600; padding: 1px 8px; border: 1px solid currentColor; border-radius: 10px;
  color: var(--soft); }
.badge.good, .done { color: var(--good); } .badge.bad, .refused { color: var(--bad); }
.done, .refused { font-weight: 600; } .empty { text-align: center; color: var(--soft); }
"""
_PAGE = """<!DOCTYPE html>
<html lang="ko"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>택배 연습</title>
<style>{style}</style></head><body>
<main><h1>택배 연습</h1><p>연습용 택배사입니다. 상자는 저절로 움직여 {minutes}분쯤 뒤에 배송완료됩니다.
송장번호의 끝에서 셋째와 둘째 자리가 90부터 96까지면 미집하나 반송 같은 다른 일을 겪습니다.
상자에 사고를 내면 쇼핑몰이 다음에 조회할 때 배송 예외에 나타납니다.
바로 보려면 배송중 관리에서 배송조회를 누르세요.</p>{said}
<form method="get" action="/" role="search">
<label>송장번호 <input type="search" name="q" value="{search}" inputmode="numeric"></label>
<button>찾기</button></form>
<ul>{rows}</ul></main></body></html>
"""
