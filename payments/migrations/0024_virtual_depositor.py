from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0023_wiped_accounts")]

    operations = [
        migrations.AddField(
            model_name="virtualaccount",
            name="depositor",
            field=models.CharField(blank=True, db_default="", max_length=60, verbose_name="입금자"),
        ),
    ]
