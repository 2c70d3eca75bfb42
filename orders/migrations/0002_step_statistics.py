"""Statistics of the step bits: without them the planner takes `(steps & 2) <> 0` for nearly every row."""

from django.db import migrations

BITS = (1, 2, 4, 8, 16, 32)
EXPRESSIONS = ", ".join(f"(steps & {bit})" for bit in BITS)


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_orders_lines_events")]

    operations = [
        migrations.RunSQL(
            f"CREATE STATISTICS orders_order_steps ON {EXPRESSIONS} FROM orders_order",
            "DROP STATISTICS orders_order_steps",
        )
    ]
