"""Couriers, their codes, status rules and unknown statuses as rows; what reading a stored event again needs."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0009_parcel_moves"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Courier",
            fields=[
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("slug", models.CharField(max_length=12, primary_key=True, serialize=False, verbose_name="코드")),
                ("name", models.CharField(max_length=40, unique=True, verbose_name="이름")),
                (
                    "aliases",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="별칭",
                    ),
                ),
                (
                    "digits",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="자릿수",
                    ),
                ),
                (
                    "rare_digits",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="드문 자릿수",
                    ),
                ),
                (
                    "shortest",
                    models.PositiveSmallIntegerField(
                        default=9, validators=[django.core.validators.MinValueValidator(1)], verbose_name="최소 자릿수"
                    ),
                ),
                (
                    "check_rule",
                    models.CharField(
                        choices=[
                            ("NONE", "없음"),
                            ("CJ_BODY", "끝자리 앞 9자리를 7로 나눈 나머지"),
                            ("ALL_BUT_LAST", "끝자리를 뺀 번호를 7로 나눈 나머지"),
                            ("S10", "국제우편 S10"),
                        ],
                        default="NONE",
                        max_length=12,
                        verbose_name="검증 규칙",
                    ),
                ),
                (
                    "level",
                    models.CharField(
                        choices=[("block", "막기"), ("warn", "알리기"), ("off", "확인 안 함")],
                        default="warn",
                        max_length=5,
                        verbose_name="검증 수준",
                    ),
                ),
                ("has_letters", models.BooleanField(default=False, verbose_name="영문자 사용")),
                ("link", models.CharField(blank=True, max_length=200, verbose_name="배송조회 주소")),
                ("is_active", models.BooleanField(default=True, verbose_name="사용")),
                ("position", models.PositiveSmallIntegerField(default=1000, verbose_name="순서")),
                ("version", models.PositiveIntegerField(default=0, verbose_name="버전")),
            ],
            options={
                "verbose_name": "택배사",
            },
        ),
        migrations.CreateModel(
            name="CourierCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("system", models.CharField(max_length=20, verbose_name="시스템")),
                ("mall", models.CharField(blank=True, max_length=40, verbose_name="쇼핑몰")),
                ("code", models.CharField(max_length=40, verbose_name="코드")),
                ("source", models.CharField(blank=True, max_length=60, verbose_name="출처")),
                ("verified_at", models.DateTimeField(blank=True, null=True, verbose_name="확인일시")),
                ("refused_at", models.DateTimeField(blank=True, null=True, verbose_name="거절일시")),
            ],
            options={
                "verbose_name": "택배사 코드",
            },
        ),
        migrations.CreateModel(
            name="StatusRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("source", models.CharField(blank=True, max_length=20, verbose_name="조회처")),
                ("courier", models.CharField(blank=True, max_length=12, verbose_name="택배사")),
                (
                    "kind",
                    models.CharField(
                        choices=[("TEXT", "문구가 같음"), ("CODE", "코드가 같음"), ("PATTERN", "낱말이 들어 있음")],
                        max_length=8,
                        verbose_name="종류",
                    ),
                ),
                ("value", models.CharField(max_length=300, verbose_name="값")),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("NO_INFO", "미집하"),
                            ("REGISTERED", "운송장 등록"),
                            ("PICKUP_FAILED", "미집화"),
                            ("PICKED_UP", "집하"),
                            ("IN_TRANSIT", "이동중"),
                            ("OUT_FOR_DELIVERY", "배송출발"),
                            ("ATTEMPT_FAILED", "미배달"),
                            ("AVAILABLE_FOR_PICKUP", "보관중"),
                            ("DELIVERED", "배송완료"),
                            ("RETURNING", "반송중"),
                            ("RETURNED", "반송완료"),
                            ("EXCEPTION", "배송사고"),
                            ("CANCELLED", "접수취소"),
                            ("UNKNOWN", "확인필요"),
                        ],
                        max_length=24,
                        verbose_name="추적 상태",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "없음"),
                            ("ABSENT", "부재"),
                            ("REFUSED", "수취거부"),
                            ("ADDRESS", "주소 오류"),
                            ("LOST", "분실"),
                            ("DAMAGED", "파손"),
                            ("MISDELIVERED", "오배송"),
                        ],
                        max_length=16,
                        verbose_name="사유",
                    ),
                ),
                ("priority", models.PositiveSmallIntegerField(default=100, verbose_name="순서")),
                ("is_active", models.BooleanField(default=True, verbose_name="사용")),
                ("is_preset", models.BooleanField(default=False, verbose_name="기본 제공")),
                ("version", models.PositiveIntegerField(default=0, verbose_name="버전")),
                ("looked_up_to", models.BigIntegerField(blank=True, null=True, verbose_name="다시 판정한 상자")),
            ],
            options={
                "verbose_name": "상태 규칙",
            },
        ),
        migrations.CreateModel(
            name="UnknownStatus",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("source", models.CharField(max_length=20, verbose_name="조회처")),
                ("courier", models.CharField(max_length=12, verbose_name="택배사")),
                ("code", models.CharField(blank=True, max_length=40, verbose_name="원본 코드")),
                ("text", models.CharField(blank=True, max_length=300, verbose_name="원본 문구")),
                ("first_seen_on", models.DateField(verbose_name="처음 본 날")),
                ("last_seen_on", models.DateField(verbose_name="마지막으로 본 날")),
                ("logged_on", models.DateField(blank=True, null=True, verbose_name="기록한 날")),
                ("count", models.PositiveIntegerField(default=0, verbose_name="횟수")),
            ],
            options={
                "verbose_name": "미분류 상태",
            },
        ),
        migrations.AddField(
            model_name="trackingevent",
            name="is_date_only",
            field=models.BooleanField(blank=True, null=True, verbose_name="날짜만"),
        ),
        migrations.AddField(
            model_name="trackingevent",
            name="raw_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="원본 일시"),
        ),
        migrations.AddField(
            model_name="trackingevent",
            name="raw_name",
            field=models.CharField(blank=True, max_length=100, null=True, verbose_name="원본 상태"),
        ),
        migrations.AddField(
            model_name="couriercode",
            name="courier",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="system_codes", to="shipping.courier"
            ),
        ),
        migrations.AddField(
            model_name="statusrule",
            name="created_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="unknownstatus",
            name="example",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="shipping.parcel",
            ),
        ),
        migrations.AddField(
            model_name="unknownstatus",
            name="rule",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="shipping.statusrule",
            ),
        ),
        migrations.AddIndex(
            model_name="couriercode",
            index=models.Index(fields=["system", "mall", "code"], name="courier_of_code"),
        ),
        migrations.AddConstraint(
            model_name="couriercode",
            constraint=models.UniqueConstraint(fields=("system", "mall", "courier"), name="courier_code_once"),
        ),
        migrations.AddIndex(
            model_name="statusrule",
            index=models.Index(
                condition=models.Q(("looked_up_to__isnull", False)), fields=["updated_at"], name="rule_to_apply"
            ),
        ),
        migrations.AddConstraint(
            model_name="statusrule",
            constraint=models.UniqueConstraint(
                fields=("source", "courier", "kind", "value", "is_preset"), name="status_rule_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="statusrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "stage__in",
                        [
                            "NO_INFO",
                            "REGISTERED",
                            "PICKUP_FAILED",
                            "PICKED_UP",
                            "IN_TRANSIT",
                            "OUT_FOR_DELIVERY",
                            "ATTEMPT_FAILED",
                            "AVAILABLE_FOR_PICKUP",
                            "DELIVERED",
                            "RETURNING",
                            "RETURNED",
                            "EXCEPTION",
                            "CANCELLED",
                            "UNKNOWN",
                        ],
                    )
                ),
                name="status_rule_stage_known",
            ),
        ),
        migrations.AddIndex(
            model_name="unknownstatus",
            index=models.Index(
                condition=models.Q(("rule", None)), fields=["-last_seen_on", "-count"], name="unknown_to_map"
            ),
        ),
        migrations.AddConstraint(
            model_name="unknownstatus",
            constraint=models.UniqueConstraint(
                fields=("source", "courier", "code", "text"), name="unknown_status_once"
            ),
        ),
    ]
