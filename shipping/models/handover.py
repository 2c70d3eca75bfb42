"""Handovers: what is known of a shipment that no courier carries, and how its end is proven (shipping.md 7)."""

from django.db import models

from core.models import TimeStamped
from shipping.models.shipment import Shipment


class Handover(TimeStamped):
    """전달: how a shipment by 퀵, 방문수령 or 직접전달 gets to the buyer; made by its 배송중 처리."""

    shipment = models.OneToOneField(Shipment, models.CASCADE, primary_key=True, related_name="handover")
    # Pick-up code and rider's link follow from it and the key of the server; neither of them is stored.
    seal = models.CharField("봉인값", max_length=32)

    carried_by = models.CharField("퀵 업체·담당자", max_length=60, blank=True)
    phone = models.CharField("기사·담당자 연락처", max_length=20, blank=True)
    dispatched_at = models.DateTimeField("배차일시", null=True, blank=True)
    link_used_at = models.DateTimeField("기사 확인일시", null=True, blank=True)

    place = models.CharField("수령 장소", max_length=200, blank=True)
    tries = models.PositiveSmallIntegerField("틀린 코드 횟수", default=0, db_default=0)
    reminded_at = models.DateTimeField("수령 알림일시", null=True, blank=True)
    received_by = models.CharField("받은 사람", max_length=60, blank=True)

    class Meta:
        verbose_name = "전달"

    def __str__(self) -> str:
        return str(self.shipment_id)
