"""Buttons on refunds: 환불 승인, 이체 완료, 환불보류 and its release, 환불 다시 신청, 환불 철회."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from core.actions import DANGER, MORE, PRIMARY, SECONDARY, BulkAction, register
from core.state import Outcome, is_preview
from orders.actions import Reasoned
from orders.states import LineState
from payments.columns.refunds import refund_name
from payments.forms.refunds import RetryForm
from payments.models import Refund, RefundAccount
from payments.services.refunds import by_hand, preparing, requesting, retrying
from payments.services.refunds.listing import listings
from payments.services.refunds.requesting import account_refusal
from payments.states import RefundState, RefundWay

R, S = RefundState, LineState
LISTED = "{count:,}건은 은행 목록으로 내려받은 환불입니다. 은행에서 이미 이체하지 않았는지 먼저 확인하세요."


class RefundAction(BulkAction):
    """환불 처리의 바탕."""

    model = Refund
    unit = "refund"
    thing = "환불"

    def names(self, target_ids: Collection[int]) -> dict[int, str]:
        """Without the won: the page of a job is open to people who may not see refunds."""
        rows = Refund.objects.filter(pk__in=target_ids).values_list("pk", "order__number", "deposit_id")
        return {pk: refund_name(number, deposit_id) for pk, number, deposit_id in rows}

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        said = [f"환불액은 모두 {sums['won']:,}원입니다."] if sums.get("won") else []
        if sums.get("listed"):
            said.append(LISTED.format(count=sums["listed"]))
        return said


def _summed(outcome: Outcome) -> Outcome:
    """금액: the dialog tells the won of what it acts on."""
    outcome.sums["won"] = sum(refund.amount for refund in outcome.possible)
    return outcome


@register
class ApproveRefund(RefundAction):
    """환불 승인: from now on the money moves by itself."""

    name, label, permission = "approve-refund", "환불 승인", "payments.approve_refund"
    states = (R.DRAFT,)
    verb = "승인"
    style = PRIMARY

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return requesting.approve(refund_ids=ids, actor=actor, at=at, batch=batch)


@register
class PayOutRefund(RefundAction):
    """이체 완료: staff have sent the money themselves, from the bank or where the buyer had paid."""

    name, label, permission = "pay-refund", "이체 완료", "payments.pay_refund"
    states = (R.APPROVED,)
    style = SECONDARY

    def will(self) -> str:
        return "이체 완료로 처리합니다"

    def did(self) -> str:
        return "이체 완료로 처리했습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        outcome = by_hand.pay_out(refund_ids=ids, actor=actor, at=at, batch=batch)
        if is_preview():
            by_bank = {refund.pk for refund in outcome.possible if refund.way == RefundWay.BANK}
            outcome.sums["unlisted"] = len(by_bank - listings(by_bank).keys())
        return outcome

    def sentences(self, sums: Mapping[str, int]) -> list[str]:
        said = [f"이체를 마친 환불액은 모두 {sums['won']:,}원입니다."] if sums.get("won") else []
        if sums.get("unlisted"):
            said.append(f"은행 목록으로 내려받지 않은 환불이 {sums['unlisted']:,}건 있습니다.")
        return said


@register
class ConfirmPayout(RefundAction):
    """이체 확인: staff have seen at the PG that a transfer arrived of which it does not tell."""

    name, label, permission = "confirm-payout", "이체 확인", "payments.approve_refund"
    states = (R.ACCEPTED,)
    thing, verb = "이체", "확인"
    style = MORE

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return _summed(by_hand.confirm_payout(refund_ids=ids, actor=actor, at=at, batch=batch))


@register
class ReportBounce(RefundAction):
    """이체 실패: staff have seen at the PG that the bank could not pay it out."""

    name, label, permission = "report-bounce", "이체 실패", "payments.approve_refund"
    states = (R.ACCEPTED,)
    style = MORE

    def will(self) -> str:
        return "이체 실패로 처리합니다"

    def did(self) -> str:
        return "이체 실패로 처리했습니다"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return _summed(by_hand.report_bounce(refund_ids=ids, actor=actor, at=at, batch=batch))


@register
class HoldRefund(Reasoned, RefundAction):
    """환불보류, with a reason."""

    name, label, permission = "hold-refund", "환불보류", "payments.approve_refund"
    states = (R.DRAFT, R.APPROVED)
    verb, taken_back_by = "보류", "환불보류 해제"

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return _summed(requesting.hold(refund_ids=ids, actor=actor, at=at, reason=reason, batch=batch))


@register
class ReleaseRefund(RefundAction):
    """환불보류 해제."""

    name, label, permission = "release-refund", "환불보류 해제", "payments.approve_refund"
    states = (R.HELD,)
    thing, verb, taken_back_by = "환불보류", "해제", "환불보류"
    style = MORE

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any) -> Outcome:
        return _summed(requesting.release(refund_ids=ids, actor=actor, at=at, batch=batch))


@register
class RetryRefund(RefundAction):
    """환불 다시 신청: what failed, with another account or way, or what waited too long for its approval."""

    name, label, permission = "retry-refund", "환불 다시 신청", "payments.request_refund"
    states = (R.FAILED, R.DRAFT)
    verb = "다시 신청"
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
        return _summed(retrying.retry(refund_ids=ids, actor=actor, at=at, way=chosen, account=account, batch=batch))

    def check(self, form: Any, ids: Collection[int]) -> None:
        if form.cleaned_data.get("account") is not None:
            return
        way = form.cleaned_data.get("way")
        chosen = RefundWay(way) if way else None
        rows = Refund.objects.filter(pk__in=ids, sealed_account="", payment__isnull=False)
        reasons = (account_refusal(one.paid, None, chosen) for one in rows.select_related("payment__order"))
        if why := next(filter(None, reasons), None):
            form.require_account(why)


@register
class WithdrawRefund(Reasoned, RefundAction):
    """환불 철회, with a reason: the money stays."""

    name, label, permission = "withdraw-refund", "환불 철회", "payments.request_refund"
    states = (R.DRAFT, R.HELD, R.APPROVED, R.FAILED)
    verb = "철회"
    style = DANGER
    is_destructive = True

    def apply(self, ids: Collection[int], *, actor: Any, at: datetime, batch: Any, reason: str) -> Outcome:
        return _summed(preparing.withdraw(refund_ids=ids, actor=actor, at=at, reason=reason, batch=batch))
