from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0007_refunded_payments")]

    operations = [
        migrations.RenameField("payment", "settled_at", "paid_at"),
        migrations.AlterField(
            "payment", "paid_at", models.DateTimeField(blank=True, null=True, verbose_name="입금일시")
        ),
    ]
