"""Waybill numbers that a contract gives us: from the wish to the parcel, and what became of those given up."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import Job, TimeStamped
from core.state import StateField, StateGuard, transition
from core.triggers import state_triggers
from shipping.models.contract import CourierContract, WaybillRange
from shipping.models.parcel import Parcel
from shipping.models.shipment import Shipment
from shipping.states import FIRST_NUMBER_STATES, NUMBER_MOVES, OPEN_NUMBERS, CancelState, NumberState

N = NumberState


class WaybillNumber(StateGuard, TimeStamped):
    """송장번호 발급: one number for one box under one key; `number` is empty until it was given.

    `doubts` counts answers that left open whether the courier has booked the box: from then on only the same number
    and key may be sent again (shipping.md 5.3).
    """

    event_subject = "waybill"

    contract = models.ForeignKey(CourierContract, models.PROTECT, related_name="numbers", db_index=False)
    range = models.ForeignKey(WaybillRange, models.PROTECT, null=True, related_name="numbers", db_index=False)
    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="waybill_numbers", db_index=False)
    parcel = models.ForeignKey(Parcel, models.PROTECT, null=True, related_name="+")
    courier = models.CharField("택배사", max_length=12)
    number = models.CharField("송장번호", max_length=30, blank=True, default="", db_default="", db_collation="C")
    seq = models.PositiveSmallIntegerField("순번")
    # What the courier calls the box: the same key is the same booking, at 한진 30 characters at most.
    key = models.CharField("고객주문번호", max_length=30, unique=True, db_collation="C")
    state = StateField("상태", choices=NumberState.choices, default=NumberState.REQUESTED)
    attempts = models.PositiveSmallIntegerField("시도", default=0, db_default=0)
    doubts = models.PositiveSmallIntegerField("알 수 없는 응답", default=0, db_default=0)
    lease_token = models.BigIntegerField("임대 번호", default=0, db_default=0)
    next_try_at = models.DateTimeField("다음 시도", null=True, blank=True)
    last_error = models.CharField("사유", max_length=300, blank=True, default="", db_default="")
    routing = models.JSONField("분류 정보", default=dict, blank=True, db_default={})
    # Whose address the courier was told, as a hash: another one must not travel under the same number.
    address_mark = models.CharField("주소 지문", max_length=64, blank=True, default="", db_default="")
    cancel = models.CharField(
        "접수 취소", max_length=8, choices=CancelState.choices, blank=True, default="", db_default=""
    )
    batch = models.ForeignKey(Job, models.SET_NULL, null=True, related_name="+", db_index=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    abandoned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    given_at = models.DateTimeField("번호 받은 일시", null=True, blank=True)
    ended_at = models.DateTimeField("끝난 일시", null=True, blank=True)

    class Meta:
        verbose_name = "송장번호 발급"
        triggers = [*state_triggers(pairs=NUMBER_MOVES, initial=FIRST_NUMBER_STATES)]
        constraints = [
            # Those of a range are given once for ever; couriers recycle the numbers that their APIs give.
            models.UniqueConstraint(
                fields=["courier", "number"], name="range_number_once", condition=Q(range__isnull=False)
            ),
            models.UniqueConstraint(fields=["shipment"], name="one_open_number", condition=Q(state__in=OPEN_NUMBERS)),
            models.CheckConstraint(condition=Q(state__in=NumberState.values), name="number_state_known"),
            models.CheckConstraint(
                condition=~Q(state__in=[N.RESERVED, N.REGISTERED, N.USED]) | ~Q(number=""), name="number_is_there"
            ),
            models.CheckConstraint(
                condition=~Q(state=N.USED) | Q(parcel__isnull=False), name="used_number_has_a_parcel"
            ),
        ]
        indexes = [
            models.Index(fields=["number"], name="number_by_text", condition=~Q(number="")),
            models.Index(fields=["shipment", "seq"], name="number_of_shipment"),
            models.Index(fields=["contract", "created_at"], name="number_of_contract"),
            models.Index(
                fields=["next_try_at"],
                name="number_due",
                condition=Q(next_try_at__isnull=False),
                include=["contract", "state"],
            ),
            models.Index(
                fields=["created_at"],
                name="number_not_canceled",
                condition=Q(cancel__in=[CancelState.DUE, CancelState.REFUSED]),
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @transition(state, source=N.REQUESTED, target=N.RESERVED, custom={"label": "번호 받음"})
    def reserve(self, *, at: datetime, number: str, routing: dict[str, Any] | None = None) -> None:
        self.number, self.given_at, self.last_error = number, at, ""
        self.routing = routing or self.routing

    @transition(state, source=[N.REQUESTED, N.RESERVED], target=N.REGISTERED, custom={"label": "택배사 접수"})
    def register(self, *, at: datetime, number: str, routing: dict[str, Any]) -> None:
        self.number, self.given_at, self.last_error = number, self.given_at or at, ""
        self.routing = routing or self.routing

    @transition(state, source=[N.RESERVED, N.REGISTERED], target=N.USED, custom={"label": "사용"})
    def use(self, *, at: datetime, parcel_id: int) -> None:
        self.parcel_id, self.last_error, self.next_try_at, self.lease_token = parcel_id, "", None, 0

    @transition(state, source=N.VOID, target=N.USED, custom={"label": "정정 되돌림"})
    def use_again(self, *, at: datetime, parcel_id: int) -> None:
        """The shipment that it left with has it back: its 송장 정정 was itself a slip."""
        self.parcel_id, self.ended_at, self.cancel, self.last_error = parcel_id, None, CancelState.NONE, ""

    @transition(state, source=[N.REQUESTED, N.RESERVED, N.REGISTERED, N.USED], target=N.VOID, custom={"label": "폐기"})
    def void(self, *, at: datetime, cancel: str, error: str = "") -> None:
        self.ended_at, self.cancel, self.last_error = at, cancel, error or self.last_error
        self.next_try_at, self.lease_token = (at if cancel == CancelState.DUE else None), 0

    @transition(
        state, source=[N.REQUESTED, N.RESERVED, N.REGISTERED], target=N.ABANDONED, custom={"label": "번호 포기"}
    )
    def abandon(self, *, at: datetime, reason: str, actor_id: int | None) -> None:
        self.ended_at, self.last_error, self.abandoned_by_id = at, reason, actor_id
        self.next_try_at, self.lease_token = None, 0
