from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0019_shortfall")]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="asked_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="PG 조회 일시"),
        ),
    ]
