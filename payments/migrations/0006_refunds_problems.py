import uuid

import django.db.models.deletion
import django.db.models.expressions
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

import core.state


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("payments", "0005_bank_deposits"),
    ]

    operations = [
        migrations.CreateModel(
            name="RefundCalculation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="일시")),
                (
                    "fault",
                    models.CharField(
                        choices=[("BUYER", "고객"), ("SELLER", "판매자"), ("NONE", "없음")],
                        max_length=8,
                        verbose_name="귀책",
                    ),
                ),
                ("lines", models.JSONField(default=dict, verbose_name="품목별 수량")),
                ("goods", models.BigIntegerField(verbose_name="상품금액")),
                ("discount", models.BigIntegerField(default=0, verbose_name="할인")),
                ("coupon", models.BigIntegerField(default=0, verbose_name="쿠폰")),
                ("points", models.BigIntegerField(default=0, verbose_name="적립금 복원")),
                ("shipping_back", models.BigIntegerField(default=0, verbose_name="배송비 환불")),
                ("clawback", models.BigIntegerField(default=0, verbose_name="무료배송 취소")),
                ("return_fee", models.BigIntegerField(default=0, verbose_name="반품배송비")),
                ("forfeit", models.BigIntegerField(default=0, verbose_name="쿠폰 회수")),
                ("shortfall", models.BigIntegerField(db_default=0, default=0, verbose_name="받지 않은 차액")),
                ("total", models.BigIntegerField(verbose_name="환불액")),
                ("restores_coupon", models.BooleanField(default=False, verbose_name="쿠폰 복원")),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="사유")),
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
                    "batch",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.job"
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund_calculations",
                        to="orders.order",
                    ),
                ),
            ],
            options={
                "verbose_name": "환불 계산",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "total",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        django.db.models.expressions.CombinedExpression(
                                                            django.db.models.expressions.CombinedExpression(
                                                                models.F("goods"), "-", models.F("discount")
                                                            ),
                                                            "-",
                                                            models.F("coupon"),
                                                        ),
                                                        "-",
                                                        models.F("points"),
                                                    ),
                                                    "+",
                                                    models.F("shipping_back"),
                                                ),
                                                "-",
                                                models.F("clawback"),
                                            ),
                                            "-",
                                            models.F("return_fee"),
                                        ),
                                        "-",
                                        models.F("forfeit"),
                                    ),
                                    "-",
                                    models.F("shortfall"),
                                ),
                            )
                        ),
                        name="refund_total_adds_up",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MoneyProblem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                (
                    "kind",
                    models.CharField(
                        choices=[
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
                        ],
                        max_length=24,
                        verbose_name="종류",
                    ),
                ),
                ("amount", models.BigIntegerField(verbose_name="금액")),
                ("detail", models.CharField(blank=True, max_length=300, verbose_name="설명")),
                ("found_at", models.DateTimeField(verbose_name="발견일시")),
                (
                    "resolution",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("FITS", "저절로 맞음"),
                            ("ATTACHED", "주문에 연결"),
                            ("REVIVED", "주문 되살림"),
                            ("ACCEPTED", "차액 인정"),
                            ("REFUNDED", "환불"),
                            ("PG_TEST", "PG 시험"),
                            ("NOTHING", "조치 없음"),
                        ],
                        max_length=16,
                        verbose_name="처리",
                    ),
                ),
                ("memo", models.CharField(blank=True, max_length=300, verbose_name="메모")),
                ("resolved_at", models.DateTimeField(null=True, verbose_name="처리일시")),
                ("asked_at", models.DateTimeField(null=True, verbose_name="인정 신청일시")),
                ("asked_amount", models.BigIntegerField(null=True, verbose_name="인정 신청액")),
                ("asks", models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="인정 신청 횟수")),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="money_problems",
                        to="orders.order",
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="problems",
                        to="payments.payment",
                    ),
                ),
                (
                    "resolved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "notice",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="problems",
                        to="payments.pgnotice",
                    ),
                ),
            ],
            options={
                "verbose_name": "예외 입금",
                "indexes": [
                    models.Index(
                        condition=models.Q(("resolved_at", None)), fields=["-found_at", "-id"], name="problem_open"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("resolved_at", None)), fields=("payment", "kind"), name="problem_open_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("resolution", ""), ("resolved_at", None)),
                            models.Q(("resolved_at__isnull", False), models.Q(("resolution", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="problem_resolved_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("resolution", "ACCEPTED"), _negated=True),
                            ("asked_by", None),
                            ("resolved_by", None),
                            models.Q(("resolved_by", models.F("asked_by")), _negated=True),
                            models.Q(("asked_amount", models.F("amount")), _negated=True),
                            _connector="OR",
                        ),
                        name="problem_two_people",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("version", models.PositiveIntegerField(db_default=0, default=0, verbose_name="버전")),
                ("key", models.UUIDField(default=uuid.uuid4, unique=True, verbose_name="환불 번호")),
                (
                    "way",
                    models.CharField(
                        choices=[("PG", "PG 환불"), ("BANK", "은행 이체"), ("PROVIDER", "결제한 곳에서 직접")],
                        max_length=8,
                        verbose_name="환불 방법",
                    ),
                ),
                ("amount", models.PositiveBigIntegerField(verbose_name="환불액")),
                ("reason", models.CharField(max_length=200, verbose_name="사유")),
                ("sealed_account", models.TextField(blank=True, verbose_name="환불계좌")),
                ("account_wiped_at", models.DateTimeField(blank=True, null=True, verbose_name="환불계좌를 지운 일시")),
                ("needs_second", models.BooleanField(default=False, verbose_name="다른 사람의 승인")),
                (
                    "state",
                    core.state.StateField(
                        choices=[
                            ("DRAFT", "승인 대기"),
                            ("HELD", "환불보류"),
                            ("APPROVED", "환불 대기"),
                            ("SENDING", "보내는 중"),
                            ("ACCEPTED", "은행 이체 중"),
                            ("COMPLETED", "환불완료"),
                            ("FAILED", "환불 실패"),
                            ("UNKNOWN", "결과 확인 중"),
                            ("WITHDRAWN", "철회"),
                        ],
                        default="DRAFT",
                        max_length=24,
                        protected=True,
                        verbose_name="상태",
                    ),
                ),
                ("requested_at", models.DateTimeField(verbose_name="신청일시")),
                ("approved_at", models.DateTimeField(blank=True, null=True, verbose_name="승인일시")),
                ("first_sent_at", models.DateTimeField(blank=True, null=True, verbose_name="처음 보낸 일시")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="보낸 일시")),
                ("absent_at", models.DateTimeField(blank=True, null=True, verbose_name="PG에 없음 확인")),
                ("accepted_at", models.DateTimeField(blank=True, null=True, verbose_name="접수일시")),
                ("completed_at", models.DateTimeField(blank=True, null=True, verbose_name="완료일시")),
                ("doubts", models.PositiveSmallIntegerField(default=0, verbose_name="모르는 결과")),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="보낸 횟수")),
                (
                    "reference",
                    models.CharField(blank=True, db_collation="C", max_length=80, verbose_name="PG 환불번호"),
                ),
                ("last_error", models.CharField(blank=True, max_length=300, verbose_name="마지막 오류")),
                ("due_at", models.DateTimeField(blank=True, null=True, verbose_name="다음 처리")),
                (
                    "approved_by",
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
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="payments.bankdeposit",
                    ),
                ),
                (
                    "entry",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund",
                        to="payments.ledgerentry",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="orders.order",
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="payments.payment",
                    ),
                ),
                (
                    "problem",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="payments.moneyproblem",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "calculation",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="payments.refundcalculation",
                    ),
                ),
            ],
            options={
                "verbose_name": "환불",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["APPROVED", "SENDING", "UNKNOWN", "ACCEPTED"])),
                        fields=["due_at", "id"],
                        name="refund_due",
                    ),
                    models.Index(fields=["-requested_at", "-id"], name="refund_newest"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "DRAFT",
                                    "HELD",
                                    "APPROVED",
                                    "SENDING",
                                    "ACCEPTED",
                                    "COMPLETED",
                                    "FAILED",
                                    "UNKNOWN",
                                    "WITHDRAWN",
                                ],
                            )
                        ),
                        name="refund_state_known",
                    ),
                    models.CheckConstraint(condition=models.Q(("amount__gte", 1)), name="refund_amount_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ("ACCEPTED", "COMPLETED")), _negated=True),
                            ("entry__isnull", False),
                            ("deposit__isnull", False),
                            _connector="OR",
                        ),
                        name="refund_done_is_booked",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deposit", None), ("order__isnull", False), ("payment__isnull", False)),
                            models.Q(("deposit__isnull", False), ("order", None), ("payment", None), ("way", "BANK")),
                            _connector="OR",
                        ),
                        name="refund_of_one_thing",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "WITHDRAWN"), _negated=True),
                        fields=("deposit",),
                        name="refund_of_a_deposit_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "WITHDRAWN"), _negated=True),
                        fields=("problem",),
                        name="refund_of_a_problem_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("needs_second", False),
                            ("approved_by", None),
                            ("requested_by", None),
                            models.Q(("approved_by", models.F("requested_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="refund_two_people",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["SENDING", "UNKNOWN"])),
                        fields=("payment",),
                        name="refund_one_at_the_pg",
                    ),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="refundcalculation",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="c3c4f2fbfc309974ff5f72bff3b15b65e0075a18",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_4a623",
                    table="payments_refundcalculation",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="refund",
            trigger=pgtrigger.compiler.Trigger(
                name="legal_move",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."state" IS DISTINCT FROM (NEW."state"))',
                    func="\n                IF (OLD.state, NEW.state) NOT IN (('ACCEPTED', 'COMPLETED'), ('ACCEPTED', 'FAILED'), ('APPROVED', 'COMPLETED'), ('APPROVED', 'FAILED'), ('APPROVED', 'HELD'), ('APPROVED', 'SENDING'), ('APPROVED', 'WITHDRAWN'), ('DRAFT', 'APPROVED'), ('DRAFT', 'HELD'), ('DRAFT', 'WITHDRAWN'), ('FAILED', 'DRAFT'), ('FAILED', 'WITHDRAWN'), ('HELD', 'APPROVED'), ('HELD', 'DRAFT'), ('HELD', 'WITHDRAWN'), ('SENDING', 'ACCEPTED'), ('SENDING', 'APPROVED'), ('SENDING', 'COMPLETED'), ('SENDING', 'FAILED'), ('SENDING', 'UNKNOWN'), ('UNKNOWN', 'ACCEPTED'), ('UNKNOWN', 'COMPLETED'), ('UNKNOWN', 'FAILED'), ('UNKNOWN', 'SENDING')) THEN\n                    RAISE EXCEPTION 'illegal move of % %: % to %', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state\n                        USING ERRCODE = 'check_violation';\n                END IF;\n                IF NEW.version <> OLD.version + 1 THEN\n                    RAISE EXCEPTION 'move of % % without its version', TG_TABLE_NAME, OLD.id\n                        USING ERRCODE = 'check_violation';\n                END IF;\n                RETURN NEW;\n            ",
                    hash="27a866a69811538c02915625c6a309c6c3f8d580",
                    operation="UPDATE",
                    pgid="pgtrigger_legal_move_86fe6",
                    table="payments_refund",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="refund",
            trigger=pgtrigger.compiler.Trigger(
                name="first_state",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                IF NEW.state NOT IN ('DRAFT')\n                   AND COALESCE(current_setting('oms.bulk_load', true), '') <> 'on' THEN\n                    RAISE EXCEPTION 'a row of % may not begin as %', TG_TABLE_NAME, NEW.state\n                        USING ERRCODE = 'check_violation';\n                END IF;\n                RETURN NEW;\n            ",
                    hash="da22c915c514cf1926c5bf21644e595b21627931",
                    operation="INSERT",
                    pgid="pgtrigger_first_state_1763e",
                    table="payments_refund",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="refund",
            trigger=pgtrigger.compiler.Trigger(
                name="told",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."state" IS DISTINCT FROM (NEW."state"))',
                    constraint="CONSTRAINT",
                    func="\n                IF NOT EXISTS (SELECT 1 FROM orders_orderevent\n                               WHERE subject = 'refund' AND subject_id = NEW.id AND version = NEW.version) THEN\n                    RAISE EXCEPTION 'move of % % to % without its event', TG_TABLE_NAME, NEW.id, NEW.state\n                        USING ERRCODE = 'check_violation';\n                END IF;\n                RETURN NULL;\n            ",
                    hash="1ebad293131e7316919fae4e7e524e9ca928f1d5",
                    operation="UPDATE",
                    pgid="pgtrigger_told_acee0",
                    table="payments_refund",
                    timing="DEFERRABLE INITIALLY DEFERRED",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="refund",
            trigger=pgtrigger.compiler.Trigger(
                name="capped",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE held bigint; asked bigint;",
                    func="\n    IF TG_OP = 'UPDATE' AND (NEW.amount, NEW.payment_id, NEW.deposit_id)\n       IS DISTINCT FROM (OLD.amount, OLD.payment_id, OLD.deposit_id) THEN\n        RAISE EXCEPTION 'refund % may not change its amount or payment', OLD.id USING ERRCODE = 'check_violation';\n    END IF;\n    IF NEW.state NOT IN ('DRAFT', 'HELD', 'APPROVED', 'SENDING', 'UNKNOWN') OR NEW.entry_id IS NOT NULL THEN\n        RETURN NEW;\n    END IF;\n    IF TG_OP = 'UPDATE' AND OLD.state IN ('DRAFT', 'HELD', 'APPROVED', 'SENDING', 'UNKNOWN') AND OLD.entry_id IS NULL THEN\n        RETURN NEW;\n    END IF;\n    IF NEW.deposit_id IS NOT NULL THEN\n        SELECT amount - allocated_amount INTO held FROM payments_bankdeposit WHERE id = NEW.deposit_id\n           FOR NO KEY UPDATE;\n        IF NEW.amount <> held THEN\n            RAISE EXCEPTION 'return of deposit % would be % of %', NEW.deposit_id, NEW.amount, held\n                USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    END IF;\n    -- Whoever else opens a refund of this payment waits here and then sees this one.\n    SELECT balance - forgiven INTO held FROM payments_payment WHERE id = NEW.payment_id FOR NO KEY UPDATE;\n    SELECT COALESCE(sum(amount), 0) INTO asked FROM payments_refund\n     WHERE payment_id = NEW.payment_id AND state IN ('DRAFT', 'HELD', 'APPROVED', 'SENDING', 'UNKNOWN') AND entry_id IS NULL AND id IS DISTINCT FROM NEW.id;\n    IF asked + NEW.amount > held THEN\n        RAISE EXCEPTION 'refunds of payment % would be % of %', NEW.payment_id, asked + NEW.amount, held\n            USING ERRCODE = 'check_violation';\n    END IF;\n    RETURN NEW;\n",
                    hash="93d10ed0527d8447813f4ec28ded500aaa5211ce",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_capped_e2a58",
                    table="payments_refund",
                    when="BEFORE",
                ),
            ),
        ),
    ]
