"""Rows for the three known file layouts, each with the channel its orders belong to."""

from django.db import migrations

KNOWN = (
    ("CAFE24", "카페24 주문", "mall", "자사몰"),
    ("SMARTSTORE", "스마트스토어 발주발송관리", "smartstore", "스마트스토어"),
    ("SABANGNET", "사방넷 주문", "sabangnet", "사방넷"),
)


def add(apps, schema_editor):
    channels = apps.get_model("orders", "SalesChannel")
    profiles = apps.get_model("channels", "OrderProfile")
    for kind, name, code, shop in KNOWN:
        channel, _ = channels.objects.get_or_create(code=code, defaults={"name": shop})
        if not profiles.objects.filter(kind=kind).exists():
            profiles.objects.create(kind=kind, name=name, channel=channel, is_default=True)


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0001_profiles_listings_keys"),
        ("orders", "0001_orders_lines_events"),
    ]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
