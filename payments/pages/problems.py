"""미확인·예외 입금: money that does not fit."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import Count, Q, QuerySet, Sum

from accounts.lists import LoggedPage
from core.lists import NUMBER, DateBasis, FollowedRows, Group, ListTab, RowHead, SearchArm, Sort, lists
from payments.columns.problems import COLUMNS, GROUPS, PATHS, ProblemRecord
from payments.filters.problems import ProblemFilter
from payments.models import MoneyProblem
from payments.pages.notices import REFERENCE
from payments.services.cases.resolving import asked
from payments.states import ProblemStage

OPEN = ProblemStage.OPEN


def _problems_of(values: Sequence[str]) -> QuerySet[Any]:
    return MoneyProblem.objects.filter(Q(order__number__in=values) | Q(notice__order_ref__in=values)).values_list("pk")


@lists.register
class ProblemPage(FollowedRows, LoggedPage):
    """미확인·예외 입금: money that does not fit, the oldest first; a person decides."""

    name, title, url, permission = "problems", "미확인·예외 입금", "/payments/problems/", "payments.view_problems"
    subtitle = "주문과 맞지 않는 돈을 확인합니다"
    export_permission = "payments.export"
    unit = "예외"
    model, record, paths = MoneyProblem, ProblemRecord, PATHS
    created_field = "found_at"
    states = frozenset(ProblemStage.values)
    filterset_class = ProblemFilter
    sorts: ClassVar[dict[str, Sort]] = {
        "found_at": Sort("오래된 순", ("found_at",)),
        "-found_at": Sort("최근 순", ("-found_at",)),
        "-amount": Sort("금액 큰순", ("-amount",)),
        "amount": Sort("금액 작은순", ("amount",)),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"found": DateBasis("발견일", "found_at")}
    tabs = (
        ListTab.of("open", "처리 전", OPEN, where=Q(resolved_at=None)),
        *(ListTab.of(key, label, OPEN, where=Q(resolved_at=None, kind__in=kinds)) for key, label, kinds in GROUPS),
        ListTab("asked", "인정 신청", asked, states=frozenset({OPEN})),
        ListTab.of("done", "처리 완료", ProblemStage.DONE, where=Q(resolved_at__isnull=False)),
    )
    closed_tab = "done"
    columns = COLUMNS
    arms = (SearchArm("order", "주문번호", REFERENCE, _problems_of, group=NUMBER),)
    empty_text = "확인할 예외 입금이 없습니다. 주문과 맞지 않는 돈이 들어오면 여기에 나타납니다."

    def head(self, group: Group) -> RowHead:
        row = group.record
        number = row.order or str(row.id)
        return RowHead(row.id, row.version, number, ProblemStage.DONE if row.resolution else ProblemStage.OPEN)

    def order_ids(self, base_ids: Collection[int]) -> dict[int, int]:
        """Orders of problems, as far as they have one."""
        rows = MoneyProblem.objects.filter(pk__in=base_ids, order__isnull=False)
        return dict(rows.values_list("pk", "order_id"))


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
