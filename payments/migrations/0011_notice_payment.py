"""Nothing ever read or wrote it, and every notice paid for its index."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("payments", "0010_refund_open")]

    operations = [migrations.RemoveField(model_name="pgnotice", name="payment")]
