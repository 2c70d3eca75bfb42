"""Keys of tracking accounts are sealed, then their plain column goes; due parcels are found by courier alone.

Every step may be repeated: nothing is in one transaction, because indexes of a hot table are built beside its work.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

from core.sealing import seal

PURPOSE = "tracking account"
CLOUD_HOST = "https://apis.tracker.delivery"
CLOUD_PER_SECOND = 10
"""What tracker.delivery allows (shipping.md 4.5)."""


def seal_keys(apps, schema_editor):
    accounts = apps.get_model("shipping", "TrackingAccount")
    for account in accounts.objects.exclude(api_key="").filter(sealed_options={}):
        account.sealed_options = {"api_key": seal(account.api_key, purpose=PURPOSE)}
        account.save(update_fields=["sealed_options"])
    accounts.objects.filter(base_url__startswith=CLOUD_HOST, per_second=None).update(per_second=CLOUD_PER_SECOND)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shipping", "0020_tracking_lanes")]

    operations = [
        migrations.RunPython(seal_keys, migrations.RunPython.noop),
        migrations.RemoveField(model_name="trackingaccount", name="api_key"),
        AddIndexConcurrently(
            model_name="trackingpoll",
            index=models.Index(
                fields=["courier", "next_poll_at"],
                name="poll_due_of_courier",
                condition=models.Q(("is_active", True)),
            ),
        ),
        RemoveIndexConcurrently(model_name="trackingpoll", name="poll_due"),
    ]
