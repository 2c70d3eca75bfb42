from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0011_notice_payment"),
    ]

    operations = [
        migrations.AlterField(
            model_name="bankdeposit",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("NO_ORDER", "맞는 주문 없음"),
                    ("NAME_DIFFERS", "입금자 다름"),
                    ("NAME_WEAK", "입금자 일부만 같음"),
                    ("NAME_AMBIGUOUS", "같은 주문 여럿"),
                    ("SEVERAL_ORDERS", "여러 주문 합계"),
                    ("ALREADY_CONFIRMED", "이미 입금확인"),
                    ("TOLD_BEFORE", "다른 거래내역에 있음"),
                    ("UNDERPAID", "부분입금"),
                    ("OVERPAID", "초과입금"),
                    ("LATE_AFTER_CANCEL", "취소 후 입금"),
                    ("UNDONE", "연결 취소"),
                ],
                max_length=20,
                verbose_name="까닭",
            ),
        ),
        migrations.AlterField(
            model_name="moneyproblem",
            name="kind",
            field=models.CharField(
                choices=[
                    ("UNKNOWN_ORDER", "주문 없음"),
                    ("UNDERPAID", "부분입금"),
                    ("OVERPAID", "초과입금"),
                    ("DUPLICATE_DEPOSIT", "이중입금"),
                    ("LATE_AFTER_CANCEL", "취소 후 입금"),
                    ("LATE_AFTER_EXPIRE", "기한 후 입금"),
                    ("CURRENCY", "다른 통화"),
                    ("UNCLEARED_CHEQUE", "미결제 수표"),
                    ("MISMATCH_WITH_PG", "PG와 다름"),
                    ("ID_REUSE", "이벤트 번호 중복"),
                    ("REVERSED_AFTER_RELEASE", "출고 뒤 입금 취소"),
                    ("REFUNDED_OUTSIDE", "밖에서 환불"),
                    ("REFUND_FAILED", "환불 실패"),
                    ("REFUND_UNCOVERED", "환불할 돈 없음"),
                ],
                max_length=24,
                verbose_name="종류",
            ),
        ),
        migrations.AlterField(
            model_name="moneyproblem",
            name="resolution",
            field=models.CharField(
                blank=True,
                choices=[
                    ("FITS", "저절로 맞음"),
                    ("ATTACHED", "주문에 연결"),
                    ("REVIVED", "주문 되살림"),
                    ("ACCEPTED", "차액 인정"),
                    ("REFUNDED", "환불 신청"),
                    ("PG_TEST", "PG 시험"),
                    ("NOTHING", "조치 없음"),
                ],
                max_length=16,
                verbose_name="처리",
            ),
        ),
        migrations.AlterField(
            model_name="pgnotice",
            name="state",
            field=models.CharField(
                choices=[
                    ("RECEIVED", "받음"),
                    ("RETRY", "재시도 대기"),
                    ("PROCESSED", "반영"),
                    ("IGNORED", "변경 없음"),
                    ("REJECTED", "거절"),
                    ("PARKED", "확인 필요"),
                    ("DEAD", "처리 실패"),
                    ("TEST", "시험"),
                ],
                default="RECEIVED",
                max_length=12,
                verbose_name="처리 상태",
            ),
        ),
    ]
