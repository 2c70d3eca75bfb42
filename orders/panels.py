"""Boxes of the order detail that orders itself knows: lines, recipient, memos, history."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from accounts.access import staff_of
from accounts.clients import client_of
from accounts.models import AccessAction
from accounts.services import record_access
from core.calendar import due_date, kst_date, short
from core.masking import mask_address, mask_name, mask_phone, mask_text
from core.panels import Panel, register
from core.phones import is_safe_number
from orders.columns import methods_text, shown_code, shown_state, zone_text
from orders.contact import both_forms, end_of_order, second_form
from orders.models import StaffMemo
from orders.models.line import BEFORE_SHIPPING
from orders.services.changes import address_is_final
from orders.states import LOCKS, WITHOUT_BENEFITS, LineState
from orders.timeline import timeline
from orders.why import why_line, why_order


@register
class LinesPanel(Panel):
    """품목: every line with its state, amounts and why it stands there."""

    name, title, template, position = "lines", "품목", "orders/panels/lines.html", 10

    def load(self, order: Any, *, request: HttpRequest, at: datetime) -> dict[str, Any]:
        lines = order.detail_lines
        said = why_order(lines, at=at)
        return {
            "lines": [_line(line, at, said=said.sentence if said else "") for line in lines],
            "sums": _sums(order, lines),
        }


def _line(line: Any, at: datetime, *, said: str) -> dict[str, Any]:
    """One line; what the head of the order says already is not said again."""
    css, label = shown_state(line)
    why = why_line(line, at=at)
    return {
        "number": line.number,
        "name": line.product_name,
        "option": line.option_name,
        "quantity": line.quantity,
        "amount": line.amount,
        "state": line.state,
        "label": label,
        "code": shown_code(line),
        "css": css,
        "locks": [kind.label for kind, bit, _, _ in LOCKS if line.open_locks & bit and kind.label != label],
        "why": why.sentence if why.is_stopped and why.sentence != said else "",
        "ship_by": f"{due_date(line.ship_by):%m-%d}" if line.ship_by and line.state in BEFORE_SHIPPING else "",
    }


def _sums(order: Any, lines: Sequence[Any]) -> list[tuple[str, int]]:
    is_over = order.stage in WITHOUT_BENEFITS
    points = sum(line.points_share for line in lines if line.state in WITHOUT_BENEFITS)
    coupon_back = " (돌려줌)" if is_over else ""
    points_back = coupon_back or (f" ({points:,}원 돌려줌)" if points else "")
    rows = [
        ("상품금액", order.goods_amount),
        ("할인", -order.discount_amount),
        (f"쿠폰{coupon_back}", -order.coupon_amount),
        (f"적립금{points_back}", -order.points_amount),
        ("배송비", order.shipping_fee_amount),
    ]
    return [(label, amount) for label, amount in rows if amount or label == "상품금액"]


@register
class RecipientPanel(Panel):
    """받는 분: masked; revealed for a reason, by right, after the access log has it.

    Who packs parcels reads name and address of what is in 배송준비중 without asking; the log has that too
    (reliability.md 4.1).
    """

    name, title, template, position = "recipient", "받는 분", "orders/panels/recipient.html", 30

    def load(self, order: Any, *, request: HttpRequest, at: datetime) -> dict[str, Any]:
        is_clear = _packs(order, request)
        if is_clear:
            record_access(
                actor=staff_of(request),
                action=AccessAction.VIEW,
                at=at,
                client=client_of(request),
                purpose="배송준비중 업무",
                subjects=[order.number],
                detail={"fields": ["recipient", "address"]},
            )
        return {
            "name": order.recipient_name if is_clear else mask_name(order.recipient_name),
            "buyer": mask_name(order.buyer_name) if order.buyer_name != order.recipient_name else "",
            "phone": mask_phone(order.recipient_phone),
            "is_safe_number": is_safe_number(order.recipient_phone),
            "safe_number": _safe_number(order, at),
            "zip_code": order.zip_code,
            "address": both_forms(order) if is_clear else _masked_address(order),
            "note": mask_text(order.delivery_note),
            "method": methods_text(order.detail_lines, ordered=order.delivery_method),
            "zone": _zone(order),
            "may_reveal": request.user.has_perm("orders.reveal"),  # type: ignore[union-attr]
            "may_change": request.user.has_perm("orders.change_address")  # type: ignore[union-attr]
            and address_is_final(order.detail_lines) is None,
        }


def _masked_address(order: Any) -> str:
    """주소 as far as the road, and the 지번주소 as far as the town."""
    second = mask_address(order.jibun_address) if second_form(order) else ""
    return mask_address(f"{order.address1} {order.address2}") + (f" (지번 {second})" if second else "")


def _safe_number(order: Any, at: datetime) -> dict[str, Any] | None:
    """안심번호의 끝 as the box shows it; the sentence warns while goods wait or are on their way."""
    day = order.safe_number_end_date
    if day is None:
        return None
    lines = order.detail_lines
    waits = [line for line in lines if line.state in BEFORE_SHIPPING]
    left = [line.shipped_at for line in lines if line.state == LineState.SHIPPING and line.shipped_at]
    end = None
    if waits:
        end = end_of_order(order, at=at, ship_by=min((line.ship_by for line in waits if line.ship_by), default=None))
    elif left:
        end = end_of_order(order, at=at, shipped_at=max(left))
    return {"day": f"{day:%Y-%m-%d}", "is_over": day < kst_date(at), "warning": end.sentence if end else ""}


def _packs(order: Any, request: HttpRequest) -> bool:
    """Whether the order is in the 배송준비중 work of the person."""
    is_ready = any(line.state == LineState.READY for line in order.detail_lines)
    return is_ready and staff_of(request).has_perm("shipping.view_recipient")


def _zone(order: Any) -> str:
    """권역과 추가 배송비; what was asked of the buyer is the order's own 배송비, to which nothing is added."""
    zone = zone_text(order)
    if not zone or not order.remote_surcharge_amount:
        return zone
    return f"{zone} · 추가 배송비 {order.remote_surcharge_amount:,}원 (주문 배송비 {order.shipping_fee_amount:,}원)"


@register
class MemoPanel(Panel):
    """메모: notes of staff, pinned ones first."""

    name, title, template, position = "memo", "메모", "orders/panels/memo.html", 60

    def load(self, order: Any, *, request: HttpRequest, at: datetime) -> dict[str, Any]:
        memos = StaffMemo.objects.filter(order=order, deleted_at__isnull=True).select_related("author")
        return {
            "memos": [
                {
                    "pk": memo.pk,
                    "text": mask_text(memo.text),
                    "author": memo.author.display_name,
                    "when": short(memo.created_at),
                    "is_pinned": memo.is_pinned,
                    "is_mine": memo.author_id == request.user.pk,
                }
                for memo in memos.order_by("-is_pinned", "-id")
            ],
            "may_write": request.user.has_perm("orders.memo"),  # type: ignore[union-attr]
        }


@register
class HistoryPanel(Panel):
    """처리 이력: who did what, when and why."""

    name, title, template, position = "history", "처리 이력", "orders/panels/history.html", 50

    def load(self, order: Any, *, request: HttpRequest, at: datetime) -> dict[str, Any]:
        return {"entries": timeline(order, order.detail_lines)}
