"""The presets of 엑셀 양식 (domain.md 4.5, shipping.md 5.4); staff copy and change them."""

from django.db import migrations

CJ_A = [
    ("예약구분", "", "일반"),
    ("집하예정일", "", ""),
    ("받는분성명", "recipient_name", ""),
    ("받는분전화번호", "recipient_phone", ""),
    ("받는분기타연락처", "recipient_phone2", ""),
    ("받는분우편번호", "zip_code", ""),
    ("받는분주소(전체, 분할)", "address", ""),
    ("운송장번호", "waybill", ""),
    ("고객주문번호", "shipment_number", ""),
    ("품목명", "items", ""),
    ("박스수량", "box_count", ""),
    ("박스타입", "", "극소"),
    ("기본운임", "", ""),
    ("배송메세지1", "delivery_note", ""),
    ("배송메세지2", "", ""),
    ("품목명", "items_short", ""),
    ("운임구분", "", "신용"),
]
POST = [
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
    ("고객주문번호", "shipment_number", ""),
]
LOGEN = [
    ("수하인명", "recipient_name", ""),
    ("우편번호", "zip_code", ""),
    ("주소", "address", ""),
    ("전화", "recipient_phone2", ""),
    ("핸드폰", "recipient_phone", ""),
    ("박스수량", "box_count", ""),
    ("택배비", "", ""),
    ("운임구분", "", "010"),
    ("품목명", "items", ""),
    ("기타", "shipment_number", ""),
    ("배송메세지", "delivery_note", ""),
]
HANJIN = [
    ("받는분", "recipient_name", ""),
    ("전화", "recipient_phone2", ""),
    ("핸드폰", "recipient_phone", ""),
    ("우편번호", "zip_code", ""),
    ("주소", "address", ""),
    ("품명", "items_short", ""),
    ("수량", "quantity", ""),
    ("운임구분", "", "신용"),
    ("배송메시지", "delivery_note", ""),
    ("주문번호", "shipment_number", ""),
]
PRESETS = [
    ("CJ대한통운 A", "CJGLS", CJ_A, True),
    ("우체국 계약소포", "EPOST", POST, True),
    ("로젠택배", "KGB", LOGEN, True),
    ("한진택배 (예시: 택배사 양식에 맞게 고쳐 쓰세요)", "HANJIN", HANJIN, False),
]


def add_presets(apps, schema_editor):
    template = apps.get_model("shipping", "ExcelTemplate")
    for place, (name, courier, columns, is_preset) in enumerate(PRESETS):
        template.objects.get_or_create(
            name=name,
            defaults={
                "courier": courier,
                "columns": [{"header": header, "field": code, "fixed": text} for header, code, text in columns],
                "is_preset": is_preset,
                "is_default": place == 0,
            },
        )


def take_presets(apps, schema_editor):
    template = apps.get_model("shipping", "ExcelTemplate")
    template.objects.filter(name__in=[name for name, *_ in PRESETS]).delete()


class Migration(migrations.Migration):
    dependencies = [("shipping", "0001_shipments_parcels_tracking")]

    operations = [migrations.RunPython(add_presets, take_presets)]
