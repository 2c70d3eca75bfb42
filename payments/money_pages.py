"""웹훅 수신함 and 미확인·예외 입금: what PGs told us, and money that does not fit."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Count, Q, QuerySet, Sum

from accounts.lists import LoggedExport
from core.events import event_model
from core.lists import (
    NUMBER,
    DateBasis,
    Group,
    ListQuery,
    ListTab,
    Moved,
    RowHead,
    SearchArm,
    Sort,
    Tool,
    lists,
)
from payments.models import MoneyProblem, PgNotice, PgRequest
from payments.money_filters import NoticeFilter, ProblemFilter, RequestFilter
from payments.notice_columns import (
    NOTICE_COLUMNS,
    PATHS,
    REQUEST_COLUMNS,
    NoticeRecord,
    RequestRecord,
)
from payments.problem_columns import COLUMNS as PROBLEM_COLUMNS
from payments.problem_columns import GROUPS, ProblemRecord
from payments.problem_columns import PATHS as PROBLEM_PATHS
from payments.states import NoticeState

N = NoticeState
STUCK = Q(state__in=[N.PARKED, N.DEAD])
"""확인할 알림: a person must look at it, or nobody could apply it in all its attempts."""
OPEN, DONE = "OPEN", "DONE"
"""States of a problem as its acts know them."""
REFERENCE = r"(?=(?:\D*\d){6})[0-9A-Za-z_-]{6,64}"


def _moved(subject: str, ids: Sequence[int], *, since: datetime, user: Any) -> list[Moved]:
    events = event_model().objects.filter(subject=subject, subject_id__in=ids, at__gt=since)
    newest = events.exclude(actor_id=user.pk).order_by("subject_id", "-id").distinct("subject_id")
    rows = newest.values_list("subject_id", "actor__display_name")
    return [Moved(pk, f"방금 {name} 님이 처리" if name else "방금 시스템이 처리") for pk, name in rows]


def _notices_of(values: Sequence[str]) -> QuerySet[Any]:
    found = Q()
    for value in values:
        found |= Q(order_ref__startswith=value)
    return PgNotice.objects.filter(found).values_list("pk")


def _problems_of(values: Sequence[str]) -> QuerySet[Any]:
    return MoneyProblem.objects.filter(Q(order__number__in=values) | Q(notice__order_ref__in=values)).values_list("pk")


@lists.register
class NoticePage(LoggedExport):
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

    def head(self, group: Group) -> RowHead:
        row = group.record
        return RowHead(row.id, row.version, str(row.id), row.state)

    def order_ids(self, base_ids: Collection[int]) -> dict[int, int]:
        """A notice is no part of an order's history; what it changed is."""
        return {}

    def moved_since(self, ids: Sequence[int], *, since: datetime, user: Any) -> list[Moved]:
        """다른 사람이 다시 처리한 알림; one query."""
        return _moved("notice", ids, since=since, user=user)

    def tools(self, query: ListQuery) -> list[Tool]:
        return [Tool("거절된 요청", RefusedPage.url, "refused"), *super().tools(query)]


@lists.register
class RefusedPage(LoggedExport):
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


@lists.register
class ProblemPage(LoggedExport):
    """미확인·예외 입금: money that does not fit, the oldest first; a person decides."""

    name, title, url, permission = "problems", "미확인·예외 입금", "/payments/problems/", "payments.view_problems"
    subtitle = "주문과 맞지 않는 돈을 확인합니다"
    export_permission = "payments.export"
    unit = "예외"
    model, record, paths = MoneyProblem, ProblemRecord, PROBLEM_PATHS
    created_field = "found_at"
    states = frozenset({OPEN})
    filterset_class = ProblemFilter
    sorts: ClassVar[dict[str, Sort]] = {
        "found_at": Sort("오래된 순", ("found_at",)),
        "-found_at": Sort("최근 순", ("-found_at",)),
        "-amount": Sort("금액 큰순", ("-amount",)),
        "amount": Sort("금액 작은순", ("amount",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"found": DateBasis("발견일", "found_at")}
    tabs = (
        ListTab("open", "처리 전", Q(resolved_at=None)),
        *(ListTab(key, label, Q(resolved_at=None, kind__in=list(kinds))) for key, label, kinds in GROUPS),
        ListTab("done", "처리 완료", Q(resolved_at__isnull=False)),
    )
    columns = PROBLEM_COLUMNS
    arms = (SearchArm("order", "주문번호", REFERENCE, _problems_of, group=NUMBER),)
    empty_text = "확인할 예외 입금이 없습니다. 주문과 맞지 않는 돈이 들어오면 여기에 나타납니다."

    def head(self, group: Group) -> RowHead:
        row = group.record
        number = row.order or str(row.id)
        return RowHead(row.id, row.version, number, DONE if row.resolution else OPEN)

    def order_ids(self, base_ids: Collection[int]) -> dict[int, int]:
        """Orders of problems, as far as they have one."""
        rows = MoneyProblem.objects.filter(pk__in=base_ids, order__isnull=False)
        return dict(rows.values_list("pk", "order_id"))

    def moved_since(self, ids: Sequence[int], *, since: datetime, user: Any) -> list[Moved]:
        """다른 사람이 처리한 예외; one query."""
        return _moved("problem", ids, since=since, user=user)


def stuck_notices() -> QuerySet[Any]:
    """확인할 알림: those that did not get through and wait for a person."""
    return PgNotice.objects.filter(STUCK)


def open_sums() -> Mapping[str, tuple[int, int]]:
    """처리 전 예외 by group of the list: (rows, won); one query."""
    rows = MoneyProblem.objects.filter(resolved_at=None).order_by().values("kind")
    by_kind = {
        kind: (n, won)
        for kind, n, won in rows.annotate(n=Count("pk"), won=Sum("amount")).values_list("kind", "n", "won")
    }
    found = {}
    for key, _, kinds in GROUPS:
        mine = [by_kind[kind] for kind in kinds if kind in by_kind]
        if mine:
            found[key] = (sum(n for n, _ in mine), sum(won for _, won in mine))
    return found
