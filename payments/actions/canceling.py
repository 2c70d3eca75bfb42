"""The button 주문취소(환불) on paid lines."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from core.actions import DANGER, register
from core.events import EventKind
from core.state import Outcome
from orders import events
from orders.actions import BEFORE_REASON, LineAction
from orders.states import Fault, LineState
from payments.forms.refunds import CancelForm
from payments.models import RefundAccount
from payments.services.refunds import canceling
from payments.states import RefundState

R, S = RefundState, LineState


@register
class CancelAndRefund(LineAction):
    """주문취소(환불): paid lines before shipping, and the money that goes back for them (T19)."""

    name, label, permission = "cancel-refund", "주문취소(환불)", "orders.cancel"
    states = (S.PREPARING, S.READY)
    form_class = CancelForm
    preview_data: ClassVar[dict[str, Any]] = {"reason": BEFORE_REASON, "fault": Fault.SELLER, "account": None}
    style = DANGER
    is_destructive = True
    sends: ClassVar[tuple[EventKind, ...]] = (events.LINE_CANCELED,)

    def will(self) -> str:
        return "취소하고 환불 신청합니다"

    def did(self) -> str:
        return "취소하고 환불 신청했습니다"

    def did_not(self) -> str:
        return "취소하지 못했습니다"

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

    def check(self, form: Any, ids: Collection[int]) -> None:
        if form.cleaned_data.get("account") is None and (why := canceling.account_wanted(line_ids=ids)):
            form.require_account(why)

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        by_buyer, by_seller = sums.get(Fault.BUYER, 0), sums.get(Fault.SELLER, 0)
        said = [f"환불액은 고객 귀책이면 {by_buyer:,}원, 판매자 귀책이면 {by_seller:,}원입니다."]
        if by_buyer == by_seller:
            said = [f"환불액은 모두 {by_seller:,}원입니다."]
        if missing := sums.get(canceling.SHORTFALL, 0):
            said.append(f"받지 않은 차액 {missing:,}원은 돌려주지 않습니다.")
        return said
