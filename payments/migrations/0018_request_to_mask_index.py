"""Index of the requests whose bodies the retention has not masked yet."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payments", "0017_request_retention")]

    operations = [
        AddIndexConcurrently(
            model_name="pgrequest",
            index=models.Index(condition=models.Q(("masked_at", None)), fields=["at", "id"], name="request_to_mask"),
        ),
    ]
