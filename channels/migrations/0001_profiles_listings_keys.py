# The tables of channels.

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("orders", "0001_orders_lines_events"),
        ("products", "0001_catalog_and_stock"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("prefix", models.CharField(db_collation="C", max_length=12, unique=True, verbose_name="앞자리")),
                ("digest", models.CharField(max_length=64, verbose_name="해시")),
                ("created_at", models.DateTimeField(verbose_name="발급일시")),
                ("last_used_at", models.DateTimeField(blank=True, null=True, verbose_name="마지막 사용")),
                ("revoked_at", models.DateTimeField(blank=True, null=True, verbose_name="폐기일시")),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_keys",
                        to="orders.saleschannel",
                        verbose_name="판매채널",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "API 키",
            },
        ),
        migrations.CreateModel(
            name="ChannelListing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("product", models.CharField(db_collation="C", max_length=100, verbose_name="채널 상품번호")),
                ("option", models.CharField(blank=True, db_collation="C", max_length=200, verbose_name="채널 옵션")),
                ("product_name", models.CharField(blank=True, max_length=200, verbose_name="채널 상품명")),
                ("option_name", models.CharField(blank=True, max_length=200, verbose_name="채널 옵션명")),
                ("use_count", models.PositiveIntegerField(default=0, verbose_name="쓰인 횟수")),
                ("version", models.PositiveIntegerField(default=0, verbose_name="버전")),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="listings",
                        to="orders.saleschannel",
                        verbose_name="판매채널",
                    ),
                ),
                (
                    "variant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="listings",
                        to="products.variant",
                        verbose_name="품목",
                    ),
                ),
            ],
            options={
                "verbose_name": "품목 연결",
                "constraints": [models.UniqueConstraint(fields=("channel", "product", "option"), name="listing_once")],
            },
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(db_collation="C", max_length=200, verbose_name="키")),
                ("request_hash", models.CharField(max_length=64, verbose_name="요청 해시")),
                ("status", models.PositiveSmallIntegerField(default=0, verbose_name="응답 상태")),
                ("body", models.JSONField(default=dict, verbose_name="응답")),
                ("created_at", models.DateTimeField(verbose_name="등록일시")),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="orders.saleschannel",
                    ),
                ),
            ],
            options={
                "verbose_name": "중복 방지 키",
                "indexes": [models.Index(fields=["created_at"], name="idempotency_age")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("channel__isnull", False)),
                        fields=("channel", "key"),
                        name="idempotency_of_channel",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("actor__isnull", False)),
                        fields=("actor", "key"),
                        name="idempotency_of_actor",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("actor__isnull", False), ("channel__isnull", True)),
                            models.Q(("actor__isnull", True), ("channel__isnull", False)),
                            _connector="OR",
                        ),
                        name="idempotency_one_owner",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OrderProfile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                ("name", models.CharField(max_length=60, unique=True, verbose_name="이름")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("SMARTSTORE", "스마트스토어 발주발송관리"),
                            ("CAFE24", "카페24 주문"),
                            ("SABANGNET", "사방넷 주문"),
                            ("CUSTOM", "직접 맞춘 양식"),
                        ],
                        default="CUSTOM",
                        max_length=12,
                        verbose_name="종류",
                    ),
                ),
                ("mapping", models.JSONField(blank=True, default=dict, verbose_name="열 맞추기")),
                ("fingerprint", models.CharField(blank=True, max_length=64, verbose_name="열 이름 지문")),
                ("defaults", models.JSONField(blank=True, default=dict, verbose_name="기본값")),
                ("is_default", models.BooleanField(default=False, verbose_name="판매채널의 기본 양식")),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="profiles",
                        to="orders.saleschannel",
                        verbose_name="판매채널",
                    ),
                ),
            ],
            options={
                "verbose_name": "주문 파일 양식",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("fingerprint", ""), _negated=True),
                        fields=("fingerprint",),
                        name="profile_sender_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("is_default", True)), fields=("channel",), name="profile_default_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["SMARTSTORE", "CAFE24", "SABANGNET", "CUSTOM"])),
                        name="profile_kind_known",
                    ),
                ],
            },
        ),
    ]
