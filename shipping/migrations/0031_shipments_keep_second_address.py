"""A shipment keeps the 지번주소 that it was sent with; without a rewrite of the table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0030_poll_table_vacuum"),
    ]

    operations = [
        migrations.AddField(
            model_name="shipment",
            name="jibun_address",
            field=models.CharField(blank=True, db_default="", default="", max_length=200, verbose_name="지번주소"),
        ),
    ]
