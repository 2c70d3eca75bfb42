"""A made-up shop of objects shaped like PageView, so that the shell is tested before any real list exists."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

NAMES = ("류나연", "박유진", "장유진", "장준서", "한다은", "박하은", "이지우", "홍지호", "권은채")
GOODS = (
    ("국내산 현미 누룽지 1kg", "2개 묶음", 21600),
    ("무형광 코튼 오버핏 반팔 티셔츠", "화이트 / M", 9900),
    ("무선 충전 거치대", "화이트", 74500),
    ("유기농 순면 수건 5매입", "그레이", 84300),
    ("저자극 세라마이드 크림 50ml", "단품", 36500),
    ("메리노울 라운드 니트", "네이비 / FREE", 130600),
    ("스테인리스 텀블러 473ml", "크림", 89100),
)
SHOPS = ("자사몰", "쿠팡", "11번가", "스마트스토어")
PAYS = ("카카오페이", "네이버페이", "무통장입금", "가상계좌")
LINES_PER_ORDER = (1, 2, 1, 2, 3, 1, 1, 1, 2, 1)
TOTAL = 3214
SIZE = 50
TABS = (
    ("all", "전체", 3214),
    ("none", "송장 미등록", 2240),
    ("has", "송장 등록", 968),
    ("today", "오늘 발송기한", 311),
)


@dataclass(frozen=True)
class Thing:
    """Any object of the contract: attributes by name."""

    values: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


def thing(**values: Any) -> Thing:
    return Thing(values)


class ExtraFilters(forms.Form):
    channel = forms.ChoiceField(label="판매처", required=False, choices=[("", "전체"), ("own", "자사몰")])
    courier = forms.ChoiceField(label="택배사", required=False, choices=[("", "전체"), ("cj", "CJ대한통운")])
    amount_min = forms.IntegerField(label="금액 이상", required=False, help_text="원")
    has_memo = forms.BooleanField(label="메모 있음", required=False)


class ReasonForm(forms.Form):
    reason = forms.CharField(label="사유", help_text="처리 이력에 남습니다.", widget=forms.Textarea(attrs={"rows": 3}))
    kind = forms.ChoiceField(label="구분", choices=[("a", "고객 부재"), ("b", "주소 확인")], widget=forms.RadioSelect)
    on_date = forms.DateField(label="다시 확인할 날", widget=forms.DateInput)
    tell = forms.BooleanField(label="고객에게 알리기", required=False)

    error_messages = {"required": "입력하세요."}


def cells(n: int, line: int, lines: int, moved: bool) -> SafeString:
    name, option, price = GOODS[(n + line) % len(GOODS)]
    row = format_html(
        '<td class="cut">{} <span class="opt">{}</span></td><td class="num">{}</td><td class="num">{}원</td>',
        name,
        option,
        1 + n % 2,
        f"{price:,}",
    )
    if line:
        return row
    span = format_html(' rowspan="{}"', lines) if lines > 1 else SafeString("")
    state, css = ("배송중", "s-shipping") if moved else ("배송준비중", "s-ready")
    note = SafeString('<span class="sub">방금 이도윤 님이 처리</span>') if moved else SafeString("")
    tag = SafeString('<span class="tag t-today">오늘까지</span>') if n % 5 == 4 else SafeString("")
    marks = SafeString('<span class="tag">묶음 2</span> <span class="tag t-memo">메모</span>') if n % 6 == 1 else ""
    return format_html(
        '<td class="no"{span}><a href="/orders/{no}/" data-open>{no}</a>'
        '<span class="sub">11-21 14:{minute} · {shop}</span></td>'
        '<td class="nowrap"{span}>{who}</td>{row}'
        '<td class="num"{span}><b>{total}원</b><span class="sub">{pay}</span></td>'
        '<td class="nowrap"{span}><span class="badge {css}">{state}</span>{tag}{note}</td>'
        '<td{span}><input data-waybill id="w-{n}" inputmode="numeric" aria-label="{no} 송장번호" '
        'placeholder="송장번호" value="{waybill}"{off}></td><td class="nowrap"{span}>{marks}</td>',
        span=span,
        no=order_number(n),
        minute=f"{n % 60:02d}",
        shop=SHOPS[n % 4],
        who=NAMES[n % 9],
        row=row,
        total=f"{price * lines:,}",
        pay=PAYS[n % 4],
        css=css,
        state=state,
        tag=tag,
        note=note,
        n=n,
        marks=marks,
        waybill=f"6253733{n:05d}" if n % 7 == 5 else "",
        off=SafeString(" disabled") if moved else "",
    )


def order_number(n: int) -> str:
    return f"20251121-{n + 1:07d}"


def sample_row(n: int, moved: bool = False, version: int = 1) -> Thing:
    lines = LINES_PER_ORDER[n % 10]
    trs = [
        thing(line_number=f"{order_number(n)}-{i + 1:02d}", state="READY", cells_html=cells(n, i, lines, moved))
        for i in range(lines)
    ]
    row = thing(
        id=n + 1,
        version=version,
        number=order_number(n),
        state="SHIPPING" if moved else "READY",
        css="moved" if moved else "",
        url=f"/orders/{order_number(n)}/",
        name_for_checkbox=order_number(n),
        trs=trs,
    )
    return thing(**row.values, html=render_to_string("generic/_row.html", {"row": row}))


def sample_page(query: dict[str, str], moved: frozenset[int] = frozenset()) -> Thing:
    def url(**changes: str) -> str:
        merged = {key: value for key, value in {**query, **changes}.items() if value}
        return f"/orders/ready/?{urlencode(merged)}" if merged else "/orders/ready/"

    after = int(query.get("after", 0))
    tab = query.get("tab", "all")
    nothing = query.get("q") == "없음"
    sort = query.get("sort", "-paid")
    heads = [
        ("주문번호 / 결제일시", ""),
        ("수령자", ""),
        ("상품 / 옵션", ""),
        ("수량", "num"),
        ("상품금액", "num"),
        ("결제금액", "num"),
    ]
    heads += [("상태", ""), ("송장번호 CJ대한통운", ""), ("표시", "")]
    chips = [thing(label="판매처: 자사몰·스마트스토어", remove_url=url(channel=""))] if query.get("channel") else []
    filters = ExtraFilters(query, auto_id="filter_%s")
    filters.is_valid()
    return thing(
        name="ready",
        title="배송준비중 관리",
        subtitle="출고할 주문을 확인하고 송장을 등록합니다",
        url="/orders/ready/",
        unit="주문",
        full_query=urlencode(query),
        reset_url=url(channel="", q="") if query.get("channel") or query.get("q") else "",
        tabs=[
            thing(
                key=key,
                label=label,
                count_text=f"{number:,}",
                current=key == tab,
                url=url(tab="" if key == "all" else key, after=""),
            )
            for key, label, number in TABS
        ],
        search=thing(
            q=query.get("q", ""),
            kind="",
            kinds=[("", "통합검색"), ("order", "주문번호")],
            basis="paid",
            bases=[("paid", "결제일"), ("ordered", "주문일")],
            period="" if query.get("from") else query.get("period", "7d"),
            periods=[
                (key, label, url(period=key), key == query.get("period", "7d"))
                for key, label in (
                    ("today", "오늘"),
                    ("3d", "3일"),
                    ("7d", "7일"),
                    ("1m", "1개월"),
                    ("3m", "3개월"),
                    ("all", "전체"),
                )
            ],
            date_from=query.get("from", "2025-11-15"),
            date_to=query.get("to", "2025-11-21"),
        ),
        filters=filters,
        filters_active=len(chips),
        filters_open=False,
        chips=chips,
        views=[
            thing(label="기본", url=url(), current=True, mine=False, id=0),
            thing(label="오늘 출고분", url=url(tab="today"), current=False, mine=True, id=7),
        ],
        views_url="/me/views/",
        view_changed=False,
        heads=[
            thing(
                key=label,
                label=label,
                css=css,
                sort_url=url(sort="paid" if sort == "-paid" else "-paid") if i == 0 else None,
                aria_sort=("descending" if sort == "-paid" else "ascending") if i == 0 else "",
            )
            for i, (label, css) in enumerate(heads)
        ],
        rows=[] if nothing else [sample_row(n, n in moved) for n in range(after, after + SIZE)],
        empty="filter" if nothing else "",
        empty_text="",
        total=thing(text="주문 3,214건 · 품목 4,501건", count=TOTAL, capped=False, exact_url=""),
        pager=thing(
            prev_url=url(after=str(after - SIZE) if after > SIZE else "") if after else "",
            next_url=url(after=str(after + SIZE)),
            size=SIZE,
            sizes=[(n, url(size=str(n)), n == SIZE) for n in (20, 50, 100, 200)],
            position_text=f"{after // SIZE + 1} / 65쪽",
        ),
        buttons=[
            thing(name=name, label=label, style=style, needs="", hotkey="")
            for name, label, style in (
                ("ship", "배송중 처리", "primary"),
                ("print-labels", "송장 출력", "secondary"),
                ("pick-list", "피킹리스트", "secondary"),
                ("back", "상품준비중으로", "secondary"),
                ("cancel", "취소 처리", "danger"),
                ("hold", "배송보류", "more"),
            )
        ],
        tools=[
            thing(label="송장 엑셀 올리기", url="/shipping/waybills/upload/", name="upload"),
            thing(label="내려받기", url="/orders/ready/excel/", name="download"),
            thing(label="열 설정", url="", name="columns"),
        ],
        columns_choice=[
            thing(key=key, label=label, visible=True, frozen=key == "number")
            for key, label in (
                ("number", "주문번호"),
                ("recipient", "수령자"),
                ("product", "상품 / 옵션"),
                ("quantity", "수량"),
            )
        ],
        columns_url="/me/preferences/",
        outside=None,
        as_of="2025-11-21T14:20:00+09:00",
        since="t1",
        density="normal",
        paste_url="/orders/ready/paste/",
        draft_url="/orders/ready/draft/",
    )


MENU = [
    thing(label="", items=[thing(number="0", label="대시보드", url="/", count_key="", count_text="", current=False)]),
    thing(
        label="주문 처리",
        items=[
            thing(number=str(i + 1), label=label, url=url, count_key=key, count_text=text, current=i == 3)
            for i, (label, url, key, text) in enumerate(
                (
                    ("통합주문조회", "/orders/", "", ""),
                    ("입금대기 관리", "/orders/awaiting-payment/", "menu-awaiting", "412"),
                    ("상품준비중 관리", "/orders/preparing/", "menu-preparing", "1,180"),
                    ("배송준비중 관리", "/orders/ready/", "menu-ready", "3,214"),
                    ("배송중 관리", "/orders/shipping/", "menu-shipping", "2,706"),
                    ("배송완료 관리", "/orders/delivered/", "menu-delivered", "1,933"),
                    ("구매확정 내역", "/orders/confirmed/", "menu-confirmed", "8,420"),
                )
            )
        ],
    ),
    thing(
        label="관리",
        items=[
            thing(number="", label=label, url=url, count_key="", count_text="", current=False)
            for label, url in (("작업 현황", "/jobs/"), ("처리 이력", "/audit/"), ("설정", "/settings/"))
        ],
    ),
]


def shell(**more: Any) -> dict[str, Any]:
    me = thing(display_name="김하은", role_label="물류")
    return {
        "menu": MENU,
        "me": me,
        "theme": "light",
        "density": "normal",
        "shortcuts": "on",
        "running_jobs_text": "작업 1건 진행 중 · 62%",
        **more,
    }


def sample_detail(number: str) -> SafeString:
    lines = format_html_join(
        "",
        '<tr><td>{}<span class="sub">{}</span></td><td class="num">{}</td><td class="num">{}원</td></tr>',
        [
            (name, f"{number}-{i:02d} · {option}", f"{i}개", f"{price:,}")
            for i, (name, option, price) in enumerate(GOODS[4:7], 1)
        ],
    )
    events = format_html_join(
        "",
        '<li><b>{}</b><span class="sub">{}</span></li>',
        [
            ("배송준비중", "11-21 10:02 · 김하은 · 선택 처리 48건"),
            ("상품준비중", "11-20 18:41 · 시스템 · PG 입금 통보"),
            ("입금대기", "11-20 18:37 · 고객"),
        ],
    )
    return format_html(
        '<section class="section"><h3>품목 3건</h3><table class="lines"><tbody>{}<tr class="total">'
        '<td colspan="2">결제금액 <small>무통장입금</small></td><td class="num">245,000원</td></tr></tbody></table>'
        '</section><section class="section"><h3>받는 분</h3><dl class="kv"><dt>이름</dt><dd>한*은</dd><dt>연락처</dt>'
        '<dd>010-****-2724 <button type="button" class="btn quiet">보기</button></dd>'
        "<dt>주소</dt><dd>경기 성남시 분당구</dd></dl></section>"
        '<section class="section"><h3>처리 이력</h3><ol class="timeline">{}</ol></section>'
        '<section class="section"><h3>메모</h3>'
        '<textarea name="text" aria-label="메모" placeholder="이 주문에 남길 메모"></textarea></section>',
        lines,
        events,
    )
