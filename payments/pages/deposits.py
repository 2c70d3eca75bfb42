"""자동입금확인: what came into our accounts."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import Q, QuerySet

from accounts.lists import LoggedPage
from core.lists import NUMBER, WORD, DateBasis, ListQuery, ListTab, SearchArm, Sort, Tool, lists
from payments.columns.deposits import COLUMNS, PATHS, DepositRecord
from payments.models import BankDeposit, DepositAllocation, DepositCandidate
from payments.names import name_key
from payments.pages.rows import OwnRows
from payments.states import DepositReason, DepositState


def _queued(key: str, label: str, *reasons: DepositReason) -> ListTab:
    """Deposits that wait for one of these reasons."""
    where = Q(state=DepositState.QUEUED, reason__in=reasons)
    return ListTab.of(key, label, DepositState.QUEUED, where=where)


D = DepositReason
ORDER_NUMBER = r"[0-9]{8}-[0-9]{7}"
DONE_STATES = [
    DepositState.ALLOCATED, DepositState.IGNORED, DepositState.RETURNING, DepositState.REFUNDED
]  # fmt: skip
BY_HAND = (
    D.NO_ORDER, D.NAME_DIFFERS, D.NAME_WEAK, D.NAME_AMBIGUOUS, D.SEVERAL_ORDERS, D.ALREADY_CONFIRMED, D.TOLD_BEFORE,
    D.UNDONE,
)  # fmt: skip


def _by_amount(values: Sequence[str]) -> QuerySet[Any]:
    wanted = [int(value) for value in values]
    return BankDeposit.objects.filter(amount__in=wanted).values_list("pk")


def _by_depositor(values: Sequence[str]) -> QuerySet[Any]:
    found = Q()
    for value in values:
        found |= Q(name_key__contains=name_key(value))
    return BankDeposit.objects.filter(found).values_list("pk")


def _waiting_for(values: Sequence[str]) -> QuerySet[Any]:
    """Those that wait and may belong to an order."""
    found = DepositCandidate.objects.filter(order__number__in=values, deposit__state=DepositState.QUEUED)
    return found.values_list("deposit")


def _linked_to(values: Sequence[str]) -> QuerySet[Any]:
    found = DepositAllocation.objects.filter(payment__order__number__in=values, voided_at=None)
    return found.values_list("deposit")


@lists.register
class DepositPage(OwnRows, LoggedPage):
    """자동입금확인: rows of bank statements; what could not be confirmed by itself stands first."""

    name, title, url, permission = "deposits", "자동입금확인", "/payments/deposits/", "payments.view_deposits"
    subtitle = "통장에 들어온 돈을 주문에 연결합니다"
    export_permission = "payments.export"
    unit = "입금"
    model, record, paths = BankDeposit, DepositRecord, PATHS
    states = frozenset(state.value for state in DepositState)
    sorts: ClassVar[dict[str, Sort]] = {
        "-at": Sort("최근 입금순", ("-at",)),
        "at": Sort("오래된 입금순", ("at",)),
        "-amount": Sort("입금액 큰순", ("-amount",)),
        "amount": Sort("입금액 작은순", ("amount",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"at": DateBasis("거래일", "at")}
    tabs = (
        ListTab.of("waiting", "확인 필요", DepositState.QUEUED),
        _queued("manual", "수동매칭", *BY_HAND),
        _queued("under", "부분입금", D.UNDERPAID),
        _queued("over", "초과입금", D.OVERPAID),
        _queued("late", "취소 후 입금", D.LATE_AFTER_CANCEL),
        ListTab.of("auto", "자동확인", DepositState.MATCHED),
        ListTab.of("done", "처리완료", *DONE_STATES),
        ListTab("all", "전체"),
    )
    columns = COLUMNS
    arms = (
        SearchArm("order", "주문번호", ORDER_NUMBER, _waiting_for, group=NUMBER),
        SearchArm("order", "주문번호", ORDER_NUMBER, _linked_to, group=NUMBER),
        SearchArm("amount", "입금액", r"[0-9]{3,13}", _by_amount, group=NUMBER),
        SearchArm("depositor", "입금자", r".{2,}", _by_depositor, group=WORD, hint="입금자는 두 글자 이상 입력하세요."),
    )
    empty_text = "이 탭에는 입금이 없습니다. 은행의 거래내역 파일을 올리면 탭마다 나뉘어 나타납니다."

    def notices(self, query: ListQuery) -> list[str]:
        """What still is to be looked at: the list fills by itself."""
        new = BankDeposit.objects.filter(state=DepositState.NEW).count()
        return [f"입금 {new:,}건의 주문을 찾고 있습니다. 잠시 뒤 목록을 새로 고치세요."] if new else []

    def tools(self, query: ListQuery) -> list[Tool]:
        may = query.user is not None and query.user.has_perm("payments.match_deposits")
        upload = [Tool("거래내역 올리기", "/payments/deposits/upload/", "upload")] if may else []
        return [*upload, *super().tools(query)]
