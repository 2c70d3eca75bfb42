"""Presets of 엑셀 양식 that were missing (domain.md 4.5, shipping.md 5.4); where our key stands in them is ours.

The column for 고객주문번호 is not in what couriers publish for these; it stands last. 우체국 takes exactly 11 columns and
brings no key back: such a file is matched by its download and by hand.
"""

from django.db import migrations

CJ_B = [
    ("보내는분성명", "sender_name", ""),
    ("보내는분전화번호", "sender_phone", ""),
    ("보내는분주소(전체, 분할)", "sender_address", ""),
    ("받는분성명", "recipient_name", ""),
    ("받는분전화번호", "recipient_phone", ""),
    ("받는분기타연락처", "recipient_phone2", ""),
    ("받는분우편번호", "zip_code", ""),
    ("받는분주소(전체, 분할)", "address", ""),
    ("품목명", "items", ""),
    ("내품명", "items_short", ""),
    ("내품수량", "quantity", ""),
    ("배송메세지1", "delivery_note", ""),
    ("고객주문번호", "shipment_number", ""),
]
CJ_LOIS = [
    ("받는분성명", "recipient_name", ""),
    ("받는분전화번호", "recipient_phone", ""),
    ("받는분우편번호", "zip_code", ""),
    ("받는분주소(전체, 분할)", "address", ""),
    ("배송메세지1", "delivery_note", ""),
    ("품목명", "items", ""),
    ("내품수량", "quantity", ""),
    ("고객주문번호", "shipment_number", ""),
]
POST_11 = [
    ("수취인명", "recipient_name", ""),
    ("수취인 우편번호", "zip_code", ""),
    ("수취인 주소", "address", ""),
    ("수취인 이동통신", "recipient_phone", ""),
    ("수취인 전화번호", "recipient_phone2", ""),
    ("상품명", "items_short", ""),
    ("박스단위", "box_count", ""),
    ("부피단위", "", ""),
    ("배송 메시지", "delivery_note", ""),
    ("주문자명", "buyer_name", ""),
    ("수량", "quantity", ""),
]
RECEIVER_11 = [
    ("수하인명", "recipient_name", ""),
    ("수하인휴대폰", "recipient_phone", ""),
    ("수하인전화", "recipient_phone2", ""),
    ("수하인주소", "address", ""),
    ("배송메세지", "delivery_note", ""),
    ("물품명", "product_name", ""),
    ("물품옵션", "option_name", ""),
    ("내품수량", "quantity", ""),
    ("운임구분", "", "010"),
    ("택배수량", "box_count", ""),
    ("택배운임", "", ""),
]
PRESETS = [
    ("CJ대한통운 B (13열)", "CJGLS", CJ_B),
    ("CJ대한통운 LOIS", "CJGLS", CJ_LOIS),
    ("우체국 계약소포 (11열, 고객주문번호 없음)", "EPOST", POST_11),
    ("수하인 양식 (11열, 고객주문번호 없음)", "", RECEIVER_11),
]


def add_presets(apps, schema_editor):
    template = apps.get_model("shipping", "ExcelTemplate")
    for name, courier, columns in PRESETS:
        template.objects.get_or_create(
            name=name,
            defaults={
                "courier": courier,
                "columns": [{"header": header, "field": code, "fixed": text} for header, code, text in columns],
                "is_preset": True,
            },
        )


def take_presets(apps, schema_editor):
    template = apps.get_model("shipping", "ExcelTemplate")
    template.objects.filter(name__in=[name for name, *_ in PRESETS], is_preset=True).delete()


class Migration(migrations.Migration):
    dependencies = [("shipping", "0013_file_batches_and_merging")]

    operations = [migrations.RunPython(add_presets, take_presets)]
