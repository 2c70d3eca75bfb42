"""Days that differ from the public calendar."""

from django.db import models
from django.db.models.functions import Now


class HolidayKind(models.TextChoices):
    """휴일 구분: a row either makes a day a rest day or makes it a working day."""

    REST = "REST", "휴일"
    WORK = "WORK", "영업일"


class Holiday(models.Model):
    """휴일: one day on which the shop, or one courier, departs from weekends and public holidays (domain.md D8)."""

    date = models.DateField("날짜")
    kind = models.CharField("구분", max_length=4, choices=HolidayKind.choices, default=HolidayKind.REST)
    name = models.CharField("이름", max_length=60)
    courier_code = models.CharField("택배사", max_length=20, blank=True, default="")
    # The database's clock: processes compare it to learn that the table changed.
    updated_at = models.DateTimeField("수정일시", db_default=Now(), editable=False)

    class Meta:
        verbose_name = "휴일"
        constraints = [
            models.UniqueConstraint(fields=["date", "courier_code"], name="holiday_once_per_courier"),
            models.CheckConstraint(condition=models.Q(kind__in=HolidayKind.values), name="holiday_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.name}"
