from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Indexes of what is due: the table has millions of rows, so nobody waits for them."""

    atomic = False

    dependencies = [("shipping", "0018_shipping_exceptions")]

    operations = [
        AddIndexConcurrently(
            model_name="parcel",
            index=models.Index(
                condition=models.Q(("first_scan_at", None), ("state", "HANDED_OVER")),
                fields=["handed_over_at"],
                name="parcel_unscanned",
            ),
        ),
        AddIndexConcurrently(
            model_name="parcel",
            index=models.Index(
                condition=models.Q(("first_scan_at__isnull", False), ("state", "HANDED_OVER")),
                fields=["last_event_at"],
                name="parcel_silent",
            ),
        ),
        AddIndexConcurrently(
            model_name="parcel",
            index=models.Index(
                condition=models.Q(("unknown_since__isnull", False)), fields=["unknown_since"], name="parcel_unknown"
            ),
        ),
        AddIndexConcurrently(
            model_name="parcel",
            index=models.Index(
                condition=models.Q(("state__in", ("NUMBERED", "PRINTED"))),
                fields=["numbered_at"],
                name="parcel_waiting",
            ),
        ),
        AddIndexConcurrently(
            model_name="parcel",
            index=models.Index(condition=models.Q(("state", "VOID")), fields=["voided_at"], name="parcel_voided"),
        ),
    ]
