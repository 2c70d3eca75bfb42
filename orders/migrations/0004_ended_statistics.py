"""Statistics of the bits of endings, for the same reason as those of the steps."""

from django.db import migrations

BITS = (960, 192, 256, 512)
EXPRESSIONS = ", ".join(f"(steps & {bit})" for bit in BITS)


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_ended_orders")]

    operations = [
        migrations.RunSQL(
            f"CREATE STATISTICS orders_order_endings ON {EXPRESSIONS} FROM orders_order",
            "DROP STATISTICS orders_order_endings",
        )
    ]
