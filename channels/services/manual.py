"""주문 직접 등록: one order typed in by staff, stored once however often the button is pressed."""

from datetime import datetime
from typing import Any

from channels.services.idempotency import Answer, KeyReused, once, request_hash
from channels.services.limits import draft_problem
from channels.services.placing import Incoming, place_orders
from core.exceptions import Conflict, DomainError
from core.models import Source
from orders.models import SalesChannel
from orders.services.intake import OrderDraft

ALREADY = "이 화면에서 이미 주문을 등록했습니다. 다른 주문은 주문 등록 화면을 새로 열어 입력하세요."


class ManualOrderRefused(DomainError):
    """주문 등록 불가: what was typed in cannot be an order."""

    code = "order_refused"
    status = 422


def manual_number(key: str) -> str:
    """채널 주문번호 of a typed-in order: made of the form's own key, so that the same form is the same order."""
    return f"M-{key[:20]}"


def place_manual_order(*, key: str, channel: SalesChannel, draft: OrderDraft, actor: Any, at: datetime) -> str:
    """주문 직접 등록: the number of the stored order; a second press with the same key gets the same number.

    Raises ManualOrderRefused, Conflict when the key stored another order before, LockTimeout.
    """
    problem = draft_problem(draft, at=at)
    if problem:
        raise ManualOrderRefused(problem)

    def work() -> Answer:
        placed = place_orders(
            channel=channel,
            incoming=[Incoming(draft)],
            actor=actor,
            at=at,
            source=Source.SCREEN,
            creates_products=False,
        )
        if draft.channel_number not in placed.created:
            raise Conflict(ALREADY, code="already_placed")
        return Answer(201, {"number": placed.created[draft.channel_number].number})

    # The moment of pressing is no part of what was typed in.
    facts = {name: getattr(draft, name) for name in OrderDraft.__dataclass_fields__ if not name.endswith("_at")}
    try:
        found = once(
            key=f"order:{key}", asked=request_hash("manual", channel.pk, str(facts)), at=at, work=work, actor=actor
        )
    except KeyReused:
        raise Conflict(ALREADY, code="already_placed") from None
    return str(found.body["number"])
