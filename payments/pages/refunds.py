"""환불 관리: what is to be paid back, who must say so, and the list for the bank."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.lists import LoggedPage
from core import cells
from core.exceptions import Conflict
from core.lists import NUMBER, DateBasis, FollowedRows, Group, ListQuery, ListTab, RowHead, SearchArm, Sort, lists
from payments.columns.refunds import COLUMNS, PATHS, RefundRecord, refund_name
from payments.models import Refund
from payments.services.refunds.listing import listings, note_listed
from payments.states import RefundState, RefundWay

R = RefundState
KEY = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
CHANGED = "파일을 만드는 사이에 이체할 환불이 바뀌었습니다. 목록을 새로 고치고 다시 내려받으세요."
TO_TRANSFER = Q(state=R.APPROVED, way=RefundWay.BANK)
TO_PAY = Q(state=R.APPROVED, way__in=[RefundWay.BANK, RefundWay.PROVIDER])
"""보낼 환불: approved, and staff send the money themselves."""
MOVING = Q(state__in=[R.SENDING, R.UNKNOWN, R.ACCEPTED]) | Q(state=R.APPROVED, way=RefundWay.PG)


def _of_orders(values: Sequence[str]) -> QuerySet[Any]:
    return Refund.objects.filter(order__number__in=values).values_list("pk")


def _of_keys(values: Sequence[str]) -> QuerySet[Any]:
    return Refund.objects.filter(key__in=values).values_list("pk")


@lists.register
class RefundPage(FollowedRows, LoggedPage):
    """환불 관리: refunds by what somebody has to do about them; 은행 이체 is the list for the shop's bank."""

    name, title, url, permission = "refunds", "환불 관리", "/payments/refunds/", "payments.view_refund"
    subtitle = "환불을 승인하고, 은행으로 이체할 목록을 내려받습니다"
    export_permission = "payments.pay_refund"
    unit = "환불"
    model, record, paths = Refund, RefundRecord, PATHS
    order_path = "order_id"
    states = frozenset(state.value for state in RefundState)
    sorts: ClassVar[dict[str, Sort]] = {
        "-requested_at": Sort("최근 신청순", ("-requested_at",)),
        "requested_at": Sort("오래된 신청순", ("requested_at",)),
        "-amount": Sort("환불액 큰순", ("-amount",)),
        "amount": Sort("환불액 작은순", ("amount",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"requested": DateBasis("신청일", "requested_at")}
    tabs = (
        ListTab.of("draft", "승인 대기", R.DRAFT),
        ListTab.of("pay", "보낼 환불", R.APPROVED, where=TO_PAY),
        ListTab.of("bank", "은행 이체", R.APPROVED, where=TO_TRANSFER),
        ListTab.of("provider", "결제한 곳에서 환불", R.APPROVED, where=Q(state=R.APPROVED, way=RefundWay.PROVIDER)),
        ListTab.of("moving", "진행 중", R.SENDING, R.UNKNOWN, R.ACCEPTED, R.APPROVED, where=MOVING),
        ListTab.of("held", "보류", R.HELD),
        ListTab.of("failed", "실패", R.FAILED),
        ListTab.of("done", "완료", R.COMPLETED, R.WITHDRAWN),
        ListTab("all", "전체"),
    )
    columns = COLUMNS
    arms = (
        SearchArm("number", "주문번호", r"[0-9]{8}-[0-9]{7}", _of_orders, group=NUMBER),
        SearchArm("key", "환불 번호", KEY, _of_keys, group=NUMBER),
    )
    empty_text = "승인을 기다리는 환불이 없습니다. 주문을 취소하거나 예외 입금에서 환불을 신청하면 여기에 나타납니다."

    def head(self, group: Group) -> RowHead:
        row = group.record
        return RowHead(row.id, row.version, refund_name(row.order_number, row.deposit_id), row.state)

    def notices(self, query: ListQuery) -> list[str]:
        """What the file for the bank is good for."""
        if query.tab != "bank":
            return []
        return ["내려받은 파일로 은행에서 이체한 뒤, 이체한 건을 골라 '이체 완료'를 누르세요.", *_taken_words(query)]

    def export_notice(self, query: ListQuery) -> str:
        """Whoever takes refunds again that stand in an earlier file may pay them twice."""
        return " ".join(_taken_words(query))

    def record_export(self, *, request: Any, query: ListQuery, reason: str, rows: int, at: datetime) -> None:
        """Beside the log row, each refund that is to be transferred keeps that it stood in the file."""
        ids = list(_to_transfer(query))
        if query.tab == "bank" and len(ids) != rows:
            raise Conflict(CHANGED, code="list_changed")
        with transaction.atomic():
            super().record_export(request=request, query=query, reason=reason, rows=rows, at=at)
            note_listed(refund_ids=ids, actor=query.user, at=at, reason=reason)


def _to_transfer(query: ListQuery) -> QuerySet[Any]:
    """Ids of refunds of the list that staff transfer themselves and have not yet."""
    return query.queryset().filter(TO_TRANSFER).order_by("pk").values_list("pk", flat=True)


def _taken_words(query: ListQuery) -> list[str]:
    taken = listings(_to_transfer(query)) if query.is_valid else {}
    if not taken:
        return []
    last = max(taken.values(), key=lambda one: one.at)
    when = f"{cells.short_time(last.at, query.at)} {last.who}"
    return [
        f"{len(taken):,}건은 이미 내려받은 환불입니다(마지막 {when}). 두 번 이체하지 않게 은행 내역을 먼저 확인하세요."
    ]


def waiting_refunds() -> QuerySet[Any]:
    """기다리는 환불: those that a person must decide about or pay."""
    return Refund.objects.filter(Q(state__in=[R.DRAFT, R.FAILED]) | TO_PAY)
