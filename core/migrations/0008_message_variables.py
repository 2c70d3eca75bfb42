from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0007_message_drain"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="variables",
            field=models.JSONField(
                db_default=models.Value({}, models.JSONField()), default=dict, verbose_name="내용의 값"
            ),
        ),
    ]
