"""The preset for numbers that people type into a sheet (shipping.md 5.4): our own three columns, then what they type by."""

from django.db import migrations

NAME = "송장 등록용 (배송번호, 택배사, 운송장번호)"
COLUMNS = [
    ("배송번호", "shipment_number", ""),
    ("택배사", "courier", ""),
    ("운송장번호", "waybill", ""),
    ("받는분", "recipient_name", ""),
    ("품목명", "items", ""),
]


def add_preset(apps, schema_editor):
    template = apps.get_model("shipping", "ExcelTemplate")
    columns = [{"header": header, "field": code, "fixed": text} for header, code, text in COLUMNS]
    template.objects.get_or_create(name=NAME, defaults={"courier": "", "columns": columns, "is_preset": True})


def take_preset(apps, schema_editor):
    apps.get_model("shipping", "ExcelTemplate").objects.filter(name=NAME, is_preset=True).delete()


class Migration(migrations.Migration):
    dependencies = [("shipping", "0027_delivered_counting_index")]

    operations = [migrations.RunPython(add_preset, take_preset)]
