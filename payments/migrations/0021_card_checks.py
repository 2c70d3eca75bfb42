import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0020_money_of_an_order"),
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
                        condition=models.Q(("next_try_at__isnull", False)),
                        fields=["next_try_at"],
                        name="card_to_check",
                    )
                ],
            },
        ),
    ]
