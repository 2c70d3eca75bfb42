from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_refunds_problems")]

    operations = [
        migrations.AddField(
            model_name="virtualaccount",
            name="is_from_window",
            field=models.BooleanField(db_default=False, default=False, verbose_name="결제창에서 연 계좌"),
        ),
        migrations.AlterField(
            model_name="virtualaccount",
            name="bank",
            field=models.CharField(blank=True, max_length=40, verbose_name="은행 코드"),
        ),
        migrations.AlterField(
            model_name="pgaccount",
            name="last_ok_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="마지막 정상 통신"),
        ),
    ]
