"""One word of alerts that nothing ever wrote goes: a courier that a source does not know stops its lane instead."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0033_closed_cases_index"),
    ]

    operations = [
        migrations.AlterField(
            model_name="parcel",
            name="alert",
            field=models.CharField(
                blank=True,
                choices=[
                    ("NUMBER_INVALID", "택배사가 모르는 송장번호"),
                    ("NUMBER_REUSED", "예전 배송에 쓰인 송장번호"),
                    ("DELIVERED_AFTER_RETURN", "반송 뒤 배송완료"),
                    ("DELIVERY_DISPUTED", "배송완료 확인 필요"),
                    ("EXPIRED", "30일 동안 배송완료 없음"),
                ],
                max_length=24,
                verbose_name="추적 오류",
            ),
        ),
    ]
