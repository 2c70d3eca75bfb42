"""분류 조회 예정: which boxes wait for their sort code."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shipping", "0021_sealed_keys_and_due_index")]

    operations = [
        migrations.AddField("parcel", "route_at", models.DateTimeField("분류 조회 예정", blank=True, null=True)),
        AddIndexConcurrently(
            "parcel",
            models.Index(condition=models.Q(("route_at__isnull", False)), fields=["route_at"], name="parcel_to_route"),
        ),
    ]
