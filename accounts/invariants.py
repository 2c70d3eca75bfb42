"""What must be true of accounts and their histories at any moment."""

from collections.abc import Iterable

from django.db import connection

from accounts.models import seal_sql
from core.invariants import Violation, invariant

MOST = 20
"""Violations named per query: enough to see the pattern of a fault."""

_SEALS = f"""
SELECT COALESCE(log.id, seal.log_id), log.id IS NULL, seal.log_id IS NULL
FROM accounts_accesslog log FULL JOIN accounts_accessseal seal ON seal.log_id = log.id
WHERE log.id IS NULL OR seal.log_id IS NULL OR seal.digest <> {seal_sql("log")}
ORDER BY 1 LIMIT {MOST}
"""


@invariant("INV-15", "Every row of the access log is there as it was written: no export, no reveal is forgotten.")
def check_access_log() -> Iterable[Violation]:
    """접속 기록 검사: each row against its seal."""
    with connection.cursor() as cursor:
        cursor.execute(_SEALS)
        for pk, is_lost, is_unsealed in cursor.fetchall():
            how = "was deleted" if is_lost else "has no seal" if is_unsealed else "is not what was written"
            yield Violation("INV-15", f"access log {pk}", how)
