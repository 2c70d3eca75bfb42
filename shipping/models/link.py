"""고객용 조회 링크: the unguessable address under which a buyer follows a shipment."""

import secrets
from collections.abc import Collection

from django.db import models

from core.models import TimeStamped
from shipping.models.shipment import Shipment

KEY_BYTES, SECRET_BYTES = 9, 24


class BuyerLink(TimeStamped):
    """조회 링크: `key` finds the row, `secret` (192 random bits) proves the address; neither tells of the order."""

    shipment = models.OneToOneField(Shipment, models.PROTECT, related_name="buyer_link")
    key = models.CharField("찾는 부분", max_length=12, unique=True, db_collation="C")
    secret = models.CharField("증명하는 부분", max_length=32)

    class Meta:
        verbose_name = "조회 링크"

    def __str__(self) -> str:
        return f"{self.shipment_id}"

    @property
    def token(self) -> str:
        """주소의 토큰."""
        return self.key + self.secret

    @staticmethod
    def of(shipment_ids: Collection[int]) -> "dict[int, BuyerLink]":
        """링크 by shipment id; what has none yet gets one. Two callers at once get the same."""
        fresh = [
            BuyerLink(shipment_id=pk, key=secrets.token_urlsafe(KEY_BYTES), secret=secrets.token_urlsafe(SECRET_BYTES))
            for pk in sorted(shipment_ids)
        ]
        known = {one.shipment_id: one for one in BuyerLink.objects.filter(shipment__in=list(shipment_ids))}
        BuyerLink.objects.bulk_create([one for one in fresh if one.shipment_id not in known], ignore_conflicts=True)
        if len(known) == len(fresh):
            return known
        return {one.shipment_id: one for one in BuyerLink.objects.filter(shipment__in=list(shipment_ids))}
