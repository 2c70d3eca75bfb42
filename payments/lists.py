"""메뉴 건수 of the money pages: what waits for a person, in one statement."""

from collections.abc import Collection

from django.db import connection

from core.lists import lists
from payments.money_pages import ProblemPage
from payments.pages import DepositPage
from payments.refund_pages import RefundPage

# Each reads a partial index of its own.
_WAITING = {
    DepositPage.name: "SELECT count(*) FROM payments_bankdeposit WHERE state = 'QUEUED'",
    ProblemPage.name: "SELECT count(*) FROM payments_moneyproblem WHERE resolved_at IS NULL",
    RefundPage.name: (
        "SELECT count(*) FROM payments_refund WHERE state IN ('DRAFT', 'FAILED')"
        " OR (state = 'APPROVED' AND way IN ('BANK', 'PROVIDER'))"
    ),
}


@lists.counts(*_WAITING)
def waiting_for_a_person(names: Collection[str]) -> dict[str, int]:
    """메뉴 건수: deposits without an order, open problems, refunds to be looked at or paid by hand."""
    asked = [name for name in _WAITING if name in names]
    if not asked:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"({_WAITING[name]})" for name in asked))
        return dict(zip(asked, cursor.fetchone() or (), strict=True))
