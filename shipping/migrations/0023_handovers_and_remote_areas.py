"""Handovers of what no courier carries, and the table of remote areas."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0022_routing_due"),
    ]

    operations = [
        migrations.CreateModel(
            name="Handover",
            fields=[
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="등록일시")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="수정일시")),
                (
                    "shipment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="handover",
                        serialize=False,
                        to="shipping.shipment",
                    ),
                ),
                ("seal", models.CharField(max_length=32, verbose_name="봉인값")),
                ("carried_by", models.CharField(blank=True, max_length=60, verbose_name="퀵 업체·담당자")),
                ("phone", models.CharField(blank=True, max_length=20, verbose_name="기사·담당자 연락처")),
                ("dispatched_at", models.DateTimeField(blank=True, null=True, verbose_name="배차일시")),
                ("link_used_at", models.DateTimeField(blank=True, null=True, verbose_name="기사 확인일시")),
                ("place", models.CharField(blank=True, max_length=200, verbose_name="수령 장소")),
                ("tries", models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="틀린 코드 횟수")),
                ("reminded_at", models.DateTimeField(blank=True, null=True, verbose_name="수령 알림일시")),
                ("received_by", models.CharField(blank=True, max_length=60, verbose_name="받은 사람")),
            ],
            options={
                "verbose_name": "전달",
            },
        ),
        migrations.AlterField(
            model_name="shipment",
            name="delivered_by",
            field=models.CharField(
                blank=True,
                choices=[
                    ("TRACKER", "택배사 확인"),
                    ("STAFF", "직접 처리"),
                    ("BUYER", "고객 확인"),
                    ("DAYS", "기간 경과"),
                    ("RIDER", "기사 확인"),
                    ("CODE", "수령 코드"),
                    ("DISPATCH", "발송 즉시"),
                ],
                max_length=8,
                verbose_name="확인 구분",
            ),
        ),
        migrations.AlterField(
            model_name="shipment",
            name="method",
            field=models.CharField(
                choices=[
                    ("PARCEL", "택배"),
                    ("REGIST", "등기"),
                    ("QUICK", "퀵서비스"),
                    ("VISIT", "방문수령"),
                    ("DIRECT", "직접전달"),
                    ("NONE", "배송없음"),
                ],
                max_length=8,
                verbose_name="배송방법",
            ),
        ),
        migrations.CreateModel(
            name="RemoteArea",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "level",
                    models.CharField(
                        choices=[("PATTERN", "주소에 든 말"), ("ZIP", "우편번호 범위"), ("PROVINCE", "주소의 첫머리")],
                        max_length=8,
                        verbose_name="비교 기준",
                    ),
                ),
                ("text", models.CharField(blank=True, max_length=100, verbose_name="주소의 말")),
                (
                    "zip_from",
                    models.CharField(blank=True, db_collation="C", max_length=5, verbose_name="우편번호 처음"),
                ),
                ("zip_to", models.CharField(blank=True, db_collation="C", max_length=5, verbose_name="우편번호 끝")),
                ("courier", models.CharField(blank=True, max_length=12, verbose_name="택배사")),
                (
                    "zone",
                    models.PositiveSmallIntegerField(
                        choices=[(1, "내륙"), (2, "제주"), (3, "도서산간")], verbose_name="권역"
                    ),
                ),
                ("surcharge", models.PositiveIntegerField(blank=True, null=True, verbose_name="추가 배송비")),
                ("valid_from", models.DateField(verbose_name="적용 시작일")),
                ("source", models.CharField(blank=True, max_length=200, verbose_name="출처")),
                ("is_active", models.BooleanField(db_default=True, default=True, verbose_name="사용")),
                ("version", models.PositiveIntegerField(db_default=0, default=0, verbose_name="버전")),
            ],
            options={
                "verbose_name": "도서산간 지역",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("level", "ZIP"),
                                ("text", ""),
                                ("zip_from__regex", "^\\d{5}$"),
                                ("zip_to__regex", "^\\d{5}$"),
                                ("zip_to__gte", models.F("zip_from")),
                            ),
                            models.Q(
                                models.Q(("level", "ZIP"), _negated=True),
                                ("zip_from", ""),
                                ("zip_to", ""),
                                models.Q(("text", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="remote_area_is_one_rule",
                    )
                ],
            },
        ),
    ]
