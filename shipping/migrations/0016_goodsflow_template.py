"""The preset for 굿스플로: what its screen for orders takes, as far as a source tells (shipping.md 5.2 E).

No source tells the order of its columns, so the file has what every courier's program asks for, with our 배송번호 as the
order number; staff fit it to their own 굿스플로 layout once. Named as an example like the preset of 한진.
"""

from django.db import migrations

NAME = "굿스플로 (예시: 굿스플로 양식에 맞게 고쳐 쓰세요)"
COLUMNS = [
    ("주문번호", "shipment_number", ""),
    ("받는분", "recipient_name", ""),
    ("전화", "recipient_phone2", ""),
    ("핸드폰", "recipient_phone", ""),
    ("우편번호", "zip_code", ""),
    ("주소", "address", ""),
    ("품명", "items_short", ""),
    ("수량", "quantity", ""),
    ("배송메시지", "delivery_note", ""),
]


def add_preset(apps, schema_editor):
    template = apps.get_model("shipping", "ExcelTemplate")
    columns = [{"header": header, "field": code, "fixed": text} for header, code, text in COLUMNS]
    template.objects.get_or_create(name=NAME, defaults={"courier": "", "columns": columns, "is_preset": False})


def take_preset(apps, schema_editor):
    apps.get_model("shipping", "ExcelTemplate").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("shipping", "0015_waybill_numbers")]

    operations = [migrations.RunPython(add_preset, take_preset)]
