"""Lanes, routes and quotas of tracking, and what an account allows; what needs care follows in 0021."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0019_parcel_watch_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="CourierRoute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("courier", models.CharField(max_length=12, verbose_name="택배사")),
                ("rank", models.PositiveSmallIntegerField(default=0, verbose_name="순서")),
            ],
            options={
                "verbose_name": "조회 경로",
            },
        ),
        migrations.CreateModel(
            name="TrackingBudget",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="budget",
                        serialize=False,
                        to="shipping.trackingaccount",
                    ),
                ),
                ("next_slot_at", models.DateTimeField(blank=True, null=True, verbose_name="다음 자리")),
                ("staff_slot_at", models.DateTimeField(blank=True, null=True, verbose_name="직원 다음 자리")),
                ("hint_slot_at", models.DateTimeField(blank=True, null=True, verbose_name="알림 다음 자리")),
                ("day", models.DateField(blank=True, null=True, verbose_name="날짜")),
                ("used", models.PositiveIntegerField(default=0, verbose_name="오늘 조회")),
                ("staff_used", models.PositiveIntegerField(default=0, verbose_name="오늘 직원 조회")),
                ("hint_used", models.PositiveIntegerField(default=0, verbose_name="오늘 알림 조회")),
                ("stretch", models.JSONField(blank=True, default=dict, verbose_name="늘림")),
                ("counts", models.JSONField(blank=True, default=dict, verbose_name="조회 중인 상자")),
                ("planned_at", models.DateTimeField(blank=True, null=True, verbose_name="계산한 일시")),
            ],
            options={
                "verbose_name": "조회 한도",
            },
        ),
        migrations.CreateModel(
            name="TrackingLane",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("courier", models.CharField(max_length=12, verbose_name="택배사")),
                ("lease_until", models.DateTimeField(blank=True, null=True, verbose_name="작업 기한")),
                ("lease_token", models.BigIntegerField(default=0, verbose_name="작업 번호")),
                ("samples", models.JSONField(blank=True, default=list, verbose_name="최근 조회")),
                ("failed_in_a_row", models.PositiveIntegerField(default=0, verbose_name="연속 실패")),
                ("first_failed_at", models.DateTimeField(blank=True, null=True, verbose_name="첫 실패")),
                ("opened_at", models.DateTimeField(blank=True, null=True, verbose_name="멈춘 일시")),
                ("opened_until", models.DateTimeField(blank=True, null=True, verbose_name="다시 시도")),
                ("opened_seconds", models.PositiveIntegerField(default=0, verbose_name="멈춘 시간")),
                ("failing_since", models.DateTimeField(blank=True, null=True, verbose_name="지연 시작")),
                ("ramp_from", models.DateTimeField(blank=True, null=True, verbose_name="다시 늘리기 시작")),
                ("wait_until", models.DateTimeField(blank=True, null=True, verbose_name="한도 대기")),
                ("factor", models.FloatField(default=1.0, verbose_name="속도 배율")),
                ("clean_from", models.DateTimeField(blank=True, null=True, verbose_name="한도 초과 없음")),
                ("next_slot_at", models.DateTimeField(blank=True, null=True, verbose_name="다음 자리")),
                ("last_ok_at", models.DateTimeField(blank=True, null=True, verbose_name="마지막 정상")),
                ("last_error", models.CharField(blank=True, max_length=300, verbose_name="마지막 오류")),
                ("sample_body", models.TextField(blank=True, verbose_name="읽지 못한 응답")),
                ("sample_at", models.DateTimeField(blank=True, null=True, verbose_name="읽지 못한 일시")),
            ],
            options={
                "verbose_name": "조회 차선",
            },
        ),
        migrations.RemoveField(
            model_name="trackingaccount",
            name="failing_since",
        ),
        migrations.RemoveField(
            model_name="trackingaccount",
            name="failures",
        ),
        migrations.AddField(
            model_name="trackingaccount",
            name="concurrency",
            field=models.PositiveSmallIntegerField(db_default=16, default=16, verbose_name="동시 조회"),
        ),
        migrations.AddField(
            model_name="trackingaccount",
            name="kind",
            field=models.CharField(
                db_default="tracker_delivery", default="tracker_delivery", max_length=20, verbose_name="방식"
            ),
        ),
        migrations.AddField(
            model_name="trackingaccount",
            name="min_interval",
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name="같은 상자 조회 간격(초)"),
        ),
        migrations.AddField(
            model_name="trackingaccount",
            name="per_day",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="하루 조회"),
        ),
        migrations.AddField(
            model_name="trackingaccount",
            name="per_second",
            field=models.FloatField(blank=True, null=True, verbose_name="초당 조회"),
        ),
        migrations.AddField(
            model_name="trackingaccount",
            name="sealed_options",
            field=models.JSONField(
                blank=True, db_default=models.Value({}, models.JSONField()), default=dict, verbose_name="키"
            ),
        ),
        migrations.AddField(
            model_name="trackingpoll",
            name="pace",
            field=models.CharField(db_default="NEW", default="NEW", max_length=10, verbose_name="조회 속도"),
        ),
        migrations.AddField(
            model_name="trackingpoll",
            name="wanted_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="직접 조회"),
        ),
        migrations.AddConstraint(
            model_name="trackingaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(("per_second", None), ("per_second__gt", 0), _connector="OR"),
                name="account_rate_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="trackingaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(("concurrency__gte", 1)), name="account_asks_something"
            ),
        ),
        migrations.AddField(
            model_name="courierroute",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="routes", to="shipping.trackingaccount"
            ),
        ),
        migrations.AddField(
            model_name="trackinglane",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="lanes", to="shipping.trackingaccount"
            ),
        ),
        migrations.AddConstraint(
            model_name="courierroute",
            constraint=models.UniqueConstraint(fields=("courier", "account"), name="account_once_in_a_route"),
        ),
        migrations.AddConstraint(
            model_name="trackinglane",
            constraint=models.UniqueConstraint(fields=("account", "courier"), name="one_lane_of_account_and_courier"),
        ),
    ]
