from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0025_pg_budget")]

    operations = [
        migrations.AddField(
            model_name="pgaccount",
            name="asks_back",
            field=models.BooleanField(db_default=True, default=True, verbose_name="PG에 조회해 확인"),
        ),
    ]
