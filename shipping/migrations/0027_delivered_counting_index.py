"""The index of 배송완료 holds what its tab 분쟁 looks at, so that counting it reads no rows."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shipping", "0026_feeds_and_pushes")]

    operations = [
        RemoveIndexConcurrently(model_name="shipment", name="shipment_delivered"),
        AddIndexConcurrently(
            model_name="shipment",
            index=models.Index(
                fields=["-delivered_at", "-id"],
                name="shipment_delivered",
                condition=models.Q(("step", "DELIVERED")),
                include=("delivered_by", "confirm_by", "tracking_failed", "line_count"),
            ),
        ),
    ]
