"""Buttons on money: 입금확인, 입금확인 취소, 입금전취소, 입금 안내 재발송, 가상계좌 다시 발급, 되살리기."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from core.actions import DANGER, MORE, PRIMARY, register
from core.events import EventKind
from core.lookups import Among
from core.state import Outcome
from orders import events
from orders.actions import UNDO_REASON, LineAction, Reasoned
from orders.models import OrderLine
from orders.services import before, progress
from orders.states import CanceledBy, LineState
from payments.events import ACCOUNT_RESENT
from payments.services import manual, telling
from payments.services.gateway import reissuing
from payments.services.refunds import reviving

S = LineState
AT_PG = {
    manual.AtPg.NOTHING: (
        "주의: 주문 {n:,}건은 지금 PG에 물어보니 입금이 없습니다. "
        "돈이 정말 들어왔는지 확인하세요. 이 돈은 PG로 환불할 수 없습니다."
    ),
    manual.AtPg.SILENT: (
        "주의: 주문 {n:,}건은 PG에 입금이 있는지 확인하지 못했습니다. 주문의 결제에서 '다시 조회'를 먼저 누르세요."
    ),
}
"""What the person must know before money is confirmed by hand of which a PG tells."""


def order_ids_of(line_ids: Collection[int]) -> list[int]:
    """The orders of some lines: money always concerns whole orders."""
    return sorted(set(OrderLine.objects.filter(Among("pk", line_ids)).values_list("order_id", flat=True)))


@register
class ConfirmPayment(LineAction):
    """입금확인: books the open amount by hand and moves the whole order to 상품준비중."""

    name, label, permission = "confirm-payment", "입금확인", "orders.confirm_payment"
    states = (S.AWAITING_PAYMENT,)
    is_whole = True
    becomes = "상품준비중"
    undo_permission = "payments.revert"
    style = PRIMARY
    is_undoable = True
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_PAID,)
    hotkey = "S"

    def ask_first(self, ids: Collection[int], *, at: datetime) -> Mapping[str, Any]:
        return {"at_pg": manual.look_at_pg(order_ids=order_ids_of(ids))}

    def apply(
        self,
        ids: Collection[int],
        *,
        actor: Any,
        at: datetime,
        batch: Any,
        at_pg: Mapping[int, manual.AtPg] | None = None,
    ) -> Outcome:
        return manual.confirm_manually(order_ids=order_ids_of(ids), actor=actor, at=at, batch=batch, at_pg=at_pg)

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        return [text.format(n=sums[said]) for said, text in AT_PG.items() if sums.get(said)]

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return manual.revert_manual(order_ids=order_ids_of(ids), actor=actor, at=at, reason=UNDO_REASON, batch=batch)


@register
class RevertPayment(Reasoned, LineAction):
    """입금확인 취소, with a reason."""

    name, label, permission = "revert-payment", "입금확인 취소", "payments.revert"
    states = (S.PREPARING,)
    is_whole = True
    becomes = "입금대기"
    undo_permission = "orders.confirm_payment"
    style = MORE
    is_destructive = True
    is_undoable = True

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return manual.revert_manual(order_ids=order_ids_of(ids), actor=actor, at=at, reason=reason, batch=batch)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        put_back = before.of_undone(batch, events.LINE_PAYMENT_REVERTED, model=OrderLine, ids=ids)
        orders = order_ids_of(ids)
        return manual.confirm_manually(
            order_ids=orders, actor=actor, at=at, reason=UNDO_REASON, batch=batch, put_back=put_back
        )


@register
class CancelUnpaid(Reasoned, LineAction):
    """입금전취소 by staff (C49)."""

    name, label, permission = "cancel-unpaid", "입금전취소", "orders.cancel_unpaid"
    states = (S.AWAITING_PAYMENT,)
    is_whole = True
    becomes = "입금전취소"
    style = DANGER
    is_destructive = True
    is_undoable = True
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_CANCELED_UNPAID,)

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return progress.cancel_unpaid(
            order_ids=order_ids_of(ids), actor=actor, at=at, by=CanceledBy.STAFF, reason=reason, batch=batch
        )

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return reviving.revive(order_ids=order_ids_of(ids), actor=actor, at=at, reason=UNDO_REASON, batch=batch)


@register
class ResendAccount(LineAction):
    """입금 안내 재발송: the buyer hears once more where to pay and until when."""

    name, label, permission = "resend-account", "입금 안내 재발송", "payments.resend_account"
    states = (S.AWAITING_PAYMENT,)
    is_whole = True
    style = MORE
    sends: ClassVar[tuple[EventKind, ...]] = (ACCOUNT_RESENT,)
    thing = "입금 안내"

    def will(self) -> str:
        return "다시 보냅니다"

    def did(self) -> str:
        return "다시 보냈습니다"

    def did_not(self) -> str:
        return "보내지 못했습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return telling.resend_account(order_ids=order_ids_of(ids), actor=actor, at=at, batch=batch)


@register
class ReissueAccount(LineAction):
    """가상계좌 다시 발급: the PG is asked once more for the account of an order that has none."""

    name, label, permission = "reissue-account", "가상계좌 다시 발급", "payments.reissue_account"
    states = (S.AWAITING_PAYMENT,)
    is_whole = True
    style = MORE
    thing = "가상계좌"

    def will(self) -> str:
        return "PG에 다시 요청합니다"

    def did(self) -> str:
        return "PG에 다시 요청했습니다"

    def did_not(self) -> str:
        return "요청하지 못했습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return reissuing.reissue(order_ids=order_ids_of(ids), actor=actor, at=at, batch=batch)


@register
class Revive(Reasoned, LineAction):
    """되살리기, with a reason: an order that ended unpaid waits for its money again, if the stock is still there."""

    name, label, permission = "revive", "되살리기", "orders.cancel_unpaid"
    states = (S.CANCELED_UNPAID,)
    is_whole = True
    becomes = "입금대기"
    style = MORE
    is_undoable = True

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        orders = order_ids_of(ids)
        return reviving.revive(order_ids=orders, actor=actor, at=at, reason=reason, batch=batch, checks_stock=True)

    def undo(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        put_back = before.of_undone(batch, events.LINE_REVIVED, model=OrderLine, ids=ids)
        return progress.cancel_unpaid(
            order_ids=order_ids_of(ids),
            actor=actor,
            at=at,
            by=CanceledBy.STAFF,
            reason=UNDO_REASON,
            batch=batch,
            put_back=put_back,
        )
