import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

import core.state


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("payments", "0004_payments_at_pgs"),
    ]

    operations = [
        migrations.CreateModel(
            name="BankAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("code", models.SlugField(max_length=20, unique=True, verbose_name="코드")),
                ("bank", models.CharField(max_length=20, verbose_name="은행")),
                ("sealed_number", models.TextField(blank=True, verbose_name="계좌번호")),
                ("holder", models.CharField(max_length=60, verbose_name="예금주")),
                ("is_active", models.BooleanField(default=True, verbose_name="사용")),
                (
                    "feed",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bank_account",
                        to="payments.pgaccount",
                    ),
                ),
            ],
            options={
                "verbose_name": "입금계좌",
            },
        ),
        migrations.CreateModel(
            name="BankDeposit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("version", models.PositiveIntegerField(db_default=0, default=0, verbose_name="버전")),
                ("at", models.DateTimeField(verbose_name="거래일시")),
                ("amount", models.PositiveBigIntegerField(verbose_name="입금액")),
                ("depositor", models.CharField(blank=True, max_length=60, verbose_name="입금자")),
                ("name_key", models.CharField(blank=True, max_length=120, verbose_name="입금자 비교값")),
                ("memo", models.CharField(blank=True, max_length=200, verbose_name="메모")),
                ("balance", models.BigIntegerField(null=True, verbose_name="거래 후 잔액")),
                (
                    "source",
                    models.CharField(
                        choices=[("FILE", "파일"), ("FEED", "자동 수신")], max_length=4, verbose_name="출처"
                    ),
                ),
                ("fingerprint", models.CharField(db_collation="C", max_length=64, unique=True, verbose_name="지문")),
                (
                    "state",
                    core.state.StateField(
                        choices=[
                            ("NEW", "확인 중"),
                            ("MATCHED", "자동확인"),
                            ("QUEUED", "확인 필요"),
                            ("ALLOCATED", "직접 연결"),
                            ("IGNORED", "무시"),
                            ("RETURNING", "반환 중"),
                            ("REFUNDED", "반환"),
                        ],
                        default="NEW",
                        max_length=9,
                        protected=True,
                        verbose_name="상태",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("NO_ORDER", "맞는 주문 없음"),
                            ("NAME_DIFFERS", "입금자 다름"),
                            ("NAME_WEAK", "입금자 일부만 같음"),
                            ("NAME_AMBIGUOUS", "같은 주문 여럿"),
                            ("SEVERAL_ORDERS", "여러 주문 합계"),
                            ("ALREADY_CONFIRMED", "이미 입금확인"),
                            ("UNDERPAID", "부분입금"),
                            ("OVERPAID", "초과입금"),
                            ("LATE_AFTER_CANCEL", "취소 후 입금"),
                            ("UNDONE", "연결 취소"),
                        ],
                        max_length=20,
                        verbose_name="까닭",
                    ),
                ),
                ("explained", models.CharField(blank=True, max_length=200, verbose_name="설명")),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="사유")),
                ("allocated_amount", models.BigIntegerField(db_default=0, default=0, verbose_name="연결한 금액")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="처리일시")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="deposits", to="payments.bankaccount"
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.job"
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "입금내역",
                "indexes": [
                    models.Index(fields=["-at", "-id"], name="deposit_newest"),
                    models.Index(condition=models.Q(("state", "NEW")), fields=["at", "id"], name="deposit_new"),
                    models.Index(condition=models.Q(("state", "QUEUED")), fields=["-at", "-id"], name="deposit_queued"),
                    models.Index(fields=["account", "amount", "balance"], name="deposit_same_money"),
                    models.Index(
                        condition=models.Q(("balance", None), ("source", "FEED")),
                        fields=["amount", "at"],
                        name="deposit_claims",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("amount__gte", 1)), name="deposit_amount_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["NEW", "MATCHED", "QUEUED", "ALLOCATED", "IGNORED", "RETURNING", "REFUNDED"])
                        ),
                        name="deposit_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("allocated_amount__gte", 0), ("allocated_amount__lte", models.F("amount"))),
                        name="deposit_not_overspent",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["RETURNING", "REFUNDED"]), _negated=True),
                            ("allocated_amount", 0),
                            _connector="OR",
                        ),
                        name="deposit_returned_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DepositAllocation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", models.PositiveBigIntegerField(verbose_name="금액")),
                ("reference", models.CharField(max_length=80, verbose_name="거래 번호")),
                ("replaced_amount", models.PositiveBigIntegerField(default=0, verbose_name="대신한 수동 입금")),
                ("at", models.DateTimeField(verbose_name="연결일시")),
                ("voided_at", models.DateTimeField(null=True, verbose_name="취소일시")),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "deposit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="allocations",
                        to="payments.bankdeposit",
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="allocations", to="payments.payment"
                    ),
                ),
                (
                    "voided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "입금 연결",
                "constraints": [
                    models.UniqueConstraint(fields=("payment", "reference"), name="allocation_reference_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("voided_at", None)),
                        fields=("deposit", "payment"),
                        name="allocation_open_once",
                    ),
                    models.CheckConstraint(condition=models.Q(("amount__gte", 1)), name="allocation_amount_positive"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DepositCandidate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rank", models.PositiveSmallIntegerField(verbose_name="순위")),
                ("score", models.PositiveSmallIntegerField(verbose_name="점수")),
                (
                    "grade",
                    models.CharField(
                        choices=[("CERTAIN", "확실"), ("STRONG", "높음"), ("WEAK", "낮음"), ("AMOUNT", "금액만")],
                        max_length=8,
                        verbose_name="일치 정도",
                    ),
                ),
                ("words", models.CharField(max_length=200, verbose_name="설명")),
                ("holds", models.BooleanField(verbose_name="취소 막음")),
                ("is_summand", models.BooleanField(default=False, verbose_name="합계 제안")),
                (
                    "deposit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="candidates",
                        to="payments.bankdeposit",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="orders.order"),
                ),
            ],
            options={
                "verbose_name": "후보 주문",
                "constraints": [models.UniqueConstraint(fields=("deposit", "order"), name="candidate_once")],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bankdeposit",
            trigger=pgtrigger.compiler.Trigger(
                name="legal_move",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."state" IS DISTINCT FROM (NEW."state"))',
                    func="\n                IF (OLD.state, NEW.state) NOT IN (('ALLOCATED', 'QUEUED'), ('IGNORED', 'QUEUED'), ('MATCHED', 'QUEUED'), ('NEW', 'MATCHED'), ('NEW', 'QUEUED'), ('QUEUED', 'ALLOCATED'), ('QUEUED', 'IGNORED'), ('QUEUED', 'MATCHED'), ('QUEUED', 'RETURNING'), ('RETURNING', 'QUEUED'), ('RETURNING', 'REFUNDED')) THEN\n                    RAISE EXCEPTION 'illegal move of % %: % to %', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state\n                        USING ERRCODE = 'check_violation';\n                END IF;\n                IF NEW.version <> OLD.version + 1 THEN\n                    RAISE EXCEPTION 'move of % % without its version', TG_TABLE_NAME, OLD.id\n                        USING ERRCODE = 'check_violation';\n                END IF;\n                RETURN NEW;\n            ",
                    hash="38a5b79a9bb0827081055e967fb866008d7330f0",
                    operation="UPDATE",
                    pgid="pgtrigger_legal_move_1e2bd",
                    table="payments_bankdeposit",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bankdeposit",
            trigger=pgtrigger.compiler.Trigger(
                name="first_state",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                IF NEW.state NOT IN ('NEW')\n                   AND COALESCE(current_setting('oms.bulk_load', true), '') <> 'on' THEN\n                    RAISE EXCEPTION 'a row of % may not begin as %', TG_TABLE_NAME, NEW.state\n                        USING ERRCODE = 'check_violation';\n                END IF;\n                RETURN NEW;\n            ",
                    hash="ce4c8891ce0dfa03bb70d565406123544067f4ae",
                    operation="INSERT",
                    pgid="pgtrigger_first_state_ada91",
                    table="payments_bankdeposit",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bankdeposit",
            trigger=pgtrigger.compiler.Trigger(
                name="told",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."state" IS DISTINCT FROM (NEW."state"))',
                    constraint="CONSTRAINT",
                    func="\n                IF NOT EXISTS (SELECT 1 FROM orders_orderevent\n                               WHERE subject = 'deposit' AND subject_id = NEW.id AND version = NEW.version) THEN\n                    RAISE EXCEPTION 'move of % % to % without its event', TG_TABLE_NAME, NEW.id, NEW.state\n                        USING ERRCODE = 'check_violation';\n                END IF;\n                RETURN NULL;\n            ",
                    hash="239b7423529312a9d5e8528633a344b81801c101",
                    operation="UPDATE",
                    pgid="pgtrigger_told_615fb",
                    table="payments_bankdeposit",
                    timing="DEFERRABLE INITIALLY DEFERRED",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="depositallocation",
            trigger=pgtrigger.compiler.Trigger(
                name="sum_added",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            UPDATE payments_bankdeposit d SET allocated_amount = d.allocated_amount + s.won\n            FROM (SELECT deposit_id, sum(won) AS won FROM (SELECT deposit_id, 1 * amount AS won FROM new_rows WHERE voided_at IS NULL) p GROUP BY deposit_id) s\n            WHERE d.id = s.deposit_id AND s.won <> 0;\n            RETURN NULL;\n        ",
                    hash="d9aeacf410a61cdd32302d74539fd850f1aecdf6",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_sum_added_ecd4e",
                    referencing="REFERENCING NEW TABLE AS new_rows ",
                    table="payments_depositallocation",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="depositallocation",
            trigger=pgtrigger.compiler.Trigger(
                name="sum_changed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            UPDATE payments_bankdeposit d SET allocated_amount = d.allocated_amount + s.won\n            FROM (SELECT deposit_id, sum(won) AS won FROM (SELECT deposit_id, 1 * amount AS won FROM new_rows WHERE voided_at IS NULL UNION ALL SELECT deposit_id, -1 * amount AS won FROM old_rows WHERE voided_at IS NULL) p GROUP BY deposit_id) s\n            WHERE d.id = s.deposit_id AND s.won <> 0;\n            RETURN NULL;\n        ",
                    hash="dc08efb9571ee8e5a6d7523a781bdb3313aa304d",
                    level="STATEMENT",
                    operation="UPDATE",
                    pgid="pgtrigger_sum_changed_c6f2f",
                    referencing="REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ",
                    table="payments_depositallocation",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="depositallocation",
            trigger=pgtrigger.compiler.Trigger(
                name="sum_removed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            UPDATE payments_bankdeposit d SET allocated_amount = d.allocated_amount + s.won\n            FROM (SELECT deposit_id, sum(won) AS won FROM (SELECT deposit_id, -1 * amount AS won FROM old_rows WHERE voided_at IS NULL) p GROUP BY deposit_id) s\n            WHERE d.id = s.deposit_id AND s.won <> 0;\n            RETURN NULL;\n        ",
                    hash="349c0fc0d98a083a5ed58bf9222155e46294434f",
                    level="STATEMENT",
                    operation="DELETE",
                    pgid="pgtrigger_sum_removed_49383",
                    referencing="REFERENCING OLD TABLE AS old_rows ",
                    table="payments_depositallocation",
                    when="AFTER",
                ),
            ),
        ),
    ]
