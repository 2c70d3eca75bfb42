"""Downloads of courier files, options of templates, and where the lines of a merged shipment went."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0016_awaiting_amounts_index"),
        ("shipping", "0012_unknown_events_index"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="WaybillFileBatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(db_collation="C", max_length=20, unique=True, verbose_name="내려받기 번호")),
                ("template_name", models.CharField(max_length=60, verbose_name="엑셀 양식")),
                ("at", models.DateTimeField(verbose_name="내려받은 일시")),
                ("count", models.PositiveIntegerField(verbose_name="배송건 수")),
                ("reason", models.CharField(max_length=200, verbose_name="내려받은 이유")),
            ],
            options={
                "verbose_name": "송장 파일 내려받기",
            },
        ),
        migrations.CreateModel(
            name="WaybillFileItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ],
            options={
                "verbose_name": "내려받은 배송건",
            },
        ),
        migrations.AddField(
            model_name="exceltemplate",
            name="omits_header",
            field=models.BooleanField(db_default=False, default=False, verbose_name="열 이름 줄 빼기"),
        ),
        migrations.AddField(
            model_name="exceltemplate",
            name="joins_same",
            field=models.BooleanField(db_default=False, default=False, verbose_name="동일상품 한 줄"),
        ),
        migrations.AddField(
            model_name="exceltemplate",
            name="merged_rows",
            field=models.CharField(
                choices=[("ONE", "배송건마다 한 줄"), ("ORDERS", "주문마다 한 줄")],
                db_default="ONE",
                default="ONE",
                max_length=8,
                verbose_name="합포장한 배송건",
            ),
        ),
        migrations.AddField(
            model_name="exceltemplate",
            name="sort",
            field=models.CharField(
                choices=[
                    ("LISTED", "목록의 순서대로"),
                    ("PRODUCT", "상품별로 모아서"),
                    ("SINGLE_FIRST", "한 가지 상품만 든 배송건 먼저"),
                ],
                db_default="LISTED",
                default="LISTED",
                max_length=12,
                verbose_name="줄의 순서",
            ),
        ),
        migrations.AddField(
            model_name="shipment",
            name="merged_into",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="merged",
                to="shipping.shipment",
                verbose_name="합포한 배송건",
            ),
        ),
        # The new column is empty everywhere: no row has to be looked at.
        AddConstraintNotValid(
            model_name="shipment",
            constraint=models.CheckConstraint(
                condition=models.Q(("merged_into__isnull", True), ("step", "CLOSED"), _connector="OR"),
                name="merged_shipment_is_closed",
            ),
        ),
        migrations.AddField(
            model_name="waybillfilebatch",
            name="actor",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="waybillfilebatch",
            name="template",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="shipping.exceltemplate"
            ),
        ),
        migrations.AddField(
            model_name="waybillfileitem",
            name="batch",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="items",
                to="shipping.waybillfilebatch",
            ),
        ),
        migrations.AddField(
            model_name="waybillfileitem",
            name="shipment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="file_items", to="shipping.shipment"
            ),
        ),
        migrations.AddIndex(
            model_name="waybillfilebatch",
            index=models.Index(fields=["-at", "-id"], name="waybill_file_newest"),
        ),
        migrations.AddConstraint(
            model_name="waybillfileitem",
            constraint=models.UniqueConstraint(fields=("batch", "shipment"), name="waybill_file_item_once"),
        ),
    ]
