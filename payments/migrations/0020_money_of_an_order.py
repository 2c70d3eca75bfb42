from django.db import migrations, models

KINDS = [
    ("UNKNOWN_ORDER", "주문 없음"),
    ("UNDERPAID", "부분입금"),
    ("OVERPAID", "초과입금"),
    ("DUPLICATE_DEPOSIT", "이중입금"),
    ("LATE_AFTER_CANCEL", "취소 후 입금"),
    ("LATE_AFTER_EXPIRE", "기한 후 입금"),
    ("CURRENCY", "다른 통화"),
    ("UNCLEARED_CHEQUE", "미결제 수표"),
    ("MISMATCH_WITH_PG", "PG와 금액 다름"),
    ("ID_REUSE", "이벤트 번호 중복"),
    ("REVERSED_AFTER_RELEASE", "출고 뒤 입금 취소"),
    ("REFUNDED_OUTSIDE", "밖에서 환불"),
    ("REFUND_FAILED", "환불 실패"),
    ("REFUND_UNCOVERED", "환불할 돈 없음"),
    ("NAME_AMBIGUOUS", "입금자 불분명"),
]


class Migration(migrations.Migration):
    dependencies = [("payments", "0019_shortfall")]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="asked_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="PG 조회 일시"),
        ),
        migrations.AlterField(
            model_name="moneyproblem",
            name="kind",
            field=models.CharField(choices=KINDS, max_length=24, verbose_name="종류"),
        ),
    ]
