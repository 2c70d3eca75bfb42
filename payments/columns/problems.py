"""Columns of the list of money that does not fit."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from core import cells
from core.excel.columns import Kind
from core.lists import Group, ListColumn
from orders.columns import order_url
from payments.columns.notices import notice_url
from payments.models import Refund
from payments.services.cases.resolving import is_asked
from payments.services.ledger.keeping import is_cut
from payments.states import ProblemKind, RefundState, Resolution

K = ProblemKind
DRAFTED = "초안, 승인 대기"
ASKED = "차액 인정 신청됨"
GROUPS: tuple[tuple[str, str, Sequence[ProblemKind]], ...] = (
    ("short", "부분입금", (K.UNDERPAID,)),
    ("over", "초과·이중입금", (K.OVERPAID, K.DUPLICATE_DEPOSIT)),
    ("late", "취소 후 입금", (K.LATE_AFTER_CANCEL, K.LATE_AFTER_EXPIRE)),
    ("unknown", "주문 없음", (K.UNKNOWN_ORDER, K.ID_REUSE)),
    ("pg", "PG와 다름", (K.MISMATCH_WITH_PG, K.CURRENCY, K.UNCLEARED_CHEQUE)),
    ("gone", "돌려간 돈", (K.REVERSED_AFTER_RELEASE, K.REFUNDED_OUTSIDE, K.REFUND_FAILED, K.REFUND_UNCOVERED)),
)
SENTENCES = {
    K.UNKNOWN_ORDER: "PG에는 있으나 우리 주문을 찾지 못했습니다.",
    K.UNDERPAID: "결제예정액보다 적게 들어왔습니다.",
    K.OVERPAID: "결제예정액보다 많이 들어왔습니다.",
    K.DUPLICATE_DEPOSIT: "이미 결제한 주문에 또 들어왔습니다.",
    K.LATE_AFTER_CANCEL: "취소한 주문에 들어왔습니다.",
    K.LATE_AFTER_EXPIRE: "입금기한이 지나 취소한 주문에 들어왔습니다.",
    K.CURRENCY: "원화가 아닌 결제입니다.",
    K.UNCLEARED_CHEQUE: "아직 결제되지 않은 수표가 들어왔습니다.",
    K.MISMATCH_WITH_PG: "PG의 금액이나 주문번호가 우리와 다릅니다.",
    K.ID_REUSE: "같은 이벤트 번호로 다른 내용이 왔습니다.",
    K.REVERSED_AFTER_RELEASE: "출고를 시작한 주문의 입금이 취소됐습니다.",
    K.REFUNDED_OUTSIDE: "우리가 신청하지 않은 환불이 PG에 있습니다.",
    K.REFUND_FAILED: "은행이 환불을 보내지 못했습니다.",
    K.REFUND_UNCOVERED: "환불하기로 한 돈이 나가 버려 환불을 보류했습니다.",
}
OF_THE_REST = {
    K.UNDERPAID: "일부를 취소하고 남은 결제예정액보다 적게 들어왔습니다.",
    K.OVERPAID: "일부를 취소하고 남은 결제예정액보다 많이 들어왔습니다.",
}


class ProblemRecord(NamedTuple):
    """예외 한 줄."""

    id: int
    version: int
    kind: str
    amount: int
    detail: str
    found_at: datetime
    order: str | None
    notice_id: int | None
    resolution: str
    resolved_at: datetime | None
    memo: str
    who: str | None
    asked_at: datetime | None
    asked_amount: int | None
    asker: str | None
    steps: int | None
    order_stage: str | None


PATHS = {
    "order": "order__number", "who": "resolved_by__display_name", "asker": "asked_by__display_name",
    "steps": "order__steps", "order_stage": "order__stage",
}  # fmt: skip


def refunds_url(number: str) -> str:
    """환불 관리 of one order."""
    return f"/payments/refunds/?tab=all&period=all&q={number}"


def problem_url(pk: int) -> str:
    """예외 상세 주소."""
    return f"/payments/problems/{pk}/"


def told(kind: str, detail: str, *, steps: int | None, stage: str | None) -> tuple[str, str]:
    """무슨 일인지 in a sentence, and what else is known; a sentence that was stored of a PG says more than its kind.

    `steps` and `stage` are those of the order, None without one.
    """
    if kind == K.MISMATCH_WITH_PG and detail.endswith("."):
        return detail, ""
    of_rest = OF_THE_REST.get(ProblemKind(kind), "") if is_cut(steps or 0, stage or "") else ""
    return of_rest or SENTENCES[ProblemKind(kind)], detail


def _told(row: ProblemRecord) -> tuple[str, str]:
    return told(row.kind, row.detail, steps=row.steps, stage=row.order_stage)


def age(since: datetime, now: datetime) -> str:
    """경과: `3일`, `5시간`, `12분`, `방금`."""
    minutes = max(0, int((now - since).total_seconds() // 60))
    if minutes >= 48 * 60:
        return f"{minutes // (24 * 60)}일"
    if minutes >= 60:
        return f"{minutes // 60}시간"
    return f"{minutes}분" if minutes else "방금"


def _refunds_of(ids: Sequence[int]) -> dict[int, tuple[int, str]]:
    """환불 of problems: won and state of the one that was prepared or asked for."""
    rows = Refund.objects.filter(problem__in=ids).exclude(state=RefundState.WITHDRAWN)
    return {
        one.problem_id: (one.amount, DRAFTED if one.is_prepared and one.state == RefundState.DRAFT else one.state_label)
        for one in rows
        if one.problem_id is not None
    }


def _refund(group: Group, _: object) -> str:
    if (found := group.fetched.get("refund")) is None:
        return cells.EMPTY
    won, state = cells.won(found[0]), found[1]
    order = group.record.order
    return cells.link(refunds_url(order), won, sub=state) if order else cells.two_lines(won, state)


def _refund_text(group: Group, _: object) -> str:
    found = group.fetched.get("refund")
    return f"{found[0]:,}원 {found[1]}" if found else ""


def _order(group: Group, _: object) -> str:
    row = group.record
    if row.order:
        return cells.link(order_url(row.order), row.order, css="number")
    if row.notice_id:
        return cells.link(notice_url(row.notice_id), "알림 보기")
    return cells.text("연결한 주문 없음")


def _state_text(group: Group, _: object) -> str:
    row = group.record
    if row.resolution:
        return Resolution(row.resolution).label
    return f"{ASKED} {row.asker} 님" if is_asked(row, group.now) else "처리 전"


def _state(group: Group, _: object) -> str:
    row = group.record
    if not row.resolution and is_asked(row, group.now):
        badge = cells.badge("s-ready", ASKED)
        return cells.two_lines(badge, f"{row.asker} 님 · {cells.short_time(row.asked_at, group.now)}")
    if not row.resolution:
        return cells.badge("s-awaiting", "처리 전")
    done = f"{row.who} 님" if row.who else "시스템"
    return cells.two_lines(
        cells.badge("s-confirmed", Resolution(row.resolution).label), f"{done} · {row.memo}" if row.memo else done
    )


COLUMNS = (
    ListColumn(
        "kind", "종류",
        lambda g, _: cells.opener(problem_url(g.record.id), ProblemKind(g.record.kind).label),
        lambda g, _: ProblemKind(g.record.kind).label, width=24,
    ),
    ListColumn(
        "amount", "금액", lambda g, _: cells.won(g.record.amount), lambda g, _: g.record.amount, kind=Kind.WON,
        css="num nowrap", sort="amount",
    ),
    ListColumn(
        "found_at", "경과",
        lambda g, _: cells.two_lines(age(g.record.found_at, g.now), cells.short_time(g.record.found_at, g.now)),
        lambda g, _: g.record.found_at, kind=Kind.DATETIME, css="nowrap", sort="found_at", width=19,
    ),
    ListColumn("order", "주문", _order, lambda g, _: g.record.order or "", css="nowrap", width=20),
    ListColumn(
        "detail", "설명", lambda g, _: cells.two_lines(*_told(g.record)),
        lambda g, _: " ".join(_told(g.record)).strip(), width=50,
    ),
    ListColumn(
        "refund", "환불", _refund, _refund_text, fetch=_refunds_of, css="nowrap", width=22,
    ),
    ListColumn(
        "state", "처리", _state, _state_text, width=24,
    ),
)  # fmt: skip
