"""The index of unpaid orders holds their amounts too: the tab of those with a wrong amount is counted without rows."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0015_notifies_buyers")]

    operations = [
        RemoveIndexConcurrently(model_name="order", name="order_step_awaiting"),
        AddIndexConcurrently(
            model_name="order",
            index=models.Index(
                fields=["deposit_by", "id"],
                name="order_step_awaiting",
                condition=models.Q(("steps__bit", 1)),
                include=("steps", "line_count", "ordered_at", "payment_method", "paid_amount", "due_amount"),
            ),
        ),
    ]
