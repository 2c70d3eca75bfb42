import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0024_virtual_depositor")]

    operations = [
        migrations.CreateModel(
            name="PgBudget",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="budget",
                        serialize=False,
                        to="payments.pgaccount",
                    ),
                ),
                ("until", models.DateTimeField(verbose_name="나눠 준 때")),
            ],
            options={"verbose_name": "PG 조회 예산"},
        ),
        migrations.RemoveField(model_name="pgaccount", name="asks_until"),
    ]
