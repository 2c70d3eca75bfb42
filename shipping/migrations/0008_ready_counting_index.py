"""Index of 배송준비중 that holds what the tabs look at, as 0006 does for the later steps."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shipping", "0007_visible_pages")]

    operations = [
        RemoveIndexConcurrently(model_name="shipment", name="shipment_ready"),
        AddIndexConcurrently(
            model_name="shipment",
            index=models.Index(
                fields=["ship_by", "paid_at", "id"],
                name="shipment_ready",
                condition=models.Q(("step", "READY")),
                include=("has_waybill", "has_claim", "is_held", "line_count"),
            ),
        ),
    ]
