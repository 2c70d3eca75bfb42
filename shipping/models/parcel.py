"""Parcels: one box with one waybill."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q

from core.models import TimeStamped
from core.state import StateField, StateGuard, condition, transition
from core.triggers import state_triggers, told_triggers
from orders.models import OrderLine
from shipping.models.shipment import Shipment
from shipping.states import (
    FIRST_PARCEL_STATES,
    PARCEL_MOVES,
    Direction,
    ParcelState,
    TrackingAlert,
    TrackingStage,
    WaybillSource,
)

P = ParcelState
LIVE = (P.NUMBERED, P.PRINTED, P.HANDED_OVER)
WAITS = frozenset({P.CREATED, P.NUMBERED, P.PRINTED})
"""States of a box that has not left."""
CORRECTABLE = (P.HANDED_OVER, P.DELIVERED, P.RETURNING, P.RETURNED)
"""States of a box that has left: the last three may be the news of somebody else's box, told of a wrong number."""


@condition("반송 도착을 확인한 상자입니다. 다시 보내려면 배송 예외에서 재발송하세요.")
def is_not_home(parcel: Any) -> bool:
    """A return that only the courier told of may belong to the wrong number; one that a person saw does not."""
    return parcel.state != P.RETURNED or parcel.stage == TrackingStage.RETURNED


class Parcel(StateGuard, TimeStamped):
    """상자: one waybill of a shipment; its stage follows the courier, its state follows what the house did."""

    event_subject = "parcel"

    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="parcels", db_index=False)  # parcel_of_shipment
    seq = models.PositiveSmallIntegerField("순번", default=1)
    direction = models.CharField("방향", max_length=8, choices=Direction.choices, default=Direction.OUT)
    courier = models.CharField("택배사", max_length=12)
    waybill = models.CharField("송장번호", max_length=30, db_collation="C")
    source = models.CharField(
        "번호 출처", max_length=8, choices=WaybillSource.choices, blank=True, default="", db_default=""
    )
    state = StateField("상태", choices=ParcelState.choices, default=ParcelState.CREATED)
    stage = models.CharField("추적 상태", max_length=24, choices=TrackingStage.choices, blank=True)
    alert = models.CharField("추적 오류", max_length=24, choices=TrackingAlert.choices, blank=True)
    printed_count = models.PositiveSmallIntegerField("출력 횟수", default=0)
    numbered_at = models.DateTimeField("송장등록일시", null=True, blank=True)
    printed_at = models.DateTimeField("송장출력일시", null=True, blank=True)
    packed_at = models.DateTimeField("포장일시", null=True, blank=True)
    handed_over_at = models.DateTimeField("출고일시", null=True, blank=True)
    first_scan_at = models.DateTimeField("집하일시", null=True, blank=True)
    last_event_at = models.DateTimeField("최근 변동", null=True, blank=True)
    # Time of the newest event while nobody knows what its words mean; and how often the source told less than before.
    unknown_since = models.DateTimeField("모르는 상태 일시", null=True, blank=True)
    regressions = models.PositiveSmallIntegerField("되돌아간 횟수", default=0, db_default=0)
    last_event_text = models.CharField("최근 위치", max_length=200, blank=True)
    delivered_at = models.DateTimeField("배송완료일시", null=True, blank=True)
    # The delivery that staff took back: the courier telling the same one again does not count.
    refused_delivery_at = models.DateTimeField("취소한 배송완료일시", null=True, blank=True)
    # 다시 배송: what the courier told of a return up to this moment does not count any more.
    resumed_at = models.DateTimeField("다시 배송일시", null=True, blank=True)
    voided_at = models.DateTimeField("송장삭제일시", null=True, blank=True)
    # What a sorting machine and a driver read: the fields of adapters.issuing.Routing. Not read with locked rows.
    routing = models.JSONField("분류 정보", null=True, blank=True)
    # When the courier is to be asked for it; empty once it is known or cannot be had.
    route_at = models.DateTimeField("분류 조회 예정", null=True, blank=True)

    class Meta:
        verbose_name = "상자"
        triggers = [*state_triggers(pairs=PARCEL_MOVES, initial=FIRST_PARCEL_STATES), *told_triggers("parcel")]
        constraints = [
            # Couriers recycle numbers, so a number is unique among live parcels only (shipping.md 0.7).
            models.UniqueConstraint(
                fields=["courier", "waybill"], name="waybill_on_one_live_parcel", condition=Q(state__in=LIVE)
            ),
            models.CheckConstraint(condition=Q(state__in=ParcelState.values), name="parcel_state_known"),
        ]
        indexes = [
            models.Index(fields=["waybill"], name="parcel_waybill"),
            models.Index(fields=["shipment", "seq"], name="parcel_of_shipment"),
            # What the sweep of exceptions and the watch over numbers read: only what is due.
            models.Index(
                fields=["handed_over_at"],
                name="parcel_unscanned",
                condition=Q(state=P.HANDED_OVER, first_scan_at=None),
            ),
            models.Index(
                fields=["last_event_at"],
                name="parcel_silent",
                condition=Q(state=P.HANDED_OVER, first_scan_at__isnull=False),
            ),
            models.Index(fields=["unknown_since"], name="parcel_unknown", condition=Q(unknown_since__isnull=False)),
            models.Index(fields=["numbered_at"], name="parcel_waiting", condition=Q(state__in=(P.NUMBERED, P.PRINTED))),
            models.Index(fields=["voided_at"], name="parcel_voided", condition=Q(state=P.VOID)),
            models.Index(fields=["route_at"], name="parcel_to_route", condition=Q(route_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.courier} {self.waybill}"

    @property
    def is_corrected(self) -> bool:
        """송장 정정: whether its number was found wrong after it had left; what is deleted before never left."""
        return self.state == ParcelState.VOID and self.handed_over_at is not None

    @property
    def event_order_id(self) -> int:
        """The order whose history shows this parcel's events."""
        return self.shipment.order_id

    @classmethod
    def after_move(cls, rows: Sequence[Any], *, at: datetime) -> None:
        """The services roll the shipments up after lines and parcels have both moved."""

    @transition(state, source=P.CREATED, target=P.NUMBERED, custom={"label": "송장 등록"})
    def number(self, *, at: datetime, courier: str, waybill: str, source: str) -> None:
        self.courier, self.waybill, self.source, self.numbered_at = courier, waybill, source, at

    @transition(state, source=P.NUMBERED, target=P.PRINTED, custom={"label": "송장 출력"})
    def print_label(self, *, at: datetime) -> None:
        self.printed_at, self.printed_count = at, self.printed_count + 1

    @transition(state, source=[P.NUMBERED, P.PRINTED], target=P.HANDED_OVER, custom={"label": "출고"})
    def hand_over(self, *, at: datetime, handed_over_at: datetime | None = None) -> None:
        self.handed_over_at = handed_over_at or at

    @transition(state, source=P.HANDED_OVER, target=P.NUMBERED, custom={"label": "출고 취소"})
    def take_back(self, *, at: datetime) -> None:
        self.handed_over_at = None

    @transition(state, source=[P.CREATED, P.NUMBERED, P.PRINTED], target=P.VOID, custom={"label": "송장 삭제"})
    def void(self, *, at: datetime) -> None:
        self.voided_at = at

    @transition(state, source=CORRECTABLE, target=P.VOID, conditions=[is_not_home], custom={"label": "송장 정정"})
    def correct(self, *, at: datetime) -> None:
        """Its number was wrong; the moment when it left stays and tells it from 송장 삭제."""
        self.voided_at = at

    @transition(state, source=P.HANDED_OVER, target=P.DELIVERED, custom={"label": "배송완료"})
    def deliver(self, *, at: datetime, delivered_at: datetime) -> None:
        self.delivered_at = delivered_at

    @transition(state, source=P.HANDED_OVER, target=P.DELIVERED, custom={"label": "배송완료 취소 되돌리기"})
    def deliver_again(self, *, at: datetime, delivered_at: datetime) -> None:
        self.delivered_at, self.refused_delivery_at = delivered_at, None

    @transition(state, source=P.DELIVERED, target=P.HANDED_OVER, custom={"label": "배송완료 취소"})
    def undeliver(self, *, at: datetime) -> None:
        self.refused_delivery_at = self.delivered_at if self.stage == TrackingStage.DELIVERED else None
        self.delivered_at = None

    @transition(state, source=P.HANDED_OVER, target=P.RETURNING, custom={"label": "반송"})
    def turn_back(self, *, at: datetime) -> None:
        """The courier brings it back to us; its lines stay on the way until a person decides."""

    @transition(state, source=[P.HANDED_OVER, P.RETURNING], target=P.RETURNED, custom={"label": "반송완료"})
    def come_back(self, *, at: datetime) -> None:
        """The box is in the house again."""

    @transition(state, source=[P.HANDED_OVER, P.RETURNING], target=P.LOST, custom={"label": "분실 처리"})
    def lose(self, *, at: datetime) -> None:
        """A person has given it up; the courier pays or does not."""

    @transition(state, source=[P.RETURNING, P.LOST], target=P.HANDED_OVER, custom={"label": "다시 배송"})
    def resume(self, *, at: datetime) -> None:
        """It goes to the buyer after all."""
        self.resumed_at = at


class ParcelLine(models.Model):
    """상자 품목: how many units of a line are in a box."""

    parcel = models.ForeignKey(Parcel, models.PROTECT, related_name="items", db_index=False)  # parcel_line_once
    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField("수량")

    class Meta:
        verbose_name = "상자 품목"
        constraints = [
            models.UniqueConstraint(fields=["parcel", "line"], name="parcel_line_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="parcel_line_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.parcel_id} {self.line_id} {self.quantity}"
