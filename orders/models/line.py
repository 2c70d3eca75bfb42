"""The order line: the unit that is paid, packed, shipped, claimed and settled."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import models

from core.calendar import short
from core.models import TimeStamped
from core.state import StateField, StateGuard, transition
from core.triggers import state_triggers, told_triggers
from orders.models.guards import (
    Unlocked,
    delivery_is_proven,
    has_no_waybill,
    has_waybill_if_needed,
    is_held,
    is_mapped,
    is_not_delayed_yet,
    is_not_held,
    is_not_picked_up,
    is_paid_in_full,
    is_unacknowledged,
    nothing_has_left_preparing,
    nothing_is_paid,
    was_delivered,
    was_not_delivered,
)
from orders.models.order import Order
from orders.rollup import roll_up
from orders.states import (
    FIRST_STATES,
    LINE_MOVES,
    LOCK_BIT,
    OPEN,
    CanceledBy,
    ConfirmedBy,
    DeliveredBy,
    DeliveryMethod,
    LineState,
    LockKind,
    StockVerdict,
)
from products.models import Variant

S = LineState
BEFORE_SHIPPING = (S.PREPARING, S.READY)


class OrderLine(StateGuard, TimeStamped):
    """품목별 주문: one product of an order with its share of the money, its state and its clocks."""

    event_subject = "line"

    order = models.ForeignKey(Order, models.PROTECT, related_name="lines", db_index=False)  # line_seq_once has it
    number = models.CharField("품목별 주문번호", max_length=20, unique=True, db_collation="C")
    seq = models.PositiveSmallIntegerField("순번")
    channel_number = models.CharField("채널 품목번호", max_length=60, blank=True, db_collation="C")
    variant = models.ForeignKey(Variant, models.PROTECT, null=True, blank=True, related_name="+")
    channel_product = models.CharField("채널 상품번호", max_length=100, blank=True)
    channel_option = models.CharField("채널 옵션", max_length=200, blank=True)
    product_name = models.CharField("상품명", max_length=200)
    option_name = models.CharField("옵션", max_length=200, blank=True)
    quantity = models.PositiveIntegerField("수량")
    unit_price = models.PositiveBigIntegerField("판매가")
    # Won; this line's exact part of the order's amounts (domain.md 3.5).
    discount_share = models.PositiveBigIntegerField("할인 몫", default=0)
    coupon_share = models.PositiveBigIntegerField("쿠폰 몫", default=0)
    points_share = models.PositiveBigIntegerField("적립금 몫", default=0)
    shipping_share = models.PositiveBigIntegerField("배송비 몫", default=0)

    state = StateField("상태", choices=LineState.choices, default=LineState.AWAITING_PAYMENT)
    delivery_method = models.CharField("배송방법", max_length=8, choices=DeliveryMethod.choices, default="PARCEL")
    open_locks = models.PositiveSmallIntegerField("잠금 비트", default=0)
    hold_reason = models.CharField("보류 사유", max_length=200, blank=True)
    stock_verdict = models.CharField("재고 판정", max_length=8, choices=StockVerdict.choices, blank=True)
    paid_at = models.DateTimeField("결제일시", null=True, blank=True)
    acknowledged_at = models.DateTimeField("발주확인일시", null=True, blank=True)
    ready_at = models.DateTimeField("배송준비일시", null=True, blank=True)
    standby_at = models.DateTimeField("송장등록일시", null=True, blank=True)
    picked_up_at = models.DateTimeField("집하일시", null=True, blank=True)
    shipped_at = models.DateTimeField("배송시작일시", null=True, blank=True)
    delivered_at = models.DateTimeField("배송완료일시", null=True, blank=True)
    delivered_by = models.CharField("확인 구분", max_length=8, choices=DeliveredBy.choices, blank=True)
    confirm_by = models.DateTimeField("구매확정 예정", null=True, blank=True)
    confirmed_at = models.DateTimeField("구매확정일시", null=True, blank=True)
    confirmed_by = models.CharField("구매확정 구분", max_length=8, choices=ConfirmedBy.choices, blank=True)
    canceled_at = models.DateTimeField("취소일시", null=True, blank=True)
    canceled_by = models.CharField("취소 주체", max_length=8, choices=CanceledBy.choices, blank=True)
    ship_by = models.DateTimeField("발송기한", null=True, blank=True)
    delay_notified_at = models.DateTimeField("발송지연 안내일시", null=True, blank=True)

    class Meta:
        verbose_name = "품목별 주문"
        triggers = [*state_triggers(pairs=LINE_MOVES, initial=FIRST_STATES), *told_triggers("line")]
        constraints = [
            models.UniqueConstraint(fields=["order", "seq"], name="line_seq_once"),
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="line_quantity_positive"),
            models.CheckConstraint(condition=models.Q(state__in=LineState.values), name="line_state_known"),
        ]
        indexes = [
            models.Index(fields=["confirm_by", "id"], name="line_confirm_due", condition=models.Q(state="DELIVERED")),
            models.Index(fields=["variant", "id"], name="line_waiting_stock", condition=models.Q(state="PREPARING")),
            models.Index(fields=["order"], name="line_preparing", condition=models.Q(state="PREPARING")),
            models.Index(
                fields=["order", "state", "open_locks"], name="line_locked", condition=models.Q(open_locks__gt=0)
            ),
            models.Index(
                fields=["channel_product", "channel_option"],
                name="line_unmapped",
                condition=models.Q(open_locks__bit=8),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    def wrong_state_reason(self, sources: Sequence[str]) -> str:
        """A canceled line says when and by whom it was canceled; the others where they stand."""
        if self.state == LineState.CANCELED_UNPAID and self.canceled_at is not None:
            moment = short(self.canceled_at)
            return f"이미 취소된 주문입니다. {moment}에 취소했습니다({self.get_canceled_by_display()})."
        return super().wrong_state_reason(sources)

    @property
    def missing_text(self) -> str:
        """Won by which the deposits differ from the amount due."""
        return f"{abs(self.order.open_amount):,}원"

    @property
    def amount(self) -> int:
        """Won of the goods before discounts."""
        return self.unit_price * self.quantity

    @classmethod
    def after_move(cls, rows: Sequence[Any], *, at: datetime) -> None:
        roll_up({row.order_id for row in rows})

    # T3, T5
    @transition(
        state, source=S.AWAITING_PAYMENT, target=S.PREPARING, conditions=[is_paid_in_full], custom={"label": "입금확인"}
    )
    def confirm_payment(
        self,
        *,
        at: datetime,
        ship_by: datetime,
        paid_at: datetime | None = None,
        acknowledged_at: datetime | None = None,
        stock_verdict: str = "",
    ) -> None:
        self.paid_at, self.ship_by, self.acknowledged_at = paid_at or at, ship_by, acknowledged_at
        self.stock_verdict = stock_verdict

    @transition(
        state,
        source=S.PREPARING,
        target=S.AWAITING_PAYMENT,
        conditions=[nothing_has_left_preparing],
        custom={"label": "입금확인 취소"},
    )
    def revert_payment(self, *, at: datetime) -> None:
        self.paid_at = self.ship_by = self.acknowledged_at = None

    # T4, T24
    @transition(
        state,
        source=S.AWAITING_PAYMENT,
        target=S.CANCELED_UNPAID,
        conditions=[nothing_is_paid, Unlocked("cancel_unpaid")],
        custom={"label": "입금전취소"},
    )
    def cancel_unpaid(self, *, at: datetime, by: str, canceled_at: datetime | None = None) -> None:
        self.canceled_at, self.canceled_by = canceled_at or at, by

    # T19, without a claim: a line of which nothing has left the house
    @transition(
        state,
        source=BEFORE_SHIPPING,
        target=S.CANCELED,
        conditions=[Unlocked("cancel"), has_no_waybill],
        custom={"label": "주문취소"},
    )
    def cancel(self, *, at: datetime, by: str) -> None:
        self.canceled_at, self.canceled_by = at, by

    @transition(state, source=S.CANCELED_UNPAID, target=S.AWAITING_PAYMENT, custom={"label": "되살리기"})
    def revive(self, *, at: datetime) -> None:
        self.canceled_at, self.canceled_by = None, ""

    # T6, T17, T18: stamps
    @transition(
        state,
        source=S.PREPARING,
        target=None,
        conditions=[Unlocked("acknowledge"), is_unacknowledged],
        custom={"label": "발주확인"},
    )
    def acknowledge(self, *, at: datetime) -> None:
        self.acknowledged_at = at

    @transition(state, source=BEFORE_SHIPPING, target=None, conditions=[is_not_held], custom={"label": "배송보류"})
    def hold(self, *, at: datetime, reason: str) -> None:
        self.open_locks |= LOCK_BIT[LockKind.HOLD]
        self.hold_reason = reason

    @transition(state, source=tuple(OPEN), target=None, conditions=[is_held], custom={"label": "보류 해제"})
    def release_hold(self, *, at: datetime) -> None:
        self.open_locks &= ~LOCK_BIT[LockKind.HOLD]
        self.hold_reason = ""

    @transition(state, source=tuple(LineState), target=None, custom={"label": "잠금"})
    def place_lock(self, *, at: datetime, kind: str) -> None:
        self.open_locks |= LOCK_BIT[LockKind(kind)]

    @transition(state, source=tuple(LineState), target=None, custom={"label": "잠금 해제"})
    def release_lock(self, *, at: datetime, kind: str) -> None:
        self.open_locks &= ~LOCK_BIT[LockKind(kind)]

    @transition(state, source=tuple(OPEN), target=None, custom={"label": "품목 연결"})
    def map_variant(self, *, at: datetime, variant_id: int) -> None:
        self.variant_id = variant_id
        self.open_locks &= ~LOCK_BIT[LockKind.MAPPING]

    @transition(
        state, source=BEFORE_SHIPPING, target=None, conditions=[is_not_delayed_yet], custom={"label": "발송지연 안내"}
    )
    def notify_delay(self, *, at: datetime, ship_by: datetime) -> None:
        self.delay_notified_at, self.ship_by = at, ship_by

    @transition(state, source=S.READY, target=None, conditions=[has_no_waybill], custom={"label": "배송방법 변경"})
    def change_method(self, *, at: datetime, delivery_method: str) -> None:
        self.delivery_method = delivery_method

    # T7, T8
    @transition(
        state,
        source=S.PREPARING,
        target=S.READY,
        conditions=[Unlocked("make_ready"), is_mapped],
        custom={"label": "배송준비중 처리"},
    )
    def make_ready(self, *, at: datetime) -> None:
        self.ready_at = at
        self.acknowledged_at = self.acknowledged_at or at

    @transition(
        state, source=S.READY, target=S.PREPARING, conditions=[has_no_waybill], custom={"label": "상품준비중으로"}
    )
    def return_to_preparing(self, *, at: datetime) -> None:
        # A 발주확인 that 배송준비중 처리 gave along goes with it; one that somebody pressed before stays.
        if self.acknowledged_at == self.ready_at:
            self.acknowledged_at = None
        self.ready_at = None

    # T9, T10: facts that shipping writes downward
    @transition(
        state, source=S.READY, target=None, conditions=[Unlocked("register_waybill")], custom={"label": "송장 등록"}
    )
    def register_waybill(self, *, at: datetime) -> None:
        self.standby_at = at

    @transition(state, source=S.READY, target=None, custom={"label": "송장 삭제"})
    def void_waybill(self, *, at: datetime) -> None:
        self.standby_at = None

    @transition(state, source=S.SHIPPING, target=None, conditions=[is_not_picked_up], custom={"label": "집하"})
    def pick_up(self, *, at: datetime) -> None:
        self.picked_up_at = at

    @transition(state, source=S.SHIPPING, target=None, custom={"label": "송장 정정"})
    def correct_waybill(self, *, at: datetime, picked_up_at: datetime | None) -> None:
        """집하 that a wrong number told of was somebody else's."""
        self.picked_up_at = picked_up_at

    # T11, T12
    @transition(
        state, source=S.READY, target=S.SHIPPING, conditions=[Unlocked("ship"), has_waybill_if_needed],
        custom={"label": "배송중 처리"},
    )  # fmt: skip
    def ship(self, *, at: datetime, shipped_at: datetime | None = None) -> None:
        self.shipped_at = shipped_at or at

    @transition(state, source=S.SHIPPING, target=S.READY, conditions=[is_not_picked_up], custom={"label": "배송취소"})
    def unship(self, *, at: datetime) -> None:
        self.shipped_at = None

    # 재발송: the boxes came back or were lost, so the goods leave once more under another number
    @transition(state, source=S.SHIPPING, target=S.READY, conditions=[Unlocked("resend")], custom={"label": "재발송"})
    def resend(self, *, at: datetime) -> None:
        self.shipped_at = self.picked_up_at = self.standby_at = None

    # T13, T14
    @transition(state, source=S.SHIPPING, target=S.DELIVERED, custom={"label": "배송완료 처리"})
    def deliver(self, *, at: datetime, by: str, delivered_at: datetime, confirm_by: datetime) -> None:
        self.delivered_at, self.delivered_by, self.confirm_by = delivered_at, by, confirm_by

    @transition(state, source=S.DELIVERED, target=S.SHIPPING, custom={"label": "배송완료 취소"})
    def undeliver(self, *, at: datetime) -> None:
        self.delivered_at, self.delivered_by, self.confirm_by = None, "", None

    # T15, T16
    @transition(
        state,
        source=[S.SHIPPING, S.DELIVERED],
        target=S.CONFIRMED,
        conditions=[Unlocked("confirm_purchase")],
        custom={"label": "구매확정 처리"},
    )
    def confirm_purchase(
        self, *, at: datetime, by: str, confirm_by: datetime | None, confirmed_at: datetime | None = None
    ) -> None:
        self.confirmed_at, self.confirmed_by, self.confirm_by = confirmed_at or at, by, confirm_by

    @transition(
        state,
        source=S.DELIVERED,
        target=S.CONFIRMED,
        conditions=[Unlocked("confirm_after_days"), delivery_is_proven],
        custom={"label": "자동 구매확정"},
    )
    def confirm_after_days(self, *, at: datetime) -> None:
        self.confirmed_at, self.confirmed_by = at, ConfirmedBy.DAYS

    @transition(
        state, source=S.CONFIRMED, target=S.DELIVERED, conditions=[was_delivered], custom={"label": "구매확정 철회"}
    )
    def revoke_confirmation(self, *, at: datetime, confirm_by: datetime | None) -> None:
        self.confirmed_at, self.confirmed_by, self.confirm_by = None, "", confirm_by

    @transition(
        state, source=S.CONFIRMED, target=S.SHIPPING, conditions=[was_not_delivered], custom={"label": "구매확정 철회"}
    )
    def revoke_confirmation_on_the_way(self, *, at: datetime, confirm_by: datetime | None) -> None:
        self.confirmed_at, self.confirmed_by, self.confirm_by = None, "", confirm_by
