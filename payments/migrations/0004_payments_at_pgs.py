import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import core.state


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0003_pgs"),
    ]

    operations = [
        migrations.CreateModel(
            name="CardCheck",
            fields=[
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="card_check",
                        serialize=False,
                        to="payments.payment",
                    ),
                ),
                ("next_try_at", models.DateTimeField(blank=True, null=True, verbose_name="다음 조회")),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="조회 횟수")),
                ("last_error", models.CharField(blank=True, max_length=300, verbose_name="마지막 오류")),
            ],
            options={
                "verbose_name": "카드 결제 확인",
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_try_at__isnull", False)), fields=["next_try_at"], name="card_to_check"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CashReceipt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("reference", models.CharField(db_collation="C", max_length=80, verbose_name="승인번호")),
                (
                    "purpose",
                    models.CharField(
                        choices=[("INCOME", "소득공제"), ("EXPENSE", "지출증빙")], max_length=8, verbose_name="용도"
                    ),
                ),
                ("masked_number", models.CharField(blank=True, max_length=40, verbose_name="발급 번호")),
                ("amount", models.PositiveBigIntegerField(verbose_name="금액")),
                (
                    "state",
                    models.CharField(
                        choices=[("ISSUED", "발급"), ("CANCELED", "취소")],
                        default="ISSUED",
                        max_length=8,
                        verbose_name="상태",
                    ),
                ),
                ("url", models.URLField(blank=True, max_length=500, verbose_name="영수증")),
                ("found_at", models.DateTimeField(verbose_name="확인일시")),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="cash_receipts", to="payments.payment"
                    ),
                ),
            ],
            options={
                "verbose_name": "현금영수증",
                "indexes": [models.Index(fields=["-found_at", "-id"], name="cash_receipt_newest")],
                "constraints": [
                    models.UniqueConstraint(fields=("payment", "reference"), name="cash_receipt_once"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["ISSUED", "CANCELED"])), name="cash_receipt_state_known"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VirtualAccount",
            fields=[
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="virtual",
                        serialize=False,
                        to="payments.payment",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("PENDING", "발급 중"),
                            ("ISSUED", "발급"),
                            ("CLOSING", "닫는 중"),
                            ("CLOSED", "닫음"),
                            ("FAILED", "발급 실패"),
                        ],
                        default="PENDING",
                        max_length=8,
                        verbose_name="발급 상태",
                    ),
                ),
                ("bank", models.CharField(max_length=40, verbose_name="은행 코드")),
                ("number", models.CharField(blank=True, db_collation="C", max_length=40, verbose_name="계좌번호")),
                ("holder", models.CharField(blank=True, max_length=60, verbose_name="예금주")),
                ("depositor", models.CharField(blank=True, db_default="", max_length=60, verbose_name="입금자")),
                ("due_at", models.DateTimeField(verbose_name="입금기한")),
                ("issued_at", models.DateTimeField(blank=True, null=True, verbose_name="발급일시")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="닫은 일시")),
                ("next_try_at", models.DateTimeField(blank=True, null=True, verbose_name="다음 시도")),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="시도")),
                ("last_error", models.CharField(blank=True, max_length=300, verbose_name="마지막 오류")),
            ],
            options={
                "verbose_name": "가상계좌",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["PENDING", "CLOSING"])),
                        fields=["next_try_at"],
                        name="virtual_to_try",
                    ),
                    models.Index(condition=models.Q(("state", "ISSUED")), fields=["due_at"], name="virtual_open"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["PENDING", "ISSUED", "CLOSING", "CLOSED", "FAILED"])),
                        name="virtual_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["PENDING", "FAILED"]),
                            models.Q(("number", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="virtual_has_number",
                    ),
                ],
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="payment",
            name="legal_move",
        ),
        migrations.RemoveConstraint(
            model_name="payment",
            name="payment_state_known",
        ),
        migrations.RenameField(
            model_name="payment",
            old_name="settled_at",
            new_name="paid_at",
        ),
        migrations.AddField(
            model_name="payment",
            name="asked_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="PG 조회 일시"),
        ),
        migrations.AddField(
            model_name="payment",
            name="forgiven",
            field=models.PositiveBigIntegerField(db_default=0, default=0, verbose_name="인정한 차액"),
        ),
        migrations.AddField(
            model_name="payment",
            name="order_ref",
            field=models.CharField(db_collation="C", max_length=64, null=True, verbose_name="PG 주문번호"),
        ),
        migrations.AlterField(
            model_name="payment",
            name="paid_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="입금일시"),
        ),
        migrations.AddField(
            model_name="payment",
            name="payment_ref",
            field=models.CharField(blank=True, db_collation="C", max_length=200, verbose_name="PG 거래번호"),
        ),
        migrations.AddField(
            model_name="payment",
            name="refunded",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="환불액"),
        ),
        migrations.AddField(
            model_name="payment",
            name="sealed_secret",
            field=models.TextField(blank=True, verbose_name="알림 비밀값"),
        ),
        migrations.AddField(
            model_name="payment",
            name="synced_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="PG 대조 일시"),
        ),
        migrations.AlterField(
            model_name="ledgerentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("MANUAL", "수동 입금확인"),
                    ("MANUAL_REVERSAL", "입금확인 취소"),
                    ("PREPAID", "채널 결제"),
                    ("SHORTFALL", "차액 인정"),
                    ("DEPOSIT", "입금"),
                    ("REVERSAL", "입금 취소"),
                    ("REFUND", "환불"),
                    ("REFUND_FAILED", "환불 실패"),
                    ("REFUND_UNDONE", "환불 취소"),
                    ("PAID_OUT", "직접 환불"),
                ],
                max_length=16,
                verbose_name="구분",
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="state",
            field=core.state.StateField(
                choices=[
                    ("PENDING", "입금대기"),
                    ("PARTIAL", "부분입금"),
                    ("PAID", "입금완료"),
                    ("OVERPAID", "초과입금"),
                    ("PART_REFUNDED", "부분환불"),
                    ("REFUNDED", "환불"),
                    ("CANCELED", "취소"),
                ],
                default="PENDING",
                max_length=24,
                protected=True,
                verbose_name="상태",
            ),
        ),
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(condition=models.Q(("kind", "MANUAL")), fields=["amount", "at"], name="ledger_by_hand"),
        ),
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(condition=models.Q(("kind", "REVERSAL")), fields=["at"], name="ledger_taken_back"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="legal_move",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."state" IS DISTINCT FROM (NEW."state"))',
                    func="\n                IF (OLD.state, NEW.state) NOT IN (('CANCELED', 'OVERPAID'), ('CANCELED', 'PAID'), ('CANCELED', 'PARTIAL'), ('CANCELED', 'PART_REFUNDED'), ('CANCELED', 'PENDING'), ('CANCELED', 'REFUNDED'), ('OVERPAID', 'CANCELED'), ('OVERPAID', 'PAID'), ('OVERPAID', 'PARTIAL'), ('OVERPAID', 'PART_REFUNDED'), ('OVERPAID', 'PENDING'), ('OVERPAID', 'REFUNDED'), ('PAID', 'CANCELED'), ('PAID', 'OVERPAID'), ('PAID', 'PARTIAL'), ('PAID', 'PART_REFUNDED'), ('PAID', 'PENDING'), ('PAID', 'REFUNDED'), ('PARTIAL', 'CANCELED'), ('PARTIAL', 'OVERPAID'), ('PARTIAL', 'PAID'), ('PARTIAL', 'PART_REFUNDED'), ('PARTIAL', 'PENDING'), ('PARTIAL', 'REFUNDED'), ('PART_REFUNDED', 'CANCELED'), ('PART_REFUNDED', 'OVERPAID'), ('PART_REFUNDED', 'PAID'), ('PART_REFUNDED', 'PARTIAL'), ('PART_REFUNDED', 'PENDING'), ('PART_REFUNDED', 'REFUNDED'), ('PENDING', 'CANCELED'), ('PENDING', 'OVERPAID'), ('PENDING', 'PAID'), ('PENDING', 'PARTIAL'), ('PENDING', 'PART_REFUNDED'), ('PENDING', 'REFUNDED'), ('REFUNDED', 'CANCELED'), ('REFUNDED', 'OVERPAID'), ('REFUNDED', 'PAID'), ('REFUNDED', 'PARTIAL'), ('REFUNDED', 'PART_REFUNDED'), ('REFUNDED', 'PENDING')) THEN\n                    RAISE EXCEPTION 'illegal move of % %: % to %', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state\n                        USING ERRCODE = 'check_violation';\n                END IF;\n                IF NEW.version <> OLD.version + 1 THEN\n                    RAISE EXCEPTION 'move of % % without its version', TG_TABLE_NAME, OLD.id\n                        USING ERRCODE = 'check_violation';\n                END IF;\n                RETURN NEW;\n            ",
                    hash="ab471b8c3bcbd9e7ed8d9258df243727b92a82a0",
                    operation="UPDATE",
                    pgid="pgtrigger_legal_move_fbb01",
                    table="payments_payment",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="payment",
            name="account",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="payments", to="payments.pgaccount"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("refunded__gte", 0)), name="payment_refunded_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("balance__gte", models.F("forgiven")), ("forgiven__gte", 0)),
                name="payment_forgiven_in_balance",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["PENDING", "PARTIAL", "PAID", "OVERPAID", "PART_REFUNDED", "REFUNDED", "CANCELED"])
                ),
                name="payment_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(fields=("account", "order_ref"), name="payment_ref_once"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("account", None), ("order_ref", None)),
                    models.Q(("account__isnull", False), ("order_ref__isnull", False)),
                    _connector="OR",
                ),
                name="payment_ref_with_account",
            ),
        ),
    ]
