from django.db import migrations

MARKETS = ("smartstore", "coupang", "sabangnet")


def leave_it_to_them(apps, schema_editor):
    apps.get_model("orders", "SalesChannel").objects.filter(code__in=MARKETS).update(notifies_buyers=False)


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0002_known_layouts"),
        ("orders", "0015_notifies_buyers"),
    ]

    operations = [migrations.RunPython(leave_it_to_them, migrations.RunPython.noop)]
