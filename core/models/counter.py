"""Counters that start again every day."""

from django.db import models


class DailyCounter(models.Model):
    """일련번호: the last number a series gave out on one day in Seoul."""

    series = models.CharField("종류", max_length=20)
    day = models.DateField("날짜")
    last = models.PositiveBigIntegerField("마지막 번호")

    class Meta:
        verbose_name = "일련번호"
        constraints = [models.UniqueConstraint(fields=["series", "day"], name="counter_once_per_day")]

    def __str__(self) -> str:
        return f"{self.series} {self.day} {self.last}"
