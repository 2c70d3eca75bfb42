"""메뉴 건수 of payments: every list of waiting work counted by one statement, each through its partial index."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from core.lists import lists
from payments.models import BankDeposit, MoneyProblem
from payments.pages.deposits import DepositPage
from payments.pages.notices import NoticePage, stuck_notices
from payments.pages.problems import ProblemPage
from payments.pages.refunds import RefundPage, waiting_refunds
from payments.states import DepositState


def counted(waiting: Mapping[str, QuerySet[Any, Any]]) -> dict[str, int]:
    """건수: rows of several querysets, by name; one query."""
    parts: list[str] = []
    params: list[Any] = []
    for rows in waiting.values():
        sql, given = rows.order_by().values_list("pk").query.sql_with_params()
        parts.append(f"(SELECT count(*) FROM ({sql}) AS q)")
        params += given
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(parts), params)
        return dict(zip(waiting, cursor.fetchone(), strict=True))


def tab_counts(tabs: Sequence[tuple[str, str]]) -> list[int]:
    """탭 건수: rows of (list, tab) pairs whose tabs depend on no instant, in their order; one query, none for none."""
    waiting = {
        f"{name}/{key}": page.base().filter(page.tab(key).where) for name, key in tabs for page in [lists.page(name)]
    }
    found = counted(waiting) if waiting else {}
    return [found[f"{name}/{key}"] for name, key in tabs]


@lists.counts(DepositPage.name, RefundPage.name, ProblemPage.name, NoticePage.name)
def payment_counts(names: Collection[str]) -> dict[str, int]:
    """메뉴 건수: deposits, refunds, exceptional money and notices that wait for a person."""
    waiting = {
        DepositPage.name: BankDeposit.objects.filter(state=DepositState.QUEUED),
        RefundPage.name: waiting_refunds(),
        ProblemPage.name: MoneyProblem.objects.filter(resolved_at=None),
        NoticePage.name: stuck_notices(),
    }
    asked = {name: rows for name, rows in waiting.items() if name in names}
    return counted(asked) if asked else {}
