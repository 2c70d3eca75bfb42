"""Bookings that were not canceled yet are found among all numbers without reading those."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shipping", "0028_result_upload_preset")]

    operations = [
        AddIndexConcurrently(
            model_name="waybillnumber",
            index=models.Index(
                fields=["created_at"],
                name="number_not_canceled",
                condition=models.Q(("cancel__in", ["DUE", "REFUSED"])),
            ),
        ),
    ]
