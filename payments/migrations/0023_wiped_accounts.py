"""When the account of an ended refund was wiped."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0022_alarm_indexes")]

    operations = [
        migrations.AddField(
            model_name="refund",
            name="account_wiped_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="환불계좌를 지운 일시"),
        ),
    ]
