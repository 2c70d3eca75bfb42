"""The 지번주소 beside the address that couriers get, and the last day of a 안심번호; both without a rewrite of the table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0018_remote_areas_and_methods"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="jibun_address",
            field=models.CharField(blank=True, db_default="", default="", max_length=200, verbose_name="지번주소"),
        ),
        migrations.AddField(
            model_name="order",
            name="safe_number_end_date",
            field=models.DateField(blank=True, null=True, verbose_name="안심번호 만료일"),
        ),
    ]
