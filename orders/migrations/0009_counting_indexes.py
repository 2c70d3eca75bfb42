"""Indexes that hold what the tabs of lists look at, so that counting them reads no rows."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0008_told")]

    operations = [
        RemoveIndexConcurrently(model_name="order", name="order_newest"),
        AddIndexConcurrently(
            model_name="order",
            index=models.Index(fields=["-ordered_at", "-id"], name="order_newest", include=("steps", "line_count")),
        ),
        RemoveIndexConcurrently(model_name="order", name="order_step_awaiting"),
        AddIndexConcurrently(
            model_name="order",
            index=models.Index(
                fields=["deposit_by", "id"],
                name="order_step_awaiting",
                condition=models.Q(("steps__bit", 1)),
                include=("steps", "line_count", "ordered_at", "payment_method"),
            ),
        ),
        RemoveIndexConcurrently(model_name="order", name="order_step_preparing"),
        AddIndexConcurrently(
            model_name="order",
            index=models.Index(
                fields=["next_due_at", "id"],
                name="order_step_preparing",
                condition=models.Q(("steps__bit", 2)),
                include=("steps", "paid_at", "ordered_at"),
            ),
        ),
        AddIndexConcurrently(
            model_name="orderline",
            index=models.Index(fields=["order"], name="line_preparing", condition=models.Q(("state", "PREPARING"))),
        ),
        AddIndexConcurrently(
            model_name="orderline",
            index=models.Index(
                fields=["order", "state", "open_locks"], name="line_locked", condition=models.Q(("open_locks__gt", 0))
            ),
        ),
    ]
