"""메뉴 건수 of payments: every list of waiting work counted by one statement, each through its partial index."""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import QuerySet


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
