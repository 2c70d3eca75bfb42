"""Remote areas: where a delivery takes longer and costs more, as data with a date (shipping.md 6.3)."""

from django.db import models
from django.db.models import F, Q

from orders.states import RemoteZone


class AreaLevel(models.TextChoices):
    """비교 기준: words in the address tell more than the zip, the zip more than the province."""

    PATTERN = "PATTERN", "주소에 든 말"
    ZIP = "ZIP", "우편번호 범위"
    PROVINCE = "PROVINCE", "주소의 첫머리"


class RemoteArea(models.Model):
    """도서산간 지역: one rule; nothing is deleted, so that it stays known why an order got its zone."""

    level = models.CharField("비교 기준", max_length=8, choices=AreaLevel.choices)
    text = models.CharField("주소의 말", max_length=100, blank=True)
    zip_from = models.CharField("우편번호 처음", max_length=5, blank=True, db_collation="C")
    zip_to = models.CharField("우편번호 끝", max_length=5, blank=True, db_collation="C")
    courier = models.CharField("택배사", max_length=12, blank=True)
    zone = models.PositiveSmallIntegerField("권역", choices=RemoteZone.choices)
    # Won; empty: what the settings say about the zone.
    surcharge = models.PositiveIntegerField("추가 배송비", null=True, blank=True)
    valid_from = models.DateField("적용 시작일")
    source = models.CharField("출처", max_length=200, blank=True)
    is_active = models.BooleanField("사용", default=True, db_default=True)
    version = models.PositiveIntegerField("버전", default=0, db_default=0)

    class Meta:
        verbose_name = "도서산간 지역"
        constraints = [
            models.CheckConstraint(
                condition=Q(level="ZIP", text="", zip_from__regex=r"^\d{5}$", zip_to__regex=r"^\d{5}$")
                & Q(zip_to__gte=F("zip_from"))
                | ~Q(level="ZIP") & Q(zip_from="", zip_to="") & ~Q(text=""),
                name="remote_area_is_one_rule",
            )
        ]

    def __str__(self) -> str:
        return self.text or (self.zip_from if self.zip_from == self.zip_to else f"{self.zip_from}–{self.zip_to}")
