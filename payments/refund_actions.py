"""Buttons on refunds, and 주문취소(환불) on paid lines."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from core.actions import DANGER, MORE, PRIMARY, SECONDARY, BulkAction, register
from core.events import EventKind
from core.state import Outcome
from orders import events
from orders.actions import LineAction
from orders.forms import ReasonForm
from orders.states import Fault, LineState
from payments.models import Refund, RefundAccount
from payments.refund_forms import CancelForm, RetryForm
from payments.services import canceling, refund_by_hand, refunds
from payments.states import RefundState, RefundWay

R, S = RefundState, LineState


@register
class CancelAndRefund(LineAction):
    """주문취소(환불): paid lines before shipping, and the money that goes back for them (T19)."""

    name, label, permission = "cancel-refund", "주문취소(환불)", "orders.cancel"
    states = (S.PREPARING, S.READY)
    becomes = "취소완료"
    form_class = CancelForm
    preview_data: ClassVar[dict[str, Any]] = {"reason": "확인 전", "fault": Fault.SELLER, "account": None}
    style = DANGER
    is_destructive = True
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_CANCELED,)

    def apply(
        self,
        ids: Collection[int],
        *,
        actor: Any,
        at: datetime,
        batch: Any,
        reason: str,
        fault: str,
        account: RefundAccount | None,
        **parts: Any,
    ) -> Outcome:
        return canceling.cancel_and_refund(
            line_ids=ids, fault=Fault(fault), reason=reason, account=account, actor=actor, at=at, batch=batch
        )

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        by_buyer, by_seller = sums.get(Fault.BUYER, 0), sums.get(Fault.SELLER, 0)
        if by_buyer == by_seller:
            return [f"환불액은 모두 {by_seller:,}원입니다."]
        return [f"환불액은 고객 귀책이면 {by_buyer:,}원, 판매자 귀책이면 {by_seller:,}원입니다."]


class RefundAction(BulkAction):
    """환불 처리의 바탕."""

    model = Refund
    unit = "refund"
    stands_alone = True


@register
class ApproveRefund(RefundAction):
    """환불 승인: from now on the money moves by itself."""

    name, label, permission = "approve-refund", "환불 승인", "payments.approve_refund"
    states = (R.DRAFT,)
    becomes = "환불 대기"
    style = PRIMARY

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return refunds.approve(refund_ids=ids, actor=actor, at=at, batch=batch)

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        return [f"환불액은 모두 {sums['won']:,}원입니다."] if sums.get("won") else []


@register
class PayOutRefund(RefundAction):
    """이체 완료: staff have sent the money themselves, from the bank or where the buyer had paid."""

    name, label, permission = "pay-refund", "이체 완료", "payments.pay_refund"
    states = (R.APPROVED,)
    becomes = "환불완료"
    style = SECONDARY

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return refund_by_hand.pay_out(refund_ids=ids, actor=actor, at=at, batch=batch)

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        return [f"이체를 마친 환불액은 모두 {sums['won']:,}원입니다."] if sums.get("won") else []


@register
class HoldRefund(RefundAction):
    """환불보류, with a reason."""

    name, label, permission = "hold-refund", "환불보류", "payments.approve_refund"
    states = (R.DRAFT, R.APPROVED)
    form_class = ReasonForm
    preview_data: ClassVar[dict[str, Any]] = {"reason": "확인 전"}

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return refunds.hold(refund_ids=ids, actor=actor, at=at, reason=reason, batch=batch)


@register
class ReleaseRefund(RefundAction):
    """환불보류 해제."""

    name, label, permission = "release-refund", "환불보류 해제", "payments.approve_refund"
    states = (R.HELD,)
    style = MORE

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return refunds.release(refund_ids=ids, actor=actor, at=at, batch=batch)


@register
class RetryRefund(RefundAction):
    """환불 다시 신청: what failed, with another account or way."""

    name, label, permission = "retry-refund", "환불 다시 신청", "payments.request_refund"
    states = (R.FAILED,)
    form_class = RetryForm
    preview_data: ClassVar[dict[str, Any]] = {"way": "", "account": None}

    def apply(
        self,
        ids: Collection[int],
        *,
        actor: Any,
        at: datetime,
        batch: Any,
        way: str,
        account: RefundAccount | None,
        **parts: Any,
    ) -> Outcome:
        chosen = RefundWay(way) if way else None
        return refunds.retry(refund_ids=ids, actor=actor, at=at, way=chosen, account=account, batch=batch)


@register
class WithdrawRefund(RefundAction):
    """환불 철회, with a reason: the money stays."""

    name, label, permission = "withdraw-refund", "환불 철회", "payments.request_refund"
    states = (R.DRAFT, R.HELD, R.APPROVED, R.FAILED)
    form_class = ReasonForm
    preview_data: ClassVar[dict[str, Any]] = {"reason": "확인 전"}
    style = DANGER
    is_destructive = True

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return refunds.withdraw(refund_ids=ids, actor=actor, at=at, reason=reason, batch=batch)
