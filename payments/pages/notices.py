"""웹훅 수신함: what PGs told us, and what we turned away."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Q, QuerySet

from accounts.lists import LoggedPage
from core.lists import (
    NUMBER,
    DateBasis,
    Group,
    ListQuery,
    ListTab,
    RowHead,
    SearchArm,
    Sort,
    Tool,
    lists,
)
from payments.columns.notices import NOTICE_COLUMNS, PATHS, REQUEST_COLUMNS, NoticeRecord, RequestRecord
from payments.filters.notices import NoticeFilter, RequestFilter
from payments.models import PgNotice, PgRequest
from payments.pages.rows import OwnRows
from payments.states import NoticeState

N = NoticeState
STUCK = Q(state__in=[N.PARKED, N.DEAD])
"""확인할 알림: a person must look at it, or nobody could apply it in all its attempts."""
REFERENCE = r"(?=(?:\D*\d){6})[0-9A-Za-z_-]{6,64}"
"""What a PG or a person may call an order."""


def _notices_of(values: Sequence[str]) -> QuerySet[Any]:
    found = Q()
    for value in values:
        found |= Q(order_ref__startswith=value)
    return PgNotice.objects.filter(found).values_list("pk")


@lists.register
class NoticePage(OwnRows, LoggedPage):
    """웹훅 수신함: every event that a PG told us, however often, and what became of it."""

    name, title, url, permission = "notices", "웹훅 수신함", "/payments/notices/", "payments.view_notices"
    subtitle = "PG가 보낸 알림과 처리 결과입니다"
    export_permission = "payments.export"
    unit = "알림"
    model, record, paths = PgNotice, NoticeRecord, PATHS
    created_field = "received_at"
    states = frozenset(state.value for state in N)
    default_period = "7d"
    filterset_class = NoticeFilter
    sorts: ClassVar[dict[str, Sort]] = {
        "-received_at": Sort("최근 수신순", ("-received_at",)),
        "received_at": Sort("오래된 수신순", ("received_at",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"received": DateBasis("수신일", "received_at")}
    tabs = (
        ListTab("all", "전체"),
        ListTab("waiting", "처리 전", Q(state__in=[N.RECEIVED, N.RETRY])),
        ListTab("applied", "반영", Q(state=N.PROCESSED)),
        ListTab("same", "변경 없음", Q(state__in=[N.IGNORED, N.TEST])),
        ListTab("parked", "확인 필요", STUCK),
        ListTab("failed", "거절", Q(state=N.REJECTED)),
    )
    columns = NOTICE_COLUMNS
    arms = (SearchArm("order_ref", "주문 참조", REFERENCE, _notices_of, group=NUMBER),)
    empty_text = "받은 알림이 없습니다. PG 관리자 화면에 웹훅 주소를 등록하면 여기에 나타납니다."

    def tools(self, query: ListQuery) -> list[Tool]:
        return [Tool("거절된 요청", RefusedPage.url, "refused"), *super().tools(query)]


@lists.register
class RefusedPage(LoggedPage):
    """거절된 요청: HTTP requests that never became a notice, and why."""

    name, title, url, permission = (
        "refused-requests",
        "거절된 요청",
        "/payments/notices/refused/",
        "payments.view_notices",
    )
    subtitle = "알림으로 받아들이지 않은 요청입니다"
    export_permission = "payments.export"
    unit = "요청"
    model, record, paths = PgRequest, RequestRecord, PATHS
    created_field = "at"
    default_period = "7d"
    filterset_class = RequestFilter
    sorts: ClassVar[dict[str, Sort]] = {
        "-at": Sort("최근 수신순", ("-at",)),
        "at": Sort("오래된 수신순", ("at",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"at": DateBasis("수신일", "at")}
    tabs = (
        ListTab("all", "전체"),
        ListTab("proof", "인증 실패", Q(status=401)),
        ListTab("address", "허용하지 않은 IP", Q(status=403)),
        ListTab("shape", "읽을 수 없음", Q(status__in=[400, 413, 415])),
        ListTab("test", "등록 시험", Q(reason="registration_test")),
    )
    columns = REQUEST_COLUMNS
    empty_text = "거절한 요청이 없습니다."

    def base(self) -> QuerySet[Any]:
        return PgRequest.objects.filter(notice=None)

    def head(self, group: Group) -> RowHead:
        row = group.record
        return RowHead(row.id, 0, str(row.id), "")

    def versions(self, base_ids: Collection[int]) -> dict[int, int]:
        return dict.fromkeys(base_ids, 0)

    def selection(self, query: str, as_of: datetime, user: Any) -> list[tuple[int, int]]:
        """Nothing can be done with a refused request."""
        return []

    def order_ids(self, base_ids: Collection[int]) -> dict[int, int]:
        return {}

    def tools(self, query: ListQuery) -> list[Tool]:
        return [Tool("받은 알림", NoticePage.url, "notices"), *super().tools(query)]


def stuck_notices() -> QuerySet[Any]:
    """확인할 알림: those that did not get through and wait for a person."""
    return PgNotice.objects.filter(STUCK)
