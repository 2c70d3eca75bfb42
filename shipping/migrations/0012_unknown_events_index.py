"""Which parcels hold a status that no rule knows."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shipping", "0011_courier_rows")]

    operations = [
        AddIndexConcurrently(
            model_name="trackingevent",
            index=models.Index(fields=["parcel"], name="tracking_unknown", condition=models.Q(("stage", "UNKNOWN"))),
        ),
    ]
