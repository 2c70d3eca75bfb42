"""The zone and surcharge of an address; further methods of delivery and proofs of it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0017_delivery_lock"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="remote_surcharge_amount",
            field=models.IntegerField(blank=True, null=True, verbose_name="도서산간 추가 배송비"),
        ),
        migrations.AddField(
            model_name="order",
            name="remote_zone",
            field=models.SmallIntegerField(
                blank=True, choices=[(1, "내륙"), (2, "제주"), (3, "도서산간")], null=True, verbose_name="권역"
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="delivery_method",
            field=models.CharField(
                choices=[
                    ("PARCEL", "택배"),
                    ("REGIST", "등기"),
                    ("QUICK", "퀵서비스"),
                    ("VISIT", "방문수령"),
                    ("DIRECT", "직접전달"),
                    ("NONE", "배송없음"),
                ],
                default="PARCEL",
                max_length=8,
                verbose_name="배송방법",
            ),
        ),
        migrations.AlterField(
            model_name="orderevent",
            name="source",
            field=models.CharField(
                choices=[
                    ("SCREEN", "화면"),
                    ("UPLOAD", "파일"),
                    ("API", "API"),
                    ("TASK", "자동 처리"),
                    ("PG", "PG 입금 통보"),
                    ("COURIER", "택배사 조회"),
                    ("BUYER", "고객"),
                    ("RIDER", "기사 링크"),
                ],
                max_length=8,
                verbose_name="어디서",
            ),
        ),
        migrations.AlterField(
            model_name="orderline",
            name="delivered_by",
            field=models.CharField(
                blank=True,
                choices=[
                    ("TRACKER", "택배사 확인"),
                    ("STAFF", "직접 처리"),
                    ("BUYER", "고객 확인"),
                    ("DAYS", "기간 경과"),
                    ("RIDER", "기사 확인"),
                    ("CODE", "수령 코드"),
                    ("DISPATCH", "발송 즉시"),
                ],
                max_length=8,
                verbose_name="확인 구분",
            ),
        ),
        migrations.AlterField(
            model_name="orderline",
            name="delivery_method",
            field=models.CharField(
                choices=[
                    ("PARCEL", "택배"),
                    ("REGIST", "등기"),
                    ("QUICK", "퀵서비스"),
                    ("VISIT", "방문수령"),
                    ("DIRECT", "직접전달"),
                    ("NONE", "배송없음"),
                ],
                default="PARCEL",
                max_length=8,
                verbose_name="배송방법",
            ),
        ),
    ]
