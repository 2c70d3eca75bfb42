"""Filters of the webhook inbox; names equal the query string and never change."""

from core.lists import Choices, ListFilterSet
from payments.models import PgAccount
from payments.notice_words import KINDS
from payments.states import NoticeState


def account_choices() -> list[tuple[str, str]]:
    """PG 계정 to choose from; one query."""
    rows = PgAccount.objects.order_by("name", "pk").values_list("pk", "name")
    return [(str(pk), name) for pk, name in rows]


class NoticeFilter(ListFilterSet):
    """수신함 상세조건."""

    account = Choices(label="PG 계정", field_name="account", choices=account_choices)
    state = Choices(label="상태", field_name="state", choices=NoticeState.choices)
    # `kind` is the name of the kind of a search.
    event = Choices(label="종류", field_name="kind", choices=[(kind.value, text) for kind, text in KINDS.items()])


class RequestFilter(ListFilterSet):
    """거절된 요청 상세조건."""

    account = Choices(label="PG 계정", field_name="account", choices=account_choices)
