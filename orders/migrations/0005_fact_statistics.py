"""Statistics of the bits of facts: a filter by a rare fact must not walk through all orders to find none."""

from django.db import migrations

BITS = tuple(1 << shift for shift in range(10, 18))
EXPRESSIONS = ", ".join(f"(steps & {bit})" for bit in BITS)


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_ended_statistics")]

    operations = [
        migrations.RunSQL(
            f"CREATE STATISTICS orders_order_facts ON {EXPRESSIONS} FROM orders_order",
            "DROP STATISTICS orders_order_facts",
        )
    ]
