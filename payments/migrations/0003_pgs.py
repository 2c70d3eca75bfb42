import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

import payments.models.account


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0008_message_variables"),
        ("orders", "0016_awaiting_amounts_index"),
        ("payments", "0002_told"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AccountNotice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="일시")),
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
                        on_delete=django.db.models.deletion.PROTECT, related_name="account_notices", to="orders.order"
                    ),
                ),
            ],
            options={
                "verbose_name": "입금 안내 재발송",
                "indexes": [models.Index(fields=["order", "at"], name="account_notice_recent")],
            },
        ),
        migrations.CreateModel(
            name="PgAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("code", models.SlugField(max_length=20, unique=True, verbose_name="코드")),
                ("name", models.CharField(max_length=40, verbose_name="이름")),
                ("provider", models.CharField(max_length=16, verbose_name="PG")),
                ("merchant_id", models.CharField(max_length=64, verbose_name="상점 아이디")),
                (
                    "endpoint_token",
                    models.CharField(
                        default=payments.models.account.new_token,
                        max_length=32,
                        unique=True,
                        verbose_name="웹훅 주소 열쇠",
                    ),
                ),
                ("sealed_secrets", models.TextField(blank=True, verbose_name="키")),
                ("sealed_previous", models.TextField(blank=True, verbose_name="이전 키")),
                ("sealed_options", models.JSONField(blank=True, default=dict, verbose_name="추가 키")),
                ("base_url", models.URLField(verbose_name="주소")),
                ("charset", models.CharField(default="cp949", max_length=8, verbose_name="문자셋")),
                ("checks_ip", models.BooleanField(default=False, verbose_name="IP 확인")),
                ("ips", models.JSONField(blank=True, default=list, verbose_name="허용 IP")),
                ("asks_back", models.BooleanField(db_default=True, default=True, verbose_name="PG에 조회해 확인")),
                ("issues_accounts", models.BooleanField(default=False, verbose_name="가상계좌 발급")),
                ("bank", models.CharField(blank=True, max_length=40, verbose_name="발급 은행")),
                ("is_sandbox", models.BooleanField(default=False, verbose_name="샌드박스")),
                ("is_active", models.BooleanField(default=True, verbose_name="사용")),
                ("registering_until", models.DateTimeField(blank=True, null=True, verbose_name="등록 시험")),
                ("last_ok_at", models.DateTimeField(blank=True, null=True, verbose_name="마지막 조회 성공")),
                ("last_error", models.CharField(blank=True, max_length=300, verbose_name="마지막 오류")),
            ],
            options={
                "verbose_name": "PG 계정",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("issues_accounts", True)),
                        fields=("issues_accounts",),
                        name="one_account_issues",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PgQuestion",
            fields=[
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="question",
                        serialize=False,
                        to="payments.payment",
                    ),
                ),
                ("holder", models.UUIDField(verbose_name="묻는 쪽")),
                ("until", models.DateTimeField(verbose_name="기한")),
            ],
            options={
                "verbose_name": "PG 조회",
            },
        ),
        migrations.CreateModel(
            name="PgNotice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event_key", models.CharField(db_collation="C", max_length=200, verbose_name="이벤트 번호")),
                ("kind", models.CharField(max_length=24, verbose_name="종류")),
                ("order_ref", models.CharField(db_collation="C", max_length=64, verbose_name="주문 참조")),
                (
                    "payment_ref",
                    models.CharField(blank=True, db_collation="C", max_length=200, verbose_name="PG 거래번호"),
                ),
                ("amount", models.BigIntegerField(null=True, verbose_name="금액")),
                ("occurred_at", models.DateTimeField(null=True, verbose_name="발생일시")),
                ("depositor", models.CharField(blank=True, max_length=60, verbose_name="입금자")),
                ("is_proven", models.BooleanField(verbose_name="서명 확인")),
                ("fields", models.JSONField(default=dict, verbose_name="내용")),
                ("body_hash", models.BinaryField(max_length=32, verbose_name="본문 지문")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("RECEIVED", "받음"),
                            ("RETRY", "다시 처리"),
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
                ("reason", models.CharField(blank=True, max_length=40, verbose_name="이유")),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="시도")),
                ("due_at", models.DateTimeField(verbose_name="다음 처리")),
                ("claim", models.BigIntegerField(default=0, verbose_name="임대 번호")),
                ("received_at", models.DateTimeField(verbose_name="수신일시")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="처리일시")),
                ("last_error", models.CharField(blank=True, max_length=500, verbose_name="마지막 오류")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="notices", to="payments.pgaccount"
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notices",
                        to="payments.payment",
                    ),
                ),
            ],
            options={
                "verbose_name": "PG 알림",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["RECEIVED", "RETRY"])),
                        fields=["due_at", "id"],
                        name="notice_due",
                    ),
                    models.Index(fields=["-received_at", "-id"], name="notice_newest"),
                    models.Index(fields=["order_ref"], name="notice_order_ref"),
                    models.Index(
                        condition=models.Q(("state__in", ["PARKED", "DEAD"])), fields=["id"], name="notice_stuck"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "event_key"), name="notice_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ["RECEIVED", "RETRY", "PROCESSED", "IGNORED", "REJECTED", "PARKED", "DEAD", "TEST"],
                            )
                        ),
                        name="notice_state_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PgReconciliation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("ran_on", models.DateField(verbose_name="대사일")),
                ("day", models.DateField(verbose_name="결제 등록일")),
                ("payments", models.PositiveIntegerField(verbose_name="결제 수")),
                ("unanswered", models.PositiveIntegerField(verbose_name="응답 없음")),
                ("changed", models.PositiveIntegerField(verbose_name="새로 반영")),
                ("mismatches", models.PositiveIntegerField(verbose_name="불일치")),
                ("pg_sum", models.BigIntegerField(verbose_name="PG 합계")),
                ("ledger_sum", models.BigIntegerField(verbose_name="원장 합계")),
                ("order_sum", models.BigIntegerField(verbose_name="주문 합계")),
                ("finished_at", models.DateTimeField(verbose_name="끝난 일시")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reconciliations",
                        to="payments.pgaccount",
                    ),
                ),
            ],
            options={
                "verbose_name": "PG 대사",
                "constraints": [
                    models.UniqueConstraint(fields=("ran_on", "account", "day"), name="reconciliation_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="PgBudget",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="budget",
                        serialize=False,
                        to="payments.pgaccount",
                    ),
                ),
                ("until", models.DateTimeField(verbose_name="나눠 준 때")),
            ],
            options={
                "verbose_name": "PG 조회 예산",
            },
        ),
        migrations.CreateModel(
            name="PgRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="수신일시")),
                ("peer_ip", models.GenericIPAddressField(null=True, verbose_name="접속 IP")),
                ("client_ip", models.GenericIPAddressField(null=True, verbose_name="보낸 IP")),
                ("content_type", models.CharField(blank=True, max_length=120, verbose_name="형식")),
                ("headers", models.JSONField(default=dict, verbose_name="머리글")),
                ("body", models.BinaryField(verbose_name="본문")),
                ("size", models.PositiveIntegerField(verbose_name="크기")),
                ("body_hash", models.BinaryField(max_length=32, verbose_name="본문 지문")),
                ("masked_at", models.DateTimeField(null=True, verbose_name="가린 일시")),
                ("status", models.PositiveSmallIntegerField(null=True, verbose_name="응답 코드")),
                ("reason", models.CharField(blank=True, max_length=40, verbose_name="이유")),
                ("milliseconds", models.PositiveIntegerField(null=True, verbose_name="응답 시간")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="requests", to="payments.pgaccount"
                    ),
                ),
                (
                    "notice",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests",
                        to="payments.pgnotice",
                    ),
                ),
            ],
            options={
                "verbose_name": "PG 요청",
                "indexes": [
                    models.Index(condition=models.Q(("status", None)), fields=["at", "id"], name="request_unread"),
                    models.Index(fields=["-at", "-id"], name="request_newest"),
                    models.Index(condition=models.Q(("masked_at", None)), fields=["at", "id"], name="request_to_mask"),
                    models.Index(condition=models.Q(("status__in", [401, 403])), fields=["at"], name="request_refused"),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pgrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="as_it_came",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."account_id" IS DISTINCT FROM (NEW."account_id") OR OLD."at" IS DISTINCT FROM (NEW."at") OR OLD."body" IS DISTINCT FROM (NEW."body") OR OLD."body_hash" IS DISTINCT FROM (NEW."body_hash") OR OLD."client_ip" IS DISTINCT FROM (NEW."client_ip") OR OLD."content_type" IS DISTINCT FROM (NEW."content_type") OR OLD."headers" IS DISTINCT FROM (NEW."headers") OR OLD."masked_at" IS DISTINCT FROM (NEW."masked_at") OR OLD."peer_ip" IS DISTINCT FROM (NEW."peer_ip") OR OLD."size" IS DISTINCT FROM (NEW."size"))',
                    func="\n    IF COALESCE(current_setting('oms.retention', true), '') = 'on' AND OLD.at < now() - interval '30 days'\n       AND OLD.masked_at IS NULL AND NEW.masked_at IS NOT NULL\n       AND (NEW.account_id, NEW.at, NEW.peer_ip, NEW.client_ip, NEW.content_type, NEW.headers, NEW.size, NEW.body_hash)\n           IS NOT DISTINCT FROM\n           (OLD.account_id, OLD.at, OLD.peer_ip, OLD.client_ip, OLD.content_type, OLD.headers, OLD.size, OLD.body_hash)\n    THEN\n        RETURN NEW;\n    END IF;\n    RAISE EXCEPTION 'Cannot update rows from % table', TG_TABLE_NAME;\n",
                    hash="840494af55f57716fc59958c8c0265e2d22d3734",
                    operation="UPDATE",
                    pgid="pgtrigger_as_it_came_37a03",
                    table="payments_pgrequest",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pgrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="kept",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n    IF COALESCE(current_setting('oms.retention', true), '') = 'on' AND OLD.at < now() - interval '5 years' THEN\n        RETURN OLD;\n    END IF;\n    RAISE EXCEPTION 'Cannot delete rows from % table', TG_TABLE_NAME;\n",
                    hash="7daf2fd301e621944fd4e190344123e776edd46f",
                    operation="DELETE",
                    pgid="pgtrigger_kept_a8a3f",
                    table="payments_pgrequest",
                    when="BEFORE",
                ),
            ),
        ),
    ]
