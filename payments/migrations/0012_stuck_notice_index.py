"""Indexes of the notices that wait for a person (counted for every menu) and of the list of cash receipts."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payments", "0011_difference_by_two")]

    operations = [
        AddIndexConcurrently(
            model_name="pgnotice",
            index=models.Index(
                condition=models.Q(("state__in", ["PARKED", "DEAD"])), fields=["id"], name="notice_stuck"
            ),
        ),
        AddIndexConcurrently(
            model_name="cashreceipt",
            index=models.Index(fields=["-found_at", "-id"], name="cash_receipt_newest"),
        ),
    ]
