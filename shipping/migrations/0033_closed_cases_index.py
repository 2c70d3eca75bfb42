"""Decided cases of 배송 예외 are listed and counted to a cap without reading those of a year."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shipping", "0032_waybill_corrections")]

    operations = [
        AddIndexConcurrently(
            model_name="shippingexception",
            index=models.Index(
                fields=["due_at", "id"], name="exception_closed", condition=models.Q(("closed_at__isnull", False))
            ),
        ),
    ]
