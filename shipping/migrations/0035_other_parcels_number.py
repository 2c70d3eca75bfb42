"""One word for a number that belongs to another parcel, of former days or of another person."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0034_no_unused_alert"),
    ]

    operations = [
        migrations.AlterField(
            model_name="parcel",
            name="alert",
            field=models.CharField(
                blank=True,
                choices=[
                    ("NUMBER_INVALID", "택배사가 모르는 송장번호"),
                    ("NUMBER_REUSED", "다른 배송에 쓰인 송장번호"),
                    ("DELIVERED_AFTER_RETURN", "반송 뒤 배송완료"),
                    ("DELIVERY_DISPUTED", "배송완료 확인 필요"),
                    ("EXPIRED", "30일 동안 배송완료 없음"),
                ],
                max_length=24,
                verbose_name="추적 오류",
            ),
        ),
        migrations.AlterField(
            model_name="shippingexception",
            name="kind",
            field=models.CharField(
                choices=[
                    ("NO_PICKUP", "미집하"),
                    ("PICKUP_FAILED", "미집화"),
                    ("NOT_SHIPPED", "출고 전 집하"),
                    ("CARRIER_CANCELLED", "택배사 접수취소"),
                    ("STALLED", "정체"),
                    ("SUSPECTED_LOST", "분실 의심"),
                    ("LOST", "분실"),
                    ("ATTEMPT_FAILED", "미배달 반복"),
                    ("ADDRESS", "주소 문제"),
                    ("REFUSED", "수취 거부"),
                    ("UNCOLLECTED", "보관 중 미수령"),
                    ("DAMAGED", "파손"),
                    ("MISDELIVERED", "오배송"),
                    ("ACCIDENT", "배송사고"),
                    ("RETURNING", "반송"),
                    ("RETURNED", "반송 도착"),
                    ("AFTER_RETURN", "반송 뒤 배송완료"),
                    ("NUMBER_INVALID", "송장번호 오류"),
                    ("NUMBER_REUSED", "다른 배송의 번호"),
                    ("CANCELLED_BUT_SCANNED", "삭제한 송장 집하"),
                    ("DELIVERY_DISPUTED", "배송완료 확인"),
                    ("TRACKING_EXPIRED", "조회 종료"),
                    ("UNKNOWN_STATUS", "모르는 상태"),
                ],
                max_length=24,
                verbose_name="종류",
            ),
        ),
    ]
