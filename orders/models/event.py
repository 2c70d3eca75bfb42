"""History, audit and outbox of the shop: the concrete event and delivery tables."""

from django.db import models
from django.db.models import Q

from core.models import AbstractDelivery, AbstractEvent
from core.triggers import append_only
from orders.models.order import Order


class OrderEvent(AbstractEvent):
    """처리 이력: one change of one line, parcel, order or job."""

    order = models.ForeignKey(Order, models.PROTECT, null=True, blank=True, related_name="events", db_index=False)

    class Meta:
        verbose_name = "처리 이력"
        triggers = append_only()
        constraints = [
            models.UniqueConstraint(fields=["subject", "subject_id", "version"], name="event_once_per_version")
        ]
        indexes = [
            models.Index(fields=["order", "id"], name="event_of_order"),
            models.Index(fields=["-at", "-id"], name="event_newest"),
            models.Index(fields=["batch", "id"], name="event_of_batch", condition=Q(batch__isnull=False)),
            models.Index(fields=["actor", "-id"], name="event_of_actor", condition=Q(actor__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} {self.subject_id} v{self.version}"


class Delivery(AbstractDelivery):
    """전달: the events of one order on their way to one subscriber."""

    order = models.ForeignKey(Order, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = "전달"
        indexes = [
            models.Index(fields=["due_at", "id"], name="delivery_due", condition=Q(state="PENDING")),
            models.Index(
                fields=["subscriber", "order", "id"], name="delivery_queue", condition=Q(state__in=["PENDING", "DEAD"])
            ),
            models.Index(fields=["-id"], name="delivery_dead", condition=Q(state="DEAD")),
            models.Index(fields=["batch", "order"], name="delivery_of_batch", condition=Q(batch__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.subscriber} {self.order_id} {self.state}"
