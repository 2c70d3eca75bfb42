"""Base rows of an act: what a list shows, or the one order of its own page."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Model

from core.actions import ActPage, BulkAction
from core.events import event_model
from core.exceptions import DomainError
from core.jobs.selection import BadSelection
from core.lists import get_page

DETAIL_PAGES = frozenset({"", "detail", "order", "order-detail", "order_detail"})
UNKNOWN_PAGE = "알 수 없는 화면입니다. 화면을 새로고침하세요."


def order_model() -> type[Model]:
    """주문 테이블: the one that the event table refers to."""
    model: type[Model] = event_model()._meta.get_field("order").related_model
    return model


class OrderRows:
    """주문 한 건의 화면: its base rows are orders; there is no list to select from."""

    name, url, permission = "order", "", ""

    def __init__(self) -> None:
        self.model = order_model()

    def offers(self, action: BulkAction) -> bool:
        """처리 가능한 화면: an order has lines in any state; the act looks at each."""
        return action.fits(self.model)

    def selection(self, query: str, as_of: datetime, user: Any) -> list[tuple[int, int]]:
        """조회 결과: there is none. Raises BadSelection."""
        raise BadSelection(UNKNOWN_PAGE)

    def versions(self, base_ids: Collection[int]) -> dict[int, int]:
        """버전 of the orders that are there."""
        return dict(self.model._default_manager.filter(pk__in=base_ids).values_list("pk", "version"))

    def order_ids(self, base_ids: Collection[int]) -> dict[int, int]:
        """주문: each is its own."""
        return {pk: pk for pk in base_ids}


class NotOffered(DomainError):
    """없는 처리: the list has no such button."""

    code = "not_offered"
    status = 404


def base_rows(name: str, *, action: BulkAction, user: Any) -> ActPage:
    """기준 행 찾기: by the name of a list that the person may see, or of the order's own page.

    Raises BadSelection, and NotOffered when the list's rows are nothing that the act could be done to.
    """
    try:
        page = get_page(name)
    except LookupError:
        if name not in DETAIL_PAGES:
            raise BadSelection(UNKNOWN_PAGE) from None
        if not action.fits(order_model()):
            raise NotOffered(f"주문 화면에서는 할 수 없는 처리입니다: {action.label}. 화면을 새로고침하세요.") from None
        return OrderRows()
    if not user.has_perm(page.permission):
        raise BadSelection(UNKNOWN_PAGE)
    if not page.offers(action):
        raise NotOffered(f"{page.title}에서는 할 수 없는 처리입니다: {action.label}. 화면을 새로고침하세요.")
    return page


def failed_rows_url(job: Any) -> str:
    """실패한 행의 목록: the list the act came from, narrowed to its failed rows; empty where the list cannot."""
    try:
        page = get_page(str(job.params.get("page", "")))
    except LookupError:
        return ""
    if not {"batch", "result"} <= page.filter_names:
        return ""
    # The list's usual period might hide rows that were selected by another one.
    period = "&period=all" if page.bases else ""
    return f"{page.url}?batch={job.uuid}&result=fail{period}"
