"""Columns of the webhook inbox: events, and requests that never became one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from core import cells
from core.excel.columns import Kind
from core.lists import Group, ListColumn
from orders.columns import order_url
from orders.models import Order
from payments.models import Payment, PgNotice
from payments.notice_words import CSS, kind_words, reason_words
from payments.states import NoticeState


class NoticeRecord(NamedTuple):
    """알림 한 줄."""

    id: int
    version: int
    received_at: datetime
    pg: str
    kind: str
    order_ref: str
    amount: int | None
    state: str
    reason: str
    attempts: int
    finished_at: datetime | None


class RequestRecord(NamedTuple):
    """거절된 요청 한 줄."""

    id: int
    at: datetime
    pg: str
    client_ip: str | None
    status: int | None
    reason: str
    size: int
    content_type: str


PATHS = {"pg": "account__name"}


def notice_url(pk: int) -> str:
    """알림 상세 주소."""
    return f"/payments/notices/{pk}/"


def request_url(pk: int) -> str:
    """요청 상세 주소."""
    return f"/payments/notices/refused/{pk}/"


def orders_of(ids: Sequence[int]) -> Mapping[int, str]:
    """주문번호 of notices: by our reference at the PG, or the number itself where a bank's service tells it.

    Two queries, and a third for references that are none of ours.
    """
    notices = list(PgNotice.objects.filter(pk__in=ids).values_list("pk", "account_id", "order_ref"))
    rows = Payment.objects.filter(order_ref__in=[ref for _, _, ref in notices])
    numbers = {(a, ref): number for a, ref, number in rows.values_list("account_id", "order_ref", "order__number")}
    found = {pk: numbers[account, ref] for pk, account, ref in notices if (account, ref) in numbers}
    others = {pk: ref for pk, _, ref in notices if pk not in found and ref}
    if others:
        plain = set(Order.objects.filter(number__in=others.values()).values_list("number", flat=True))
        found |= {pk: ref for pk, ref in others.items() if ref in plain}
    return found


def _order(group: Group, _: object) -> str:
    number = group.fetched.get("order")
    if number is None:
        return cells.two_lines(group.record.order_ref or "주문 참조 없음", "연결한 주문 없음")
    return cells.link(order_url(number), number, css="number")


def _state(group: Group, _: object) -> str:
    row = group.record
    badge = cells.badge(CSS[NoticeState(row.state)], NoticeState(row.state).label)
    return cells.two_lines(badge, reason_words(row.reason))


NOTICE_COLUMNS = (
    ListColumn(
        "received_at", "수신일시",
        lambda g, _: cells.opener(notice_url(g.record.id), cells.full_time(g.record.received_at)),
        lambda g, _: g.record.received_at, kind=Kind.DATETIME, width=19, css="nowrap", sort="received_at",
    ),
    ListColumn("pg", "PG", lambda g, _: cells.text(g.record.pg), lambda g, _: g.record.pg),
    ListColumn(
        "kind", "종류", lambda g, _: cells.text(kind_words(g.record.kind)), lambda g, _: kind_words(g.record.kind),
        css="nowrap",
    ),
    ListColumn(
        "order", "주문", _order, lambda g, _: g.fetched.get("order", g.record.order_ref), fetch=orders_of, width=22,
    ),
    ListColumn(
        "amount", "금액", lambda g, _: cells.won(g.record.amount), lambda g, _: g.record.amount, kind=Kind.WON,
        css="num nowrap",
    ),
    ListColumn(
        "state", "상태", _state,
        lambda g, _: " ".join(filter(None, (NoticeState(g.record.state).label, reason_words(g.record.reason)))),
        width=30,
    ),
    ListColumn(
        "attempts", "시도", lambda g, _: cells.number(g.record.attempts), lambda g, _: g.record.attempts,
        kind=Kind.INTEGER, css="num",
    ),
    ListColumn(
        "finished_at", "처리일시", lambda g, _: cells.text(cells.short_time(g.record.finished_at, g.now)),
        lambda g, _: g.record.finished_at, kind=Kind.DATETIME, css="nowrap", visible=False,
    ),
)  # fmt: skip

REQUEST_COLUMNS = (
    ListColumn(
        "at", "수신일시", lambda g, _: cells.opener(request_url(g.record.id), cells.full_time(g.record.at)),
        lambda g, _: g.record.at, kind=Kind.DATETIME, width=19, css="nowrap", sort="at",
    ),
    ListColumn("pg", "PG", lambda g, _: cells.text(g.record.pg), lambda g, _: g.record.pg),
    ListColumn("client_ip", "보낸 IP", lambda g, _: cells.text(g.record.client_ip), lambda g, _: g.record.client_ip),
    ListColumn(
        "status", "응답", lambda g, _: cells.text(g.record.status or "판정 전"), lambda g, _: g.record.status,
        kind=Kind.INTEGER, css="num",
    ),
    ListColumn(
        "reason", "이유", lambda g, _: cells.text(reason_words(g.record.reason)),
        lambda g, _: reason_words(g.record.reason), width=30,
    ),
    ListColumn(
        "content_type", "형식", lambda g, _: cells.text(g.record.content_type), lambda g, _: g.record.content_type,
    ),
    ListColumn(
        "size", "크기", lambda g, _: cells.text(f"{g.record.size:,}바이트"), lambda g, _: g.record.size,
        kind=Kind.INTEGER, css="num nowrap",
    ),
)  # fmt: skip
