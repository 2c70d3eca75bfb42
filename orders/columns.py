"""Records and columns of order lists. Personal data is masked in cells and whole in files (reliability.md R-10)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any, NamedTuple

from core import cells
from core.calendar import due_date, kst_date
from core.excel.columns import Kind
from core.lists import Group, ListColumn
from core.masking import mask_address, mask_name, mask_phone
from core.phones import format_phone
from orders.contact import days_by_id, warned_end
from orders.options import DELIVERY_DAYS
from orders.states import (
    BIT,
    BIT_CLAIM,
    BIT_UNMAPPED,
    CANCELED_CODE,
    CLOSED,
    CODE,
    CSS,
    LOCK_BIT,
    CanceledBy,
    ConfirmedBy,
    DeliveryMethod,
    LineState,
    LockKind,
    PaymentMethod,
    RemoteZone,
    StockVerdict,
)

HELD = LOCK_BIT[LockKind.HOLD]
CLAIMED = LOCK_BIT[LockKind.CLAIM]
WAITS_TO_LEAVE = BIT[LineState.PREPARING] | BIT[LineState.READY]
LATE, TODAY, HOLD, DANGER, MEMO = "t-late", "t-today", "t-hold", "t-danger", "t-memo"


class OrderRecord(NamedTuple):
    """주문 한 줄: the columns of an order that lists need."""

    id: int
    version: int
    number: str
    channel_name: str
    ordered_at: datetime
    paid_at: datetime | None
    confirmed_at: datetime | None
    next_due_at: datetime | None
    deposit_by: datetime | None
    buyer_name: str
    buyer_phone: str
    recipient_name: str
    recipient_phone: str
    zip_code: str
    address1: str
    address2: str
    jibun_address: str
    safe_number_end_date: date | None
    delivery_note: str
    depositor_name: str
    payment_method: str
    delivery_method: str
    due_amount: int
    paid_amount: int
    stage: str
    steps: int
    line_count: int
    has_memo: bool
    remote_zone: int | None
    remote_surcharge_amount: int | None


ORDER_PATHS = {"channel_name": "channel__name"}


class LineRecord(NamedTuple):
    """품목 한 줄: the columns of a line that lists need."""

    id: int
    order_id: int
    number: str
    version: int
    state: str
    product_name: str
    option_name: str
    quantity: int
    unit_price: int
    open_locks: int
    hold_reason: str
    stock_verdict: str
    delivery_method: str
    acknowledged_at: datetime | None
    standby_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    delivered_by: str
    confirm_by: datetime | None
    confirmed_at: datetime | None
    confirmed_by: str
    ship_by: datetime | None
    canceled_by: str
    sku: str | None
    on_hand: int | None
    allocated: int | None


LINE_PATHS = {
    "sku": "variant__sku",
    "on_hand": "variant__stock__on_hand",
    "allocated": "variant__stock__allocated",
}
LINE_FIELDS = tuple(LINE_PATHS.get(name, name) for name in LineRecord._fields)

_LABEL = {state.value: state.label for state in LineState}
_CSS = {state.value: css for state, css in CSS.items()}
_CODE = {state.value: code for state, code in CODE.items()}
_PAYMENT = dict(PaymentMethod.choices)
_ZONE = {zone.value: zone.label for zone in RemoteZone}
REMOTE = frozenset({RemoteZone.JEJU.value, RemoteZone.ISLAND.value})
_CONFIRMED_BY = dict(ConfirmedBy.choices)
_VERDICT = dict(StockVerdict.choices)
_ORDER = [state.value for state in LineState]


def shown_state(line: LineRecord) -> tuple[str, str]:
    """보이는 상태: css class and label of a line; 배송보류 wins over 배송대기 (architecture.md 3)."""
    if line.open_locks & HELD and line.state in {LineState.PREPARING, LineState.READY}:
        return _CSS[line.state], "배송보류"
    if line.state == LineState.READY and line.standby_at:
        return "s-standby", "배송대기"
    return _CSS[line.state], _LABEL[line.state]


def shown_code(line: Any) -> str:
    """공개 코드 of a line: the Cafe24 codes N00 to N50, with N21, N22 and C47 to C49 (architecture.md 3)."""
    if line.state == LineState.CANCELED_UNPAID and line.canceled_by:
        return CANCELED_CODE[CanceledBy(line.canceled_by)]
    _, label = shown_state(line)
    return {"배송보류": "N22", "배송대기": "N21"}.get(label, _CODE[line.state])


def order_code(stage: str, lines: Iterable[Any]) -> str:
    """공개 코드 of an order: that of its stored stage; of a line where the line says more."""
    codes = {shown_code(line) for line in lines if line.state == stage}
    return codes.pop() if len(codes) == 1 else _CODE[stage]


def roll_up_text(group: Group) -> str:
    """상태 요약: "배송중 2 · 상품준비중 1" when the lines of an order stand in different states, else empty."""
    found = Counter(line.state for line in (*group.lines, *group.elsewhere))
    if len(found) < 2:
        return ""
    return " · ".join(f"{_LABEL[state]} {found[state]}" for state in sorted(found, key=_ORDER.index, reverse=True))


def elsewhere_text(group: Group) -> str:
    """다른 단계의 품목: "외 1건 배송중"; empty when all lines are shown."""
    if not group.elsewhere:
        return ""
    states = sorted({line.state for line in group.elsewhere}, key=_ORDER.index)
    return f"외 {len(group.elsewhere)}건 {'·'.join(_LABEL[state] for state in states)}"


def lock_tags(group: Group) -> list[cells.Tag]:
    """잠금 표시: 결제 확인, 입금 확인 중 and 보류 of the lines of a row."""
    locks = 0
    for line in group.lines:
        locks |= line.open_locks
    money = ((LockKind.PAYMENT, DANGER), (LockKind.DEPOSIT_PENDING, HOLD))
    found = [cells.Tag(kind.label, css) for kind, css in money if locks & LOCK_BIT[kind]]
    return [*found, cells.Tag("보류", HOLD)] if locks & HELD else found


def order_tags(group: Group) -> list[cells.Tag]:
    """표시: what staff must see at once, the most pressing first."""
    order, found = group.record, []
    if order.steps & BIT_CLAIM:
        found.append(cells.Tag("취소 신청", DANGER))
    found += lock_tags(group)
    if order.next_due_at is not None:
        late = (kst_date(group.now) - due_date(order.next_due_at)).days
        if late > 0:
            found.append(cells.Tag(f"지연 {late}일", LATE))
        elif late == 0:
            found.append(cells.Tag("오늘까지", TODAY))
    if order.steps & BIT_UNMAPPED:
        found.append(cells.Tag("품목 미연결", DANGER))
    found += _safe_number_tags(group)
    found += zone_tags(order)
    if order.has_memo:
        found.append(cells.Tag("메모", MEMO))
    return found


def methods_text(lines: Iterable[Any], *, ordered: str) -> str:
    """배송방법 in which lines leave, several with dots; 배송방법 변경 may have parted it from what was ordered."""
    chosen = {line.delivery_method for line in lines if line.state not in CLOSED} or {ordered}
    return "·".join(label for value, label in DeliveryMethod.choices if value in chosen)


def _safe_number_tags(group: Group) -> list[cells.Tag]:
    """안심번호 만료 of an order that waits or is on its way; once it has arrived nobody needs the number for it."""
    days, sent = group.fetched.get("tags"), [line for line in group.lines if line.state == LineState.SHIPPING]
    if group.record.steps & WAITS_TO_LEAVE:
        return safe_number_tags(group, days=days, ship_by=group.record.next_due_at)
    left = max((line.shipped_at for line in sent if line.shipped_at), default=None)
    return safe_number_tags(group, days=days, shipped_at=left) if sent else []


def safe_number_tags(group: Group, *, days: Any, **moments: datetime | None) -> list[cells.Tag]:
    """안심번호 만료: nobody will reach the recipient at the door; `days` is the setting 배송에 걸리는 날."""
    known: Any = DELIVERY_DAYS.default if days is None else days
    end = warned_end(group.record.safe_number_end_date, at=group.now, days=known, **moments)
    return [cells.Tag(end.label, DANGER if end.is_over else LATE)] if end else []


def zone_text(row: Any) -> str:
    """권역 of a row; empty on the mainland and for what came in before there were zones."""
    return _ZONE[row.remote_zone] if row.remote_zone in REMOTE else ""


def zone_tags(row: Any) -> list[cells.Tag]:
    """제주·도서산간: where delivery takes longer and costs more."""
    return [cells.Tag(_ZONE[row.remote_zone])] if row.remote_zone in REMOTE else []


def order_url(number: str) -> str:
    """주문 상세의 주소."""
    return f"/orders/{number}/"


def _number_cell(group: Group, line: Any) -> str:
    order = group.record
    sub = f"{cells.short_time(order.ordered_at, group.now)} · {order.channel_name}"
    return cells.opener(order_url(order.number), order.number, sub=sub, title=cells.full_time(order.ordered_at))


def _people_cell(group: Group, line: Any) -> str:
    order = group.record
    buyer = f"주문 {mask_name(order.buyer_name)}" if order.buyer_name != order.recipient_name else ""
    return cells.two_lines(mask_name(order.recipient_name), buyer)


def _product_cell(group: Group, line: LineRecord) -> str:
    text = cells.with_note(line.product_name, line.option_name)
    if group.elsewhere and line is group.lines[-1]:
        url = f"/orders/?q={group.record.number}"
        return cells.joined((text, cells.link(url, elsewhere_text(group), css="sub")))
    return text


def _stage_cell(group: Group, line: Any) -> str:
    stage = group.record.stage
    states = {shown_state(one) for one in (*group.lines, *group.elsewhere) if one.state == stage}
    css, label = states.pop() if len(states) == 1 else (_CSS[stage], _LABEL[stage])
    return cells.joined((cells.badge(css, label), cells.two_lines("", roll_up_text(group))))


def _methods(group: Group) -> str:
    return methods_text((*group.lines, *group.elsewhere), ordered=group.record.delivery_method)


def _stock_cell(group: Group, line: LineRecord) -> str:
    if line.on_hand is None or line.allocated is None:
        return cells.text("미연결" if line.sku is None else "재고 없음")
    words = f"{line.on_hand - line.allocated:,} / {line.quantity:,}"
    return cells.with_note(words, _VERDICT.get(line.stock_verdict, ""))


def _available(group: Group, line: LineRecord) -> int | None:
    return None if line.on_hand is None or line.allocated is None else line.on_hand - line.allocated


def _deadline_cell(group: Group, line: LineRecord) -> str:
    if line.ship_by is None:
        return cells.EMPTY
    day = due_date(line.ship_by)
    return cells.text(str(day)[5:] if day.year == kst_date(group.now).year else str(day))


def _confirmed_cell(group: Group, line: LineRecord) -> str:
    at = cells.short_time(line.confirmed_at, group.now)
    return cells.two_lines(at, _CONFIRMED_BY.get(line.confirmed_by, ""), title=cells.full_time(line.confirmed_at))


def in_file(key: str, label: str, plain: Any, **more: Any) -> ListColumn:
    """파일에만 있는 열: what the screen shows in the smaller line of another cell."""
    return ListColumn(key, label, lambda group, line: "", plain, **more)


NUMBER = ListColumn(
    "number", "주문번호", _number_cell, lambda g, _: g.record.number, css="no", width=18, sort="ordered_at",
    more=(
        in_file("ordered_at", "주문일시", lambda g, _: g.record.ordered_at, kind=Kind.DATETIME, width=19),
        in_file("channel", "판매처", lambda g, _: g.record.channel_name),
        in_file("line_number", "품목별 주문번호", lambda g, line: line.number if line else "", per_line=True, width=20),
    ),
)  # fmt: skip
PEOPLE = ListColumn(
    "people", "수령자", _people_cell, lambda g, _: g.record.recipient_name, personal=True, css="who",
    masked=lambda g, _: mask_name(g.record.recipient_name),
    more=(in_file("buyer", "주문자", lambda g, _: g.record.buyer_name, personal=True),),
)  # fmt: skip
BUYER = ListColumn(
    "buyer", "주문자", lambda g, _: cells.text(mask_name(g.record.buyer_name)), lambda g, _: g.record.buyer_name,
    personal=True, css="who", masked=lambda g, _: mask_name(g.record.buyer_name),
)  # fmt: skip
PHONE = ListColumn(
    "phone", "연락처", lambda g, _: cells.text(mask_phone(g.record.recipient_phone)),
    lambda g, _: format_phone(g.record.recipient_phone), visible=False, personal=True, css="nowrap",
    masked=lambda g, _: mask_phone(g.record.recipient_phone),
    more=(in_file("safe_number_end", "안심번호 만료일", lambda g, _: g.record.safe_number_end_date, kind=Kind.DATE),),
)  # fmt: skip
ADDRESS = ListColumn(
    "address", "주소", lambda g, _: cells.text(mask_address(f"{g.record.address1} {g.record.address2}")),
    lambda g, _: f"{g.record.address1} {g.record.address2}".strip(), visible=False, personal=True, width=50,
    masked=lambda g, _: mask_address(f"{g.record.address1} {g.record.address2}"),
    more=(
        in_file("zip_code", "우편번호", lambda g, _: g.record.zip_code, personal=True, width=8),
        in_file(
            "jibun_address", "지번주소", lambda g, _: g.record.jibun_address, personal=True, width=50,
            masked=lambda g, _: mask_address(g.record.jibun_address),
        ),
    ),
)  # fmt: skip
PRODUCT = ListColumn(
    "product", "상품 / 옵션", _product_cell, lambda g, line: line.product_name, per_line=True, css="cut", width=36,
    more=(
        in_file("option", "옵션", lambda g, line: line.option_name, per_line=True, width=24),
        in_file("state_code", "품목 상태", lambda g, line: shown_state(line)[1], per_line=True, width=12),
    ),
)  # fmt: skip
SKU = ListColumn(
    "sku", "SKU", lambda g, line: cells.text(line.sku), lambda g, line: line.sku or "", per_line=True, css="nowrap"
)
QUANTITY = ListColumn(
    "quantity", "수량", lambda g, line: cells.number(line.quantity), lambda g, line: line.quantity, per_line=True,
    kind=Kind.INTEGER, css="num", width=8,
)  # fmt: skip
PRICE = ListColumn(
    "price", "상품금액", lambda g, line: cells.won(line.unit_price * line.quantity),
    lambda g, line: line.unit_price * line.quantity, per_line=True, kind=Kind.WON, css="num", visible=False,
)  # fmt: skip
AMOUNT = ListColumn(
    "amount", "결제금액", lambda g, _: cells.won_and(g.record.due_amount, _PAYMENT[g.record.payment_method]),
    lambda g, _: g.record.due_amount, kind=Kind.WON, css="num", sort="due_amount",
    more=(in_file("payment", "결제수단", lambda g, _: _PAYMENT[g.record.payment_method]),),
)  # fmt: skip
STAGE = ListColumn("stage", "상태", _stage_cell, lambda g, _: _LABEL[g.record.stage], width=12)
STOCK = ListColumn(
    "stock", "재고(가용/필요)", _stock_cell, _available, per_line=True, kind=Kind.INTEGER, css="num",
    more=(
        in_file("verdict", "재고 판정", lambda g, line: _VERDICT.get(line.stock_verdict, ""), per_line=True),
    ),
)  # fmt: skip
DEADLINE = ListColumn(
    "deadline", "발송기한", _deadline_cell, lambda g, line: due_date(line.ship_by) if line.ship_by else None,
    per_line=True, kind=Kind.DATE, css="nowrap", sort="next_due_at", width=12,
)  # fmt: skip
ACKNOWLEDGED = ListColumn(
    "acknowledged", "발주확인",
    lambda g, line: cells.text(cells.short_time(line.acknowledged_at, g.now) or "미확인"),
    lambda g, line: line.acknowledged_at, per_line=True, kind=Kind.DATETIME, css="nowrap", width=19,
)  # fmt: skip
DELIVERY = ListColumn(
    "delivery",
    "배송방법",
    lambda g, _: cells.text(_methods(g)),
    lambda g, _: _methods(g),
    visible=False,
    css="nowrap",
)
ZONE = ListColumn(
    "zone", "도서산간", lambda g, _: cells.text(zone_text(g.record)), lambda g, _: zone_text(g.record),
    visible=False, css="nowrap",
    more=(in_file("surcharge", "추가 배송비", lambda g, _: g.record.remote_surcharge_amount, kind=Kind.WON),),
)  # fmt: skip
NOTE = ListColumn(
    "note", "배송메시지", lambda g, _: cells.text(g.record.delivery_note), lambda g, _: g.record.delivery_note,
    visible=False, personal=True, css="cut", width=30,
)  # fmt: skip
CONFIRMED = ListColumn(
    "confirmed", "확정일 / 구분", _confirmed_cell, lambda g, line: line.confirmed_at, per_line=True, kind=Kind.DATETIME,
    css="nowrap", sort="confirmed_at", width=19,
    more=(
        in_file("confirmed_by", "확정 구분", lambda g, line: _CONFIRMED_BY.get(line.confirmed_by, ""), per_line=True),
    ),
)  # fmt: skip
TAGS = ListColumn(
    "tags", "표시", lambda g, _: cells.tags(order_tags(g)), lambda g, _: ", ".join(tag.label for tag in order_tags(g))
)
TAGS_TO_SHIP = replace(TAGS, fetch=days_by_id)
