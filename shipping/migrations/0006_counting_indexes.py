"""Indexes that hold what the tabs of lists look at, so that counting them reads no rows."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shipping", "0005_told")]

    operations = [
        RemoveIndexConcurrently(model_name="shipment", name="shipment_shipping"),
        AddIndexConcurrently(
            model_name="shipment",
            index=models.Index(
                fields=["last_event_at", "id"],
                name="shipment_shipping",
                condition=models.Q(("step", "SHIPPING")),
                include=("stage", "tracking_failed", "first_scan_at", "method", "line_count"),
            ),
        ),
        RemoveIndexConcurrently(model_name="shipment", name="shipment_delivered"),
        AddIndexConcurrently(
            model_name="shipment",
            index=models.Index(
                fields=["-delivered_at", "-id"],
                name="shipment_delivered",
                condition=models.Q(("step", "DELIVERED")),
                include=("delivered_by", "confirm_by", "line_count"),
            ),
        ),
    ]
