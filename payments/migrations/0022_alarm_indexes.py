"""Indexes of what alarms ask for: requests that were turned away, and money that a bank took back."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payments", "0021_card_checks")]

    operations = [
        AddIndexConcurrently(
            model_name="pgrequest",
            index=models.Index(condition=models.Q(("status__in", [401, 403])), fields=["at"], name="request_refused"),
        ),
        AddIndexConcurrently(
            model_name="ledgerentry",
            index=models.Index(condition=models.Q(("kind", "REVERSAL")), fields=["at"], name="ledger_taken_back"),
        ),
    ]
