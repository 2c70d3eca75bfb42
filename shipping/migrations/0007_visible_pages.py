"""Vacuum of the shipments after a hundredth of their rows, as orders 0010 does for the orders, for the same reason."""

from django.db import migrations

FACTORS = ("autovacuum_vacuum_scale_factor", "autovacuum_vacuum_insert_scale_factor")
SET = ", ".join(f"{name} = 0.01" for name in FACTORS)


class Migration(migrations.Migration):
    dependencies = [("shipping", "0006_counting_indexes")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE shipping_shipment SET ({SET})", f"ALTER TABLE shipping_shipment RESET ({', '.join(FACTORS)})"
        )
    ]
